"""
The objects that a line has: in JSON, wrapped by a collector, or in a batch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from ctxlog._json import loads
from ctxlog.viewer.recognize._held import WRAPPED_TIME, dicts, held, holder

_WRAPPED_LOGS = ("stream", "kubernetes", "time", "date", "docker", "container_id")
_WRAPPED_MESSAGES = (
    "source_type",
    "kubernetes",
    "ingestionTime",
    "agent",
    "stream",
    "container_name",
    "containerName",
    "podName",
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
    # Docker's GELF driver
    ("short_message", ("timestamp",), ("_container_id", "_container_name")),
    # logcli -o jsonl
    ("line", ("timestamp",), ("labels", "fields")),
    # CloudWatch Logs Insights
    ("@message", ("@timestamp",), ("@ptr", "@logStream", "@log", "@ingestionTime")),
    # Azure Monitor: containers, Container Apps, what Kubernetes itself writes
    ("LogMessage", ("TimeGenerated",), ("TimeGenerated",)),
    ("LogEntry", ("TimeGenerated",), ("TimeGenerated",)),
    ("Log_s", ("TimeGenerated",), ("TimeGenerated",)),
    ("Log", ("TimeGenerated",), ("TimeGenerated",)),
    ("properties.log", ("time",), ("category",)),
    # Splunk
    ("_raw", ("_time",), ("_time",)),
    # AWS Lambda's telemetry
    ("record", ("time",), ("type",)),
)
#: Of these what is not read is the message as it is.
_MESSAGES = frozenset({"MESSAGE", "log", "message", "short_message", "@message"})
#: Lists of names and values: of Log4j's context, of OpenTelemetry's attributes.
_PAIRS = ("contextMap", "attributes", "Attributes")
#: Lists of wrapped lines in an object: of CloudWatch's subscriptions and command line.
_LISTS = ("logEvents", "events")
#: Answers of Insights and of Azure's queries: lists of cells, one list for each line.
_ANSWERS = ("results", "tables")
#: Batches of OpenTelemetry's: of several resources, or of one.
_BATCHES = ("resourceLogs", "scopeLogs")

#: One of these has each object that is not simply the line itself.
_MARKS = frozenset(
    [mark for _, _, others in _WRAPPERS for mark in others]
    + [*_LISTS, *_PAIRS, *_ANSWERS, *_BATCHES, "resourceId"]
)

#: And one of these: `time` and `date` alone are of any line.
_WRAPPING = frozenset(
    [name.partition(".")[0] for name, _, _ in _WRAPPERS]
    + [*_LISTS, *_PAIRS, *_ANSWERS, *_BATCHES]
)

# Values within values of OpenTelemetry's that are read, and batches within batches.
_DEPTH = 64
_DEEPEST = 3


#: Reads what is wrapped and no JSON: what it says, or nothing.
Reader = Callable[[bytes], Sequence[dict[str, Any]]]


def simple(text: bytes) -> dict[str, Any] | None:
    """Return an object that is as it stands, as most are; None if `objects()` tells."""
    try:
        members = loads(text)
    except (ValueError, RecursionError):
        return None
    if type(members) is not dict:
        return None
    if not _is_simple(members) or _is_rounded(members):
        return None
    return members


def _is_simple(members: dict[str, Any]) -> bool:
    """Whether an object is as it stands: none of a collector, and no batch."""
    if holder(members) is not None:
        return False
    return _MARKS.isdisjoint(members) or _WRAPPING.isdisjoint(members)


def objects(text: bytes, read: Reader | None = None) -> Sequence[dict[str, Any]]:
    """
    Return what *text* has, without its wrapping; nothing if it is no object.

    That is one object, or all records of a batch: of OpenTelemetry's, flattened, or of
    CloudWatch's. Never raises.

    Args:
        text: A line.
        read: Reads wrapped lines that are not JSON; None to leave them as they are.
    """
    try:
        members = _read(text)
    except (ValueError, RecursionError):
        return ()
    return _entries(members, read, 0) if isinstance(members, dict) else ()


def _entries(
    members: dict[str, Any], read: Reader | None, depth: int
) -> Sequence[dict[str, Any]]:
    """Return the entries that an object is or has."""
    if _is_simple(members):
        return (members,)
    inner = held(members) if depth < _DEEPEST else ()
    if inner:
        return [one for each in inner for one in _entries(each, read, depth + 1)]
    members = _unwrapped(members, read)
    if not members.keys().isdisjoint(_BATCHES):
        resources = members.get("resourceLogs", [members])
        return [_flat(one) for one in _records(resources)] or (members,)
    if "timeUnixNano" in members and isinstance(members.get("attributes"), list):
        return (_flat(members),)
    if not members.keys().isdisjoint(_PAIRS):
        members = _paired(members)
    if not members.keys().isdisjoint(_ANSWERS):
        found = [_unwrapped(one, read) for one in _answered(members)]
        return found or (members,)
    if not members.keys().isdisjoint(_LISTS):
        return _events(members, read) or (members,)
    if "resourceId" in members and "properties" in members:  # Azure's, as text
        return ({**members, "properties": _parsed(members["properties"])},)
    return (members,)


def _parsed(value: object) -> Any:
    """Return the object that a text is; other values as they are."""
    if not isinstance(value, str) or not value.startswith("{"):
        return value
    try:
        return _read(value.encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return value


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
    if type(members) is dict and _is_rounded(members):
        return json.loads(text)
    return members


def _is_rounded(members: dict[str, Any]) -> bool:
    """Whether a value may be an integer that the fast decoder has rounded."""
    found: list[Iterable[Any]] = [members.values()]
    for values in found:  # which grows meanwhile
        for value in values:
            kind = type(value)
            if kind is float:
                if not -(2.0**63) < value < 2.0**63:
                    return True
            elif kind is dict:
                found.append(value.values())
            elif kind is list:
                found.append(value)
    return False


def _unwrapped(members: dict[str, Any], read: Reader | None) -> dict[str, Any]:
    """Return what a line has as text in another one, else that one."""
    for name, times, others in _WRAPPERS:
        if members.keys().isdisjoint(others):
            continue
        text = members.get(name)
        head, dot, rest = name.partition(".")
        if dot and isinstance(inside := members.get(head), dict):
            text = inside.get(rest)
        if name == "MESSAGE" and isinstance(text, list):
            text = _bytes(text)  # of which the journal does not know that it is text
            members = {**members, name: text}
        if name == "LogMessage" and isinstance(text, dict):
            return {WRAPPED_TIME: members[times[0]], **text}
        if not isinstance(text, str):
            continue
        line = text.strip().encode("utf-8", "replace")
        if not line.startswith(b"{"):
            said = read(line) if read is not None else ()
            if not said and name not in _MESSAGES and "message" not in members:
                said = [{"message": text}]
            if said:
                around = {key: of for key, of in members.items() if key != head}
                return {**around, **said[0]}
            continue
        try:
            inner = _read(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(inner, dict):
            time = next((members[one] for one in times if one in members), None)
            return inner if time is None else {**inner, WRAPPED_TIME: time}
    return members


def _bytes(values: list[Any]) -> str:
    """Return the text of a list of bytes that are numbers."""
    numbers = [one for one in values if type(one) is int and 0 <= one < 256]
    return bytes(numbers).decode("utf-8", "replace")


def _events(members: dict[str, Any], read: Reader | None) -> list[dict[str, Any]]:
    """Return the events of a list of CloudWatch's, each without its wrapping."""
    for name in _LISTS:
        events = [
            one
            for one in dicts(members.get(name))
            if "timestamp" in one and isinstance(one.get("message"), str)
        ]
        if events:
            return [_unwrapped({"ingestionTime": None, **one}, read) for one in events]
    return []


