"""A filter's text as tokens; most mistakes are found and explained here.

A term (``app:web``, ``status>=500``, ``~"x+"``, a word, a phrase) is one token whose value is a node of the tree, so
that what a colon, a quote or a minus means is decided in one place by what stands around it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import re2

from logyard.derive import Level
from logyard.derive.severity import level_value
from logyard.filters.error import FilterError, nearest
from logyard.filters.fold import fold
from logyard.filters.tree import (
    Compare,
    Contains,
    Everything,
    Exact,
    Exists,
    FieldPath,
    LevelIn,
    Like,
    Matches,
    Node,
    Not,
)
from logyard.filters.units import quantity

__all__ = ["MAX_DEPTH", "MAX_LENGTH", "Lexeme", "Lexer", "Saved"]

MAX_LENGTH = 16 * 1024
"""Characters of a filter."""
MAX_DEPTH = 50
"""Parentheses within each other, saved filters counted."""

_SPACE = re.compile(r"\s+")
_NAME = r"[A-Za-z_@](?:[\w.@-]*[\w@])?"
_OPERATOR = r":?(?:>=|<=|!=|=~|!~|==|=|>|<|~)|:(?![:\s)]|//|\Z)"
_FIELD = re.compile(rf"({_NAME})({_OPERATOR})")
_QUOTED_FIELD = re.compile(rf'("(?:\\.|[^"\\])+")({_OPERATOR})')
_EMPTY_FIELD = re.compile(rf"({_NAME}):(?=[\s)]|\Z)")
_SAVED = re.compile(r"@([A-Za-z0-9_][\w.-]*)(?=[\s()|]|\Z)")
_KEYWORD = re.compile(r"(AND|OR|NOT)(?=[\s()|\"'~]|\Z)")
_BARE = re.compile(r"(?:\\[\s\S]|[^\s()|\"])+")
_ESCAPE = re.compile(r"\\([^A-Za-z0-9])")
_UNESCAPED_STAR = re.compile(r"\\[\s\S]|\*")
_COMPARISONS = {">", ">=", "<", "<="}
_SMART = {"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "«": '"', "»": '"'}
_LONE_OPERATOR = re.compile(r":|[<>=!]=?|=~|!~|==|~(?=\s|\Z)")
_SLASHED = re.compile(r"/.*[\\\[\]^$+?{}].*/[a-z]?|/.*\.\*.*/[a-z]?", re.DOTALL)
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")
_BETWEEN_VALUES = re.compile(r"[\s,|&]+(?:(?:AND|OR|and|or)[\s,|&]+)*")
_AFTER_QUOTE = re.compile(r"[\s()|]|\Z")
_EXPECTED_LEVELS = "trace debug info notice warn error critical alert emergency"
_TEXT = FieldPath("text", envelope=True)
_OPERATORS_FOR_PEOPLE = {"=~": "~", "==": "="}


@dataclass(frozen=True, slots=True)
class Saved:
    """``@name``: the parser puts the saved filter's tree here."""

    name: str


@dataclass(frozen=True, slots=True)
class Lexeme:
    """A token: its terminal in the grammar, what it means, and where it stands."""

    kind: str
    value: Node | Saved | str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class _Field:
    path: FieldPath
    operator: str
    start: int
    """Where the field's name begins."""
    written: str
    """Name and operator as written, for proposals."""


