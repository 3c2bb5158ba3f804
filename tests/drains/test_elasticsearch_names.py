"""Names of indices and data streams, and what is refused as one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logyard.batch import Batch
from logyard.errors import UsageError
from logyard_drains.elasticsearch_names import IndexName, data_stream, index_pattern
from tests.drains.records import batch_of

FORBIDDEN = set('\\/*?"<>|,#: ')


def batch(app: str | None, key: str = "app.web", source: str = "stdout", node: str = "node1") -> Batch:
    return batch_of([b"x"], app=app, key=key, source=source, node=node).batch


@pytest.mark.parametrize(
    ("name", "app", "key", "expected"),
    [
        (data_stream("default"), "web", "app.web", "logs-web-default"),
        (data_stream("default"), "My-Shop", "app.My-Shop", "logs-my_shop-default"),
        (data_stream("prod"), None, "app.web", "logs-web-prod"),
        (data_stream("prod"), None, "sys.nginx", "logs-sys.nginx-prod"),
        (data_stream("prod"), None, "event.deploy", "logs-event.deploy-prod"),
        (index_pattern("logs-{app}-{yyyy.MM.dd}"), "My-Shop", "app.My-Shop", "logs-my-shop-2026.03.14"),
        (index_pattern("{app}-{yyyy}"), "-_.web", "app.x", "web-2026"),
        (index_pattern("{app}"), "___", "app.x", "unnamed"),
        (index_pattern("a-{key}-{yyyy-MM}-{HH}"), "web", "app.web", "a-app.web-2026-03-09"),
        (index_pattern("fixed"), "web", "app.web", "fixed"),
        (index_pattern("s-{source}-{node}-{instance}"), "web", "app.web", "s-_var_log_a_b.log-node1-3"),
    ],
)
def test_a_name_is_what_elasticsearch_allows(name: IndexName, app: str | None, key: str, expected: str) -> None:
    source = "/var/log/a b.log" if "{source}" in name.text else "stdout"
    assert name.of(batch(app, key, source=source), "2026-03-14T09"[: name.stamp]) == expected


@given(st.text(max_size=300), st.sampled_from(["logs-{app}", "{app}", "{app}-{node}-{yyyy.MM.dd}"]))
def test_whatever_an_application_is_called_its_index_can_be_made(app: str, pattern: str) -> None:
    for name in (index_pattern(pattern), data_stream("default")):
        made = name.of(batch(app or "x", node=app or "x"), "2026-03-14"[: name.stamp])
        assert made
        assert made == made.lower()
        assert not FORBIDDEN & set(made)
        assert made[0] not in "-_+."
        assert len(made.encode()) <= 255


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "write a name such as"),
        ("Logs-{app}", "lower-case"),
        ("a b", "lower-case"),
        ("_logs", "does not begin with"),
        (".logs", "does not begin with"),
        ("cluster:logs", "none of"),
        ("logs-{application}", "{application} is neither a field"),
        ("logs-{yyyy.ww}", "{yyyy.ww} is neither a field"),
        ("logs-{}", "is neither a field"),
        ("logs-{.}", "is neither a field"),
        ("logs-{app", "write a name such as"),
        ("logs-app}", "write a name such as"),
    ],
)
def test_a_pattern_that_no_index_can_have_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        index_pattern(text)
    assert said in str(caught.value)


@pytest.mark.parametrize("namespace", ["", "A", "a-b", "a b", "{app}", "x" * 101])
def test_a_namespace_that_no_data_stream_can_have_is_refused(namespace: str) -> None:
    with pytest.raises(UsageError, match="namespace="):
        data_stream(namespace)


@pytest.mark.parametrize(
    ("name", "wildcard"),
    [
        (data_stream("default"), "logs-*-default"),
        (index_pattern("logs-{app}-{yyyy.MM.dd}"), "logs-*-*.*.*"),
        (index_pattern("all-{app}{node}"), "all-*"),
        (index_pattern("fixed"), "fixed"),
    ],
)
def test_a_template_matches_what_the_name_makes_and_little_else(name: IndexName, wildcard: str) -> None:
    assert name.wildcard == wildcard
