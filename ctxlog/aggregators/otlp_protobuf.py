"""
OpenTelemetry's protocol as protobuf: what `otlp` has in JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ctxlog.errors import requires

with requires("opentelemetry", "otlp"), requires("opentelemetry.proto", "otlp"):
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as service
    from opentelemetry.proto.common.v1 import common_pb2 as common
    from opentelemetry.proto.logs.v1 import logs_pb2 as logs

CONTENT_TYPE = "application/x-protobuf"


def encode(request: Mapping[str, Any]) -> bytes:
    """Return an `ExportLogsServiceRequest`, given it as JSON has it."""
    message = service.ExportLogsServiceRequest()
    for of_resource in request["resourceLogs"]:
        resource_logs = message.resource_logs.add()
        _add(resource_logs.resource.attributes, of_resource["resource"]["attributes"])
        for of_scope in of_resource["scopeLogs"]:
            records = resource_logs.scope_logs.add().log_records
            for record in of_scope["logRecords"]:
                _fill(records.add(), record)
    return message.SerializeToString()


def rejected(body: bytes) -> tuple[int, str]:
    """Return how many records were rejected, and why."""
    try:
        answer = service.ExportLogsServiceResponse.FromString(body)
    except DecodeError:  # an answer of some proxy
        return 0, ""
    partial = answer.partial_success
    return max(partial.rejected_log_records, 0), partial.error_message


def _fill(message: logs.LogRecord, record: Mapping[str, Any]) -> None:
    message.time_unix_nano = int(record.get("timeUnixNano", 0))
    message.observed_time_unix_nano = int(record.get("observedTimeUnixNano", 0))
    number: Any = record.get("severityNumber", 0)
    message.severity_number = number
    message.severity_text = record.get("severityText", "")
    message.trace_id = bytes.fromhex(record.get("traceId", ""))
    message.span_id = bytes.fromhex(record.get("spanId", ""))
    _set(message.body, record.get("body", {}))
    _add(message.attributes, record.get("attributes", []))


def _add(messages: Any, items: Iterable[Mapping[str, Any]]) -> None:
    for item in items:
        message = messages.add()
        message.key = item["key"]
        _set(message.value, item.get("value", {}))


def _set(message: common.AnyValue, value: Mapping[str, Any]) -> None:
    for kind, of in value.items():
        if kind == "stringValue":
            message.string_value = of
        elif kind == "boolValue":
            message.bool_value = of
        elif kind == "intValue":
            message.int_value = int(of)
        elif kind == "doubleValue":
            message.double_value = of
        elif kind == "arrayValue":
            message.array_value.SetInParent()
            for item in of.get("values", []):
                _set(message.array_value.values.add(), item)
        elif kind == "kvlistValue":
            message.kvlist_value.SetInParent()
            _add(message.kvlist_value.values, of.get("values", []))
