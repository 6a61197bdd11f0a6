"""
Which keys of which logger mean the time, the level, the message and the request.

Names are paths: `req.id` is the member `id` of `req`, or a key that has the dot.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

__all__ = ["IDS", "Names", "Record", "iso", "level_number", "seconds"]

#: Request ids first, then traces: a line with both belongs to its request.
IDS = (
    "requestID request_id requestId reqId req_id _requestID _request_id req.id "
    "request.id http.request.id http.request_id x-request-id request-id "
    "correlation_id correlationId correlationID trace_id traceId traceID trace.id "
    "logging.googleapis.com/trace"
).split()
_ID_PATHS = " ".join(IDS)
_TIMES = "timestamp time @timestamp ts record.time.timestamp asctime timeUnixNano"
_LEVELS = "level severity log.level levelname status severityText record.level.name"
_MESSAGES = "message msg event short_message record.message body.stringValue"
_STATUSES = (
    "status statusCode status_code res.statusCode http.response.status_code "
    "http.status_code httpRequest.status _status"
)
_PATHS = (
    "path url req.url url.path http.url_details.path httpRequest.requestUrl _path uri"
)
_METHODS = (
    "method req.method http.request.method http.method httpRequest.requestMethod "
    "_method"
)
_USERS = "user user_id userId user.id user.name usr.id usr.name enduser.id _user"
_STACKS = (
    "exception.stack exc_info stack error.stack_trace error.stack stack_trace "
    "err.stack full_message exception stacktrace stackTrace"
)
#: Where loggers keep a call's own fields: structlog and python-json-logger beside the
#: others, tracing in `fields` and its spans, loguru in `record.extra`.
_HOMES = ("", "record.extra.", "fields.", "span.", "extra.", "context.")

_WORDS = {
    "trace": 5,
    "verbose": 5,
    "debug": 10,
    "default": 0,
    "info": 20,
    "information": 20,
    "success": 25,
    "notice": 25,
    "warn": 30,
    "warning": 30,
    "err": 40,
    "error": 40,
    "critical": 50,
    "fatal": 50,
    "panic": 50,
    "dpanic": 50,
    "alert": 50,
    "emergency": 50,
}
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d+))?\s*(Z|[+-]\d\d:?\d\d)?$"
)


def level_number(level: object) -> int:
    """Return a level on logging's scale, 0 where it is not known. Never raises."""
    return _word_number(level) if isinstance(level, str) else 0


@functools.lru_cache(256)
def _word_number(word: str) -> int:
    # slog writes what is between its levels as ERROR+2
    return _WORDS.get(re.split(r"[+-]", word.lower(), maxsplit=1)[0], 0)


def seconds(value: object) -> float | None:
    """Return a time as seconds since the epoch, None if it is none. Never raises."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        if value[-1:] == "Z" and value[10:11] == "T":  # as most write it
            try:
                return datetime.fromisoformat(f"{value[:-1]}+00:00").timestamp()
            except ValueError:  # what Python 3.10 does not read, or no time at all
                pass
        match = _ISO.match(value)
        if match is None:
            return seconds(float(value)) if re.fullmatch(r"\d{9,19}", value) else None
        day, clock, part, zone = match.groups()
        zone = "+00:00" if zone in (None, "Z") else zone
        if ":" not in zone:
            zone = f"{zone[:3]}:{zone[3:]}"
        try:
            whole = datetime.fromisoformat(f"{day}T{clock}{zone}").timestamp()
        except ValueError:  # the thirtieth of February
            return None
        return whole + (float(f"0.{part}") if part else 0.0)
    if isinstance(value, (int, float)):
        for scale, least in ((1e9, 1e17), (1e6, 1e14), (1e3, 1e11), (1, 1e8)):
            if least <= value < 1e20:
                return value / scale
    return None


@dataclass(frozen=True)
class Names:
    """The user's own names of fields, where guessing fails."""

    id: str | None = None
    time: str | None = None

    @property
    def ids(self) -> Sequence[str]:
        """The paths under which a request's id may stand."""
        return (self.id,) if self.id else IDS

    @property
    def id_paths(self) -> str:
        """The same, with a space between them."""
        return self.id or _ID_PATHS


