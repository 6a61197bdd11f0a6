"""
What stores ask of a finished line: its time, level, message, and whose it is.

The keys are those of all of ctxlog's schemas, and the common ones of other loggers; a
test compares them with the schemas. Private to `aggregators/`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from time import time_ns
from typing import Any

from ctxlog._json import dumps, loads
from ctxlog._names import ALIASES, CASES, PLACEHOLDERS, SNAKE, get_names

# Paths: `a.b` is a key that has the dot, or the member `b` of `a`.
TIMES = ("timestamp", "@timestamp", "time", "ts")
LEVELS = ("level", "log.level", "severity", "_level_name", "levelname", "status")
MESSAGES = ("message", "short_message", "msg", "event")
LOGGERS = ("logger", "log.logger", "logger_name", "logger.name", "_logger")
SERVICES = ("service", "service.name", "serviceContext.service", "_service")
ENVIRONMENTS = (
    "environment",
    "service.environment",
    "deployment.environment.name",
    "dd.env",
    "_environment",
)
TRACES = (
    *(names.trace_id for names in CASES.values()),
    *("trace.id", "dd.trace_id", "logging.googleapis.com/trace"),
    *(f"_{names.trace_id}" for names in CASES.values()),
)
SPANS = (
    *(names.span_id for names in CASES.values()),
    *("span.id", "dd.span_id", "logging.googleapis.com/spanId"),
    *(f"_{names.span_id}" for names in CASES.values()),
)
_IDS = (
    *("http.request.id", "http.request_id"),
    *(f"_{names.request_id}" for names in CASES.values()),
)

_CORE = (
    *TIMES,
    *LEVELS,
    *MESSAGES,
    *LOGGERS,
    *SERVICES,
    *ENVIRONMENTS,
    *TRACES,
    *SPANS,
    *ALIASES,
    *_IDS,
)

#: The levels as stores name them, with the least number of each.
_NAMES = (
    (50, "critical"),
    (40, "error"),
    (30, "warning"),
    (20, "info"),
    (10, "debug"),
    (1, "trace"),
)
_NUMBERS = {
    "trace": 5,
    "verbose": 5,
    "debug": 10,
    "info": 20,
    "information": 20,
    "notice": 25,
    "success": 25,
    "warn": 30,
    "warning": 30,
    "err": 40,
    "error": 40,
    "critical": 50,
    "fatal": 50,
    "panic": 50,
    "alert": 50,
    "emergency": 50,
}
_SYSLOG = (50, 50, 50, 40, 30, 25, 20, 10)

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9})\d*)?"
    r" ?(Z|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
_LATEST = 2**63  # nanoseconds, as stores count them


class Line:
    """
    A finished line, read once.

    Attributes:
        raw: The line without its newline.
        members: The JSON object on it. OpenTelemetry's record is flattened into one
            with the keys of the default schema; any other text is its `message`.
        is_object: Whether `raw` is that object, on one line.
        time: Nanoseconds since the epoch; None if the line does not say. `read()`
            gives each line one.
    """

    __slots__ = ("is_object", "members", "raw", "time")

    def __init__(self, line: bytes) -> None:
        self.raw = line.rstrip(b"\r\n")
        members = _object(self.raw)
        record = None if members is None else _record(members)
        # A line break within would end the line for a store.
        flat = members is not None and record is None
        self.is_object = flat and b"\n" not in self.raw
        if members is None:
            members = {"message": self.text}
        self.members: dict[str, Any] = members if record is None else record
        self.time = _first_time(self.members)

    @property
    def text(self) -> str:
        """The line as a text; bytes that are no UTF-8 are replaced."""
        return self.raw.decode("utf-8", "replace")

    @property
    def when(self) -> int:
        """The time; the present for a line that has none."""
        return time_ns() if self.time is None else self.time

    @property
    def level(self) -> int:
        """The level on logging's scale; 0 if it is not known."""
        for path in LEVELS:
            found = at(self.members, path)
            if isinstance(found, str):
                number = _NUMBERS.get(found.lower(), 0)
                if number:
                    return number
            elif path == "level" and type(found) is int:
                if "short_message" in self.members:  # GELF counts as syslog does
                    return _SYSLOG[found] if 0 <= found < 8 else 0
                return max(found - 10, 5)  # pino and Bunyan: 30 is info
        return 0

    @property
    def level_name(self) -> str:
        """One of `critical error warning info debug trace`; `unknown` if none is."""
        level = self.level
        return next((name for least, name in _NAMES if level >= least), "unknown")

    @property
    def message(self) -> str:
        """The message; empty if there is none."""
        return self.first(MESSAGES) or ""

    @property
    def request_id(self) -> str | None:
        """The request's id; None for a line of no request."""
        key = get_names().request_id
        found = self.first((key, *ALIASES, f"_{key}", *_IDS))
        return None if found in PLACEHOLDERS else found

    @property
    def service(self) -> str | None:
        """The name of the service."""
        return self.first(SERVICES)

    @property
    def environment(self) -> str | None:
        """The name of the environment."""
        return self.first(ENVIRONMENTS)

    def first(self, paths: Sequence[str]) -> str | None:
        """Return what stands at the first of `paths` that has a text or a number."""
        for path in paths:
            found = at(self.members, path)
            if isinstance(found, (str, int, float)) and not isinstance(found, bool):
                if found != "":
                    return str(found)
        return None

    @property
    def core(self) -> dict[str, Any]:
        """The members that say what, when and whose it is: few, and short names."""
        names = (*_CORE, get_names().request_id)
        core = {name: self.members[name] for name in names if name in self.members}
        kinds = (str, int, float)
        return {name: of for name, of in core.items() if isinstance(of, kinds)}

    def object(self, **added: Any) -> bytes:
        """
        Return the members as JSON, with more of them in front.

        What is on the line stays byte for byte: no number is rounded. Of two members
        of one name the added one stays.
        """
        if not self.is_object or not added.keys().isdisjoint(self.members):
            try:
                return dumps({**added, **self.members, **added})
            except (TypeError, ValueError, RecursionError):  # nested too deeply
                return dumps({"message": self.text, **added})
        raw = self.raw.strip()
        if not added:
            return raw
        comma = b"," if self.members else b""
        return dumps(added)[:-1] + comma + raw[1:].lstrip()


