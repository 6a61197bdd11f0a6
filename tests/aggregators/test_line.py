"""
What stores read of a finished line, whichever schema it has.
"""

from __future__ import annotations

import json

import pytest

from ctxlog._names import CASES, get_names, set_names
from ctxlog.aggregators import _line
from ctxlog.aggregators._line import Line, at, rfc3339
from ctxlog.line.vendors import SCHEMAS
from tests.aggregators.lines import TIME, line_of


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("case", CASES)
def test_every_schema_is_read(schema: str, case: str) -> None:
    """
    The time, the level, the message, the request and the service are found.
    """
    line = Line(line_of(schema, case=case))

    assert line.time == TIME
    assert line.message == "paid é"
    assert (line.level, line.level_name) == (40, "error")
    assert line.request_id == "req-A"
    assert line.service == "shop"
    assert line.environment == "production"
    assert line.first(_line.LOGGERS) == "shop.orders"


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_trace_is_found(schema: str) -> None:
    """
    The ids of the trace and the span stand where the schema has them.
    """
    ids = {"traceID": "0af7651916cd43dd8448eb211c80319c", "spanID": "b7ad6b7169203331"}
    line = Line(line_of(schema, **ids))

    assert line.first(_line.TRACES) == ids["traceID"]
    assert line.first(_line.SPANS) == ids["spanID"]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_line_of_no_request_has_no_id(schema: str) -> None:
    """
    What the line shows outside of requests is no id.
    """
    assert Line(line_of(schema, request_id=None)).request_id is None


def test_the_chosen_name_of_the_id_comes_first() -> None:
    """
    Another field may have one of the usual names.
    """
    names = get_names()
    try:
        set_names(names.chosen(request_id_key="orderNo"))
        assert Line(b'{"requestID":"other","orderNo":"o-7"}\n').request_id == "o-7"
    finally:
        set_names(names)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"2026-11-28T09:30:37Z"', 0),
        ('"2026-11-28T09:30:37.5Z"', 500_000_000),
        ('"2026-11-28T09:30:37.123456789Z"', 123_456_789),
        ('"2026-11-28T09:30:37.1234567891Z"', 123_456_789),
        ('"2026-11-28T10:30:37.000001+01:00"', 1_000),
        ('"2026-11-28T10:30:37+0100"', 0),
        ('"2026-11-28 09:30:37,250"', 250_000_000),
        ("1795858237", 0),
        ("1795858237.250001", 250_001_000),
        ("1795858237250", 250_000_000),
        ("1795858237250001", 250_001_000),
        ('"1795858237250001002"', 250_001_002),
    ],
)
def test_times(text: str, expected: int) -> None:
    """
    Times of any usual form are nanoseconds since the epoch.
    """
    line = Line(b'{"ts":%s}\n' % text.encode())

    assert line.time == 1_795_858_237_000_000_000 + expected


@pytest.mark.parametrize(
    "text",
    [
        '"yesterday"',
        '"2026-02-30T00:00:00Z"',
        '"9999-01-01T00:00:00Z"',
        '"1900-01-01T00:00:00Z"',
        "true",
        "null",
        "12",
        "1e300",
        '"9999999999999999999"',
        "[1]",
    ],
)
def test_what_is_no_time(text: str) -> None:
    """
    A store gets no time that it could not count.
    """
    assert Line(b'{"timestamp":%s}' % text.encode()).time is None


def test_times_as_text() -> None:
    """
    Microseconds, as lines have them; nanoseconds where there are some.
    """
    assert rfc3339(TIME) == "2026-11-28T09:30:37.250000Z"
    assert rfc3339(TIME + 1) == "2026-11-28T09:30:37.250000001Z"


@pytest.mark.parametrize(
    ("members", "number", "name"),
    [
        ({"level": "WARN"}, 30, "warning"),
        ({"level": "SUCCESS"}, 25, "info"),
        ({"severity": "DEFAULT"}, 0, "unknown"),
        ({"level": "AUDIT"}, 0, "unknown"),
        ({"level": 30}, 20, "info"),
        ({"level": 3, "short_message": "bad"}, 40, "error"),
        ({"level": 99, "short_message": "bad"}, 0, "unknown"),
        ({"status": 500}, 0, "unknown"),
        ({"log": {"level": "error"}}, 40, "error"),
        ({"level": "trace"}, 5, "trace"),
        ({"level": None}, 0, "unknown"),
    ],
)
def test_levels(members: dict[str, object], number: int, name: str) -> None:
    """
    Words and numbers of all loggers stand on one scale.
    """
    line = Line(json.dumps(members).encode())

    assert (line.level, line.level_name) == (number, name)


