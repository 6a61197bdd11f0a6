"""
Lines within objects: what files and answers of services hold, and collectors wrap.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from ctxlog.viewer.recognize.keys import Names
from ctxlog.viewer.recognize.record import Record


def _read(members: object) -> Sequence[Record]:
    return Record.read(json.dumps(members).encode(), Names())


_ENTRY = {"level": "error", "message": "refused", "request_id": "7f3a"}


@pytest.mark.parametrize(
    "members",
    [
        {"Records": [_ENTRY, _ENTRY]},
        {"records": [_ENTRY, _ENTRY]},
        {"kind": "EventList", "items": [_ENTRY, _ENTRY]},
        {"entries": [_ENTRY, _ENTRY], "nextPageToken": "x"},
        {"took": 5, "hits": {"hits": [{"_id": "a", "_source": _ENTRY}] * 2}},
        {"streams": [{"stream": {}, "values": [["1", json.dumps(_ENTRY)]] * 2}]},
        {"records": [{"records": [_ENTRY]}] * 2},
    ],
    ids=lambda members: next(iter(members)),
)
def test_what_only_holds_entries(members: dict[str, Any]) -> None:
    """Each entry of a file or an answer of a service is a line of its own."""
    records = _read(members)
    assert [one.message for one in records] == ["refused"] * 2
    assert [one.request for one in records] == ["7f3a"] * 2


@pytest.mark.parametrize(
    "more",
    [
        {"records": [{"message": "inner"}]},
        {"items": [{"message": "inner"}]},
        {"event": {"message": "inner"}},
        {"data": {"result": [{"values": [["1", "inner"]]}]}},
        {"_raw": "inner", "_time": 1769860800},
    ],
    ids=lambda more: next(iter(more)),
)
def test_an_entry_with_a_list_is_one(more: dict[str, Any]) -> None:
    """What stands beside a message of its own is no entry."""
    [record] = _read({**_ENTRY, **more})
    assert (record.message, record.request) == ("refused", "7f3a")


@pytest.mark.parametrize(
    "members",
    [
        {"records": []},
        {"records": "x"},
        {"records": [7]},
        {"hits": {"hits": 7}},
        {"data": 7},
        {"streams": [{"values": [7, [1], []]}]},
        {"status": "success", "data": {"result": 7}},
        {"resourceId": "/1", "properties": "{"},
        {"category": "x", "properties": {"log": 7}},
    ],
    ids=str,
)
def test_what_holds_nothing_is_an_object(members: dict[str, Any]) -> None:
    """An object that looks as if it held entries and has none is read as it is."""
    [record] = _read(members)
    assert record.members == members


def test_a_wrapped_text_names_its_request() -> None:
    """An id in a text that a collector has wrapped is found, and its time is kept."""
    [record] = _read(
        {
            "MESSAGE": "refused request_id=7f3a",
            "PRIORITY": "3",
            "__REALTIME_TIMESTAMP": "1769860800250000",
        }
    )
    assert (record.request, record.level) == ("7f3a", 40)
    assert record.time == pytest.approx(1769860800.25)


def test_properties_that_are_text() -> None:
    """Azure's diagnostics have an object as text."""
    [record] = _read(
        {
            "time": "2026-01-31T12:00:00Z",
            "resourceId": "/SUBSCRIPTIONS/1",
            "category": "AppServiceHTTPLogs",
            "properties": '{"CsMethod":"GET","CsUriStem":"/a","ScStatus":"500",'
            '"TimeTaken":41}',
        }
    )
    assert (record.method, record.path, record.status) == ("GET", "/a", 500)
    assert record.took == pytest.approx(0.041)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"level": "error", "err": "refused"}, "refused"),
        ({"level": "error", "error": {"code": 7}}, ""),
        ({"error": "no", "method": "GET", "path": "/a", "status": 500}, "GET /a 500"),
        ({"message": ["order", {"id": 7}]}, 'order {"id": 7}'),
        (
            {
                "Timestamp": "2026-01-31T12:00:00Z",
                "Level": "Error",
                "MessageTemplate": "took {Elapsed:0.00} ms",
                "Properties": {"Elapsed": 41.25},
                "Renderings": {"Elapsed": [{"Format": "0.00", "Rendering": "41.3"}]},
            },
            "took 41.3 ms",
        ),
    ],
    ids=["an error", "an object", "an answer", "several values", "Serilog"],
)
def test_messages_of_other_kinds(members: dict[str, Any], message: str) -> None:
    """An error alone, several values, and Serilog's forms of values are messages."""
    [record] = _read(members)
    assert record.message == message


@pytest.mark.parametrize("prefix", [b"\x1e", b"data: "], ids=["json-seq", "json-sse"])
def test_journalctl_in_sequence(prefix: bytes) -> None:
    """Entries behind what journalctl writes before each one are read."""
    entry = {"MESSAGE": "refused", "PRIORITY": "3", "__REALTIME_TIMESTAMP": "1" * 16}
    [record] = Record.read(prefix + json.dumps(entry).encode() + b"\n", Names())
    assert (record.message, record.level) == ("refused", 40)
