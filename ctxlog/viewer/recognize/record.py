"""
The keys of each logger for the time, the level, the message and the request.

Names are paths: `req.id` is the member `id` of `req`, or a key that has the dot.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ctxlog.viewer.recognize._objects import WRAPPED_TIME, objects
from ctxlog.viewer.recognize._tracebacks import as_text, beside, within
from ctxlog.viewer.recognize.scales import level_number, number, seconds

#: Request ids first, then traces: a line with both belongs to its request.
IDS = (
    "requestID request_id requestId reqId req_id _requestID _request_id req.id "
    "request.id http.request.id http.request_id x-request-id request-id "
    "correlation_id correlationId correlationID trace_id traceId traceID trace.id "
    "logging.googleapis.com/trace"
).split()
_ID_PATHS = " ".join(IDS)
_TIMES = (
    "timestamp time @timestamp ts record.time.timestamp asctime timeUnixNano "
    + WRAPPED_TIME
)
_LEVELS = "level severity log.level levelname status severityText record.level.name"
_MESSAGES = "message msg event short_message record.message body.stringValue"
_STATUSES = (
    "status statusCode status_code res.statusCode http.response.status_code "
    "http.status_code httpRequest.status _status"
)
_PATHS = (
    "path url req.url url.path http.url_details.path httpRequest.requestUrl _path uri"
)
#: The route of a request: ctxlog's, and OpenTelemetry's attribute.
_ROUTES = "route http.route _route"
_METHODS = (
    "method req.method http.request.method http.method httpRequest.requestMethod "
    "_method"
)
_USERS = (
    "user user_id userId user.id user.name usr.id usr.name enduser.id _user "
    "user.email user.username username user_name"
)
_LOGGERS = "logger log.logger logger_name logger.name"
#: The logger of ctxlog's lines about calls of other services.
_CALLS = "ctxlog.client"
#: How long what a line speaks of took, and what that is in seconds.
_DURATIONS = {
    "durationMs": 1e-3,
    "duration_ms": 1e-3,
    "responseTime": 1e-3,
    "elapsed_ms": 1e-3,
    "latency_ms": 1e-3,
    "_durationMs": 1e-3,
    "_duration_ms": 1e-3,
    "event.duration": 1e-9,
    "httpRequest.latency": 1.0,
    # Only Datadog's: other loggers have other units.
    "duration": 1e-9,
}
#: Beside this attribute of Datadog's, `duration` is Datadog's, too.
_DATADOGS = "http.url_details.path"
#: The members of a total, of what `ctxlog.timed()` adds up.
_TOTAL = {"count", "ms"}
_DURATION_PATHS = " ".join(_DURATIONS)
_STACKS = (
    "exception.stack exc_info stack error.stack_trace error.stack stack_trace "
    "err.stack full_message exception stacktrace stackTrace"
)
_STACK_HEADS = frozenset(path.partition(".")[0] for path in _STACKS.split())
#: Where loggers keep a call's own fields: structlog and python-json-logger beside the
#: others, tracing in `fields` and its spans, loguru in `record.extra`.
_HOMES = ("", "record.extra.", "fields.", "span.", "extra.", "context.")
#: What a line has in places of their own. `status` may also be HTTP's, `event` any.
_OWN = frozenset(
    {*_TIMES.split(), *_LEVELS.split(), *_MESSAGES.split()} - {"status", "event"}
    | {"elapsedMs", "_elapsedMs", "_elapsed_ms"}
)
#: On a line of ctxlog's the time since its request began, else how long something took.
_ELAPSED = "elapsed_ms"
#: Members that say again what another one says: loguru's text; OpenTelemetry's
#: attributes, which have become members.
_AGAIN = (("text", "record"), ("attributes", "timeUnixNano"))


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


def spellings(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the names under which loggers keep what stands at one of some paths."""
    return tuple(f"{home}{path}" for path in paths for home in _HOMES)


