"""Names near a mistyped one. Pure."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["did_you_mean", "nearest"]


def nearest(name: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """Up to ``limit`` known names that resemble ``name``, the best first; containing it counts as resembling."""
    from difflib import get_close_matches

    names = list(dict.fromkeys(known))
    lowered = {one.lower(): one for one in reversed(names)}
    close = [lowered[one] for one in get_close_matches(name.lower(), list(lowered), n=limit, cutoff=0.6)]
    if len(name) >= 3:
        close += [one for one in names if name.lower() in one.lower() and one not in close]
    return close[:limit]


def did_you_mean(name: str, known: Iterable[str], *, what: str = "there are") -> str:
    """The end of a message about an unknown name: ``; did you mean web or api?``, or what there is, or nothing."""
    names = list(known)
    near = nearest(name, names)
    if near:
        head, last = near[:-1], near[-1]
        return f"; did you mean {', '.join(head)} or {last}?" if head else f"; did you mean {last}?"
    if not names:
        return ""
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"; {what}: {', '.join(sorted(names)[:8])}{more}"
