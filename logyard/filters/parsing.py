"""From a filter's tokens to its tree (LALR), with saved filters filled in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias, cast

from lark import Lark, Token, Tree, UnexpectedToken
from lark.lexer import Lexer as LarkLexer

from logyard.filters.error import nearest
from logyard.filters.lexing import Lexeme, Lexer, Saved
from logyard.filters.pipe_lexing import PipeLexer
from logyard.filters.pipe_reading import read_pipe
from logyard.filters.pipes import Pipe
from logyard.filters.tree import Everything, Node, Not, all_of, any_of, height, negation
from logyard.filters.wrong_order import explain

__all__ = ["MAX_TERMS", "SavedFilters", "parse", "parse_pipes"]

SavedFilters: TypeAlias = Callable[[str], str | None] | Mapping[str, str]
"""Where saved filters are: their texts by name; None for a name that there is none of."""

MAX_TERMS = 2000
"""Terms of a filter, those of a saved filter counted each time it is used."""
_MAX_NESTING = 150
"""Levels of the tree, those of saved filters included: what walks it may recurse."""

_GRAMMAR = """
start: [any_of] pipe*
any_of: all_of (OR all_of)*
all_of: _unary (AND? _unary)*
_unary: negation | _group | TERM
negation: NOT _unary
_group: LPAR any_of RPAR

pipe: PIPE (count | stats | top | fields | context | sort | limit)
count: COUNT [by] [every]
stats: STATS function (COMMA function)* [by] [every]
function: FUNCTION [NAME] RPAR [AS NAME]
top: TOP NUMBER [BY] NAME
fields: FIELDS NAME (COMMA NAME)*
context: CONTEXT NUMBER [NUMBER]
sort: SORT [BY] column [ASC | DESC]
column: NAME | FUNCTION [NAME] RPAR
limit: LIMIT NUMBER
by: BY NAME (COMMA NAME)*
every: EVERY DURATION
%declare TERM AND OR NOT LPAR RPAR PIPE COUNT STATS TOP FIELDS CONTEXT SORT LIMIT
%declare FUNCTION NAME NUMBER DURATION COMMA AS BY EVERY ASC DESC
"""


class _Tokens(LarkLexer):
    """Hands over what `Lexer` and `PipeLexer` found; a token's position is its place among them."""

    def __init__(self, lexer_conf: object) -> None:
        pass

    def lex(self, data: Any) -> Iterator[Token]:  # type: ignore[override]
        for place, lexeme in enumerate(data):
            yield Token(lexeme.kind, "", start_pos=place)


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", lexer=_Tokens, maybe_placeholders=False)


def parse(text: str, saved: SavedFilters | None = None) -> Node:
    """A filter's tree.

    Raises:
        FilterError: it cannot be understood.
    """
    node, pipes = parse_pipes(text, saved, pipes=False)
    assert not pipes
    return node


def parse_pipes(text: str, saved: SavedFilters | None = None, *, pipes: bool = True) -> tuple[Node, tuple[Pipe, ...]]:
    """A filter's tree and the pipes behind it.

    Args:
        text: ``FILTER | PIPE | ...``.
        saved: where saved filters are.
        pipes: whether there may be any.

    Raises:
        FilterError: it cannot be understood.
    """
    found, _, behind = _Parsing(saved or {}).text(text, "", pipes=pipes)
    return found, behind


