"""The index template that ``template=install`` puts in place: what it says, and when it has to be. Pure.

Its priority lies above that of the template for ``logs-*-*`` that Elasticsearch brings along (100), and below that of
the integrations' own ones (200), so that it takes nothing away from these.
"""

from __future__ import annotations

from typing import Any

from logyard_drains.elasticsearch_names import IndexName

__all__ = ["VERSION", "is_ours", "needs_installing", "template", "template_name"]

VERSION = 1
"""Raised whenever what is below changes: an older one is replaced."""
PRIORITY = 150
_OURS = "logyard"

_KEYWORD = {"type": "keyword", "ignore_above": 1024}
# The application's own fields, whatever they are called and hold, under one field: no mapping can grow or conflict.
# A key and its value together must stay below 32766 bytes, of which a character takes up to four.
_OWN = {"type": "flattened", "ignore_above": 1024, "depth_limit": 100}
_MAPPINGS: dict[str, Any] = {
    # `logyard.formats.ecs` writes these. What has no place here stays in the document and is not searched: nothing
    # makes the mapping grow.
    "dynamic": False,
    "properties": {
        "@timestamp": {"type": "date"},
        "ecs": {"properties": {"version": _KEYWORD}},
        "event": {"properties": {"id": _KEYWORD}},
        "host": {"properties": {"name": _KEYWORD}},
        "json": _OWN,
        "log": {"properties": {"file": {"properties": {"path": _KEYWORD}}, "level": _KEYWORD}},
        "logyard": {
            "properties": {
                "key": _KEYWORD,
                "partial": {"type": "boolean"},
                "source": _KEYWORD,
                "truncated": {"type": "long"},
            }
        },
        "message": {"type": "text"},
        "service": {"properties": {"name": _KEYWORD, "node": {"properties": {"name": _KEYWORD}}}},
    },
}


def template_name(name: IndexName) -> str:
    """What the template for these indices is called: ``logyard-logs-any-default``."""
    return f"logyard-{name.wildcard.replace('*', 'any')}"


def template(name: IndexName, *, stream: bool, opensearch: bool = False) -> dict[str, Any]:
    """The template for the indices that ``name`` makes; ``stream``: they are data streams."""
    mappings = _MAPPINGS
    if opensearch:  # its name for the same, without options (docs.opensearch.org, flat object)
        mappings = {**_MAPPINGS, "properties": {**_MAPPINGS["properties"], "json": {"type": "flat_object"}}}
    made: dict[str, Any] = {
        "index_patterns": [name.wildcard],
        "priority": PRIORITY,
        "version": VERSION,
        "_meta": {"managed_by": _OURS, "description": "written by logyard (template=install)"},
        "template": {"mappings": mappings},
    }
    if stream:
        made["data_stream"] = {}
    return made


def is_ours(found: dict[str, Any]) -> bool:
    """Whether a template that a server has was written by logyard."""
    return (found.get("_meta") or {}).get("managed_by") == _OURS


def needs_installing(found: dict[str, Any] | None) -> bool:
    """Whether the template that a server has under our name, None for none, is to be replaced."""
    return found is None or int(found.get("version") or 0) < VERSION
