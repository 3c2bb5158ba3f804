"""The index template, beside the documents that it is for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from logyard.batch import Batch, Selection
from logyard.formats.ecs import EcsFormat
from logyard_drains.elasticsearch_names import data_stream, index_pattern
from logyard_drains.elasticsearch_template import is_ours, needs_installing, template, template_name


def documents() -> list[dict[str, Any]]:
    """With everything that logyard may know of a record."""
    lines = [b'{"level":"error","msg":"x","time":"2026-03-14T00:00:00Z"}', b"2026-03-14 00:00:00 ERROR x"]
    found = []
    for line in lines:
        batch = Batch(
            key="app.web", node="n1", app="web", instance="3", source="/var/log/web.log", time_ns=10**18, count=1,
            origin="0123456789abcdef.1", first=0, last=len(line), block=line, cut=2_000_000, partial=True, entry="1-1",
        )  # fmt: skip
        found += [json.loads(document) for document in EcsFormat().encode(Selection(batch))]
    return found


def leaves(value: dict[str, Any], path: str = "") -> Iterator[str]:
    for name, inner in value.items():
        if isinstance(inner, dict) and f"{path}{name}" != "json":
            yield from leaves(inner, f"{path}{name}.")
        else:
            yield f"{path}{name}"


def mapped(properties: dict[str, Any], path: str = "") -> dict[str, str]:
    found = {}
    for name, mapping in properties.items():
        if "properties" in mapping:
            found.update(mapped(mapping["properties"], f"{path}{name}."))
        else:
            found[f"{path}{name}"] = mapping["type"]
    return found


def test_every_field_that_is_written_has_its_place_and_no_other_has() -> None:
    properties = template(data_stream("default"), stream=True)["template"]["mappings"]["properties"]
    types = mapped(properties)
    written = {leaf for document in documents() for leaf in leaves(document)}
    assert written == set(types)
    assert types["json"] == "flattened"
    assert types["@timestamp"] == "date"


def test_only_data_streams_are_made_data_streams() -> None:
    assert template(data_stream("default"), stream=True)["data_stream"] == {}
    assert "data_stream" not in template(index_pattern("a-{app}"), stream=False)


@pytest.mark.parametrize(
    ("name", "called"),
    [
        (data_stream("default"), "logyard-logs-any-default"),
        (data_stream("prod_eu.1"), "logyard-logs-any-prod_eu.1"),
        (index_pattern("shop-{app}-{yyyy.MM.dd}"), "logyard-shop-any-any.any.any"),
    ],
)
def test_a_template_has_a_name_of_its_own(name: Any, called: str) -> None:
    assert template_name(name) == called


def test_only_what_is_missing_or_older_is_installed() -> None:
    ours = template(data_stream("default"), stream=True)
    assert needs_installing(None)
    assert not needs_installing(ours)
    assert not needs_installing({**ours, "version": ours["version"] + 1})
    assert needs_installing({**ours, "version": ours["version"] - 1})
    assert is_ours(ours)
    assert not is_ours({"version": 1})
