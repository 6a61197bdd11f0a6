"""
The names of ctxlog's own fields in two spellings, and tables of loggers. Core.

`CAMEL` and `SNAKE` are the whole table; no other code spells such a name. The process
has one choice: `configure()` sets it, `unconfigure()` gives it back. Middleware, tasks
and carriers ask `get_names()` when they set a field, so that the store, `fields()`, a
record's attributes and the line agree.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ctxlog.errors import ConfigError

#: Other names of the request's id, in this order, if there is none under the chosen
#: one.
ALIASES = ("request_id", "requestId", "requestID", "correlation_id", "correlationId")

#: The texts that lines show for "no request": `N/A`, and each `missing_request_id` of
#: this process. They are no valid ids, since such a request could not be found again.
PLACEHOLDERS = {"N/A"}

#: The logger of the lines that say how a request ended.
COMPLETION_LOGGER = "ctxlog.request"

#: The same of tasks.
TASK_LOGGER = "ctxlog.task"

#: The field of lines that waited before they were written: the same in both spellings.
BUFFERED = "buffered"

#: The field of a line that says how many lines like it were left out.
SUPPRESSED = "suppressed"

#: The loggers of completion lines.
COMPLETION_LOGGERS = frozenset({COMPLETION_LOGGER, TASK_LOGGER})

#: The logger of what applications write to `wsgi.errors`.
WSGI_ERRORS_LOGGER = "wsgi.errors"

#: Loggers that report for other code, in any context: their crash reports take all
#: fields from the exception.
REPORTING_LOGGERS = frozenset(
    {
        "aiohttp.server",
        "asyncio",
        "concurrent.futures",
        "ctxlog.crash",
        "daphne",
        "daphne.server",
        "django.request",
        "granian",
        "_granian",
        "_granian.utils",
        "grpc._cython.cygrpc",
        "grpc._server",
        "gunicorn.error",
        "hypercorn.error",
        "sanic.error",
        "sanic.root",
        "tornado.application",
        "tornado.general",
        "uvicorn.error",
        "waitress",
        "websockets.server",
        "werkzeug",
        WSGI_ERRORS_LOGGER,
    }
)

#: Loggers in which servers write a line per request.
ACCESS_LOGGERS = frozenset(
    {
        "aiohttp.access",
        "django.server",
        "granian.access",
        "gunicorn.access",
        "hypercorn.access",
        "sanic.access",
        "tornado.access",
        "uvicorn.access",
        "werkzeug",
    }
)

#: Loggers by which servers also report on themselves: a stop, a connection.
SERVERS_OWN_LOGGERS = frozenset(
    {
        "aiohttp.server",
        "daphne",
        "daphne.server",
        "granian",
        "_granian",
        "gunicorn.error",
        "hypercorn.error",
        "sanic.root",
        "tornado.general",
        "uvicorn.error",
        "waitress",
        "websockets.server",
    }
)

#: Loggers of servers, which write about a request where its context is not active.
SERVER_LOGGERS = REPORTING_LOGGERS | ACCESS_LOGGERS

#: Levels that libraries give their loggers by themselves: nobody has chosen them.
LIBRARY_LEVELS = {
    "django": logging.INFO,
    "sqlalchemy": logging.WARNING,
    "uvicorn": logging.INFO,
    "uvicorn.access": logging.INFO,
    "uvicorn.error": logging.INFO,
}

#: Loggers to which servers, frameworks, workers and trackers give handlers of their
#: own; `configure()` brings them into the one stream.
SELF_CONFIGURED_LOGGERS = (
    "uvicorn",
    "uvicorn.error",
    "uvicorn.access",
    "uvicorn.asgi",
    "gunicorn",
    "gunicorn.error",
    "gunicorn.access",
    "hypercorn",
    "hypercorn.error",
    "hypercorn.access",
    "granian",
    "granian.access",
    "_granian",
    "daphne",
    "werkzeug",
    "django",
    "django.server",
    "litestar",
    "aiohttp.access",
    "waitress",
    "tornado",
    "tornado.access",
    "tornado.application",
    "tornado.general",
    "sanic.root",
    "sanic.error",
    "sanic.access",
    "sanic.server",
    "sanic.websockets",
    "celery",
    "celery.task",
    "celery.redirected",
    "rq.worker",
    "dramatiq",
    "huey",
    "taskiq",
    "arq",
    "apscheduler",
    "faststream",
    "faststream.access.confluent",
    "faststream.access.kafka",
    "faststream.access.nats",
    "faststream.access.rabbit",
    "faststream.access.redis",
    # Trackers and tracers, which give their own loggers a handler.
    "ddtrace",
    "elasticapm",
    "newrelic",
    "sentry_sdk.errors",
)


@dataclass(frozen=True, eq=False)  # a key of caches: compared by identity
class Names:
    """
    The names of ctxlog's own fields of more than one word, in one spelling.

    Attributes:
        case: The spelling: `camel` or `snake`.
        request_id: The request's id.
        elapsed: The milliseconds since the store was made.
        log_error: The values that had to be replaced on the line.
        stack_info: The stack that was asked for with `stack_info=True`.
        duration: How many milliseconds a request, a task or a call took.
        close_code: The code that a WebSocket was closed with.
        exit_code: The code that a program ends with.
        task_id: The id of a task.
        parent_task_id: The id of the task that sent it.
        trace_id: The trace's id.
        span_id: The span's id.
        bytes_in: The size of a request's body.
        bytes_out: The size of a response's body.
        user_agent: The client's name for itself.
        http_version: The version of HTTP.
        ttfb: How many milliseconds it took until the response began.
        response_headers: Headers of the response.
        queue_time: How many milliseconds a task waited in its queue.
        dropped_lines: How many lines of the request had no room to wait in.
        sample_rate: How many requests the line's request stands for.
    """

    case: str
    request_id: str
    elapsed: str
    log_error: str
    stack_info: str
    duration: str
    close_code: str
    exit_code: str
    task_id: str
    parent_task_id: str
    trace_id: str
    span_id: str
    bytes_in: str
    bytes_out: str
    user_agent: str
    http_version: str
    ttfb: str
    response_headers: str
    queue_time: str
    dropped_lines: str
    sample_rate: str

    @classmethod
    def chosen(cls, case: object = None, request_id_key: object = None) -> Names:
        """
        Return the names that the options `case` and `request_id_key` ask for.

        Args:
            case: The spelling; the process's unless given.
            request_id_key: The name of the request's id; the spelling's unless given,
                or the process's where that has been chosen.

        Raises:
            ConfigError: if an option is invalid.
        """
        used = _used
        if case is None:
            names = used
        elif isinstance(case, str) and case in CASES:
            names = CASES[case]
            if used.request_id != CASES[used.case].request_id:
                names = replace(names, request_id=used.request_id)
        else:
            raise ConfigError("case", case, f"one of: {', '.join(CASES)}")
        if request_id_key in (None, names.request_id):
            return names
        return replace(names, request_id=names._checked_key(request_id_key))

    def _checked_key(self, key: object) -> str:
        allowed = "a name of 1 to 64 printable characters that is not used otherwise"
        if (
            not isinstance(key, str)
            or not 0 < len(key.encode("utf-8", "surrogatepass")) <= 64
            or not key.isprintable()
            or key in _TAKEN
            or key in (*self.of_lines, *self.of_fields)
        ):
            raise ConfigError("request_id_key", key, allowed)
        return str(key)

    @property
    def of_lines(self) -> tuple[str, ...]:
        """The names that the line sets by itself."""
        return self.elapsed, self.log_error, self.stack_info

    @property
    def of_fields(self) -> tuple[str, ...]:
        """The names of fields, which adapters set."""
        return (
            *(self.duration, self.close_code, self.exit_code, self.task_id),
            *(self.parent_task_id, self.trace_id, self.span_id),
            *(self.bytes_in, self.bytes_out, self.user_agent, self.http_version),
            *(self.ttfb, self.response_headers, self.queue_time),
            *(self.dropped_lines, self.sample_rate),
        )

    def id_name(self, fields: Mapping[Any, object]) -> str:
        """
        Return the name of the field that is the request's id.

        The chosen name, also where there is no id at all, unless another one has it.
        """
        if fields.get(self.request_id) is None:
            chosen = _used.request_id
            for name in ALIASES if chosen in ALIASES else (chosen, *ALIASES):
                if fields.get(name) is not None:
                    return name
        return self.request_id

    def id_of(self, fields: Mapping[Any, object]) -> object:
        """Return the request's id among fields; None without one."""
        return fields.get(self.id_name(fields))

    def divided(self, fields: Mapping[str, object]) -> tuple[str, Mapping[str, object]]:
        """Return the name of the request's id, as `id_name()`, and the other fields."""
        name = key = self.request_id
        if fields.get(key) is not None:
            others: Mapping[str, object] = {k: v for k, v in fields.items() if k != key}
        else:
            name = self.id_name(fields)
            others = {k: v for k, v in fields.items() if k != key and k != name}
        return name, others if _used.case == self.case else self.respelled(others)

    def applied(self, fields: Mapping[str, object]) -> dict[str, object]:
        """Return all fields, with the request's id under the chosen name."""
        key, name = self.request_id, self.id_name(fields)
        if name != key:
            named = fields.items()
            fields = {key if k == name else k: v for k, v in named if k != key}
        return dict(self.respelled(fields))

    def respelled(self, fields: Mapping[str, object]) -> Mapping[str, object]:
        """
        Return fields under these names that adapters set under the process's.

        The two differ only in a formatter or filter that has a `case` of its own.
        """
        used = _used
        if used.case == self.case:
            return fields
        own = dict(zip(used.of_fields, self.of_fields, strict=True))
        return {
            own[name] if name in own and own[name] not in fields else name: value
            for name, value in fields.items()
        }


