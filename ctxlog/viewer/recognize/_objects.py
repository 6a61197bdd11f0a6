"""
The objects that a line has: in JSON, wrapped by a collector, or in a batch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from ctxlog._json import loads

#: Where a line that was wrapped keeps the time of what wrapped it.
WRAPPED_TIME = "__REALTIME_TIMESTAMP"
#: Programs that wrap each line in an object: the keys of the line and of the time.
_WRAPPERS = (
    ("CTXLOG_LINE", WRAPPED_TIME),  # journalctl -o json --all, of ctxlog's own entries
    ("MESSAGE", WRAPPED_TIME),  # journalctl -o json
    ("log", "time"),  # Docker's json-file
)


def objects(text: bytes) -> Sequence[dict[str, Any]]:
    """
    Return what *text* has, without its wrapping; nothing if it is no object.

    That is one object, or all records of a batch of OpenTelemetry's, flattened. Never
    raises.
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
    for name, time in _WRAPPERS:
        text = members.get(name)
        if isinstance(text, str) and text.startswith("{") and time in members:
            try:
                inner = _read(text.encode("utf-8", "replace"))
            except (ValueError, RecursionError):
                continue
            if isinstance(inner, dict):
                return {**inner, WRAPPED_TIME: members[time]}
    return members


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
    attributes = record.get("attributes")
    for attribute in attributes if isinstance(attributes, list) else ():
        if isinstance(attribute, dict) and isinstance(attribute.get("value"), dict):
            for kind, value in attribute["value"].items():
                number = kind == "intValue" and isinstance(value, str)
                whole = number and value.lstrip("-").isdigit()
                flat[str(attribute.get("key"))] = int(value) if whole else value
    return flat