#: What a store is asked for: the names of a field by its meaning.
SPELLINGS = {
    "level": tuple(_LEVELS.split()),
    "path": spellings(_PATHS.split()),
    "route": spellings(_ROUTES.split()),
    "status": spellings(_STATUSES.split()),
    "user": spellings(_USERS.split()),
}


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
        found = objects(line[start:] if start else line)
        return [cls(members, names) for members in found]

    def get(self, path: str) -> Any:
        """Return the value at a path, wherever loggers keep it; None if none."""
        found = self.members.get(path)  # where it mostly is
        if found is not None:
            return found
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

    def _first(self, paths: str) -> str | None:
        for path in self._shape.present(paths):
            found = self.get(path)
            if found is not None and not isinstance(found, (dict, list)):
                return str(found)
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
        return self._first(_MESSAGES) or ""

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
        return self._first(_PATHS)

    @property
    def route(self) -> str | None:
        """The route of the request, or the name of the task."""
        found = self._first(_ROUTES)
        if found is None and "controller" in self.members:  # as lograge has it
            controller = self.members["controller"]
            action = self.members.get("action")
            if isinstance(controller, str) and isinstance(action, str):
                return f"{controller}#{action}"
        return found

    @property
    def method(self) -> str | None:
        """The method of the request."""
        return self._first(_METHODS)

    @property
    def user(self) -> str | None:
        """The user of the request."""
        return self._first(_USERS)

    @property
    def is_call(self) -> bool:
        """Whether it is about a call of another service, not about the request."""
        return self._first(_LOGGERS) == _CALLS

    @property
    def users(self) -> Sequence[str]:
        """All that names who asked: mostly an id and a name."""
        found = [self.get(path) for path in self._shape.present(_USERS)]
        return [str(one) for one in found if one and not isinstance(one, (dict, list))]

    @property
    def took(self) -> float | None:
        """How many seconds what it speaks of took; None if it does not say."""
        for path in self._shape.present(_DURATION_PATHS):
            found = self.get(path)
            if path == "duration" and _DATADOGS not in self.members:
                continue
            if isinstance(found, str) and re.fullmatch(r"\d+(\.\d+)?s", found):
                found = float(found[:-1])  # Google Cloud's
            if isinstance(found, (int, float)) and not isinstance(found, bool):
                if 0 <= found < 1e18:
                    return found * _DURATIONS[path]
        return None

    @property
    def totals(self) -> dict[str, tuple[float, float]]:
        """What was timed until then: how often, and how many milliseconds, by name."""
        found: dict[str, tuple[float, float]] = {}
        members = self.members
        for key, value in members.items():
            total = None
            if type(value) is dict:
                if value.keys() == _TOTAL:
                    total = (number(value["count"]), number(value["ms"]))
            elif key.endswith(".ms"):  # taken apart: by GELF, by a store
                key = key[:-3]
                total = (number(members.get(f"{key}.count")), number(value))
            if total is not None and None not in total:
                key = key.removeprefix("_").removeprefix("fields.")
                found[key] = cast("tuple[float, float]", total)
        return found

    def number(self, name: str) -> float | None:
        """Return a number at a path, wherever loggers keep it; None if none."""
        found = self.get(name)
        return number(self.members.get(f"_{name}") if found is None else found)

    @property
    def span(self) -> tuple[float, float] | None:
        """When what it speaks of began, and its time; None if it has no time."""
        time = self.time
        return None if time is None else (time - (self.took or 0.0), time)

    @property
    def fields(self) -> dict[str, Any]:
        """The fields besides its time, level, request, message and traceback."""
        request, ids = self.request, self.names.ids
        found: dict[str, Any] = {}
        for name, paths in self._shape.others(self.names):
            value = self.members[name]
            for path in paths:
                # An id that is not the request's, such as the trace's, is shown.
                if path not in ids or str(_at(self.members, path)) == request:
                    value = _without(value, path[len(name) + 1 :])
            extra = value.get("extra") if isinstance(value, dict) else None
            if name == "record" and isinstance(extra, dict):  # loguru's
                value = {"logger": value.get("name") or {}, **extra}
            elif f"{name}." not in _HOMES or not isinstance(value, dict):
                value = {name: value}
            for inner, said in value.items():
                own = inner in _OWN or (inner in ids and str(said) == request)
                if not own and said != {}:
                    found.setdefault(inner, said)
        if found.get("event") == self.message:  # structlog's message; ECS has others
            del found["event"]
        stack = self.stack
        if stack:
            for name in list(found):
                if name.partition(".")[0] in _STACK_HEADS:
                    found[name] = beside(found[name], stack)
                    if found[name] in ("", [], {}):
                        del found[name]
        return found

    @property
    def stack(self) -> str:
        """The traceback; empty if there is none."""
        for path in self._shape.present(_STACKS):
            shown = as_text(self.get(path))
            if shown:
                return shown
        if "text" in self.members and self.get("record.exception"):  # loguru's
            return within(str(self.members["text"]))
        return ""

    @property
    def failed(self) -> bool:
        """Whether this line makes its request one that failed."""
        return self.level >= 40 or self.says_failed

    @property
    def says_failed(self) -> bool:
        """Whether its status says so, not only that of a call of another service."""
        return (self.status or 0) >= 500 and not self.is_call


