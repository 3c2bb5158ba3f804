"""Templates, and the formats with names that are made of them."""

from __future__ import annotations

import pytest
from hypothesis import given

from logyard.batch import Selection
from logyard.errors import UsageError
from logyard.formats import FORMAT_NAMES, make_format
from logyard.formats.template import BatchTemplate
from tests.formats.sample_batches import SYSTEM, batch_of, selections, whole

LINE = b'{"ts":"2026-11-22T09:30:00.5Z","level":"warning","msg":"hi","user":{"id":7,"a.b":[1]},"x.y":"z","no":null}'


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{time} {level}", b"2026-11-22T09:30:00.500Z warn"),
        ("{human_time}", b"2026-11-22T09:30:00+00:00"),
        ("{app}.{instance}@{node} {key} {name} {source} {stream}", b"web.3@node-1 app.web web stdout web.3"),
        ("{id}", b"0123456789abcdef.1:1000"),
        ("{text}", LINE),
        ("{json.msg} {json.user.id} {json.x.y}", b"hi 7 z"),
        ("{json.user}", b'{"id":7,"a.b":[1]}'),
        ("{json.user.a.b} {json.none} {json.no} {json.msg.deeper}", b"- - - -"),
        ("{json.none|json.msg|text}", b"hi"),
        ("{json.none|level}", b"warn"),
        ("{json.none|key|text}", b"app.web"),
        ("{{{key}}} {{}} }}{{", b"{app.web} {} }{"),
        ("100% %s {{", b"100% %s {"),
        ("constant", b"constant"),
        ("", b""),
    ],
)
def test_placeholders_are_replaced(template: str, text: bytes) -> None:
    assert make_format(f"template={template}").encode(whole(LINE)) == [text]


def test_what_is_unknown_is_a_dash() -> None:
    chosen = make_format("template={app}.{instance} {level} {json.a} {stream}")
    assert chosen.encode(whole(b"text", **SYSTEM)) == [b"-.- - - sys.nginx"]


def test_names_are_filled_in_for_each_record() -> None:
    chosen = make_format("template={json.a|level|text}")
    assert chosen.encode(whole(b'{"a":1}', b"ERROR x", b"y")) == [b"1", b"error", b"y"]


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("abc {time", "character 5: '{' has no partner; write {{"),
        ("abc }", "character 5: '}' has no partner; write }}"),
        ("{a{key}", "character 1: '{' has no partner"),
        ("{key} {when}", "character 7: 'when' is not a placeholder; there are time, "),
        ("{}", "character 1: '' is not a placeholder"),
        ("{json.}", "'json.' is not a placeholder"),
        ("{ time }", "' time ' is not a placeholder"),
        ("{key|what}", "'what' is not a placeholder"),
    ],
)
def test_a_wrong_template_is_refused_with_its_place(template: str, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        make_format(f"template={template}")
    assert says in str(refused.value)


def test_the_list_of_placeholders_is_in_the_refusal() -> None:
    with pytest.raises(UsageError) as refused:
        make_format("template={x}")
    for name in (
        "time",
        "human_time",
        "level",
        "text",
        "id",
        "key",
        "name",
        "node",
        "app",
        "instance",
        "source",
        "json.FIELD",
    ):
        assert name in str(refused.value)


@pytest.mark.parametrize("spec", ["", "JSON", "jsonl", "template", "template:x", "raw=1"])
def test_an_unknown_format_is_refused_with_all_there_are(spec: str) -> None:
    with pytest.raises(UsageError) as refused:
        make_format(spec)
    assert all(name in str(refused.value) for name in (*FORMAT_NAMES, "template="))


def test_formats_know_their_names() -> None:
    assert [make_format(name).name for name in FORMAT_NAMES] == list(FORMAT_NAMES)
    assert make_format("template={key}").name == "template={key}"


def test_the_text_format_is_a_line_for_people() -> None:
    chosen = make_format("text")
    assert chosen.block(whole(b"2026-11-22 09:30:00 ERROR broke\nat x", b"fine")) == (
        b"2026-11-22T09:30:00Z error web.3 2026-11-22 09:30:00 ERROR broke\\nat x\n2026-11-22T09:33:20Z - web.3 fine\n"
    )
    assert chosen.encode(whole(b"x", **SYSTEM)) == [b"2026-11-22T09:33:20Z - sys.nginx x"]


def test_the_named_formats_of_the_system_that_this_one_continues() -> None:
    assert make_format("systail").encode(whole(b"x", **SYSTEM)) == [b"nginx@node-1: x"]
    assert make_format("apptail").encode(whole(b"x")) == [b"2026-11-22T09:33:20+00:00 stdout.3: x"]
    event = b'{"desc":"app crashed","process":"dea","severity":"ERROR"}'
    assert make_format("event").encode(whole(event, key="event.crash", app=None, source="sieve")) == [
        b"crash@node-1: app crashed -- via dea"
    ]
    assert make_format("event").encode(whole(b"x", key="event.oom", app=None, source="kern.log")) == [
        b"oom@node-1: x -- via kern.log"
    ]


def test_invalid_utf8_is_replaced() -> None:
    assert make_format("template={text}").encode(whole(b"a\xff", b"\xc3\xa4")) == ["a\ufffd".encode(), "ä".encode()]
    assert make_format("text").encode(whole(b"\xff\n", b"b"))[0].endswith("\ufffd\n".encode())


def test_control_characters_stay_and_newlines_of_fields_are_escaped_in_a_block() -> None:
    chosen = make_format("template={json.a}")
    assert chosen.encode(whole(b'{"a":"x\\ny\\u001b\\r"}')) == [b"x\ny\x1b\r"]
    assert chosen.block(whole(b'{"a":"x\\ny\\u001b\\r"}')) == b"x\\ny\x1b\r\n"


@given(selections())
def test_a_template_of_the_text_alone_is_the_readable_record(selection: Selection) -> None:
    texts = [record.decode(errors="replace").encode() for record in selection.lines]
    chosen = make_format("template={text}")
    assert chosen.encode(selection) == texts
    assert chosen.block(selection) == b"".join(text.replace(b"\n", b"\\n") + b"\n" for text in texts)


def test_a_batch_template_takes_only_what_is_the_same_for_a_batch() -> None:
    assert BatchTemplate("{app|name}-{instance}").text(batch_of(b"x", **SYSTEM)) == "nginx--"
    with pytest.raises(UsageError, match="'time' is not a placeholder"):
        BatchTemplate("{time}")
