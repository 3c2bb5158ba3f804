"""What a batch's envelope decides before a record is looked at."""

from __future__ import annotations

from collections.abc import Mapping

from logyard.filters.plan import value_test
from logyard.filters.tree import OF_BATCH, And, Compare, Everything, Exact, Exists, Like, Matches, Node, Not, Or, terms

__all__ = ["decide", "fields_of_batch"]


def fields_of_batch(node: Node) -> tuple[str, ...]:
    """The envelope fields that a tree asks for and that are the same for a whole batch."""
    names = {
        term.field.name
        for term, _ in terms(node)
        if isinstance(term, Like | Exact | Matches | Exists | Compare) and term.field.envelope
    }
    return tuple(sorted(names & OF_BATCH))


def decide(node: Node, known: Mapping[str, str | None]) -> Node | bool:
    """What is left of a tree for a batch whose envelope is known.

    Args:
        node: the tree.
        known: values of envelope fields, None for one that the batch does not have. Terms about other fields stay.

    Returns:
        True or False when that decides it; else a tree.
    """
    match node:
        case And(parts):
            return _join([decide(part, known) for part in parts], And, decisive=False)
        case Or(parts):
            return _join([decide(part, known) for part in parts], Or, decisive=True)
        case Not(part):
            left = decide(part, known)
            return not left if isinstance(left, bool) else Not(left)
        case Everything():
            return True
        case Like() | Exact() | Matches() | Exists() | Compare() if node.field.envelope and node.field.name in known:
            value = known[node.field.name]
            return value is not None and value_test(node)(value)
        case _:
            return node


def _join(parts: list[Node | bool], kind: type[And] | type[Or], *, decisive: bool) -> Node | bool:
    left: list[Node] = []
    for part in parts:
        if isinstance(part, bool):
            if part is decisive:
                return decisive
        else:
            left.append(part)
    if not left:
        return not decisive
    return left[0] if len(left) == 1 else kind(tuple(left))
