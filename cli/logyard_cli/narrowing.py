"""Why a filter leaves no stream to look into. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from logyard.filters import Node, terms
from logyard.filters.tree import Exact, Like
from logyard_cli.choice import known_names
from logyard_cli.near import did_you_mean

__all__ = ["stream_hint"]


def stream_hint(node: Node, keys: Sequence[str]) -> str:
    """What to say when none of the streams can hold a match: one sentence with near names."""
    for term, negated in terms(node):
        if negated or not isinstance(term, Like | Exact) or not term.field.envelope:
            continue
        wanted = term.value if isinstance(term, Exact) else "*".join(term.parts)
        if term.field.name == "app":
            known = [key.removeprefix("app.") for key in keys if key.startswith("app.")]
        elif term.field.name == "key":
            known = list(keys)
        else:
            continue
        if wanted.lower() not in map(str.lower, known) and "*" not in wanted:
            said = "application" if term.field.name == "app" else "stream"
            return f"there is no {said} {wanted!r}{did_you_mean(wanted, known)}"
    return f"no stream can hold a match; there are: {', '.join(sorted(known_names(keys))[:8])}"
