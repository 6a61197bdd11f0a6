"""
The objects that a line has: in JSON, wrapped by a collector, or in a batch.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from ctxlog._json import loads

#: Where a line that was wrapped keeps the time of what wrapped it.
WRAPPED_TIME = "__REALTIME_TIMESTAMP"
_WRAPPED_LOGS = ("stream", "kubernetes", "time", "date", "docker", "container_id")
_WRAPPED_MESSAGES = (
    "source_type",
    "kubernetes",
    "ingestionTime",
    "agent",
    "stream",
    "container_name",
)
#: Programs that wrap each line in an object: the key of the line, those of the time,
#: and others of which there is one: no line is a wrapper whose message only happens to
#: be JSON.
_WRAPPERS: Sequence[tuple[str, Sequence[str], Collection[str]]] = (
    # journalctl -o json, with --all of ctxlog's own entries
    ("CTXLOG_LINE", (WRAPPED_TIME,), (WRAPPED_TIME,)),
    ("MESSAGE", (WRAPPED_TIME,), (WRAPPED_TIME,)),
    # Docker's json-file, Fluent Bit, Fluentd
    ("log", ("time", "date", "@timestamp", "timestamp"), _WRAPPED_LOGS),
    # Vector, Filebeat, Fluent Bit, CloudWatch
    ("message", ("timestamp", "@timestamp", "time", "date"), _WRAPPED_MESSAGES),
    # CloudWatch Logs Insights
    ("@message", ("@timestamp",), ("@ptr", "@logStream", "@log", "@ingestionTime")),
)
#: Lists of wrapped lines in an object: of CloudWatch's subscriptions and command line.
_LISTS = ("logEvents", "events")

# Values within values of OpenTelemetry's that are read.
_DEPTH = 64


def objects(text: bytes) -> Sequence[dict[str, Any]]:
    """
    Return what *text* has, without its wrapping; nothing if it is no object.

    That is one object, or all records of a batch: of OpenTelemetry's, flattened, or of
    CloudWatch's. Never raises.
    """
    try:
        members = _read(text)
    except (ValueError, RecursionError):
        return ()
    if not isinstance(members, dict):
        return ()
    members = _unwrapped(members)
    if "resourceLogs" in members:
        return [_flat(one) for one in _records(members)] or (members,)
    if not members.keys().isdisjoint(_LISTS):
        return _events(members) or (members,)
    return (members,)


def _read(text: bytes) -> Any:
    """
    Return what JSON says. Raises as `json.loads` does.

    The fast decoder refuses what is no strict JSON (NaN, invalid UTF-8), and reads
    integers of more than 64 bits as floats.
    """
    try:
        members = loads(text)
    except (ValueError, RecursionError):
        return json.loads(text.decode("utf-8", "replace"))
    if type(members) is dict:
        for value in members.values():
            if type(value) is float and not -(2.0**63) < value < 2.0**63:
                return json.loads(text)
    return members


def _unwrapped(members: dict[str, Any]) -> dict[str, Any]:
    """Return the object that a line has as text in another one, else that one."""
    for name, times, others in _WRAPPERS:
        text = members.get(name)
        if not isinstance(text, str) or not text.lstrip().startswith("{"):
            continue
        if members.keys().isdisjoint(others):
            continue
        try:
            inner = _read(text.encode("utf-8", "replace"))
        except (ValueError, RecursionError):
            continue
        if isinstance(inner, dict):
            time = next((members[one] for one in times if one in members), None)
            return inner if time is None else {**inner, WRAPPED_TIME: time}
    return members


def _events(members: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the events of a list of CloudWatch's, each without its wrapping."""
    for name in _LISTS:
        events = [
            one
            for one in _dicts(members.get(name))
            if "timestamp" in one and isinstance(one.get("message"), str)
        ]
        if events:
            return [_unwrapped({"ingestionTime": None, **one}) for one in events]
    return []


def _records(members: dict[str, Any]) -> Iterator[dict[str, Any]]:
    level = [members]
    for name in ("resourceLogs", "scopeLogs", "logRecords"):
        level = [inner for outer in level for inner in _dicts(outer.get(name))]
    yield from level


def _dicts(found: object) -> list[dict[str, Any]]:
    members = found if isinstance(found, list) else []
    return [one for one in members if isinstance(one, dict)]


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """A log record of a batch, with its attributes as members."""
    flat = dict(record)
    flat.update(_pairs(record.get("attributes"), 0))
    return flat


def _pairs(attributes: object, depth: int) -> dict[str, Any]:
    """Return what a list of keys and values says."""
    return {
        str(one.get("key")): _value(one["value"], depth)
        for one in _dicts(attributes)
        if one.get("value")
    }


def _value(any_value: Any, depth: int) -> Any:
    """Return what an `AnyValue` says, which has the kind of the value as its key."""
    if not isinstance(any_value, dict) or depth > _DEPTH:
        return any_value
    kind, value = next(iter(any_value.items()), ("", None))
    if kind == "intValue" and isinstance(value, str):
        return int(value) if value.lstrip("-").isdigit() else value
    if isinstance(value, dict) and isinstance(inner := value.get("values"), list):
        if kind == "kvlistValue":
            return _pairs(inner, depth + 1)
        if kind == "arrayValue":
            return [_value(one, depth + 1) for one in inner]
    return value
