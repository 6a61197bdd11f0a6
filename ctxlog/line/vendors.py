"""
The schemas that can be named: ctxlog's own and those of vendors.

A vendor's schema is one `Schema`, after the vendor's own specification; where fields of
ctxlog have a place of their own there, a placer says which. The module is long because
it is mostly tables.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from ctxlog._names import CAMEL, Names
from ctxlog.line._schema import Schema

#: The schema that the documentation shows.
DEFAULT = Schema()

#: The `@type` with which Error Reporting takes a line without a traceback.
REPORTED_ERROR = (
    "type.googleapis.com/google.devtools.clouderrorreporting.v1beta1.ReportedErrorEvent"
)


def _by_number(
    steps: tuple[tuple[int, str | int], ...], lowest: str | int
) -> Callable[[str, int], str | int]:
    def level(_name: str, number: int) -> str | int:
        for least, word in steps:
            if number >= least:
                return word
        return lowest

    return level


def _lower(name: str, _number: int) -> str:
    return name.lower()


def _user(value: Any, keys: Mapping[str, str]) -> dict[str, Any] | None:
    """
    Return the members of a user: a text or a number, or an object with parts.

    Parts that the vendor does not have stand in `fields.user`, so that the others can
    be searched.
    """
    if type(value) in (str, int):
        return {keys["id"]: str(value)}
    if type(value) is not dict:
        return None
    known: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for part, of in value.items():
        if part in keys and type(of) in (str, int):
            known[keys[part]] = str(of)
        elif part not in keys or of is not None:
            others[part] = of
    if known and others:
        known["fields.user"] = others
    return known or None


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return "%" not in value  # a zone, which is of no use elsewhere


def _of_http(name: str, value: Any) -> str | int | float | None:
    """Return the value of a field of a completion line, if it can be that."""
    kind = type(value)
    if name == "status":
        return value if kind is int and 100 <= value <= 999 else None
    if name == "durationMs":  # as nanoseconds, it fits into 64 bits
        return value if kind in (int, float) and 0 <= value < 9e12 else None
    if kind is not str or (name == "client" and not _is_address(value)):
        return None
    return str(value)


class _Spelled:
    """A placer whose fields of ctxlog's may have names of another spelling."""

    names: frozenset[str]

    def __call__(self, name: str, value: Any, http: bool) -> dict[str, Any] | None:
        raise NotImplementedError

    def spelled(self, names: Names) -> _SpelledPlacer:
        """Return the same for ctxlog's fields under `names`."""
        return _SpelledPlacer(self, names)


class _Placer(_Spelled):
    """
    Where a vendor has the fields that ctxlog knows; wrong types stay as they are.

    Its *own* fields are left where they are if their types are right.
    """

    def __init__(
        self,
        texts: Mapping[str, str],
        user: Mapping[str, str],
        http: Mapping[str, str],
        own: Mapping[str, Callable[[Any], bool]] = MappingProxyType({}),
    ) -> None:
        self._texts, self._user, self._http, self._own = texts, user, http, own
        self.names = frozenset({*texts, "user", *own})

    def __call__(self, name: str, value: Any, http: bool) -> dict[str, Any] | None:
        if http and name in self._http:
            shown = _of_http(name, value)
            if shown is not None and name == "durationMs":
                shown = round(float(shown) * 1e6)
            return None if shown is None else {self._http[name]: shown}
        if name in self._texts:
            return {self._texts[name]: value} if type(value) is str else None
        if name in self._own:
            return {name: value} if self._own[name](value) else None
        return _user(value, self._user) if name == "user" else None


class _DatadogPlacer(_Placer):
    """
    The same for Datadog, whose tracer gives records attributes of its own.

    They are where Datadog joins lines and traces by them; one that stands for nothing,
    outside of any trace or without a version, is left out.
    """

    def __call__(self, name: str, value: Any, http: bool) -> dict[str, Any] | None:
        if name in self._own and value in ("", "0"):
            return {}
        return super().__call__(name, value, http)


