"""
Whether a line is what its schema's vendor asks for: `check(name, line)`.
"""

from __future__ import annotations

from typing import Any

import jsonschema
from google.protobuf import json_format
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData

from ctxlog.schema import SCHEMAS
from tests.helpers import load_line

_TEXT = {"type": "string"}
_RFC3339 = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$"}
_WHOLE = {"type": "integer", "minimum": 0}

#: What stands in each vendor's specification about the keys that a line may have.
JSON_SCHEMAS: dict[str, dict[str, Any]] = {
    "default": {
        "required": ["timestamp", "level", "requestID", "message", "logger"],
        "properties": {"timestamp": _RFC3339, "level": _TEXT, "message": _TEXT},
    },
    "ecs": {
        "required": ["@timestamp", "log.level", "message", "ecs.version"],
        "properties": {
            "@timestamp": _RFC3339,
            "http.response.status_code": {"type": "integer"},
            "event.duration": {"type": "integer"},
            **dict.fromkeys(
                (
                    *("log.level", "log.logger", "message", "ecs.version"),
                    *("http.request.id", "http.request.method", "url.path"),
                    *("client.ip", "user.id", "user.name", "user.email", "trace.id"),
                    *("span.id", "service.name", "service.environment"),
                    *("service.version", "error.type", "error.message"),
                    "error.stack_trace",
                ),
                _TEXT,
            ),
        },
    },
    "gcp": {
        "required": ["time", "severity", "message"],
        "properties": {
            "time": _RFC3339,
            "severity": {
                "enum": [
                    *("DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR"),
                    *("CRITICAL", "ALERT", "EMERGENCY"),
                ]
            },
            "message": _TEXT,
            "logging.googleapis.com/trace": _TEXT,
            "logging.googleapis.com/spanId": _TEXT,
            "stack_trace": _TEXT,
            "serviceContext": {"type": "object", "additionalProperties": _TEXT},
            "httpRequest": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "requestMethod": _TEXT,
                    "requestUrl": _TEXT,
                    "status": {"type": "integer"},
                    "latency": {"type": "string", "pattern": r"^-?\d+\.\d+s$"},
                    "remoteIp": _TEXT,
                },
            },
        },
    },
    "datadog": {
        "required": ["timestamp", "status", "message"],
        "properties": {
            "timestamp": _RFC3339,
            "status": {"enum": ["debug", "info", "warning", "error", "critical"]},
            "duration": {"type": "integer"},
            "http.status_code": {"type": "integer"},
            **dict.fromkeys(
                (
                    *("message", "service", "dd.env", "dd.version", "dd.trace_id"),
                    *("dd.span_id", "usr.id", "usr.name", "usr.email", "error.kind"),
                    *("error.message", "error.stack", "http.method", "logger.name"),
                    *("http.url_details.path", "network.client.ip", "http.request_id"),
                ),
                _TEXT,
            ),
        },
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
            **dict.fromkeys(("message", "level", "logger_name", "stack_trace"), _TEXT),
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
    if SCHEMAS[name].undotted:  # an object and a dotted key would be the same field
        for key in loaded:
            parts = key.split(".")
            starts = {".".join(parts[:i]) for i in range(1, len(parts))}
            assert not starts & loaded.keys(), key