class _Shape:
    """
    The names of an object's members, and which paths may stand in such an object.

    Most lines of a file have the same few.
    """

    __slots__ = ("_members", "_others", "_own", "_possible", "_present")

    def __init__(self, members: tuple[str, ...]) -> None:
        self._members = members
        self._own = _OWN
        if _ELAPSED in members and _is_ctxlogs(members):
            self._own = _OWN | {_ELAPSED}
        self._possible: dict[str, Sequence[str]] = {}
        self._present: dict[str, Sequence[str]] = {}
        self._others: dict[Names, Sequence[tuple[str, Sequence[str]]]] = {}

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
        """The paths that exist, of several that may."""
        present = self._present.get(paths)
        if present is None:
            everywhere = "spans" in self._members
            hidden = self._own - _OWN
            present = tuple(
                path
                for path in paths.split()
                if (everywhere or self.possible(path)) and path not in hidden
            )
            self._present[paths] = present
        return present

    def others(self, names: Names) -> Sequence[tuple[str, Sequence[str]]]:
        """
        The members with more than a time, a level or a message.

        Each with the paths in it under which one of these stands, or the request's id.
        """
        others = self._others.get(names)
        if others is None:
            known = {*self._own, *names.ids, names.time or ""}
            again = {name for name, other in _AGAIN if other in self._members}
            others = self._others[names] = [
                (name, [path for path in known if path.startswith(f"{name}.")])
                for name in self._members
                if name not in self._own and name not in again and name != names.time
            ]
        return others


def _is_ctxlogs(members: Sequence[str]) -> bool:
    """Whether an object begins as ctxlog's lines do: the time, a message, a logger."""
    if "timeUnixNano" in members:
        return "logger.name" in members
    times, messages = _TIMES.split(), _MESSAGES.split()
    loggers, head = [*_LOGGERS.split(), "_logger"], members[:8]
    return head[0] in times and any(
        one in messages and other in loggers
        for one, other in zip(head, head[1:], strict=False)
    )


_MOST_SHAPES = 4096
_shapes: dict[tuple[str, ...], _Shape] = {}


def _begins_in(members: Sequence[str], path: str) -> bool:
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


def _without(members: Any, path: str) -> Any:
    """Return members without what stands at a path, or is empty without that."""
    if not isinstance(members, dict):
        return members
    head, _, rest = path.partition(".")
    left = _without(members.get(head), rest) if rest else {}
    kept = {name: value for name, value in members.items() if name != head}
    return {**kept, head: left} if left not in ({}, None) else kept
