"""The part in C reads and writes only what is its own: what is sent to it is what strangers write into logs."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from logyard import native
from tests.native.damage import damage

ROOT = Path(__file__).parents[2]


@pytest.mark.needs("native")
def test_damaged_lines_are_written_or_left() -> None:
    assert native.module is not None
    written, left = damage(native.module)
    assert written > 500
    assert left > 5000


@pytest.mark.needs("gcc", "native")
def test_not_a_byte_beside_a_block_is_touched(tmp_path: Path) -> None:
    """Under gcc's AddressSanitizer and UndefinedBehaviorSanitizer, each block in memory of its own."""
    library = tmp_path / "lines.so"
    subprocess.run(
        ["gcc", "-g", "-O1", "-Wall", "-Wextra", "-Werror",
         "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-shared", "-fPIC",
         "-DPy_LIMITED_API=0x030B0000", f"-I{sysconfig.get_path('include')}", ROOT / "logyard/native/lines.c",
         "-o", library],
        check=True,
    )  # fmt: skip
    sanitizers = [
        subprocess.run(["gcc", f"-print-file-name={name}"], check=True, capture_output=True, text=True).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    done = subprocess.run(
        [sys.executable, "-m", "tests.native.damage", library],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env=os.environ | {
            "LD_PRELOAD": " ".join(sanitizers), "PYTHONMALLOC": "malloc", "ASAN_OPTIONS": "detect_leaks=0",
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    assert native.module is not None
    assert done.stdout.split() == [str(number) for number in damage(native.module)]
