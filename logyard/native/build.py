"""Compiles ``lines.c`` when logyard is built or installed; without a compiler it is left out and all works, slower."""

from __future__ import annotations

import os
import shlex
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

__all__ = ["CompileLines", "compile_lines"]

_FOLDER = Path(__file__).resolve().parent
_PYTHON = 0x030B0000
"""The oldest Python that what is compiled runs on; it runs on all later ones (the limited API)."""


def compile_lines(target: Path) -> str:
    """Compile ``lines.c`` to ``target``; what went wrong, "" when it is there."""
    link = shlex.split(os.environ.get("LDSHARED") or sysconfig.get_config_var("LDSHARED") or "cc -shared")
    if compiler := os.environ.get("CC"):
        link[:1] = shlex.split(compiler)
    # Whoever has loaded the old one keeps it: it is replaced and not written over.
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    command = [
        *link, "-O3", "-fPIC", f"-DPy_LIMITED_API={_PYTHON:#x}",
        f"-I{sysconfig.get_path('include')}", str(_FOLDER / "lines.c"), "-o", str(fresh),
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            return f"{shlex.join(command)} failed:\n{done.stderr}"
        fresh.replace(target)
    except OSError as error:
        return f"{link[0]}: {error.strerror}"
    finally:
        fresh.unlink(missing_ok=True)
    return ""


class CompileLines(BuildHookInterface[Any]):
    """The step of hatchling's builds."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """As hatchling calls it before it gathers the files of a wheel."""
        del version
        name = "lines.abi3.so"
        if failure := compile_lines(_FOLDER / name):
            (_FOLDER / name).unlink(missing_ok=True)
            self.app.display_warning(f"logyard works without its part in C, but slower; it was not built: {failure}")
            return
        build_data["artifacts"].append(f"/logyard/native/{name}")
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"cp311-abi3-{platform}"
