"""Leases: exactly one router works on a drain's partition at a time.

A lease is a key with an expiry that holds its owner's name. The name tells the machine, the process and when that
process started, so that a router that finds a lease of a process on its own machine that is gone takes it over at
once instead of waiting for it to expire.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from logyard.server import Server, keys
from logyard.server.scripts import LEASE

__all__ = ["LEASE_MS", "Lease", "owner_is_gone", "owner_name"]

LEASE_MS = 6000
"""How long a lease lives without being renewed, ms."""


@lru_cache(maxsize=1)
def _machine() -> str:
    # Process ids mean something only within one boot of one pid namespace.
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}.{os.stat('/proc/self/ns/pid').st_ino}"  # noqa: PTH116 (the link's target is what counts)
    except OSError:
        return f"{os.uname().nodename}.unknown"


def _started(pid: int) -> str:
    """When a process started, in clock ticks since boot; "" when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return ""
    return stat.rpartition(b")")[2].split()[19].decode()  # proc_pid_stat(5), field 22


def owner_name(serial: int = 0) -> str:
    """The name of this process as an owner; ``serial`` tells several routers in one process apart."""
    return f"{_machine()}/{os.getpid()}/{_started(os.getpid())}/{serial}"


def owner_is_gone(owner: str) -> bool:
    """Whether ``owner`` was a process of this machine that does not run any more."""
    machine, _, rest = owner.partition("/")
    pid, _, started = rest.partition("/")
    started = started.partition("/")[0]
    if machine != _machine() or machine.endswith(".unknown") or not pid.isdecimal():
        return False
    return _started(int(pid)) != started


class Lease:
    """The right to work on one drain in one partition.

    Args:
        server: a connected server.
        tag: the partition's hash tag.
        name: the drain's name, or ``@trim``.
        owner: see `owner_name`.
    """

    def __init__(self, server: Server, tag: str, name: str, owner: str) -> None:
        self.key = keys.lease_key(tag, name)
        self.owner = owner
        self._server = server
        self._tag = tag

    async def hold(self) -> bool:
        """Take or renew the lease; False when somebody else holds it.

        Raises:
            ConnectionLost, ServerError: as `Server.call`.
        """
        holder = await self._try("")
        if holder != self.owner and owner_is_gone(holder):
            holder = await self._try(holder)
        return holder == self.owner

    async def release(self) -> bool:
        """Give it up, if it is held; whether nobody holds it now."""
        holder: bytes = await self._server.call(self._tag, "EVALSHA", LEASE.sha, 1, self.key, self.owner, "", 0)
        return not holder

    async def _try(self, instead_of: str) -> str:
        answer: bytes = await self._server.call(
            self._tag, "EVALSHA", LEASE.sha, 1, self.key, self.owner, instead_of, LEASE_MS
        )
        return answer.decode()