class _GooglePlacer(_Spelled):
    """
    Where Google Cloud has the fields that ctxlog knows.

    Its own special fields are left where they are if their types are right.
    """

    _TRACE = "logging.googleapis.com/trace"
    _HTTP = {
        "method": "requestMethod",
        "path": "requestUrl",
        "status": "status",
        "durationMs": "latency",
        "client": "remoteIp",
    }
    _SPECIAL: Mapping[str, Callable[[Any], bool]] = {
        "@type": lambda value: value == REPORTED_ERROR,
        "logging.googleapis.com/insertId": lambda value: type(value) is str,
        "logging.googleapis.com/labels": lambda value: _is_map(value, (str,)),
        "logging.googleapis.com/sourceLocation": lambda value: (
            _is_map(value, (str, int)) and value.keys() <= {"file", "line", "function"}
        ),
        "logging.googleapis.com/trace_sampled": lambda value: type(value) is bool,
    }
    names = frozenset({"traceID", "spanID", "service", "version", *_SPECIAL})

    def __call__(self, name: str, value: Any, http: bool) -> dict[str, Any] | None:
        if http and name in self._HTTP:
            shown = _of_http(name, value)
            if shown is not None and name == "durationMs":
                shown = f"{float(shown) / 1000:.6f}s"
            return None if shown is None else {"httpRequest": {self._HTTP[name]: shown}}
        if name in self._SPECIAL:
            return {name: value} if self._SPECIAL[name](value) else None
        if type(value) is not str:
            return None
        if name == "traceID":
            project = os.environ.get("GOOGLE_CLOUD_PROJECT")
            if project and "/" not in value:
                value = f"projects/{project}/traces/{value}"
            return {self._TRACE: value}
        if name == "spanID":
            return {"logging.googleapis.com/spanId": value}
        if name in ("service", "version"):
            return {"serviceContext": {name: value}}
        return None


class _SpelledPlacer:
    """A vendor's placer, asked about ctxlog's fields by the names of one spelling."""

    def __init__(self, place: _Spelled, names: Names) -> None:
        self._place = place
        spelled = dict(zip(CAMEL.of_fields, names.of_fields, strict=True))
        self._canonical = {own: known for known, own in spelled.items()}
        self._not_ours = spelled.keys() - self._canonical.keys()
        self.names = frozenset(spelled.get(name, name) for name in place.names)

    def __call__(self, name: str, value: Any, http: bool) -> dict[str, Any] | None:
        if name in self._not_ours:
            return None
        return self._place(self._canonical.get(name, name), value, http)


def _is_str(value: Any) -> bool:
    return type(value) is str


def _is_map(value: Any, kinds: tuple[type, ...]) -> bool:
    return type(value) is dict and all(type(of) in kinds for of in value.values())


def _are_labels(value: Any) -> bool:
    # ecs-logging: no `.`, `*` and `\` in their names (a `.` became a `_` before).
    return _is_map(value, (str, int, float, bool)) and not any(
        "*" in name or "\\" in name for name in value
    )


def _are_texts(value: Any) -> bool:
    return type(value) is list and all(type(item) is str for item in value)