CAMEL = Names(
    case="camel",
    request_id="requestID",
    elapsed="elapsedMs",
    log_error="logError",
    stack_info="stackInfo",
    duration="durationMs",
    close_code="closeCode",
    exit_code="exitCode",
    task_id="taskID",
    parent_task_id="parentTaskID",
    trace_id="traceID",
    span_id="spanID",
    bytes_in="bytesIn",
    bytes_out="bytesOut",
    user_agent="userAgent",
    http_version="httpVersion",
    ttfb="ttfbMs",
    response_headers="responseHeaders",
    queue_time="queueMs",
    dropped_lines="droppedLines",
    sample_rate="sampleRate",
)

SNAKE = Names(
    case="snake",
    request_id="request_id",
    elapsed="elapsed_ms",
    log_error="log_error",
    stack_info="stack_info",
    duration="duration_ms",
    close_code="close_code",
    exit_code="exit_code",
    task_id="task_id",
    parent_task_id="parent_task_id",
    trace_id="trace_id",
    span_id="span_id",
    bytes_in="bytes_in",
    bytes_out="bytes_out",
    user_agent="user_agent",
    http_version="http_version",
    ttfb="ttfb_ms",
    response_headers="response_headers",
    queue_time="queue_ms",
    dropped_lines="dropped_lines",
    sample_rate="sample_rate",
)

#: The spellings, by what `configure(case=...)` calls them.
CASES = {names.case: names for names in (CAMEL, SNAKE)}

# The names of one word that have a meaning of their own, and a record's attributes.
_TAKEN = frozenset(
    {"timestamp", "level", "message", "logger", "exception", "late"}
    | {"service", "environment", "asctime", "taskName", BUFFERED, SUPPRESSED}
    | vars(logging.makeLogRecord({})).keys()
)

_used = CAMEL


def get_names() -> Names:
    """Return the process's names."""
    return _used


def set_names(names: Names) -> None:
    """Set the process's names: for all stores, records and lines from here on."""
    global _used
    _used = names
