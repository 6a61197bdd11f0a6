"""
The keys of each logger for the time, the level, the message and the request.

Names are paths: `req.id` is the member `id` of `req`, or a key that has the dot.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ctxlog.viewer.recognize._objects import WRAPPED_TIME

#: Request ids first, then traces: a line with both belongs to its request.
IDS = (
    "requestID request_id requestId reqId req_id _requestID _request_id req.id "
    "request.id http.request.id http.request_id x-request-id request-id "
    "correlation_id correlationId correlationID trace_id traceId traceID trace.id "
    "logging.googleapis.com/trace"
).split()
ID_PATHS = " ".join(IDS)
TIMES = (
    "timestamp time @timestamp ts record.time.timestamp asctime timeUnixNano "
    + WRAPPED_TIME
)
LEVELS = "level severity log.level levelname status severityText record.level.name"
MESSAGES = "message msg event short_message record.message body.stringValue"
STATUSES = (
    "status statusCode status_code res.statusCode http.response.status_code "
    "http.status_code httpRequest.status _status"
)
PATHS = (
    "path url req.url url.path http.url_details.path httpRequest.requestUrl _path uri"
)
#: The route of a request: ctxlog's, and OpenTelemetry's attribute.
ROUTES = "route http.route _route"
METHODS = (
    "method req.method http.request.method http.method httpRequest.requestMethod "
    "_method"
)
USERS = (
    "user user_id userId user.id user.name usr.id usr.name enduser.id _user "
    "user.email user.username username user_name"
)
LOGGERS = "logger log.logger logger_name logger.name _logger"
#: The logger of ctxlog's lines about calls of other services.
CALLS = "ctxlog.client"
#: The loggers of its lines about the end of a request or a task.
COMPLETIONS = frozenset({"ctxlog.request", "ctxlog.task"})
#: How long what a line speaks of took, and what that is in seconds.
DURATIONS = {
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
DATADOGS = "http.url_details.path"
#: The members of a total, of what `ctxlog.timed()` adds up.
TOTAL = {"count", "ms"}
DURATION_PATHS = " ".join(DURATIONS)
STACKS = (
    "exception.stack exc_info stack error.stack_trace error.stack stack_trace "
    "err.stack full_message exception stacktrace stackTrace"
)
STACK_HEADS = frozenset(path.partition(".")[0] for path in STACKS.split())
#: Where loggers keep a call's own fields: structlog and python-json-logger beside the
#: others, tracing in `fields` and its spans, loguru in `record.extra`.
HOMES = ("", "record.extra.", "fields.", "span.", "extra.", "context.")
#: What a line has in places of their own. `status` may also be HTTP's, `event` any.
OWN = frozenset(
    {*TIMES.split(), *LEVELS.split(), *MESSAGES.split()} - {"status", "event"}
    | {"elapsedMs", "_elapsedMs", "_elapsed_ms"}
)
#: On a line of ctxlog's the time since its request began, else how long something took.
ELAPSED = "elapsed_ms"


def _own_names(camel: str, snake: str) -> Sequence[tuple[str, str]]:
    pairs = ((camel, "elapsedMs"), (snake, "elapsed_ms"))
    return (*pairs, *((f"_{name}", f"_{elapsed}") for name, elapsed in pairs))  # GELF's


#: What ctxlog says of the lines of a request that waited, or stand for others. Each
#: name counts only beside that of the time since the request began, in its spelling: a
#: sample rate may also be that of a sound.
OF_REQUESTS = {
    "buffered": _own_names("buffered", "buffered"),
    "dropped lines": _own_names("droppedLines", "dropped_lines"),
    "sample rate": _own_names("sampleRate", "sample_rate"),
}
#: Members that say again what another one says: loguru's text; OpenTelemetry's
#: attributes, which have become members.
AGAIN = (("text", "record"), ("attributes", "timeUnixNano"))


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
        return self.id or ID_PATHS


def spellings(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the names under which loggers keep what stands at one of some paths."""
    return tuple(f"{home}{path}" for path in paths for home in HOMES)


#: What a store is asked for: the names of a field by its meaning.
SPELLINGS = {
    "level": tuple(LEVELS.split()),
    "path": spellings(PATHS.split()),
    "route": spellings(ROUTES.split()),
    "status": spellings(STATUSES.split()),
    "user": spellings(USERS.split()),
}
