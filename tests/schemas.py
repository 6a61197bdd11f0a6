"""
Whether a line is what its schema's vendor asks for: `check(name, line)`.

Where a vendor publishes its definitions as a package, they are asked: OTLP's messages,
OpenTelemetry's attributes, Google's `HttpRequest` and `LogSeverity`. Of the others,
names and types are listed here, as the documents state them that
`ctxlog/line/schema.py` names.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jsonschema
from google.logging.type.http_request_pb2 import HttpRequest
from google.logging.type.log_severity_pb2 import LogSeverity
from google.protobuf import json_format
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData

from ctxlog.line.vendors import SCHEMAS
from tests.helpers import load_line

_TEXT = {"type": "string"}
_RFC3339 = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$"}
_WHOLE = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
_KEYWORD = {"type": "string"}

#: Elastic Common Schema 9.4.0: its field sets and base fields, and the types of the
#: fields that a line has. A key that begins like one of those is one of these.
ECS_SETS = frozenset(
    "agent as base client cloud code_signature container data_stream destination "
    "device dll dns ecs elf email entity error event faas file gen_ai geo group "
    "hash host http interface log macho network observer orchestrator "
    "organization os package pe process registry related risk rule server service "
    "source span threat tls trace transaction url user user_agent vlan volume "
    "vulnerability x509 @timestamp labels message tags".split()
)
ECS_FIELDS = {
    "@timestamp": _RFC3339,  # date
    "message": _TEXT,
    "client.ip": {"type": "string", "pattern": r"^[0-9A-Fa-f:.]+$"},
    "ecs.version": {"const": "9.4.0"},
    "error.message": _TEXT,
    "error.stack_trace": _TEXT,
    "error.type": _KEYWORD,
    "event.duration": _WHOLE,
    "http.request.body.bytes": _WHOLE,
    "http.request.id": _KEYWORD,
    "http.request.method": _KEYWORD,
    "http.request.referrer": _KEYWORD,
    "http.response.body.bytes": _WHOLE,
    "http.response.status_code": _WHOLE,
    "http.version": _KEYWORD,
    "labels": {
        "type": "object",
        "propertyNames": {"pattern": r"^[^.*\\]*$"},
        "additionalProperties": {"type": ["string", "number", "boolean"]},
    },
    "log.level": _KEYWORD,
    "log.origin.file.line": {"type": "integer"},  # long
    "log.origin.file.name": _KEYWORD,
    "log.origin.function": _KEYWORD,
    "log.logger": _KEYWORD,
    "service.environment": _KEYWORD,
    "service.name": _KEYWORD,
    "service.version": _KEYWORD,
    "span.id": _KEYWORD,
    "tags": {"type": "array", "items": _KEYWORD},
    "trace.id": _KEYWORD,
    "url.domain": _KEYWORD,
    "url.path": _TEXT,
    "url.port": {"type": "integer", "minimum": 0, "maximum": 65535},
    "url.query": _KEYWORD,
    "url.scheme": _KEYWORD,
    "user.domain": _KEYWORD,
    "user.email": _KEYWORD,
    "user.full_name": _KEYWORD,
    "user.id": _KEYWORD,
    "user.name": _KEYWORD,
    "user_agent.original": _KEYWORD,
}

#: ecs-logging's specification 1.0: the fields that a line must have, the first three in
#: this order.
ECS_REQUIRED = ["@timestamp", "log.level", "message", "ecs.version"]

#: Datadog's standard attributes, as far as a line has them, and the names that its
#: preprocessing of JSON logs takes for the host, date, status and service.
DATADOG_FIELDS: dict[str, Any] = {
    "timestamp": _RFC3339,
    "status": {"enum": ["debug", "info", "warning", "error", "critical"]},
    "duration": _WHOLE,
    "http.status_code": {"type": "integer"},
    "http.request.content_length": _WHOLE,
    "http.response.content_length": _WHOLE,
    "http.url_details.port": {"type": "integer", "minimum": 0, "maximum": 65535},
    # Datadog has a name for the function only.
    "caller.file": _TEXT,
    "caller.line": {"type": "integer"},
    **dict.fromkeys(
        (
            *("message", "service", "dd.env", "dd.version", "dd.trace_id"),
            "dd.service",
            *("dd.span_id", "usr.id", "usr.name", "usr.email", "error.kind"),
            *("error.message", "error.stack", "http.method", "logger.name"),
            "logger.method_name",
            *("http.url_details.path", "network.client.ip", "http.request_id"),
            *("http.route", "http.useragent", "http.referer", "http.version"),
            *("http.url_details.host", "http.url_details.scheme"),
        ),
        _TEXT,
    ),
}
#: Those that are one per header, and texts.
DATADOG_PREFIXES = ("http.request.headers.", "http.response.headers.")
DATADOG_TAKEN = frozenset(
    "host hostname syslog @timestamp timestamp _timestamp Timestamp eventTime date "
    "published_date status severity level service dd contextMap http network usr error "
    "logger duration message".split()
)

#: Google Cloud's special fields, all of them, and what Error Reporting reads.
GOOGLE_FIELDS: dict[str, Any] = {
    "time": _RFC3339,
    "severity": {"enum": list(LogSeverity.keys())},
    "message": _TEXT,
    "stack_trace": _TEXT,
    "@type": {
        "const": "type.googleapis.com/"
        "google.devtools.clouderrorreporting.v1beta1.ReportedErrorEvent"
    },
    "serviceContext": {
        "additionalProperties": False,
        "properties": {"service": _TEXT, "version": _TEXT},
    },
    "httpRequest": {"type": "object"},  # as the message that Google publishes
    "logging.googleapis.com/insertId": _TEXT,
    "logging.googleapis.com/labels": {"type": "object", "additionalProperties": _TEXT},
    "logging.googleapis.com/sourceLocation": {
        "additionalProperties": False,
        "properties": dict.fromkeys(
            ("file", "line", "function"), {"type": ["string", "integer"]}
        ),
    },
    "logging.googleapis.com/trace": _TEXT,
    "logging.googleapis.com/spanId": _TEXT,
    "logging.googleapis.com/trace_sampled": {"type": "boolean"},
    **dict.fromkeys(
        (
            *("timestamp", "timestampSeconds", "timestampNanos"),
            *("logging.googleapis.com/operation", "context"),
        ),
        False,
    ),
}

#: The keys that a line may have, from each vendor's specification.
JSON_SCHEMAS: dict[str, dict[str, Any]] = {
    "default": {
        "required": ["timestamp", "level", "requestID", "message", "logger"],
        "properties": {"timestamp": _RFC3339, "level": _TEXT, "message": _TEXT},
    },
    "ecs": {
        "required": ECS_REQUIRED,
        "properties": ECS_FIELDS,
    },
    "gcp": {
        "required": ["time", "severity", "message"],
        "properties": GOOGLE_FIELDS,
    },
    "datadog": {
        "required": ["timestamp", "status", "message"],
        "properties": DATADOG_FIELDS,
        "patternProperties": {r"^http\.(request|response)\.headers\.": _TEXT},
    },
    "gelf": {
        "required": ["version", "host", "short_message", "timestamp", "level"],
        "properties": {
            "version": {"const": "1.1"},
            "host": {"type": "string", "minLength": 1},
            "short_message": {"type": "string", "pattern": r"\S"},
            "full_message": _TEXT,
            "timestamp": {"type": "number"},
            "level": {"type": "integer", "minimum": 0, "maximum": 7},
            "_level_name": _TEXT,
            "_id": False,
        },
        "patternProperties": {r"^_[A-Za-z0-9_.-]*$": {"type": ["string", "number"]}},
        "additionalProperties": False,
    },
    "logstash": {
        "required": ["@timestamp", "@version", "message", "level", "level_value"],
        "properties": {
            "@timestamp": _RFC3339,
            "@version": {"const": "1"},
            "level_value": {"type": "integer"},
            "@metadata": False,
            "tags": False,
            **dict.fromkeys(
                (
                    *("message", "level", "logger_name", "stack_trace"),
                    *("throwable_class", "throwable_message"),
                ),
                _TEXT,
            ),
        },
    },
}

_VALIDATORS = {
    name: jsonschema.Draft202012Validator({"type": "object", **schema})
    for name, schema in JSON_SCHEMAS.items()
}


def record(line: bytes) -> LogRecord:
    """
    The one record of a line of OpenTelemetry's, as its own library reads it.
    """
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    data = json_format.Parse(line, LogsData())
    (resource,) = data.resource_logs
    (scope,) = resource.scope_logs
    (found,) = scope.log_records
    assert isinstance(found, LogRecord)
    return found


def check(name: str, line: bytes) -> None:
    """
    Raise unless `line` is one line that is valid in the schema of that name.
    """
    loaded = load_line(line)  # one line, no key twice
    if name == "otel":
        found = record(line)
        keys = [attribute.key for attribute in found.attributes]
        assert len(keys) == len(set(keys))
        assert all(keys)
        assert 1 <= found.severity_number <= 24
        assert found.body.HasField("string_value")
        return
    _VALIDATORS[name].validate(loaded)
    if name == "gcp":
        request = json_format.ParseDict(loaded.get("httpRequest", {}), HttpRequest())
        assert request.latency.ToNanoseconds() >= 0
    if name == "ecs":
        assert list(loaded)[:3] == ECS_REQUIRED[:3]
        _check_taken(loaded, ECS_SETS, ECS_FIELDS)
    if name == "datadog":
        others = [key for key in loaded if not key.startswith(DATADOG_PREFIXES)]
        _check_taken(others, DATADOG_TAKEN, DATADOG_FIELDS)
    if SCHEMAS[name].undotted:
        _check_undotted(loaded)


def _check_taken(
    keys: Iterable[str], taken: frozenset[str], known: dict[str, Any]
) -> None:
    for key in keys:
        assert key in known or key.partition(".")[0] not in taken, key


def _check_undotted(line: dict[str, Any]) -> None:
    # Dots are objects to these: an object and a dotted key would be the same field.
    for key, value in line.items():
        parts = key.split(".")
        assert all(part.strip() for part in parts), key
        starts = {".".join(parts[:i]) for i in range(1, len(parts))}
        assert not starts & line.keys(), key
        _check_names(value)


def _check_names(value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _check_names(item)
    if isinstance(value, dict):
        for name, of in value.items():
            assert name.strip()
            assert "." not in name
            _check_names(of)
