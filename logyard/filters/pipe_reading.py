"""From a pipe's parse tree to what it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from lark import Token, Tree

from logyard.filters.error import FilterError, nearest
from logyard.filters.lexing import Lexeme
from logyard.filters.pipes import FUNCTIONS, Context, Count, Fields, Function, Limit, Pipe, Sort, Stats, Top
from logyard.filters.tree import FieldPath
from logyard.filters.units import duration_ns

__all__ = ["read_pipe"]

_MOST = 1_000_000
_OTHER_NAMES = {"mean": "avg", "average": "avg", "distinct": "uniq", "dc": "uniq", "cardinality": "uniq",
                "count_distinct": "uniq", "count_uniq": "uniq", "total": "sum", "quantile": "p95", "percentile": "p95",
                "len": "count"}  # fmt: skip


def read_pipe(tree: Tree[Token] | Token, lexemes: Sequence[Lexeme], text: str) -> Pipe:
    """What a pipe asks for.

    Args:
        tree: of one of the grammar's pipes.
        lexemes: what its tokens point to.
        text: what they were read from.

    Raises:
        FilterError: there is no such function, or a number makes no sense.
    """
    assert isinstance(tree, Tree)
    return _Reader(lexemes, text).pipe(tree)


class _Reader:
    def __init__(self, lexemes: Sequence[Lexeme], text: str) -> None:
        self._lexemes = lexemes
        self._text = text

    def pipe(self, tree: Tree[Token]) -> Pipe:
        match tree.data:
            case "count":
                return Count(*self._grouping(tree))
            case "stats":
                return self._stats(tree)
            case "top":
                return Top(self._number(tree, 0, least=1), self._paths(tree)[0])
            case "fields":
                return Fields(self._paths(tree))
            case "context":
                numbers = self._tokens(tree, "NUMBER")
                return Context(self._number(tree, 0), self._number(tree, len(numbers) - 1))
            case "sort":
                (column,) = [child for child in tree.children if isinstance(child, Tree)]
                return Sort(self._column(column), bool(self._tokens(tree, "DESC")))
            case _:
                return Limit(self._number(tree, 0, least=1))

    def _tokens(self, tree: Tree[Token], kind: str) -> list[Lexeme]:
        return [
            self._lexemes[cast("int", child.start_pos)]
            for child in tree.children
            if isinstance(child, Token) and child.type == kind
        ]

    def _error(self, problem: str, lexeme: Lexeme, hint: str) -> FilterError:
        return FilterError(problem, self._text, lexeme.start, lexeme.stop, hint)

    def _paths(self, tree: Tree[Token]) -> tuple[FieldPath, ...]:
        return tuple(FieldPath.parse(str(one.value)) for one in self._tokens(tree, "NAME"))

    def _number(self, tree: Tree[Token], place: int, least: int = 0) -> int:
        lexeme = self._tokens(tree, "NUMBER")[place]
        digits = str(lexeme.value)
        too_many = len(digits) > len(str(_MOST)) or int(digits) > _MOST
        if too_many or int(digits) < least:
            raise self._error(
                f"expected a number from {least} to {_MOST:,}", lexeme, f"write {_MOST if too_many else 10}"
            )
        return int(digits)

    def _grouping(self, tree: Tree[Token]) -> tuple[tuple[FieldPath, ...], int | None]:
        by: tuple[FieldPath, ...] = ()
        every = None
        for child in tree.children:
            if isinstance(child, Tree) and child.data == "by":
                by = self._paths(child)
            elif isinstance(child, Tree) and child.data == "every":
                every = self._every(self._tokens(child, "DURATION")[0])
        return by, every

    def _every(self, lexeme: Lexeme) -> int:
        ns = duration_ns(str(lexeme.value))
        if not ns or ns < 0:
            raise self._error(
                f"{lexeme.value} is no duration: expected a number with ms, s, m, h or d",
                lexeme,
                "write every 30s, every 1m, every 1h",
            )
        return ns

    def _stats(self, tree: Tree[Token]) -> Stats:
        functions = tuple(
            self._function(child) for child in tree.children if isinstance(child, Tree) and child.data == "function"
        )
        names = [one.as_name for one in functions]
        for place, name in enumerate(names):
            if name in names[:place]:
                lexeme = [child for child in tree.children if isinstance(child, Tree) and child.data == "function"][
                    place
                ]
                again = self._tokens(lexeme, "FUNCTION")[0]
                raise self._error(f"two columns have the name {name}", again, "name one of them: ... as other_name")
        return Stats(functions, *self._grouping(tree))

    def _column(self, tree: Tree[Token]) -> str:
        """The name of a column: a name, or a function as it was written."""
        names = [str(one.value) for one in self._tokens(tree, "NAME")]
        functions = self._tokens(tree, "FUNCTION")
        return f"{functions[0].value}({''.join(names)})" if functions else names[0]

    def _function(self, tree: Tree[Token]) -> Function:
        lexeme = self._tokens(tree, "FUNCTION")[0]
        name = str(lexeme.value).lower()
        names = self._tokens(tree, "NAME")
        has_as = bool(self._tokens(tree, "AS"))
        of = names[: len(names) - has_as]
        path = FieldPath.parse(str(of[0].value)) if of else None
        argument = None
        if name == "median":
            name, argument = "percentile", 50.0
        elif name[:1] == "p" and name[1:].replace(".", "", 1).isdecimal():
            name, argument = "percentile", float(name[1:])
            if argument > 100:
                raise self._error(f"there is no percentile {argument:g}: expected 0 to 100", lexeme, "write p95, p99.9")
        elif name not in FUNCTIONS:
            near = _OTHER_NAMES.get(name) or nearest(name, FUNCTIONS)
            hint = (
                f"did you mean {near}({of[0].value if of else ''})?"
                if near
                else "for instance stats p95(duration) by path"
            )
            known = ", ".join(f"{one}()" for one in FUNCTIONS)
            raise self._error(f"there is no function {lexeme.value}: expected one of {known}", lexeme, hint)
        written = f"{lexeme.value}({of[0].value if of else ''})"
        if path is None and name != "count":
            raise self._error(f"{lexeme.value}() needs a field", lexeme, f"write {lexeme.value}(duration_ms)")
        return Function(name, path, argument, str(names[-1].value) if has_as else written)
