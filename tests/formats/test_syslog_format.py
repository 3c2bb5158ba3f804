"""Syslog messages and frames, read back by tests.formats.syslog_parser."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logyard.batch import Selection
from logyard.derive import derive
from logyard.errors import UsageError
from logyard.formats import make_format
from logyard.formats.syslog import SyslogFormat
from tests.formats.sample_batches import OBSERVED, SECOND, SYSTEM, batch_of, selections, whole
from tests.formats.syslog_parser import Message, in_micros, read_3164, read_5424, read_octets

LINE = b'{"ts":"2026-11-22T09:30:00.123456Z","level":"error","msg":"x","user":{"id":7},"path":"a]b\\"c\\\\d"}'


def one(selection: Selection, **arguments: Any) -> Message:
    (message,) = SyslogFormat(**arguments).messages(selection)
    return read_5424(message)


def test_a_message_of_rfc_5424() -> None:
    assert SyslogFormat().messages(whole(LINE)) == [
        b"<11>1 2026-11-22T09:30:00.123456Z node-1 web 3 stdout "
        b'[logyard@32473 key="app.web" node="node-1" instance="3" source="stdout"] ' + LINE
    ]


def test_a_message_of_rfc_3164() -> None:
    assert SyslogFormat(rfc=3164).messages(whole(LINE)) == [b"<11>Nov 22 09:30:00 node-1 web[3]: " + LINE]
    assert SyslogFormat(rfc=3164, time="observed").messages(whole(b"x", time_ns=1_793_588_400 * SECOND)) == [
        b"<14>Nov  2 03:00:00 node-1 web[3]: x"
    ]
    assert SyslogFormat(rfc=3164).messages(whole(b"x", **SYSTEM)) == [b"<14>Nov 22 09:33:20 node-1 nginx: x"]


def test_a_system_stream_has_its_process_and_no_instance() -> None:
    found = one(whole(b"x", **SYSTEM))
    assert (found.app, found.process, found.id) == ("nginx", "-", "/var/log/nginx/error.log")
    assert found.data == {
        "logyard@32473": [("key", "sys.nginx"), ("node", "node-1"), ("source", "/var/log/nginx/error.log")]
    }


def test_header_fields_are_printable_and_no_longer_than_allowed() -> None:
    found = one(whole(b"x", node="nö de", app="a b" * 40, instance="i" * 200, source="a\tb" + "s" * 40))
    assert (found.host, found.app) == ("n_de", ("a_b" * 40)[:48])
    assert (len(found.process), found.id) == (128, ("a_b" + "s" * 40)[:32])
    assert dict(found.data["logyard@32473"])["node"] == "nö de"
    found = read_3164(SyslogFormat(rfc=3164).messages(whole(b"x", app="my-app_" + "x" * 40))[0])
    assert found.app == "myapp" + "x" * 27
    assert read_3164(SyslogFormat(rfc=3164).messages(whole(b"x", app="---"))[0]).app == "logyard"
    assert one(whole(b"x", source="", instance="")).id == "-"


def test_header_fields_can_be_given() -> None:
    found = one(whole(b"x"), hostname="h", app_name="{key}", procid="{app}-{instance}", msgid="fixed")
    assert (found.host, found.app, found.process, found.id) == ("h", "app.web", "web-3", "fixed")


@pytest.mark.parametrize(
    ("line", "severity"),
    [(b"EMERGENCY x", 0), (b"ERROR x", 3), (b"DEBUG x", 7), (b"TRACE x", 7), (b"nothing", 6), (b'{"level":40}', 4)],
)
def test_the_severity_is_the_records_or_info(line: bytes, severity: int) -> None:
    assert one(whole(line)).priority == 8 + severity
    assert one(whole(line), time="observed").priority == 8 + severity
    assert one(whole(line), severity="notice").priority == 8 + 5
    assert one(whole(line), severity="trace", facility="local7").priority == 23 * 8 + 7


@pytest.mark.parametrize(("facility", "number"), [("kern", 0), ("user", 1), ("local0", 16), (23, 23), ("5", 5), (0, 0)])
def test_a_facility_is_given_by_name_or_number(facility: str | int, number: int) -> None:
    assert one(whole(b"x"), facility=facility).priority == number * 8 + 6


def test_the_time_is_the_records_or_when_it_was_observed() -> None:
    assert one(whole(LINE)).time == "2026-11-22T09:30:00.123456Z"
    assert one(whole(LINE), severity="info").time == "2026-11-22T09:30:00.123456Z"
    assert one(whole(b"x", time_ns=OBSERVED + 999)).time == "2026-11-22T09:33:20.000000Z"
    assert one(whole(LINE, time_ns=OBSERVED + 5_000), time="observed").time == "2026-11-22T09:33:20.000005Z"


def test_without_structured_data_there_is_a_dash() -> None:
    assert SyslogFormat(structured_data=False).messages(whole(b"x"))[0].endswith(b" 3 stdout - x")


def test_fields_asked_for_are_carried_as_structured_data() -> None:
    found = one(whole(LINE), sd_json=["user.id", "path", "none", "user"])
    assert found.data["json@32473"] == [("user.id", "7"), ("path", 'a]b"c\\d'), ("user", '{"id":7}')]
    assert found.text == LINE
    assert list(one(whole(b"text"), sd_json=["path"]).data) == ["logyard@32473"]
    alone = SyslogFormat(structured_data=False, sd_json=["path"], severity="info", time="observed")
    assert [list(read_5424(message).data) for message in alone.messages(whole(LINE, b"text"))] == [["json@32473"], []]
    assert alone.messages(whole(b"text"))[0].endswith(b" stdout - text")
    assert one(whole(b'{"a b=\\"c":1}'), sd_json=['a b="c']).data["json@32473"] == [("a_b__c", "1")]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"rfc": 5425}, "5424 or 3164"),
        ({"facility": "locale"}, "0 to 23 or one of kern, user"),
        ({"facility": 24}, "0 to 23"),
        ({"facility": -1}, "0 to 23"),
        ({"severity": "loud"}, "'record' or one of emergency, alert"),
        ({"time": "now"}, "'record' or 'observed'"),
        ({"max_size": 479}, "at least 480"),
        ({"app_name": "{text}"}, "'text' is not a placeholder"),
        ({"hostname": "{node"}, "no partner"),
        ({"sd_json": ["a b", "a=b"]}, "'a b' and 'a=b' would both be called 'a_b'"),
        ({"sd_json": [""]}, "empty"),
        ({"rfc": 3164, "sd_json": ["a"]}, "no structured data"),
    ],
)
def test_wrong_settings_are_refused(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as refused:
        SyslogFormat(**arguments)
    assert says in str(refused.value)


def test_a_long_message_is_cut_at_the_end_of_a_character_and_counted() -> None:
    chosen = SyslogFormat(max_size=480)
    head = len(SyslogFormat().messages(whole(b""))[0])
    for extra in range(4):
        short, long = b"x" * (480 - head), b"x" * (479 - head - extra) + "€€".encode()
        before = chosen.cut
        messages = chosen.messages(whole(short, long))
        assert messages[0] == SyslogFormat().messages(whole(short))[0]
        assert 478 <= len(messages[1]) <= 480
        read_5424(messages[1]).text.decode()
        assert chosen.cut == before + 1
    chosen = SyslogFormat(max_size=480, severity="info", time="observed")
    assert [len(message) for message in chosen.messages(whole(b"x" * 1000, b"y" * 1000))] == [480, 480]
    assert chosen.cut == 2
    assert chosen.frames(whole(b"x" * 480 + b"\n"), "lf").count(b"\n") == 1


def test_the_escaping_of_newlines_counts_into_the_size() -> None:
    framed = SyslogFormat(max_size=480).frames(whole(b"\n" * 1000), "lf")
    assert len(framed) == 481


def test_the_text_of_a_message_can_have_a_format() -> None:
    chosen = SyslogFormat(msg_format=make_format("json"))
    found = read_5424(chosen.messages(whole(LINE))[0])
    assert orjson.loads(found.text)["level"] == "error"
    assert found.priority == 8 + 3
    lines = SyslogFormat(msg_format=make_format("template={json.a}")).frames(whole(b'{"a":"x\\ny"}'), "lf")
    assert lines.endswith(b"x\\ny\n")
    assert lines.count(b"\n") == 1


settings = st.fixed_dictionaries(
    {},
    optional={
        "severity": st.sampled_from(["record", "info", "error"]),
        "time": st.sampled_from(["record", "observed"]),
        "facility": st.integers(0, 23),
        "structured_data": st.booleans(),
        "sd_json": st.sampled_from([(), ("a",), ("msg", "a")]),
        "max_size": st.sampled_from([None, 480, 8192]),
    },
)
json_records = st.dictionaries(
    st.sampled_from(["a", "msg", "level", "ts"]), st.one_of(st.text(max_size=6), st.sampled_from(["error", 1795339800]))
).map(orjson.dumps)
any_records = st.one_of(st.binary(max_size=20), json_records, st.sampled_from([b"ERROR %s %d", b"", b"a\nb"]))
odd_text = st.text(st.characters(codec="utf-8"), max_size=12)


@given(selections(any_records), settings)
def test_frames_by_octets_read_back(selection: Selection, arguments: dict[str, Any]) -> None:
    chosen = SyslogFormat(**arguments)
    messages = read_octets(chosen.frames(selection, "octet"))
    assert list(map(in_micros, messages)) == list(map(in_micros, chosen.messages(selection)))
    levels, times = derive(selection.lines, selection.batch.time_ns)
    for message, line, level, ns in zip(messages, selection.lines, levels, times, strict=True):
        found = read_5424(message)
        assert found.text == line
        if arguments.get("severity", "record") == "record":
            assert found.priority % 8 == (6 if level is None else min(level, 7))
        moment = datetime.fromisoformat(found.time)
        expected = selection.batch.time_ns if arguments.get("time") == "observed" else ns
        assert round(moment.timestamp() * 1_000_000) == expected // 1000


@given(selections(any_records), settings)
def test_frames_by_newlines_read_back(selection: Selection, arguments: dict[str, Any]) -> None:
    framed = SyslogFormat(**arguments).frames(selection, "lf")
    lines = framed.split(b"\n")
    assert lines.pop() == b""
    assert [read_5424(line).text for line in lines] == [line.replace(b"\n", b"\\n") for line in selection.lines]


@given(selections(any_records), st.sampled_from(["record", "observed"]))
def test_frames_of_rfc_3164_read_back(selection: Selection, time: str) -> None:
    chosen = SyslogFormat(rfc=3164, time=time)
    assert [read_3164(message).text for message in read_octets(chosen.frames(selection, "octet"))] == selection.lines


@given(odd_text, odd_text, odd_text, odd_text)
def test_whatever_things_are_called_the_header_and_its_values_read_back(
    node: str, app: str, instance: str, source: str
) -> None:
    found = one(whole(b"x", node=node, app=app, instance=instance, source=source))
    values = {"key": "app.web", "node": node, "instance": instance, "source": source}
    assert dict(found.data["logyard@32473"]) == {name: value for name, value in values.items() if value}
    assert found.text == b"x"


@pytest.mark.parametrize("severity", ["info", "record"])
def test_a_newline_in_a_name_does_not_end_a_line(severity: str) -> None:
    framed = SyslogFormat(severity=severity, time="observed").frames(whole(b"x", b"y", source="a\nb"), "lf")
    assert framed.count(b"\n") == 2
    assert framed.count(rb'source="a\nb"') == 2


@given(odd_text)
def test_a_field_of_a_record_reads_back_from_its_structured_data(value: str) -> None:
    found = one(whole(orjson.dumps({"a": value})), sd_json=["a"])
    assert found.data["json@32473"] == [("a", value)]


@st.composite
def crowds(draw: st.DrawFn) -> Selection:
    """Records that begin alike, as one program writes them, some perhaps with something odd."""
    digits = draw(st.sampled_from([0, 3, 6, 9]))
    zone = draw(st.sampled_from(["Z", "+01:00", ""]))
    lines: list[bytes] = []
    for _ in range(draw(st.integers(1, 8))):
        second = draw(st.integers(0, 3)) + draw(st.sampled_from([0, 0, 0, 90, 86_400 * 365]))
        moment = datetime.fromtimestamp(OBSERVED // SECOND + second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        fraction = f".{draw(st.integers(0, 10**digits - 1)):0{digits}d}" if digits else ""
        level = draw(st.sampled_from(["info", "error", "info", "error", "loud"]))
        lines.append(f'{{"ts":"{moment}{fraction}{zone}","level":"{level}","msg":"x"}}'.encode())
    return whole(*lines)


@given(crowds(), st.sampled_from([5424, 3164]))
def test_records_that_begin_alike_have_the_severity_and_time_of_each(selection: Selection, rfc: int) -> None:
    messages = SyslogFormat(rfc=rfc).messages(selection)
    levels, times = derive(selection.lines, selection.batch.time_ns)
    for message, line, level, ns in zip(messages, selection.lines, levels, times, strict=True):
        found = read_5424(message) if rfc == 5424 else read_3164(message)
        assert (found.priority, found.text) == (8 + (6 if level is None else min(level, 7)), line)
        if rfc == 5424:
            assert round(datetime.fromisoformat(found.time).timestamp() * 1_000_000) == ns // 1000


@pytest.mark.parametrize(
    ("node", "value"), [("100%", "%s %d %%"), ("a\\", "\\"), ('q"\\"', '\\"'), ("]", "\\]"), ("n", "a\nb\x00")]
)
def test_marks_with_a_meaning_are_only_characters(node: str, value: str) -> None:
    found = one(whole(orjson.dumps({"a": value}), node=node), sd_json=["a"])
    assert dict(found.data["logyard@32473"])["node"] == node
    assert found.data["json@32473"] == [("a", value)]
    assert found.host == node


def test_nothing_selected_is_nothing_sent() -> None:
    nothing = Selection(batch_of(b"x"), [])
    assert SyslogFormat().messages(nothing) == []
    assert SyslogFormat().frames(nothing, "octet") == SyslogFormat().frames(nothing, "lf") == b""


def test_many_seconds_do_not_pile_up() -> None:
    chosen = SyslogFormat()
    lines = [b'{"ts":%d,"level":"info"}' % (1_795_000_000 + number) for number in range(10_000)]
    messages = chosen.messages(whole(*lines))
    assert [read_5424(message).text for message in messages] == lines
    assert len(chosen._starts) <= 4097