class Lexer:
    """Reads one text.

    Args:
        text: the filter, with or without pipes behind it.
        saved: the name of the saved filter that it is.
    """

    def __init__(self, text: str, saved: str = "") -> None:
        self._text = text
        self._saved = saved
        self._at = 0
        self._depth = 0
        self._found: list[Lexeme] = []

    def read(self) -> list[Lexeme]:
        """All tokens up to the end, or up to the first ``|``, which `rest` then follows.

        Raises:
            FilterError: something in the text is no part of the language.
        """
        if len(self._text) > MAX_LENGTH:
            raise self.error(
                f"the filter has {len(self._text):,} characters; at most {MAX_LENGTH:,} are read",
                0,
                1,
                "save parts of it and name them: @name",
            )
        control = _CONTROL.search(self._text)
        if control is not None:
            raise self.error(
                "expected text, not a control character or broken UTF-8",
                control.start(),
                control.end(),
                "remove it",
            )
        while self._skip_space():
            if self._peek() == "|" and not self._text.startswith("||", self._at):
                break
            self._term()
        return self._found

    @property
    def rest(self) -> int:
        """Where reading ended: the end, or the first ``|``."""
        return self._at

    def error(self, problem: str, start: int, stop: int | None = None, hint: str = "") -> FilterError:
        """The error for characters of this text."""
        return FilterError(problem, self._text, start, start + 1 if stop is None else stop, hint, self._saved)

    # --- where reading is

    def _skip_space(self) -> bool:
        space = _SPACE.match(self._text, self._at)
        if space is not None:
            self._at = space.end()
        return self._at < len(self._text)

    def _peek(self, count: int = 1) -> str:
        return self._text[self._at : self._at + count]

    def _add(self, kind: str, value: Node | Saved | str, start: int) -> None:
        self._found.append(Lexeme(kind, value, start, self._at))

    # --- terms

    def _term(self) -> None:
        start = self._at
        char = self._peek()
        if char in "()":
            self._parenthesis(char)
            return
        self._refuse_other_languages()
        keyword = _KEYWORD.match(self._text, start)
        if keyword is not None:
            self._at = keyword.end()
            self._add(keyword[1], keyword[1], start)
            return
        if char == "-":
            self._minus()
            return
        field = _FIELD.match(self._text, start) or _QUOTED_FIELD.match(self._text, start)
        if field is not None:
            self._field(field)
            return
        saved = _SAVED.match(self._text, start)
        if saved is not None:
            self._at = saved.end()
            self._add("TERM", Saved(saved[1]), start)
            return
        if char == "~":
            self._at += 1
            self._add("TERM", self._regex(_Field(_TEXT, "~", start, "~")), start)
            return
        if char in "\"'":
            self._add("TERM", Contains((self._string(),)), start)
            return
        self._word()

    def _parenthesis(self, char: str) -> None:
        start = self._at
        self._at += 1
        if char == "(":
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise self.error(f"more than {MAX_DEPTH} parentheses stand within each other", start, start + 1)
            self._add("LPAR", "(", start)
        else:
            self._depth -= 1
            if self._depth < 0:
                raise self.error(
                    'this ")" closes nothing', start, start + 1, 'remove it, or write "(" where the group begins'
                )
            self._add("RPAR", ")", start)

    def _refuse_other_languages(self) -> None:
        start = self._at
        for sign, instead in (("&&", "AND, or just a space"), ("||", "OR"), ("&", "AND, or just a space")):
            if self._text.startswith(sign, start):
                raise self.error(f"{sign} is no operator here", start, start + len(sign), f"write {instead}")
        if self._peek() == "!":
            word = _BARE.match(self._text, start + 1)
            left_out = "word" if word is None else word[0]
            raise self.error(
                "! is no operator here", start, start + 1, f"write -{left_out}, or NOT (...) to leave records out"
            )
        self._refuse_smart_quote()
        lone = _LONE_OPERATOR.match(self._text, start)
        if lone is not None:
            raise self._lone_operator(lone)

    def _refuse_smart_quote(self) -> None:
        char = self._peek()
        if char in _SMART:
            end = next((at for at in range(self._at + 1, len(self._text)) if self._text[at] in _SMART), self._at)
            inner = self._text[self._at + 1 : end]
            hint = f'write "{inner}"' if inner else "write them straight"
            raise self.error(f"expected straight quotes, not {char}", self._at, self._at + 1, hint)

    def _lone_operator(self, found: re.Match[str]) -> FilterError:
        sign = found[0]
        before = self._found[-1] if self._found else None
        gap = _SPACE.match(self._text, found.end())
        following = _BARE.match(self._text, found.end() if gap is None else gap.end())
        if before is not None and before.kind == "TERM" and following is not None:
            name = self._text[before.start : before.stop]
            return self.error(
                f"expected no space around {sign}",
                found.start(),
                found.end(),
                f"write {name}{_OPERATORS_FOR_PEOPLE.get(sign, sign)}{following[0]}",
            )
        return self.error(
            f"expected the name of a field before {sign}",
            found.start(),
            found.end(),
            f'write field{_OPERATORS_FOR_PEOPLE.get(sign, sign)}value, or "{sign}" in quotes to search for it',
        )

    def _minus(self) -> None:
        start = self._at
        following = self._text[start + 1 : start + 2]
        option = re.compile(r"--(since|until|stream|key|utc)\b").match(self._text, start)
        if option is not None:
            raise self.error(
                f"{option[0]} is an option of the command, no part of the filter",
                start,
                option.end(),
                "write it outside of the quotes",
            )
        if following == "-":
            word = _BARE.match(self._text, start)
            assert word is not None
            raise self.error(
                "expected one minus before what is left out",
                start,
                start + 2,
                f'write "{word[0]}" to search for this text',
            )
        if not following or following.isspace() or following in ")|":
            raise self.error(
                "expected a word, a field or a group right behind the minus",
                start,
                start + 1,
                'write -word without a space, or "-" in quotes to search for it',
            )
        self._at += 1
        self._add("NOT", "-", start)

    def _word(self) -> None:
        start = self._at
        empty = _EMPTY_FIELD.match(self._text, start)
        if empty is not None:
            raise self._nothing_follows(empty)
        word = _BARE.match(self._text, start)
        if word is None:
            raise self.error("expected a word here", start, start + 1)
        text = word[0]
        if text in {"and", "or", "not"}:
            raise self.error(
                f"expected {text.upper()} in capitals",
                start,
                word.end(),
                f'write {text.upper()}, or "{text}" in quotes to search for the word',
            )
        if _SLASHED.fullmatch(text):
            inner = text[1 : text.rindex("/")]
            raise self.error("/.../ is a path here, not a regular expression", start, word.end(), f'write ~"{inner}"')
        self._at = word.end()
        self._refuse_glued(text, start)
        parts = _wildcard_parts(text)
        if parts == ("", ""):
            self._add("TERM", Everything(), start)
            return
        # What is found anywhere needs no wildcard around it.
        self._add("TERM", Contains(tuple(part for part in parts if part) or ("",)), start)

    def _nothing_follows(self, found: re.Match[str]) -> FilterError:
        gap = _SPACE.match(self._text, found.end())
        following = None if gap is None else _BARE.match(self._text, gap.end())
        if following is None:
            hint = (
                f'write {found[1]}:* for records that have the field, or "{found[0]}" in quotes to search for this text'
            )
        else:
            hint = f'write {found[0]}{following[0]} without a space; "{found[0]}" in quotes searches for this text'
        return self.error(f"expected a value right behind {found[0]}", found.start(), found.end(), hint)

    def _refuse_glued(self, text: str, start: int) -> None:
        """A quote or parenthesis in the middle of a word."""
        char = self._peek()
        if char in ('"', "("):
            what = "quote" if char == '"' else "parenthesis"
            end = _BARE.match(self._text, self._at + 1)
            whole = self._text[start : self._at + 1 if end is None else end.end()]
            if self._text[start + len(whole) : start + len(whole) + 1] in (")", '"'):
                whole = self._text[start : start + len(whole) + 1]
            quoted = whole.replace('"', '\\"')
            raise self.error(
                f"a {what} stands in the middle of a word",
                self._at,
                self._at + 1,
                f'write "{quoted}" to search for this text, or a space before the {what}',
            )

    # --- fields

    def _field(self, found: re.Match[str]) -> None:
        start = self._at
        name, operator = found[1], found[2]
        if name[0] == '"':
            name = _unescape_string(name[1:-1])
        if operator.startswith(":") and len(operator) > 1:
            operator = operator[1:]
        field = _Field(FieldPath.parse(name), operator, start, found[0])
        if field.path.envelope and field.path.name == "time":
            raise self.error(
                "time is never in the filter: it is an option of the command",
                start,
                found.end(1),
                "use --since and --until (--since 10m); json.time is a field of the record's own",
            )
        self._at = found.end()
        if operator == "==":
            raise self._double_equals(field, found)
        if self._peek() == "(" and operator in (":", "="):
            self._choice(field)
            return
        negated = operator in ("!=", "!~")
        if negated:
            field = replace(field, operator="=" if operator == "!=" else "~")
        elif operator == "=~":
            field = replace(field, operator="~")
        term = self._value_term(field)
        self._add("TERM", Not(term) if negated else term, start)

    def _double_equals(self, field: _Field, found: re.Match[str]) -> FilterError:
        value = _BARE.match(self._text, found.end())
        text = "value" if value is None else value[0]
        return self.error(
            "== is no operator here",
            found.start(2),
            found.end(2),
            f"write {field.path}:{text} for any case, {field.path}={text} for exactly this",
        )

    def _value_term(self, field: _Field) -> Node:
        if field.operator == "~":
            return self._regex(field)
        start = self._at
        if self._peek() in _SMART:
            self._refuse_smart_quote()
        if self._peek() in ('"', "'"):
            text = self._string()
            parts: tuple[str, ...] = (text,)
        else:
            word = _BARE.match(self._text, start)
            if word is None:
                raise self.error(
                    f"expected a value right behind {field.written}",
                    field.start,
                    start,
                    f"write {field.written}{self._example(field)} without a space",
                )
            self._at = word.end()
            self._refuse_glued_value(field, word[0])
            parts = _wildcard_parts(word[0])
            text = "*".join(parts) if field.operator != "=" else _unescape(word[0])
        return self._meaning(field, parts, text, start)

    def _example(self, field: _Field) -> str:
        if field.path == FieldPath("level", envelope=True):
            return "warn"
        return "500" if field.operator in _COMPARISONS else "value"

    def _refuse_glued_value(self, field: _Field, text: str) -> None:
        if self._peek() in ('"', "("):
            what = "quote" if self._peek() == '"' else "parenthesis"
            end = _BARE.match(self._text, self._at + 1)
            stop = self._at + 1 if end is None else end.end()
            if self._text[stop : stop + 1] in (")", '"'):
                stop += 1
            quoted = (text + self._text[self._at : stop]).replace('"', '\\"')
            raise self.error(
                f"a {what} stands in the middle of a value",
                self._at,
                self._at + 1,
                f'write {field.written}"{quoted}"',
            )
        if field.operator in (":", "=") and _SLASHED.fullmatch(text) and "*" not in text.replace(".*", ""):
            inner = text[1 : text.rindex("/")]
            raise self.error(
                "/.../ is a path here, not a regular expression",
                self._at - len(text),
                self._at,
                f'write {field.path}~"{inner}"',
            )

    def _meaning(self, field: _Field, parts: tuple[str, ...], text: str, start: int) -> Node:
        """The node for a field, an operator and a value."""
        if field.path == FieldPath("level", envelope=True):
            return self._level(field, parts, text, start)
        if field.operator in _COMPARISONS:
            return self._comparison(field, text, start)
        if field.operator == "=":
            return Exact(field.path, text)
        if parts == ("", ""):
            return Exists(field.path)
        return Like(field.path, parts)

    def _comparison(self, field: _Field, text: str, start: int) -> Compare:
        try:
            than = quantity(text)
        except ValueError as error:
            hint = f'write "{self._text[field.start : self._at]}" in quotes to search for this text'
            if re.match(r"\d{4}-\d\d", text):
                hint = "times are options of the command: --since, --until"
            raise self.error(f"expected a number behind {field.operator}: {error}", start, self._at, hint) from None
        return Compare(field.path, field.operator, than)

    def _level(self, field: _Field, parts: tuple[str, ...], text: str, start: int) -> Node:
        if field.operator == ":" and len(parts) > 1:
            if parts == ("", ""):
                return LevelIn(frozenset(Level), "level:*")
            found = frozenset(level for level in Level if _like(parts, level.label))
            if not found:
                raise self._unknown_level(text, start)
            return LevelIn(found, f"level:{text}")
        level = level_value(text)
        if level is None:
            raise self._unknown_level(text, start)
        if field.operator not in _COMPARISONS:
            return LevelIn(frozenset((level,)), f"level:{level.label}")
        # A level's number is smaller the more severe it is.
        passes: dict[str, Callable[[Level], bool]] = {
            ">=": lambda one: one <= level, ">": lambda one: one < level,
            "<=": lambda one: one >= level, "<": lambda one: one > level,
        }  # fmt: skip
        levels = frozenset(filter(passes[field.operator], Level))
        if not levels:
            raise self.error(
                f"no level is {'above' if field.operator == '>' else 'below'} {level.label}",
                start,
                self._at,
                f"write level:{field.operator}={level.label}",
            )
        return LevelIn(levels, f"level:{field.operator}{level.label}")

    def _unknown_level(self, text: str, start: int) -> FilterError:
        names = [*_EXPECTED_LEVELS.split(), "warning", "err", "crit", "fatal", "panic", "emerg"]
        near = nearest(text, names)
        hint = "" if near is None else f"did you mean {near}? "
        return self.error(
            f"{text} is no level: expected one of {_EXPECTED_LEVELS}",
            start,
            self._at,
            f"{hint}(json.level is a field of the record's own)",
        )

    def _choice(self, field: _Field) -> None:
        """``field:(a OR b)``: any of; the group becomes terms of its own."""
        start = self._at
        self._at += 1
        self._found.append(Lexeme("LPAR", "(", field.start, self._at))
        expect_value = empty = True
        while True:
            if not self._skip_space():
                raise self.error(
                    f'expected ")" to close the group of {field.path}', start, start + 1, 'add ")" at the end'
                )
            at = self._at
            char = self._peek()
            if char == ")":
                if expect_value:
                    what = "values" if empty else "another value behind OR"
                    raise self.error(f"expected {what}", at, at + 1, f"write {field.path}:(one OR another)")
                self._at += 1
                self._add("RPAR", ")", at)
                return
            keyword = _KEYWORD.match(self._text, at)
            if keyword is not None and keyword[1] == "OR" and not expect_value:
                self._at = keyword.end()
                self._add("OR", "OR", at)
                expect_value = True
                continue
            if not expect_value:
                raise self._missing_or(field)
            if keyword is not None or char in "(|,-!&":
                raise self._no_value(field, keyword, at)
            term = self._choice_value(field)
            self._found.append(Lexeme("TERM", term, at, self._at))
            expect_value, empty = False, False

    def _choice_value(self, field: _Field) -> Node:
        at = self._at
        operator = re.compile(r">=|<=|>|<|~(?=[\"'])").match(self._text, at)
        if operator is not None:
            self._at = operator.end()
            field = replace(field, operator=operator[0], written=operator[0])
        term = self._value_term(field)
        written = self._text[at : self._at]
        if written.endswith(",") and len(written) > 1:
            raise self.error(
                "expected OR, not a comma, between values",
                self._at - 1,
                self._at,
                self._proposed_group(field),
            )
        return term

    def _no_value(self, field: _Field, keyword: re.Match[str] | None, at: int) -> FilterError:
        if keyword is not None or self._peek() == "-":
            sign = keyword[1] if keyword is not None else "-"
            problem = f"expected a value of {field.path}, not {sign}: a group of values knows OR only"
            return self.error(
                problem, at, at + len(sign), f"write {field.path}:(a OR b), and -{field.path}:c for what is left out"
            )
        sign = self._peek()
        return self.error(f"expected a value of {field.path}, not {sign}", at, at + 1, f"write {field.path}:(a OR b)")

    def _missing_or(self, field: _Field) -> FilterError:
        at = self._at
        if self._peek() in "|,&" or self._text.startswith("AND", at):
            sign = re.compile(r"\|+|&+|,|AND").match(self._text, at)
            end = at + 1 if sign is None else sign.end()
            return self.error(f"expected OR between the values of {field.path}", at, end, self._proposed_group(field))
        following = _BARE.match(self._text, at)
        return self.error(
            f"expected OR between the values of {field.path}",
            at,
            at + 1 if following is None else following.end(),
            self._proposed_group(field),
        )

    def _proposed_group(self, field: _Field) -> str:
        """The group that was probably meant, with an OR between all values."""
        start = field.start + len(field.written) + 1
        inner = self._text[start:].partition(")")[0]
        values = [value for value in _BETWEEN_VALUES.split(inner) if value]
        if len(values) < 2 or len(inner) > 80 or set(inner) & set("\"'("):
            values = [*values[:1], "..."]
        return f"write {field.path}{field.operator}({' OR '.join(values)})"

    # --- strings and regular expressions

    def _string(self) -> str:
        """The text in quotes that begins here."""
        inner = self._quoted()
        return _unescape_string(inner)

    def _quoted(self) -> str:
        start = self._at
        quote = self._peek()
        at = start + 1
        while at < len(self._text) and self._text[at] != quote:
            at += 2 if self._text[at] == "\\" else 1
        if at >= len(self._text):
            smart = next((char for char in self._text[start:] if char in _SMART), None)
            hint = f"{smart} does not close it: quotes are straight" if smart else f"add {quote} where the text ends"
            raise self.error(f"expected {quote} to close the text that begins here", start, start + 1, hint)
        inner = self._text[start + 1 : at]
        self._at = at + 1
        if _AFTER_QUOTE.match(self._text, self._at) is None:
            hint = 'inside quotes write \\" for a quote; * is a wildcard outside of quotes only'
            raise self.error("expected a space behind the closing quote", self._at, self._at + 1, hint)
        return inner

    def _regex(self, field: _Field) -> Matches | LevelIn:
        start = self._at
        if self._peek() in _SMART:
            self._refuse_smart_quote()
        if self._peek() not in ('"', "'") or not self._peek():
            word = _BARE.match(self._text, start)
            following = "" if word is None else word[0]
            inner = following[1 : following.rindex("/")] if re.fullmatch(r"/.*/[a-z]?", following) else following
            name = "" if field.path == _TEXT else str(field.path)
            whole = self._text[field.start : start + len(following)]
            hint = f'write {name}~"{inner or "..."}"' + (
                f', or "{whole}" in quotes to search for this text' if name else ""
            )
            raise self.error(
                "expected a regular expression in quotes behind ~", start, start + max(1, len(following)), hint
            )
        quote = self._peek()
        pattern = re.sub(r"\\([\s\S])", lambda found: quote if found[1] == quote else found[0], self._quoted())
        self._check_regex(pattern, start)
        if field.path == FieldPath("level", envelope=True):
            compiled = re2.compile(pattern, _quiet())
            levels = frozenset(level for level in Level if compiled.search(level.label) is not None)
            return LevelIn(levels, f"level{self._text[start - 1 : self._at]}")
        return Matches(field.path, pattern)

    def _check_regex(self, pattern: str, start: int) -> None:
        try:
            re2.compile(pattern, _quiet())
        except (re2.error, UnicodeEncodeError) as error:
            told = error.args[0] if error.args else ""
            reason = told.decode(errors="replace") if isinstance(told, bytes) else str(told)
            argument = reason.rpartition(": ")[2]
            at = pattern.find(argument) if ": " in reason else -1
            first, last = (start + 1 + at, start + 1 + at + len(argument)) if at >= 0 else (start, self._at)
            hint = (
                "expressions are RE2's: no look-around, no back-references"
                if "\\" in argument or "(?" in argument
                else ""
            )
            if "repetition" in reason or "missing" in reason or "unexpected" in reason:
                hint = "write a backslash before a character that is meant as itself: \\* \\( \\["
            raise self.error(f"RE2 cannot read this expression: {reason}", first, max(first + 1, last), hint) from None


def _quiet() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    return options


def _wildcard_parts(text: str) -> tuple[str, ...]:
    """The literal texts between the wildcards of a word; a single one when it has no wildcard."""
    parts: list[str] = []
    begin = 0
    for found in _UNESCAPED_STAR.finditer(text):
        if found[0] == "*":
            parts.append(_unescape(text[begin : found.start()]))
            begin = found.end()
    parts.append(_unescape(text[begin:]))
    if len(parts) == 1:
        return (parts[0],)
    return (parts[0], *(part for part in parts[1:-1] if part), parts[-1])


def _unescape(text: str) -> str:
    return _ESCAPE.sub(r"\1", text)


def _unescape_string(text: str) -> str:
    known = {'"': '"', "'": "'", "\\": "\\", "n": "\n", "t": "\t", "r": "\r"}
    return re.sub(r"\\([\s\S])", lambda found: known.get(found[1], found[0]), text)


def _like(parts: tuple[str, ...], value: str) -> bool:
    pattern = ".*".join(re.escape(fold(part)) for part in parts)
    return re.fullmatch(pattern, fold(value), re.DOTALL) is not None
