"""A filter's text as tokens; most mistakes are found and explained here.

A term (``app:web``, ``status>=500``, ``~"x+"``, a word, a phrase) is one token whose value is a node of the tree, so
that what a colon, a quote or a minus means is decided in one place by what stands around it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from logyard.filters.error import FilterError
from logyard.filters.meaning import COMPARISONS, LEVEL, WrongValue, expression_of, node_of
from logyard.filters.quoting import SMART_QUOTES, WORD, expression_text, unescape, unescape_quoted, wildcard_parts
from logyard.filters.scanning import SPACE, Scanner
from logyard.filters.tree import Contains, Everything, FieldPath, LevelIn, Matches, Node, Not

__all__ = ["MAX_DEPTH", "MAX_LENGTH", "Lexeme", "Lexer", "Saved"]

MAX_LENGTH = 16 * 1024
"""Characters of a filter."""
MAX_DEPTH = 50
"""Parentheses within each other, saved filters counted."""

_NAME = r"[A-Za-z_@](?:[\w.@-]*[\w@])?"
_OPERATOR = r":?(?:>=|<=|!=|=~|!~|==|=|>|<|~)|:(?![:\s)]|//|\Z)"
_FIELD = re.compile(rf"({_NAME})({_OPERATOR})")
_QUOTED_FIELD = re.compile(rf'("(?:\\.|[^"\\])+")({_OPERATOR})')
_EMPTY_FIELD = re.compile(rf"({_NAME}):(?=[\s)]|\Z)")
_SAVED = re.compile(r"@([A-Za-z0-9_][\w.-]*)(?=[\s()|]|\Z)")
_KEYWORD = re.compile(r"(AND|OR|NOT)(?=[\s()|\"'~]|\Z)")
_LONE_OPERATOR = re.compile(r":|[<>=!]=?|=~|!~|==|~(?=\s|\Z)")
_SLASHED = re.compile(r"/.*[\\\[\]^$+?{}].*/[a-z]?|/.*\.\*.*/[a-z]?", re.DOTALL)
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")
_BETWEEN_VALUES = re.compile(r"[\s,|&]+(?:(?:AND|OR|and|or)[\s,|&]+)*")
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


class Lexer(Scanner):
    """Reads one text.

    Args:
        text: the filter, with or without pipes behind it.
        saved: the name of the saved filter that it is.
    """

    def __init__(self, text: str, saved: str = "") -> None:
        super().__init__(text, saved)
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
            word = WORD.match(self._text, start + 1)
            left_out = "word" if word is None else word[0]
            raise self.error(
                "! is no operator here", start, start + 1, f"write -{left_out}, or NOT (...) to leave records out"
            )
        self._refuse_smart_quote()
        lone = _LONE_OPERATOR.match(self._text, start)
        if lone is not None:
            raise self._lone_operator(lone)

    def _lone_operator(self, found: re.Match[str]) -> FilterError:
        sign = found[0]
        before = self._found[-1] if self._found else None
        gap = SPACE.match(self._text, found.end())
        following = WORD.match(self._text, found.end() if gap is None else gap.end())
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
            word = WORD.match(self._text, start)
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
        word = WORD.match(self._text, start)
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
        parts = wildcard_parts(text)
        if parts == ("", ""):
            self._add("TERM", Everything(), start)
            return
        # What is found anywhere needs no wildcard around it.
        self._add("TERM", Contains(tuple(part for part in parts if part) or ("",)), start)

    def _nothing_follows(self, found: re.Match[str]) -> FilterError:
        gap = SPACE.match(self._text, found.end())
        following = None if gap is None else WORD.match(self._text, gap.end())
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
            end = WORD.match(self._text, self._at + 1)
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
            name = unescape_quoted(name[1:-1])
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
        value = WORD.match(self._text, found.end())
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
        if self._peek() in SMART_QUOTES:
            self._refuse_smart_quote()
        if self._peek() in ('"', "'"):
            text = self._string()
            parts: tuple[str, ...] = (text,)
        else:
            word = WORD.match(self._text, start)
            if word is None:
                raise self.error(
                    f"expected a value right behind {field.written}",
                    field.start,
                    start,
                    f"write {field.written}{self._example(field)} without a space",
                )
            self._at = word.end()
            self._refuse_glued_value(field, word[0])
            parts = wildcard_parts(word[0])
            text = "*".join(parts) if field.operator != "=" else unescape(word[0])
        try:
            return node_of(field.path, field.operator, parts, text)
        except WrongValue as error:
            hint = f'write "{self._text[field.start : self._at]}" in quotes to search for this text'
            raise self._wrong(error, start, hint=hint) from None

    def _example(self, field: _Field) -> str:
        if field.path == LEVEL:
            return "warn"
        return "500" if field.operator in COMPARISONS else "value"

    def _refuse_glued_value(self, field: _Field, text: str) -> None:
        if self._peek() in ('"', "("):
            what = "quote" if self._peek() == '"' else "parenthesis"
            end = WORD.match(self._text, self._at + 1)
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

    def _wrong(self, error: WrongValue, start: int, *, shift: int = 0, hint: str = "") -> FilterError:
        """The error for a value that begins at ``start``; its own positions count ``shift`` characters later."""
        if error.start is None or error.stop is None:
            return self.error(error.problem, start, self._at, error.hint or hint)
        first = start + shift + error.start
        return self.error(error.problem, first, max(first + 1, start + shift + error.stop), error.hint or hint)

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
            if keyword is not None or char in "(|,!&" or (char == "-" and not self._peek(2)[1:].isdecimal()):
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
        following = WORD.match(self._text, at)
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

    # --- regular expressions

    def _regex(self, field: _Field) -> Matches | LevelIn:
        start = self._at
        if self._peek() in SMART_QUOTES:
            self._refuse_smart_quote()
        if self._peek() not in ('"', "'"):
            word = WORD.match(self._text, start)
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
        pattern = expression_text(self._quoted(), quote)
        try:
            return expression_of(field.path, pattern, self._text[start : self._at])
        except WrongValue as error:
            raise self._wrong(error, start, shift=1) from None
