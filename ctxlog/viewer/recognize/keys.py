"""
The names under which loggers write the time, the level, the message and the request.

Names are paths: `req.id` is the member `id` of `req`, or a key that has the dot. They
are compared without case and separators: `X-Request-ID` and `x_request_id` are one.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ctxlog.viewer.recognize._held import WRAPPED_TIME
from ctxlog.viewer.recognize.services import service_of_file

#: What a line may say, and the names of each, the most telling first.
WORDS: Mapping[str, Sequence[str]] = {
    # Requests come before what they are part of: a line with both is the request's.
    "id": (
        "request_id req_id request.id req.id http.request.id x-request-id x-req-id "
        "request_uuid request_guid request_identifier "
        "function_request_id aws_request_id lambda_request_id "
        "faas.invocation_id function_invocation_id x-amzn-request-id x-amz-request-id "
        "x-ms-request-id cf-ray ray_id "
        "correlation_id x-correlation-id "
        "audit_id transaction_id transaction.id x-transaction-id "
        "trace_id trace.id logging.googleapis.com/trace otel_trace_id x-trace-id "
        "dd.trace_id x-b3-trace-id xray_trace_id x-amzn-trace-id x-cloud-trace-context "
        "trace_parent"
    ).split(),
    "time": (
        "timestamp time @timestamp ts time.timestamp asctime time_unix_nano "
        "event_time log_time date_time datetime time_stamp timestamp_ms date "
        "time_iso8601 time_local msec instant start_utc start_time start_time_utc "
        "request_received_timestamp stage_timestamp event_timestamp created_at "
        "observed_timestamp observed_time_unix_nano start_local receive_timestamp "
        "time_generated when written_at created t "
        "time_millis edge_start_timestamp request_time request_time_epoch accept_date "
        "request_date " + WRAPPED_TIME + " __source_realtime_timestamp"
    ).split(),
    "level": (
        "level severity log.level level_name level.name level.level_str severity_text "
        "lvl log_severity error_severity status severity_number priority levelno"
    ).split(),
    "message": (
        "message msg event short_message rendered_message formatted_message "
        "event_message body.string_value body.value body.text text_payload body "
        "log_message error_message log error.message err.message exception.message "
        "result_description"
    ).split(),
    "status": (
        "status status_code response_code http_status http_status_code "
        "http.response.status_code downstream_status response_status "
        "response_status.code http.response.status origin_status edge_response_status "
        "elb_status_code sc-status response_status_code resp_status result_code"
    ).split(),
    "path": (
        "path url http.url_details.path request_path url.path uri request_uri "
        "request_url uri_path http.path http.target http.url http.route_path "
        "original_url raw_path url.original url.full cs-uri-stem client_request_uri "
        "requested_uri "
        "client_request_path x-envoy-original-path x-envoy-origin-path"
    ).split(),
    "route": "route http.route".split(),
    "method": (
        "method request_method http.method http_method http.request.method verb "
        "http_verb client_request_method cs-method"
    ).split(),
    # The first line of a request: nginx's `$request`, and Apache's `%r`.
    "request line": "request request_line http_request requestline".split(),
    "user": (
        "user user_id user.id user.name usr.id usr.name enduser.id user.email "
        "user.username username remote_user client_username end_user"
    ).split(),
    # What a line belongs to beside its request.
    "trace": (
        "trace_id trace.id logging.googleapis.com/trace otel_trace_id x-trace-id "
        "x-b3-trace-id dd.trace_id trace"
    ).split(),
    "span": (
        "span_id span.id logging.googleapis.com/span_id otel_span_id x-b3-span-id"
    ).split(),
    "parent span": (
        "parent_span_id parent_id parent.id parent_span.id x-b3-parent-span-id"
    ).split(),
    "service": (
        "service service.name service_name app app_name application application_name "
        "service_context.service app_role_name cloud_role_name"
    ).split(),
    "task id": "task_id job_id celery.task_id".split(),
    "parent task": "parent_task_id parent_job_id".split(),
    "parent request": "parent_request_id parent_request.id".split(),
    "task": "task task_name job_name".split(),
    # The message of a line that has no other.
    "error": "error err".split(),
    "logger": "logger log.logger logger_name logger.name".split(),
    "traceback": (
        "exception.stack exc_info stack error.stack_trace error.stack stack_trace "
        "err.stack full_message exception exception.stacktrace stacktrace "
        "error_verbose thrown.extended_stack_trace throwable.step_array "
        "exception.trace exception.frames exceptions outer_stack_trace throwable "
        "exception.backtrace error_detail cause"
    ).split(),
}

#: What stands for a request's id where there is none: ctxlog's word, those of access
#: logs, and Datadog's trace.
NO_ID = re.compile(r"(?:N/A|-|null|none|(?:0x)?[0-]+)?", re.IGNORECASE)
#: The name of an id that comes before all others, without case and separators.
FIRST = "requestid"

#: Where loggers keep what a call or a request has of its own: the ecosystems' contexts,
#: the objects of requests, and what collectors wrap around.
CONTEXTS = frozenset(
    "record extra fields span spans context mdc contextmap namedtags properties scopes "
    "state jsonpayload dd labels attributes attr meta metadata payload headers req "
    "request http httprequest res response requestheaders responseheaders resource "
    "data ctx tags custom body requestcontext detail httpinfo mdlc eventproperties "
    "scopeproperties logevent event source logprocessed scope "
    "message audit kubernetes customdimensions baggage contextdata protopayload "
    "respheaders logattributes resourceattributes attributesstring connection kvplist "
    "proxy json "
    # of `logging.googleapis.com/labels`
    "logging googleapis comlabels".split()
)
#: Where a whole record stands in another object.
RECORDS = frozenset(
    "record fields jsonpayload source logprocessed message json logevent".split()
)
#: What is of the line itself, not of its context.
OF_LINES = frozenset({"time", "level", "message"})

#: How long what a line speaks of took. The names may begin with whose it is and end
#: with the unit: `http_request_duration_ms`.
_DURATION = re.compile(
    r"(?:http|total|request|response|req|res|server|upstreamtotal|downstream|"
    r"processing|execution|handler|origin|event)*"
    r"(?P<name>duration|elapsed(?:time)?|took|latency|dur|responsetime|requesttime|"
    r"(?:processing|execution|total|handling)time|time(?:taken|elapsed)|timespan|"
    r"(?:grpctime|total)(?=ms|us|ns))"
    r"(?:in)?(?P<unit>ms|msecs?|millis|milliseconds?|us|usecs?|micros|microseconds?|"
    r"ns|nsecs?|nanos|nanoseconds?|secs?|seconds?|s)?"
)
_UNITS = {"m": 1e-3, "mi": 1e-3, "u": 1e-6, "n": 1e-9, "s": 1.0}
#: The units of names that say none, by seconds.
_USUAL_UNITS = {
    "requesttime": 1.0,  # nginx's
    "responsetime": 1e-3,  # pino's
    "took": 1e-3,  # Elasticsearch's
    "timetaken": 1e-3,  # IIS's
    "eventduration": 1e-9,  # ECS'
}

#: The logger of ctxlog's lines about calls of other services.
CALLS = "ctxlog.client"
#: The loggers of its lines about the end of a request or a task.
COMPLETIONS = frozenset({"ctxlog.request", "ctxlog.task"})
#: The members of a total, of what `ctxlog.timed()` adds up.
TOTAL = {"count", "ms"}
STACK_HEADS = frozenset(path.partition(".")[0] for path in WORDS["traceback"]) | {
    "err",
    "error",
    "exc_info",
    "stackTrace",
    "Exception",
}
#: The time since a request began, on a line of ctxlog's; the first of them is how long
#: something took on a line of another logger.
ELAPSED = ("elapsed_ms", "elapsedMs", "_elapsedMs", "_elapsed_ms")


@functools.lru_cache(8192)
def plain(name: str) -> str:
    """Return a name without case and separators, as names are compared."""
    return re.sub(r"[^a-z0-9]", "", re.sub("[µμ]", "u", name.lower()))


_RANKS = {
    what: {plain(name): rank for rank, name in reversed(list(enumerate(names)))}
    for what, names in WORDS.items()
}
#: What access logs write before the name of a header.
_HEADERS = "http request req header sent_http upstream_http downstream origin".split()
_RANKS["id"] |= {
    plain(before + name): rank
    for name, rank in list(_RANKS["id"].items())
    for before in _HEADERS
    if name.startswith("x")
}
_HEADS = {
    what: frozenset(
        plain("".join(name.split(".")[:end]))
        for name in names
        for end in range(1, name.count(".") + 1)
    )
    for what, names in WORDS.items()
} | {"duration": frozenset({"event"})}


def rank(what: str, parts: Sequence[str]) -> int | None:
    """
    Return how telling a path is for what a line may say; None if it is not at all.

    Args:
        what: One of the keys of `WORDS`, or `duration`.
        parts: The names on the path.
    """
    contexts = RECORDS if what in OF_LINES else CONTEXTS
    for begin in range(len(parts)):
        name = "".join(map(plain, parts[begin:]))
        if what == "duration":
            if unit_of(name, parts[-1]) is not None:
                return 0 if name[-1:] == "s" else 1
        else:
            found = _RANKS[what].get(name)
            if found is not None:
                return found
        if plain(parts[begin]) not in contexts:
            return None
    return None


def may_hold(what: str, parts: Sequence[str]) -> bool:
    """Return whether an object at a path may hold what a line may say."""
    contexts = RECORDS if what in OF_LINES else CONTEXTS
    for begin in range(len(parts)):
        if "".join(map(plain, parts[begin:])) in _HEADS[what]:
            return True
        if plain(parts[begin]) not in contexts:
            return False
    return True


@functools.lru_cache(4096)
def unit_of(name: str, written: str) -> float | None:
    """
    Return the seconds of a duration's unit; 0 if its name does not end with one.

    Args:
        name: The name without case and separators.
        written: The same as it is written, with separators.

    Returns:
        The unit; None if it is no duration's name.
    """
    match = _DURATION.fullmatch(name)
    if match is None:
        return None
    unit = match["unit"]
    if unit is None:
        return 0.0
    if unit == "s" and not re.search(r"[^a-zA-Z0-9][sS]$", written):
        return None  # the plural, `durations`
    return _UNITS.get(unit[:2]) or _UNITS[unit[0]]


def usual_unit(name: str) -> float | None:
    """Return the seconds of what a name without a unit is mostly counted in."""
    match = _DURATION.fullmatch(name)
    usual = _USUAL_UNITS.get(name)
    return usual or (_USUAL_UNITS.get(match["name"]) if match else None)


@dataclass(frozen=True)
class Names:
    """
    The user's own names of fields, where guessing fails.

    Attributes:
        id: The field of the request's id.
        time: The field of the time.
        level: The field of the level.
        message: The field of the message.
        duration: The field of how long something took.
        id_patterns: Patterns whose first group is a request's id in a line of text.
        latest: Seconds since the epoch: no line without a year is later. None for now.
        services: Patterns of files' names, each with the service whose lines they have.
        of_file: The service of lines that do not name their own; empty if none.
    """

    id: str | None = None
    time: str | None = None
    level: str | None = None
    message: str | None = None
    duration: str | None = None
    id_patterns: tuple[re.Pattern[str], ...] = field(default=(), compare=False)
    latest: float | None = field(default=None, compare=False)
    services: Sequence[tuple[str, str]] = field(default=(), compare=False)
    of_file: str = field(default="", compare=False)

    @functools.cached_property
    def own(self) -> bool:
        """Whether there is any name of the user's."""
        return self != Names()

    @property
    def ids(self) -> Sequence[str]:
        """The paths under which a request's id may stand, as most write them."""
        return (self.id,) if self.id else IDS

    def within(self, file: str) -> Names:
        """Return the names for the lines of a file."""
        service = service_of_file(self.services, file) if self.services else ""
        return replace(self, of_file=service) if service else self

    def of(self, what: str) -> str | None:
        """Return the user's name of what a line may say; None if it is guessed."""
        name: str | None = getattr(self, what, None)
        return name