class Record:
    """
    One line that is a JSON object, read as what it means.

    Attributes:
        members: The object, flattened where it is OpenTelemetry's.
        names: The user's own names.
    """

    __slots__ = ("_shape", "members", "names")

    def __init__(self, members: dict[str, Any], names: Names) -> None:
        self.members, self.names = members, names
        self._shape = _Shape.of(members)

    @classmethod
    def read(cls, line: bytes, names: Names) -> Sequence[Record]:
        """
        Return what the object on *line* says; nothing if there is none. Never raises.

        That is one record, or all that a batch of OpenTelemetry's has.
        """
        start = line.find(b"{", 0, 400)
        if start < 0:
            return ()
        try:
            members = json.loads(line[start:].decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return ()
        if not isinstance(members, dict):
            return ()
        if "resourceLogs" in members:
            batch = [cls(_flat(one), names) for one in _records(members)]
            return batch or (cls(members, names),)
        return (cls(members, names),)

    def get(self, path: str) -> Any:
        """Return the value at a path, wherever loggers keep it; None if none."""
        for full in self._shape.possible(path):
            found = _at(self.members, full)
            if found is not None:
                return found
        spans = self.members.get("spans")
        if isinstance(spans, list):
            for span in reversed(spans):
                if isinstance(span, dict) and span.get(path) is not None:
                    return span[path]
        return None

    def _first(self, paths: str) -> Any:
        for path in self._shape.present(paths):
            found = self.get(path)
            if found is not None and not isinstance(found, (dict, list)):
                return found
        return None

    @property
    def request(self) -> str | None:
        """The request's id; None if the line belongs to none."""
        for path in self._shape.present(self.names.id_paths):
            found = self.get(path)
            if isinstance(found, (str, int)) and not isinstance(found, bool):
                if found not in ("", "N/A"):  # ctxlog's word for no request
                    return str(found)
        return None

    @property
    def time(self) -> float | None:
        """Seconds since the epoch."""
        for path in self._shape.present(self.names.time or _TIMES):
            found = seconds(self.get(path))
            if found is not None:
                return found
        return None

    @property
    def level(self) -> int:
        """The level on logging's scale; 0 if there is none."""
        for path in self._shape.present(_LEVELS):
            found = _at(self.members, path)
            number = level_number(found)
            if number:
                return number
            if path == "level" and type(found) is int:
                if "short_message" in self.members:  # GELF counts as syslog does
                    return (50, 50, 50, 40, 30, 25, 20, 10)[min(max(found, 0), 7)]
                return max(found - 10, 5)  # pino and Bunyan: 30 is info
        return 0

    @property
    def message(self) -> str:
        """The message; empty if there is none."""
        found = self._first(_MESSAGES)
        return "" if found is None else str(found)

    @property
    def status(self) -> int | None:
        """The status of the response, on the lines that have one."""
        for path in self._shape.present(_STATUSES):
            found = self.get(path)
            if type(found) is int and 100 <= found <= 599:
                return found
            if isinstance(found, str) and re.fullmatch(r"[1-5]\d\d", found):
                return int(found)
        return None

    @property
    def path(self) -> str | None:
        """The path of the request."""
        found = self._first(_PATHS)
        return None if found is None else str(found)

    @property
    def method(self) -> str | None:
        """The method of the request."""
        found = self._first(_METHODS)
        return None if found is None else str(found)

    @property
    def user(self) -> str | None:
        """Who asked."""
        found = self._first(_USERS)
        return None if found is None else str(found)

    @property
    def stack(self) -> str:
        """The traceback; empty if there is none."""
        for path in self._shape.present(_STACKS):
            found = self.get(path)
            if isinstance(found, str) and "\n" in found:
                return found
        return ""

    @property
    def failed(self) -> bool:
        """Whether this line makes its request one that failed."""
        return self.level >= 40 or (self.status or 0) >= 500


class _Shape:
    """
    The names of an object's members, and which paths may stand in such an object.

    Most lines of a file have the same few.
    """

    __slots__ = ("_members", "_possible", "_present")

    def __init__(self, members: tuple[str, ...]) -> None:
        self._members = frozenset(members)
        self._possible: dict[str, Sequence[str]] = {}
        self._present: dict[str, Sequence[str]] = {}

    @staticmethod
    def of(members: dict[str, Any]) -> _Shape:
        """The shape of an object."""
        key = tuple(members)
        shape = _shapes.get(key)
        if shape is None:
            if len(_shapes) >= _MOST_SHAPES:  # keys may be made up without end
                _shapes.clear()
            shape = _shapes[key] = _Shape(key)
        return shape

    def possible(self, path: str) -> Sequence[str]:
        """Where a path may stand: mostly nowhere."""
        possible = self._possible.get(path)
        if possible is None:
            full = (home + path for home in _HOMES)
            possible = tuple(one for one in full if _begins_in(self._members, one))
            self._possible[path] = possible
        return possible

    def present(self, paths: str) -> Sequence[str]:
        """Those of several paths that may stand there."""
        present = self._present.get(paths)
        if present is None:
            everywhere = "spans" in self._members
            present = tuple(
                path for path in paths.split() if everywhere or self.possible(path)
            )
            self._present[paths] = present
        return present


_MOST_SHAPES = 4096
_shapes: dict[tuple[str, ...], _Shape] = {}


def _begins_in(members: frozenset[str], path: str) -> bool:
    """Whether a path, or one of its beginnings, is a member."""
    if path in members:
        return True
    parts = path.split(".")
    return any(".".join(parts[:end]) in members for end in range(1, len(parts)))


def _at(members: dict[str, Any], path: str) -> Any:
    if path in members:
        return members[path]
    head, dot, rest = path.partition(".")
    while dot:
        inner = members.get(head)
        if isinstance(inner, dict):
            found = _at(inner, rest)
            if found is not None:
                return found
        more, dot, rest = rest.partition(".")
        head = f"{head}.{more}"
    return None


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


def _records(members: dict[str, Any]) -> Iterator[dict[str, Any]]:
    level = [members]
    for name in ("resourceLogs", "scopeLogs", "logRecords"):
        level = [inner for outer in level for inner in _objects(outer.get(name))]
    yield from level


def _objects(found: object) -> list[dict[str, Any]]:
    members = found if isinstance(found, list) else []
    return [one for one in members if isinstance(one, dict)]


def iso(time: float) -> str:
    """Return a time as the viewer shows it, in UTC."""
    moment = datetime.fromtimestamp(time, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
