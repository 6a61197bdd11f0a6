"""
The schemas that can be named: ctxlog's own and those of vendors.

A vendor's schema is one `Schema`, after the vendor's own specification; where fields of
ctxlog have a place of their own there, a `Placer` says which. A field that differs in
meaning from each of the vendor's stays where it is.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable
from typing import Any

from ctxlog.line._places import (
    Place,
    Placer,
    address,
    are_texts,
    headers,
    host,
    is_duration,
    is_map,
    is_text,
    nanoseconds,
    same,
    size,
    status,
    text,
    user,
    within,
)
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


def _are_labels(value: Any) -> bool:
    # ecs-logging: no `.`, `*` and `\\` in their names (a `.` became a `_` before).
    return is_map(value, (str, int, float, bool)) and not any(
        "*" in name or "\\" in name for name in value
    )


def _of_tracer(name: str) -> Place:
    # What stands for nothing, outside of any trace or without a version, is left out.
    found = same(name, is_text)
    return lambda value: {} if value in ("", "0") else found(value)


def _latency(value: Any) -> dict[str, Any] | None:
    # A `google.protobuf.Duration` as JSON.
    return {"latency": f"{value / 1000:.6f}s"} if is_duration(value) else None


def _protocol(value: Any) -> dict[str, Any] | None:
    is_version = type(value) is str and re.fullmatch(r"\d(\.\d)?", value)
    return {"protocol": f"HTTP/{value}"} if is_version else None


def _referer(value: Any) -> dict[str, Any] | None:
    return {"http.request.header.referer": [value]} if is_text(value) else None


def _google_trace(value: Any) -> dict[str, Any] | None:
    if type(value) is not str:
        return None
    project = os.environ.get("GOOGLE_CLOUD_PROJECT")
    if project and "/" not in value:
        value = f"projects/{project}/traces/{value}"
    return {"logging.googleapis.com/trace": value}


def _is_source_location(value: Any) -> bool:
    return is_map(value, (str, int)) and value.keys() <= {"file", "line", "function"}


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
    place=Placer(
        {
            "service": text("service.name"),
            "environment": text("service.environment"),
            "version": text("service.version"),
            "traceID": text("trace.id"),
            "spanID": text("span.id"),
            "user": user(
                {
                    part: f"user.{part}"
                    for part in ("id", "name", "email", "full_name", "domain")
                }
            ),
            "labels": same("labels", _are_labels),
            "tags": same("tags", are_texts),
        },
        {
            "method": text("http.request.method"),
            "path": text("url.path"),
            "status": status("http.response.status_code"),
            "durationMs": nanoseconds("event.duration"),
            "client": address("client.ip"),
            "bytesIn": size("http.request.body.bytes"),
            "bytesOut": size("http.response.body.bytes"),
            "query": text("url.query"),
            "userAgent": text("user_agent.original"),
            "referer": text("http.request.referrer"),
            "host": host("url.domain", "url.port"),
            "scheme": text("url.scheme"),
            "httpVersion": text("http.version"),
        },
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
#: `http.route`, the sizes of bodies and the headers are listed for spans.
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
    place=Placer(
        {
            "service": text("service"),
            "environment": text("dd.env"),
            "version": text("dd.version"),
            "traceID": text("dd.trace_id"),
            "spanID": text("dd.span_id"),
            "user": user({"id": "usr.id", "name": "usr.name", "email": "usr.email"}),
            **{f"dd.{name}": _of_tracer(f"dd.{name}") for name in _DD_ATTRIBUTES},
        },
        {
            "method": text("http.method"),
            "path": text("http.url_details.path"),
            "route": text("http.route"),
            "status": status("http.status_code"),
            "durationMs": nanoseconds("duration"),
            "client": address("network.client.ip"),
            "bytesIn": size("http.request.content_length"),
            "bytesOut": size("http.response.content_length"),
            "userAgent": text("http.useragent"),
            "referer": text("http.referer"),
            "host": host("http.url_details.host", "http.url_details.port"),
            "scheme": text("http.url_details.scheme"),
            "httpVersion": text("http.version"),
            "headers": headers("http.request.headers."),
            "responseHeaders": headers("http.response.headers."),
        },
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
    place=Placer(
        {
            "traceID": _google_trace,
            "spanID": text("logging.googleapis.com/spanId"),
            "service": within("serviceContext", text("service")),
            "version": within("serviceContext", text("version")),
            "@type": same("@type", lambda value: value == REPORTED_ERROR),
            "logging.googleapis.com/insertId": same(
                "logging.googleapis.com/insertId", is_text
            ),
            "logging.googleapis.com/labels": same(
                "logging.googleapis.com/labels", lambda value: is_map(value, (str,))
            ),
            "logging.googleapis.com/sourceLocation": same(
                "logging.googleapis.com/sourceLocation", _is_source_location
            ),
            "logging.googleapis.com/trace_sampled": same(
                "logging.googleapis.com/trace_sampled",
                lambda value: type(value) is bool,
            ),
        },
        {
            name: within("httpRequest", place)
            for name, place in {
                "method": text("requestMethod"),
                "path": text("requestUrl"),
                "status": status("status"),
                "durationMs": _latency,
                "client": address("remoteIp"),
                "userAgent": text("userAgent"),
                "referer": text("referer"),
                "httpVersion": _protocol,
            }.items()
        },
    ),
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
    place=Placer(
        {
            "service": text("service.name"),
            "environment": text("deployment.environment.name"),
            "version": text("service.version"),
            "user": user(
                {part: f"user.{part}" for part in ("id", "name", "email", "full_name")}
            ),
        },
        {
            "method": text("http.request.method"),
            "path": text("url.path"),
            "route": text("http.route"),
            "status": status("http.response.status_code"),
            "client": address("client.address"),
            "bytesIn": size("http.request.body.size"),
            "bytesOut": size("http.response.body.size"),
            "query": text("url.query"),
            "userAgent": text("user_agent.original"),
            # A header that has no attribute of its own.
            "referer": _referer,
            "host": host("server.address", "server.port", brackets=False),
            "scheme": text("url.scheme"),
            "httpVersion": text("network.protocol.version"),
            "headers": headers("http.request.header.", lists=True),
            "responseHeaders": headers("http.response.header.", lists=True),
        },
    ),
)

#: The schemas that can be named.
SCHEMAS: dict[str, Schema] = {
    schema.name: schema
    for schema in (DEFAULT, _ECS, _GCP, _DATADOG, _OTEL, _GELF, _LOGSTASH)
}