class _Parsing:
    """One filter and the saved filters that it names."""

    def __init__(self, saved: SavedFilters) -> None:
        self._saved = saved
        self._known: dict[str, tuple[Node, int]] = {}
        self._open: list[str] = []

    def text(self, text: str, name: str, *, pipes: bool) -> tuple[Node, int, tuple[Pipe, ...]]:
        """The tree of a text, how many terms it has, and its pipes; ``name`` is that of a saved filter."""
        lexer = Lexer(text, name)
        lexemes = lexer.read()
        if lexer.rest < len(text):
            if not pipes:
                what = "a saved filter" if name else "a filter"
                raise lexer.error(
                    f"expected {what} without pipes here",
                    lexer.rest,
                    len(text),
                    "pipes belong to `logyard tail` and `logyard query`; either of two words is a OR b, and to search "
                    "for | put it in quotes",
                )
            lexemes = [*lexemes, *PipeLexer(text, lexer.rest).read()]
        try:
            found = cast("Any", _parser()).parse(lexemes)
        except UnexpectedToken as error:
            place = None if error.token.type == "$END" else cast("int", error.token.start_pos)
            problem, start, stop, hint = explain(lexemes, place, text, set(error.expected))
            raise lexer.error(problem, start, stop, hint) from None
        node, count = self._build(found, lexemes, lexer)
        behind = tuple(read_pipe(part.children[1], lexemes, text) for part in found.children if part.data == "pipe")
        return node, count, behind

    def _build(self, tree: Tree[Token], lexemes: Sequence[Lexeme], lexer: Lexer) -> tuple[Node, int]:
        """The node of a whole parse tree; from the innermost out, so that nesting takes no stack."""
        built: dict[int, tuple[Node, int]] = {}
        count = 0
        for part in tree.iter_subtrees():
            if part.data not in ("any_of", "all_of", "negation"):
                continue
            nodes: list[tuple[Node, int]] = []
            for child in part.children:
                if isinstance(child, Tree):
                    nodes.append(built.pop(id(child)))
                elif child.type == "TERM":
                    one = self._leaf(lexemes[cast("int", child.start_pos)], lexer)
                    nodes.append((one[0], one[2]))
                    count += one[1]
                    if count > MAX_TERMS:
                        raise lexer.error(f"the filter has more than {MAX_TERMS:,} terms", 0, 1, "use fewer")
            node = _joined(str(part.data), [node for node, _ in nodes])
            levels = _levels(node, nodes)
            if levels > _MAX_NESTING:
                raise lexer.error("the filter is nested too deeply", 0, 1, "use fewer parentheses and saved filters")
            built[id(part)] = (node, levels)
        top = tree.children[0] if tree.children else None
        if isinstance(top, Tree) and top.data == "any_of":
            return built[id(top)][0], count
        return Everything(), 1

    def _leaf(self, lexeme: Lexeme, lexer: Lexer) -> tuple[Node, int, int]:
        """A term's node, how many terms and how many levels it has."""
        value = lexeme.value
        assert not isinstance(value, str)
        if isinstance(value, Saved):
            node, count = self._named(value.name, lexeme, lexer)
            return node, count, height(node)
        return value, 1, 1

    def _named(self, name: str, lexeme: Lexeme, lexer: Lexer) -> tuple[Node, int]:
        if name in self._known:
            return self._known[name]
        if name in self._open:
            way = " → ".join(f"@{one}" for one in [*self._open[self._open.index(name) :], name])
            raise lexer.error(
                f"the saved filter @{name} contains itself: {way}", lexeme.start, lexeme.stop, "change one of them"
            )
        text = self._saved.get(name) if isinstance(self._saved, Mapping) else self._saved(name)
        if text is None:
            raise lexer.error(f"there is no saved filter @{name}", lexeme.start, lexeme.stop, self._other_name(name))
        self._open.append(name)
        node, count, _ = self.text(text, name, pipes=False)
        self._open.pop()
        self._known[name] = node, count
        return node, count

    def _other_name(self, name: str) -> str:
        quoted = f'to search for the text write "@{name}"'
        known = self._saved if isinstance(self._saved, Mapping) else {}
        near = nearest(name, known)
        if near is not None:
            return f"did you mean @{near}? {quoted}"
        if known:
            return f"there are {', '.join(f'@{one}' for one in sorted(known)[:8])}; {quoted}"
        return f"`logyard filter save {name} FILTER` makes one; {quoted}"


def _joined(kind: str, nodes: list[Node]) -> Node:
    """The node of a rule."""
    if kind == "negation":
        return negation(nodes[0])
    return any_of(nodes) if kind == "any_of" else all_of(nodes)


def _levels(node: Node, parts: Sequence[tuple[Node, int]]) -> int:
    """Levels of a node that `_joined` made of ``parts``, whose levels are known."""
    first, levels = parts[0]
    if node is first:
        return levels
    if isinstance(first, Not) and len(parts) == 1:  # NOT NOT
        return levels - 1
    return 1 + max(levels - (type(part) is type(node)) for part, levels in parts)
