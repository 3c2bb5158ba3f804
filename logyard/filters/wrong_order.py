"""What to say when every token is right and their order is not."""

from __future__ import annotations

from collections.abc import Sequence, Set

from logyard.filters.lexing import Lexeme
from logyard.filters.pipes import FUNCTIONS

__all__ = ["explain"]

_PIPE_FORMS = {
    "COUNT": "| count [by FIELD, ...] [every 1m]",
    "STATS": "| stats count() as n, p95(duration) by path",
    "TOP": "| top 10 FIELD",
    "FIELDS": "| fields FIELD, FIELD",
    "CONTEXT": "| context 5",
    "SORT": "| sort by COLUMN desc",
    "LIMIT": "| limit 20",
}
_PLAIN = {
    "NAME": "the name of a field", "NUMBER": "a whole number", "DURATION": "a duration (30s, 1m, 2h)",
    "FUNCTION": f"a function ({', '.join(f'{name}()' for name in FUNCTIONS[:8])}, p95())", "COMMA": "a comma",
    "RPAR": '")"', "BY": "by", "EVERY": "every", "AS": "as", "PIPE": "another pipe", "$END": "the end", "ASC": "asc",
    "DESC": "desc",
}  # fmt: skip

Told = tuple[str, int, int, str]
"""Problem, the characters it is about, and what to write instead."""


def explain(lexemes: Sequence[Lexeme], place: int | None, text: str, expected: Set[str]) -> Told:
    """What is wrong with the token at ``place``, None: with the end.

    Args:
        lexemes: all tokens.
        place: which one could not follow those before it.
        text: what they were read from.
        expected: the terminals that could.
    """
    pipe = next((at for at in range(_last(lexemes, place), -1, -1) if lexemes[at].kind == "PIPE"), None)
    if pipe is not None and not (place is not None and lexemes[place].kind == "PIPE" and pipe == place and place):
        return _in_pipe(lexemes, place, pipe, text, expected)
    if pipe is not None and place is not None and any(one.kind == "PIPE" for one in lexemes[:place]):
        earlier = max(at for at in range(place) if lexemes[at].kind == "PIPE")
        return _in_pipe(lexemes, place, earlier, text, expected)
    return _in_filter(lexemes, place, text)


def _last(lexemes: Sequence[Lexeme], place: int | None) -> int:
    return len(lexemes) - 1 if place is None else place


def _in_filter(lexemes: Sequence[Lexeme], place: int | None, text: str) -> Told:
    before = lexemes[len(lexemes) - 1 if place is None else place - 1] if place != 0 and lexemes else None
    now = None if place is None else lexemes[place]
    if before is not None and before.kind in ("OR", "AND"):
        told = f"expected something to search for behind {before.kind}"
        return told, before.start, before.stop, f'remove it, or write "{before.kind}" in quotes to search for the word'
    if before is not None and before.kind == "NOT":
        sign = text[before.start : before.stop]
        return f"expected a term or a group behind {sign}", before.start, before.stop, f"write {_negated(sign)}"
    if now is not None and now.kind in ("OR", "AND"):
        told = f"expected something to search for before {now.kind}"
        return told, now.start, now.stop, f'remove it, or write "{now.kind}" in quotes to search for the word'
    if now is not None and now.kind == "RPAR":
        start = now.start if before is None else before.start
        hint = 'write something in them, or put the text in quotes: "main()"'
        return "expected a filter inside the parentheses", start, now.stop, hint
    opened: list[Lexeme] = []
    for lexeme in lexemes[: _last(lexemes, place) + 1]:
        if lexeme.kind == "LPAR":
            opened.append(lexeme)
        elif lexeme.kind == "RPAR":
            opened.pop()
    at = opened[-1].start if opened else len(text)
    return 'expected ")" to close this group', at, at + 1, 'add ")" where the group ends, or quote the text'


def _negated(sign: str) -> str:
    return "-word" if sign == "-" else "NOT word, or NOT (a OR b)"


def _in_pipe(lexemes: Sequence[Lexeme], place: int | None, pipe: int, text: str, expected: Set[str]) -> Told:
    name = lexemes[pipe + 1] if pipe + 1 < len(lexemes) else None
    if name is None or (place is not None and place <= pipe + 1):
        at = lexemes[pipe]
        forms = ", ".join(kind.lower() for kind in _PIPE_FORMS)
        return f"expected a pipe's name behind |: one of {forms}", at.start, at.stop, "for instance | count by level"
    form = _PIPE_FORMS[name.kind]
    wanted = " or ".join(_PLAIN[kind] for kind in _PLAIN if kind in expected)
    if place is None:
        return f"expected {wanted} at the end", len(text.rstrip()), len(text.rstrip()) + 1, f"the form is: {form}"
    now = lexemes[place]
    hint = f"the form is: {form}"
    if now.kind == "NAME" and "COMMA" in expected and lexemes[place - 1].kind == "NAME":
        hint = f"write {text[lexemes[place - 1].start : lexemes[place - 1].stop]}, {now.value}"
    elif now.kind == "NUMBER" and "DURATION" in expected:
        hint = f"write the unit: {now.value}s or {now.value}m"
    elif now.kind in ("NAME", "FUNCTION") and "FUNCTION" in expected:
        hint = f"write {now.value}(...); {hint}"
    return f"expected {wanted}, not {text[now.start : now.stop]}", now.start, now.stop, hint