def read(lines: Iterable[bytes]) -> list[Line]:
    """
    Read lines, and give each a time.

    A line that does not say has the time of the line before it, with which it mostly
    belongs, and which is the same if it is sent again; the first one the present.
    """
    found = [Line(line) for line in lines]
    time = time_ns()
    for line in found:
        if line.time is None:
            line.time = time
        time = line.time
    return found


def at(members: Mapping[str, Any], path: str) -> Any:
    """Return what stands at a path; None if nothing does."""
    if path in members:
        return members[path]
    head, dot, rest = path.partition(".")
    inner = members.get(head) if dot else None
    return at(inner, rest) if isinstance(inner, dict) else None


def rfc3339(time: int) -> str:
    """Return nanoseconds since the epoch as stores read them, in UTC."""
    seconds, rest = divmod(time, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    digits = f"{rest:09}" if rest % 1000 else f"{rest // 1000:06}"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{digits}Z"


def _object(raw: bytes) -> dict[str, Any] | None:
    try:
        found = loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    if b"\\ud" in raw or b"\\uD" in raw:
        try:
            dumps(found)
        except UnicodeEncodeError:  # half a character, which not all decoders refuse
            return None
        except (TypeError, ValueError, RecursionError):
            pass
    return found


# Times ----------------------------------------------------------------------------


def _first_time(members: Mapping[str, Any]) -> int | None:
    for path in TIMES:
        found = nanoseconds(members.get(path))
        if found is not None:
            return found
    return None


def nanoseconds(value: object) -> int | None:
    """Return a time as nanoseconds since the epoch; None if it is none."""
    if isinstance(value, str):
        match = _TIME.fullmatch(value)
        if match is not None:
            day, clock, digits, zone = match.groups()
            second = _second(day, clock, zone)
            if second is None or not 0 <= second * 1_000_000_000 < _LATEST:
                return None
            return second * 1_000_000_000 + int((digits or "").ljust(9, "0"))
        if not re.fullmatch(r"\d{9,19}", value, re.ASCII):
            return None
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    # Seconds, or a thousandth, a millionth or a billionth of them, by their size.
    for scale, least in ((1, 1e17), (1_000, 1e14), (1_000_000, 1e11), (10**9, 1e8)):
        if least <= value < 1e20:
            if isinstance(value, float):  # which has no more digits than this
                found = round(value * scale / 1000) * 1000
            else:
                found = value * scale
            return found if found < _LATEST else None
    return None


@functools.lru_cache(256)
def _second(day: str, clock: str, zone: str | None) -> int | None:
    zone = "+00:00" if zone in (None, "Z") else str(zone)
    if ":" not in zone:
        zone = f"{zone[:3]}:{zone[3:]}"
    try:
        return int(datetime.fromisoformat(f"{day}T{clock}{zone}").timestamp())
    except (ValueError, OverflowError):  # the thirtieth of February
        return None


# OpenTelemetry ----------------------------------------------------------------------


def _record(batch: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the one record of a batch as members; None if it is no such batch."""
    resource = _only(batch.get("resourceLogs"))
    scope = _only(resource.get("scopeLogs"))
    record = _only(scope.get("logRecords"))
    if "body" not in record and "timeUnixNano" not in record:
        return None
    members: dict[str, Any] = {}
    time = nanoseconds(record.get("timeUnixNano"))
    if time is not None:
        members["timestamp"] = rfc3339(time)
    if "severityText" in record:
        members["level"] = record["severityText"]
    members["message"] = _value(record.get("body"))
    for key, name in (("traceId", SNAKE.trace_id), ("spanId", SNAKE.span_id)):
        if record.get(key):
            members[name] = record[key]
    within = resource.get("resource")
    for owner in (within if isinstance(within, dict) else {}, record):
        for key, value in _attributes(owner.get("attributes")).items():
            members[f"attributes.{key}" if key in members else key] = value
    return members


def _only(items: object) -> Mapping[str, Any]:
    one = items[0] if isinstance(items, list) and len(items) == 1 else None
    return one if isinstance(one, dict) else {}


def _attributes(items: object) -> dict[str, Any]:
    found = items if isinstance(items, list) else []
    pairs = [item for item in found if isinstance(item, dict)]
    return {str(pair.get("key")): _value(pair.get("value")) for pair in pairs}


def _value(value: object) -> Any:
    """Return the plain value of an `AnyValue`."""
    if not isinstance(value, dict):
        return None
    for kind, of in value.items():
        if kind == "arrayValue" and isinstance(of, dict):
            values = of.get("values")
            return [_value(one) for one in values] if isinstance(values, list) else []
        if kind == "kvlistValue" and isinstance(of, dict):
            return _attributes(of.get("values"))
        if kind == "intValue" and isinstance(of, str):
            return int(of) if re.fullmatch(r"-?\d{1,19}", of, re.ASCII) else of
        return of
    return None
