"""The line finder against tomllib: documents of every style, written by a small writer that knows where it wrote."""

import random
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logyard.settings.lines import KeyPath, find_lines

KEYS = st.one_of(
    st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=5),
    st.sampled_from(["a.b", "#", '"', "'", "=", "[x]", "a b", "\\", "é"]),
)
SCALARS = st.one_of(
    st.integers(-(2**40), 2**40),
    st.booleans(),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=12),
    st.sampled_from(["", '"', '""', "'''", "# no", "]", "}", "a\nb", '"""', "\\", "x = 1", "[[a]]"]),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=12
)


class Writer:
    """Writes ``data`` as TOML in styles chosen by ``chance`` and notes the line of every key and element."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.text = ""
        self.lines: dict[KeyPath, int] = {}

    def here(self) -> int:
        return self.text.count("\n") + 1

    def note(self, path: KeyPath) -> None:
        self.lines.setdefault(path, self.here())

    def put(self, text: str) -> None:
        self.text += text

    def gap(self) -> None:
        self.put(self.chance.choice(["", "", " ", "\t"]))

    def filler(self) -> None:
        """What may stand between the lines of a document or the elements of an array."""
        self.put(self.chance.choice(["", "", "\n", "# a = 1 ]\n", "  \n\n", "#'\"\n"]))

    def key(self, key: str) -> None:
        bare = key != "" and all(char.isascii() and (char.isalnum() or char in "_-") for char in key)
        styles = [lambda: self.put(basic(key))]
        if bare:
            styles.append(lambda: self.put(key))
        if "'" not in key and "\\" not in key:
            styles.append(lambda: self.put(f"'{key}'"))
        self.chance.choice(styles)()

    def scalar(self, value: Any) -> None:
        if isinstance(value, bool):
            self.put(str(value).lower())
        elif isinstance(value, int):
            self.put(str(value))
        else:
            printable = all(char.isprintable() or char in "\n\t" for char in value)
            styles = [basic(value)]
            if printable:
                escaped = value.replace("\\", "\\\\")
                if '""' in value or value.endswith('"'):
                    escaped = escaped.replace('"', '\\"')
                styles.append(f'"""\n{escaped}"""')
            if printable and "'" not in value:
                styles.append(f"'''{value}'''" if not value.startswith("\n") else f"'''\n{value}'''")
                if "\n" not in value:
                    styles.append(f"'{value}'")
            self.put(self.chance.choice(styles))

    def value(self, value: Any, path: KeyPath) -> None:
        if isinstance(value, dict):
            self.put("{")
            for position, (key, each) in enumerate(value.items()):
                self.put(", " if position else " ")
                self.note((*path, key))
                self.key(key)
                self.put(" = ")
                self.value(each, (*path, key))
            self.put(" }")
        elif isinstance(value, list):
            self.put("[")
            for position, each in enumerate(value):
                self.filler()
                self.note((*path, position))
                self.value(each, (*path, position))
                self.filler()
                self.put("," if position < len(value) - 1 else self.chance.choice(["", ","]))
            self.filler()
            self.put("]")
        else:
            self.scalar(value)

    def pair(self, names: list[str], value: Any, path: KeyPath) -> None:
        self.filler()
        self.gap()
        for position, name in enumerate(names):
            path = (*path, name)
            self.note(path)
            self.put("." if position else "")
            self.key(name)
        self.gap()
        self.put("=")
        self.gap()
        self.value(value, path)
        self.put(self.chance.choice(["\n", " # b = 2\n"]))

    def table(self, data: dict[str, Any], path: KeyPath, names: list[str]) -> None:
        later: list[tuple[str, Any]] = []
        for key, value in data.items():
            if isinstance(value, dict) and self.chance.random() < 0.6:
                later.append((key, value))
            elif isinstance(value, dict) and len(value) == 1 and self.chance.random() < 0.7:
                ((inner, each),) = value.items()
                self.pair([key, inner], each, path)
            elif value and isinstance(value, list) and all(isinstance(each, dict) for each in value) and (
                self.chance.random() < 0.7
            ):  # fmt: skip
                later.append((key, value))
            else:
                self.pair([key], value, path)
        for key, value in later:
            tables = value if isinstance(value, list) else [value]
            for position, each in enumerate(tables):
                self.filler()
                self.note((*path, key))
                inner_path: KeyPath = (*path, key, position) if isinstance(value, list) else (*path, key)
                self.note(inner_path)
                self.put("[[" if isinstance(value, list) else "[")
                for number, name in enumerate([*names, key]):
                    self.put(" . " if number and self.chance.random() < 0.3 else "." if number else "")
                    self.key(name)
                self.put("]]\n" if isinstance(value, list) else "] # c\n")
                self.table(each, inner_path, [*names, key])


def basic(text: str) -> str:
    return (
        '"' + "".join(f"\\U{ord(char):08x}" if char in '"\\' or not char.isprintable() else char for char in text) + '"'
    )


def paths_of(value: Any, path: KeyPath = ()) -> set[KeyPath]:
    found = {path} if path else set()
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        found |= paths_of(each, (*path, key))
    return found


@given(st.dictionaries(KEYS, VALUES, max_size=5), st.randoms(use_true_random=False))
def test_every_key_and_element_is_found_on_its_line(data: dict[str, Any], chance: random.Random) -> None:
    writer = Writer(chance)
    writer.table(data, (), [])
    assert tomllib.loads(writer.text) == data, "the test's own writer"
    assert find_lines(writer.text) == writer.lines
    assert set(writer.lines) == paths_of(data)


@pytest.mark.parametrize(
    ("text", "where", "line"),
    [
        ("a = 1\nb = 2", ("b",), 2),
        ('a = """\nb = 1\n"""\nb = 2', ("b",), 4),
        ('a = """x"""""\nb = 2', ("b",), 2),
        ("a = '''\n'x'''''\nb = 2", ("b",), 3),
        ("a = ''\nb = ''\n", ("b",), 2),
        ("a = [ # ]\n 1,\n [ 2,\n 3 ]\n]\nb = 1", ("a", 1, 1), 4),
        ("[[a]]\n[[a]]\n[a.b]\nc = 1", ("a", 1, "b", "c"), 4),
        ("[[a]]\n[[a.b]]\n[[a.b]]\nc = 1\n[[a]]\n[[a.b]]\nc = 2", ("a", 1, "b", 0, "c"), 7),
        ("[a.b.c]\nd = 1\n[a]\ne = 2", ("a", "e"), 4),
        ("[a.b.c]\nd = 1\n[a]\ne = 2", ("a",), 1),
        ("a.b.c = 1\na.d = 2", ("a", "d"), 2),
        ("\"a.b\".'c d' = 1", ("a.b", "c d"), 1),
        ("t = 1979-05-27 07:32:00Z\nu = 1", ("u",), 2),
        ("a = { b = [ 1, { c = 2 } ], d = 3 }", ("a", "b", 1, "c"), 1),
    ],
)
def test_documents_that_are_easy_to_misread(text: str, where: KeyPath, line: int) -> None:
    assert set(find_lines(text)) == paths_of(tomllib.loads(text))
    assert find_lines(text)[where] == line
