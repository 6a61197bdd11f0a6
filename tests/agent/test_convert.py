"""
Lines written anew in another schema are those that the schema would have written.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from ctxlog.agent._convert import converter
from ctxlog.context.adapter import View
from ctxlog.errors import ConfigError
from ctxlog.line.encoder import LineEncoder
from ctxlog.line.event import Caller, Event, ExceptionParts
from ctxlog.line.schema import get_schema
from ctxlog.line.vendors import SCHEMAS

_CREATED = 1795383879.123456
_STARTED = 1795383879_000000_000

_STORE = {
    "requestID": "req-A",
    "user": {"id": "7", "name": "Alice"},
    "traceID": "a" * 32,
}
_EVENTS = {
    "plain": Event(_CREATED, "INFO", 20, "shop", "hello", View({}, None)),
    "fields": Event(
        *(_CREATED, "WARNING", 30, "shop", "hello"),
        *(View(_STORE, _STARTED), {"rows": 3, "status": "open"}),
    ),
    "completion": Event(
        *(_CREATED, "INFO", 20, "ctxlog.request", "GET /orders 200"),
        View(_STORE, _STARTED, True),
        {"method": "GET", "path": "/orders", "status": 200, "durationMs": 12.5},
    ),
    "exception": Event(
        *(_CREATED, "ERROR", 40, "shop", "failed", View(_STORE, _STARTED), {}),
        ExceptionParts("ValueError", "bad", "Traceback ...\nValueError: bad"),
        *("Stack ...", ("x: replaced",), Caller("orders.py", 42, "place")),
    ),
    "secret": Event(
        *(_CREATED, "INFO", 20, "shop", "hello", View({}, None)),
        {"password": "p", "next_page_token": "t"},
    ),
}


def _encoded(schema: str, event: Event, case: str) -> bytes:
    names: dict[str, Any] = {"case": case, "request_id_key": None}
    return LineEncoder(get_schema(schema), caller=True, **names).encode(event)


def _members(line: bytes) -> Any:
    return json.loads(line)


@pytest.mark.parametrize("case", ["camel", "snake"])
@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("event", _EVENTS.values(), ids=_EVENTS)
def test_every_schema(schema: str, event: Event, case: str) -> None:
    """A line is converted to what the schema writes of the same event."""
    if case == "snake":
        fields = {**event.view.fields}
        if "requestID" in fields:
            fields["request_id"] = fields.pop("requestID")
        view = View(fields, event.view.started, event.view.late)
        event = event._replace(view=view)
    line = _encoded("default", event, case)
    wanted = _encoded(schema, event, case)
    assert _members(converter(schema)(line)) == _members(wanted)


@pytest.mark.parametrize(
    "line",
    [
        b"Starting\n",
        b"[1]\n",
        b'{"message":"a"}\n',
        b'{"timestamp":"2026","level":"INFO","message":"a","logger":"b"}\n',
        b'{"timestamp":1,"level":"INFO","message":"a","logger":"b"}\n',
        b'{"timestamp":"2026-01-31T12:00:00Z","level":30,"message":"a","logger":"b"}\n',
    ],
)
def test_lines_of_others_stay(line: bytes) -> None:
    """Only a line of ctxlog's in its default schema is written anew."""
    assert converter("ecs")(line) == line


def test_an_unknown_schema() -> None:
    """The error says which ones there are."""
    with pytest.raises(ConfigError, match="ecs"):
        converter("none")
