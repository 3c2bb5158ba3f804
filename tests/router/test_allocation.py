"""Freed blocks stay with the process."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import resource
from logyard.router.allocation import keep_freed_blocks
print(keep_freed_blocks())
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        blocks = [bytes(500_000) for _ in range(30)]
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


def test_using_a_freed_block_again_costs_no_page_faults() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True)
    told, faults = done.stdout.split()
    assert told == "True"
    assert int(faults) < 50, "fewer than one for each round, where giving back would cost thousands"
