"""How many different values there are, in little memory: exact while they are few, then within about two percent. Pure.

The estimate is HyperLogLog (Flajolet, Fusy, Gandouet, Meunier, 2007) with 4096 registers and 64-bit hashes, for which
the correction for large numbers is not needed. It depends on the values alone, not on their order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from hashlib import blake2b

from logyard.pipes.values import Group, text_of

__all__ = ["EXACT", "Distinct"]

EXACT = 4096
"""As many values are kept as they are."""
_BITS = 12
_REGISTERS = 1 << _BITS
_ALPHA = 0.7213 / (1 + 1.079 / _REGISTERS)


class Distinct:
    """A set of values of which only the size can be asked."""

    __slots__ = ("_registers", "_values")

    def __init__(self) -> None:
        self._values: set[Group] | None = set()
        self._registers = bytearray()

    @property
    def exact(self) -> bool:
        """Whether `count` is exact."""
        return self._values is not None

    @property
    def size(self) -> int:
        """Values held, or what the registers take in their place."""
        return len(self._values) if self._values is not None else _REGISTERS // 64

    def add(self, values: Iterable[Group]) -> None:
        """More values; None is none."""
        new = set(values)
        new.discard(None)
        if self._values is not None:
            self._values |= new
            if len(self._values) <= EXACT:
                return
            new, self._values = self._values, None
            self._registers = bytearray(_REGISTERS)
        registers = self._registers
        for value in new:
            # A hash that is the same in every process, unlike Python's own.
            hashed = int.from_bytes(blake2b(text_of(value).encode("utf-8", "surrogatepass"), digest_size=8).digest())
            at, rest = hashed >> (64 - _BITS), hashed & ((1 << (64 - _BITS)) - 1)
            rank = 64 - _BITS - rest.bit_length() + 1
            registers[at] = max(registers[at], rank)

    def merge(self, other: Distinct) -> None:
        """Add all values of ``other``."""
        if other._values is not None:
            self.add(other._values)
            return
        if self._values is not None:
            values, self._values = self._values, None
            self._registers = bytearray(_REGISTERS)
            self.add(values)
        self._registers = bytearray(map(max, self._registers, other._registers))

    @property
    def count(self) -> int:
        """How many different values were added."""
        if self._values is not None:
            return len(self._values)
        estimate = _ALPHA * _REGISTERS**2 / sum(2.0**-rank for rank in self._registers)
        empty = self._registers.count(0)
        if estimate <= 2.5 * _REGISTERS and empty:
            estimate = _REGISTERS * math.log(_REGISTERS / empty)
        return round(estimate)