def _answered(members: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the lines of an answer: of Insights, or of the tables of Azure's."""
    results = members.get("results")
    for row in results if isinstance(results, list) else ():
        cells = [one for one in dicts(row) if isinstance(one.get("field"), str)]
        if cells:
            yield {one["field"]: one.get("value") for one in cells}
    for table in dicts(members.get("tables")):
        names = [one.get("name") for one in dicts(table.get("columns"))]
        rows = table.get("rows")
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, list) and len(row) == len(names):
                pairs = zip(names, row, strict=True)
                yield {str(name): said for name, said in pairs if said is not None}


def _records(resources: object) -> Iterator[dict[str, Any]]:
    for resource in dicts(resources):
        about = resource.get("resource")
        about = _pairs(about.get("attributes"), 0) if isinstance(about, dict) else {}
        service = {key: of for key, of in about.items() if key == "service.name"}
        for scope in dicts(resource.get("scopeLogs")):
            for record in dicts(scope.get("logRecords")):
                yield {**record, **service}


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """A log record of a batch, with its attributes as members."""
    flat = dict(record)
    body = record.get("body")
    if isinstance(body, dict) and isinstance(body.get("kvlistValue"), dict):
        del flat["body"]  # as of structured loggers
        flat.update(_pairs(body["kvlistValue"].get("values"), 0))
    flat.update(_pairs(record.get("attributes"), 0))
    return flat


def _paired(members: dict[str, Any]) -> dict[str, Any]:
    """Return members with objects for their lists of names and values."""
    found = {name: _pairs(members.get(name), 0) for name in _PAIRS}
    return {**members, **{name: pairs for name, pairs in found.items() if pairs}}


def _pairs(attributes: object, depth: int) -> dict[str, Any]:
    """Return what a list of keys and values says."""
    found = {}
    for one in dicts(attributes):
        key, value = one.get("key", one.get("Key")), one.get("value", one.get("Value"))
        if key is not None and value:
            found[str(key)] = _value(value, depth)
    return found


def _value(any_value: Any, depth: int) -> Any:
    """Return what an `AnyValue` says, which has the kind of the value as its key."""
    if not isinstance(any_value, dict) or depth > _DEPTH:
        return any_value
    if "Type" in any_value and "Value" in any_value:
        return any_value["Value"]  # as the exporter to standard output has it
    kind, value = next(iter(any_value.items()), ("", None))
    if kind == "intValue" and isinstance(value, str):
        return int(value) if value.lstrip("-").isdigit() else value
    if isinstance(value, dict) and isinstance(inner := value.get("values"), list):
        if kind == "kvlistValue":
            return _pairs(inner, depth + 1)
        if kind == "arrayValue":
            return [_value(one, depth + 1) for one in inner]
    return value