@pytest.mark.parametrize(
    "raw",
    [
        b"plain text",
        b"",
        b'{"half":',
        b"[1, 2]",
        b"12",
        b'{"a":"\xff"}',
        b'{"a":"\\ud800"}',
        b"nul \x00 byte",
        b"[" * 100_000,
        b'{"a":NaN}',
    ],
)
def test_a_line_that_is_no_object_is_a_message(raw: bytes) -> None:
    """
    Nothing raises, and nothing is lost that is a text.
    """
    line = Line(raw + b"\n")

    assert line.raw == raw
    assert line.members == {"message": raw.decode("utf-8", "replace")}
    assert json.loads(line.object(time="now")) == {"time": "now", **line.members}


def test_the_object_is_the_line_with_more_in_front() -> None:
    """
    What stands on the line is not encoded again.
    """
    line = Line(b' {"n": 1.50e2, "big": 123456789012345678901234567890}\r\n')

    added = line.object(a="b")
    assert added == b'{"a":"b","n": 1.50e2, "big": 123456789012345678901234567890}'
    assert json.loads(line.object(n=2)) == {
        "n": 2,
        "big": pytest.approx(1.2346e29, rel=1e-3),
    }
    assert Line(b"{}\n").object(a=1) == b'{"a":1}'
    assert Line(b"{}\n").object() == b"{}"


def test_a_line_without_a_time_has_that_of_the_one_before() -> None:
    """
    It stays beside the line it belongs to, and has the same time when sent again.
    """
    first, second, third = _line.read([b"starting\n", line_of(), b"  File shop.py\n"])

    assert first.time == first.when > TIME
    assert Line(b"starting").when >= first.when
    assert (second.time, third.time) == (TIME, TIME)


def test_the_core_of_a_line() -> None:
    """
    What a store keeps of a line that has too many fields for it.
    """
    line = Line(line_of(rows=3, deep={"a": 1}))

    assert line.core == {
        key: of for key, of in line.members.items() if key not in ("rows", "deep")
    }


def test_a_line_break_within_a_line_ends_no_line() -> None:
    """
    Bodies of many stores are lines themselves.
    """
    line = Line(b'{"a":1,\n"b":2}\n')

    assert line.object(c=3) == b'{"c":3,"a":1,"b":2}'


def test_an_object_that_cannot_be_encoded_again_is_a_message() -> None:
    """
    The decoder takes deeper objects than the encoder.
    """
    raw = b'{"a":\n' + b"[" * 600 + b"]" * 600 + b"}"
    shown = json.loads(Line(raw + b"\n").object(x=1))

    # The standard library's encoder takes as deep ones.
    assert shown["x"] == 1
    assert shown.get("message") == raw.decode() or shown["a"] == json.loads(raw)["a"]


def test_a_record_of_opentelemetry_is_flattened() -> None:
    """
    Its attributes become members, with plain values.
    """
    fields = {"rows": 3, "on": True, "parts": [1, 2.5, None], "deep": {"a": {"b": "c"}}}
    line = Line(line_of("otel", **fields))

    assert not line.is_object
    assert line.members == {
        "timestamp": "2026-11-28T09:30:37.250000Z",
        "level": "ERROR",
        "message": "paid é",
        "service.name": "shop",
        "deployment.environment.name": "production",
        "logger.name": "shop.orders",
        "requestID": "req-A",
        **fields,
    }


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"resourceLogs": []},
        {"resourceLogs": [1]},
        {"resourceLogs": [{"scopeLogs": [{"logRecords": [{}]}]}]},
        {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": 1}] * 2}]}]},
    ],
)
def test_any_other_batch_stays_as_it_is(record: dict[str, object]) -> None:
    """
    Only a batch of one record is a line.
    """
    line = Line(json.dumps(record).encode())

    assert line.is_object
    assert line.members == record


def test_odd_attributes_of_opentelemetry() -> None:
    """
    What is no attribute raises nothing; one with a name of ours stands beside it.
    """
    attributes = [
        {"key": "message", "value": {"stringValue": "mine"}},
        {"key": "n", "value": {"intValue": "many"}},
        {"key": "none", "value": {}},
        {"key": "list", "value": {"arrayValue": {}}},
        {"key": "odd", "value": 3},
        "no attribute",
    ]
    record = {"body": {"stringValue": "hello"}, "attributes": attributes}
    scope = {"logRecords": [{**record, "traceId": "t", "spanId": ""}]}
    batch = {"resourceLogs": [{"resource": {"attributes": 1}, "scopeLogs": [scope]}]}

    assert Line(json.dumps(batch).encode()).members == {
        "message": "hello",
        "trace_id": "t",
        "attributes.message": "mine",
        "n": "many",
        "none": None,
        "list": [],
        "odd": None,
    }


def test_paths() -> None:
    """
    A key with the dot comes before the member of an object.
    """
    assert at({"a.b": 1, "a": {"b": 2}}, "a.b") == 1
    assert at({"a": {"b.c": 2}}, "a.b.c") == 2
    assert at({"a": 1}, "a.b") is None