def _severity(_name: str, number: int) -> int:
    return min(max(1 + number * 4 // 10, 1), 24)


#: Elastic Common Schema 9.4.0, after its types as published (`@elastic/ecs` 9.4.0,
#: https://www.elastic.co/docs/reference/ecs), and ecs-logging's specification 1.0
#: (https://github.com/elastic/ecs-logging/tree/main/spec): time, level and message come
#: first, in this order. All keys are dotted, so that no object stands beside one. The
#: level's own word is what `log.level` is for.
_ECS = Schema(
    name="ecs",
    timestamp="@timestamp",
    level="log.level",
    request_id="http.request.id",
    logger="log.logger",
    exception="",
    exception_type="error.type",
    exception_message="error.message",
    exception_stack="error.stack_trace",
    caller="",
    caller_file="log.origin.file.name",
    caller_line="log.origin.file.line",
    caller_function="log.origin.function",
    levels=_lower,
    constants={"ecs.version": "9.4.0"},
    message_first=True,
    undotted=True,
    # The field sets of the reference, its base fields, and the prefix of others.
    reserved=frozenset(
        "@timestamp message tags labels fields agent as base client cloud "
        "code_signature container data_stream destination device dll dns ecs elf "
        "email entity error event faas file gen_ai geo group hash host http "
        "interface log macho network "
        "observer orchestrator organization os package pe process registry related "
        "risk rule server service source span threat tls trace transaction url user "
        "user_agent vlan volume vulnerability x509".split()
    ),
    place=_Placer(
        {
            "service": "service.name",
            "environment": "service.environment",
            "version": "service.version",
            "traceID": "trace.id",
            "spanID": "span.id",
        },
        {
            part: f"user.{part}"
            for part in ("id", "name", "email", "full_name", "domain")
        },
        {
            "method": "http.request.method",
            "path": "url.path",
            "status": "http.response.status_code",
            "durationMs": "event.duration",
            "client": "client.ip",
        },
        {"labels": _are_labels, "tags": _are_texts},
    ),
)

#: The names that ddtrace adds to records, event dictionaries and extras, after `dd.`
#: (https://docs.datadoghq.com/tracing/other_telemetry/connect_logs_and_traces/python/).
_DD_ATTRIBUTES = ("trace_id", "span_id", "service", "env", "version")

#: Datadog's standard attributes (https://docs.datadoghq.com/standard-attributes/, as of
#: its repository's 09ed5c9), those of error tracking and of the correlation of logs and
#: traces, and as reserved names those that the preprocessing of JSON takes for host,
#: date, status and service
#: (https://docs.datadoghq.com/logs/log_configuration/pipelines/). `duration` is in
#: nanoseconds; the status code is a number, as Datadog's own integrations send it.
_DATADOG = Schema(
    name="datadog",
    level="status",
    request_id="http.request_id",
    logger="logger.name",
    exception="",
    exception_type="error.kind",
    exception_message="error.message",
    exception_stack="error.stack",
    caller="",
    caller_file="caller.file",
    caller_line="caller.line",
    caller_function="logger.method_name",
    levels=_by_number(
        ((50, "critical"), (40, "error"), (30, "warning"), (20, "info")), "debug"
    ),
    undotted=True,
    reserved=frozenset(
        "host hostname source service status severity level trace_id span_id message "
        "@timestamp timestamp _timestamp Timestamp eventTime date published_date "
        "syslog contextMap ddsource ddtags dd usr http network error logger duration "
        "db fields".split()
    ),
    place=_DatadogPlacer(
        {
            "service": "service",
            "environment": "dd.env",
            "version": "dd.version",
            "traceID": "dd.trace_id",
            "spanID": "dd.span_id",
        },
        {"id": "usr.id", "name": "usr.name", "email": "usr.email"},
        {
            "method": "http.method",
            "path": "http.url_details.path",
            "status": "http.status_code",
            "durationMs": "duration",
            "client": "network.client.ip",
        },
        {f"dd.{name}": _is_str for name in _DD_ATTRIBUTES},
    ),
)

#: Google Cloud's structured logging
#: (https://cloud.google.com/logging/docs/structured-logging): the special fields as
#: google-cloud-logging 3.17.0 has them, severities and `httpRequest` as the messages
#: `google.logging.type` of googleapis-common-protos 1.76.0. Error Reporting takes a
#: line with a `stack_trace` as it is
#: (https://cloud.google.com/error-reporting/docs/formatting-error-messages), so that
#: `@type` is the application's to set, for errors without a traceback.
_GCP = Schema(
    name="gcp",
    timestamp="time",
    level="severity",
    exception="",
    exception_type="exception_type",
    exception_message="exception_message",
    exception_stack="stack_trace",
    caller="logging.googleapis.com/sourceLocation",
    caller_line_text=True,
    levels=_by_number(
        ((50, "CRITICAL"), (40, "ERROR"), (30, "WARNING"), (20, "INFO"), (10, "DEBUG")),
        "DEFAULT",
    ),
    reserved=frozenset(
        "time timestamp timestampSeconds timestampNanos severity level httpRequest "
        "logging.googleapis.com/trace logging.googleapis.com/spanId "
        "logging.googleapis.com/labels logging.googleapis.com/insertId "
        "logging.googleapis.com/operation logging.googleapis.com/sourceLocation "
        "logging.googleapis.com/trace_sampled @type serviceContext context".split()
    ),
    place=_GooglePlacer(),
)

#: Logstash's JSON event, version 1, with the names of logstash-logback-encoder
#: (https://github.com/logfellow/logstash-logback-encoder, its `LogstashFieldNames` and
#: JSON providers, 2025). The level's name and number are Python's.
_LOGSTASH = Schema(
    name="logstash",
    timestamp="@timestamp",
    logger="logger_name",
    level_value="level_value",
    exception="",
    exception_type="throwable_class",
    exception_message="throwable_message",
    exception_stack="stack_trace",
    caller="",
    caller_file="caller_file_name",
    caller_line="caller_line_number",
    caller_function="caller_method_name",
    constants={"@version": "1"},
    reserved=frozenset({"@metadata", "tags"}),
)

#: GELF 1.1 of November 2013, as Graylog's documentation has it
#: (https://go2docs.graylog.org/current/getting_in_log_data/gelf.html, its source
#: `pages/gelf.rst`): additional fields have a `_` before them and are texts or numbers,
#: levels are syslog's, and the level's own word is one more field.
_GELF = Schema(
    name="gelf",
    timestamp="timestamp",
    level="level",
    request_id="_requestID",
    message="short_message",
    logger="_logger",
    elapsed="_elapsedMs",
    late="_late",
    exception="",
    exception_type="_exception.type",
    exception_message="_exception.message",
    exception_stack="full_message",
    caller="",
    caller_file="_file",
    caller_line="_line",
    caller_function="_function",
    stack_info="_stackInfo",
    log_error="_logError",
    levels=_by_number(((50, 2), (40, 3), (30, 4), (20, 6)), 7),
    level_text="_level_name",
    seconds=True,
    constants={"version": "1.1", "host": lambda: socket.gethostname() or "localhost"},
    reserved=frozenset({"_id"}),
    prefix="_",
    scalars=True,
)

#: OpenTelemetry's logs data model and OTLP as JSON, after opentelemetry-proto's
#: `logs.proto` and https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/;
#: attributes after the semantic conventions 1.44.0
#: (https://opentelemetry.io/docs/specs/semconv/registry/attributes/). A line is a whole
#: `LogsData`, not a bare record: that is what OTLP's file format asks of a line, and
#: what the collector's `otlpjsonfile` receiver reads as it is.
_OTEL = Schema(
    name="otel",
    timestamp="timeUnixNano",
    level="severityNumber",
    level_text="severityText",
    message="body",
    logger="logger.name",
    exception="",
    exception_type="exception.type",
    exception_message="exception.message",
    exception_stack="exception.stacktrace",
    caller="",
    caller_file="",
    caller_path="code.file.path",
    caller_line="code.line.number",
    caller_function="code.function.name",
    levels=_severity,
    seconds=True,
    otlp=True,
    place=_Placer(
        {
            "service": "service.name",
            "environment": "deployment.environment.name",
            "version": "service.version",
        },
        {part: f"user.{part}" for part in ("id", "name", "email", "full_name")},
        {
            "method": "http.request.method",
            "path": "url.path",
            "status": "http.response.status_code",
            "client": "client.address",
        },
    ),
)

#: The schemas that can be named.
SCHEMAS: dict[str, Schema] = {
    schema.name: schema
    for schema in (DEFAULT, _ECS, _GCP, _DATADOG, _OTEL, _GELF, _LOGSTASH)
}