# What follows is for stores, which are asked for names letter by letter, and for what
# is looked for in the bytes of files.

#: Request ids first, then traces: a line with both belongs to its request.
IDS = (
    "requestID request_id requestId reqId req_id _requestID _request_id req.id "
    "request.id http.request.id http.request_id x-request-id request-id "
    "correlation_id correlationId correlationID trace_id traceId traceID trace.id "
    "logging.googleapis.com/trace"
).split()
#: Where loggers keep a call's own fields: structlog and python-json-logger beside the
#: others, tracing in `fields` and its spans, loguru in `record.extra`.
HOMES = ("", "record.extra.", "fields.", "span.", "extra.", "context.")
#: In files also there.
MORE_HOMES = tuple(
    f"{name}."
    for name in (
        "mdc contextMap named_tags Properties State jsonPayload labels attributes attr "
        "meta metadata payload request response httpRequest"
    ).split()
)


def spellings(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the names under which loggers keep what stands at one of some paths."""
    return tuple(f"{home}{path}" for path in paths for home in HOMES)


def in_stores(what: str) -> tuple[str, ...]:
    """Return the names of what a line may say, also in camel case, as of stores."""
    paths = list(WORDS[what])
    for name in WORDS[what]:
        if re.fullmatch(r"[a-z]+(_[a-z]+)+", name):
            head, *more = name.split("_")
            camel = head + "".join(map(str.capitalize, more))
            paths += dict.fromkeys((camel, re.sub("Id$", "ID", camel)))
    return spellings(paths)


#: What a store is asked for: the names of a field by its meaning.
SPELLINGS = {
    "level": tuple(
        "level severity log.level levelname status severityText "
        "record.level.name".split()
    ),
    "path": spellings(
        "path url req.url url.path http.url_details.path httpRequest.requestUrl "
        "_path uri".split()
    ),
    "route": spellings("route http.route _route".split()),
    "status": spellings(
        "status statusCode status_code res.statusCode http.response.status_code "
        "http.status_code httpRequest.status _status".split()
    ),
    "user": spellings(
        "user user_id userId user.id user.name usr.id usr.name enduser.id _user "
        "user.email user.username username user_name".split()
    ),
}


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
#: What is of the line even if it says the same a second time.
OWN = frozenset(
    "timestamp time @timestamp ts asctime timeUnixNano level severity log.level "
    "levelname severityText message msg short_message body.stringValue "
    "timestampSeconds timestampNanos".split()
) | {WRAPPED_TIME}
#: Objects whose members are shown as the line's own.
SPREAD = frozenset(
    "extra fields span context mdc contextmap namedtags properties jsonpayload".split()
)
#: Times at which what a line speaks of began.
BEGINS = frozenset(
    "starttime startutc startlocal starttimeutc requestreceivedtimestamp".split()
)
