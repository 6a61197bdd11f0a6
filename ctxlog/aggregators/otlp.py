"""
OpenTelemetry's protocol over HTTP: the collector, and every store that takes it.

After the specification of OTLP 1.11 (https://opentelemetry.io/docs/specs/otlp/, its
`OTLP/HTTP` for logs) and `logs.proto` of opentelemetry-proto 1.11: a `POST` to
`/v1/logs` on port 4318 of an `ExportLogsServiceRequest`, as JSON or as protobuf. An
answer of 200 may say that some records were rejected, though not which: these are not
sent again, as the specification has it. Attributes have the names of the semantic
conventions 1.44.0 where there are any.

The specification lets a client repeat a request after 429, 502, 503 and 504 alone, and
none after another 4xx or 5xx. ctxlog repeats it after 401, 403, 404 and any 5xx, too:
the lines would be lost otherwise, since a proxy had been restarted or a token had
expired. After 400, 413 and the like it sends halves, not the same request.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ctxlog._json import dumps, loads
from ctxlog._lazy import submodule
from ctxlog.aggregators import _line
from ctxlog.aggregators._address import Address
from ctxlog.aggregators._http import OPTIONS, Client
from ctxlog.aggregators._line import Line, at
from ctxlog.aggregators._store import Receiver
from ctxlog.line.any_values import attributes

_PORT = 4318
_PATH = "/v1/logs"

_ERROR_PATHS = {
    "exception.type": ("exception.type", "error.type", "error.kind", "exception_type"),
    "exception.message": ("exception.message", "error.message", "exception_message"),
    "exception.stacktrace": ("exception.stack", "error.stack_trace", "error.stack"),
}
_OF_OTHERS = {
    "throwable_class": "exception.type",
    "throwable_message": "exception.message",
    "stack_trace": "exception.stacktrace",
    "_exception.type": "exception.type",
    "_exception.message": "exception.message",
    "full_message": "exception.stacktrace",
}
#: What attributes are called, by the paths that they have in all schemas.
_ATTRIBUTES = {
    **{path: name for name, paths in _ERROR_PATHS.items() for path in paths},
    **_OF_OTHERS,
    **dict.fromkeys(_line.LOGGERS, "logger.name"),
}
#: What describes the resource.
_RESOURCE = {
    **dict.fromkeys(_line.SERVICES, "service.name"),
    **dict.fromkeys(_line.ENVIRONMENTS, "deployment.environment.name"),
    "service.version": "service.version",
    "serviceContext.version": "service.version",
    "dd.version": "service.version",
}
_IDS = {
    **dict.fromkeys(_line.TRACES, ("traceId", 32)),
    **dict.fromkeys(_line.SPANS, ("spanId", 16)),
}
#: Objects whose members have places of their own.
_NESTED = frozenset(
    path.partition(".")[0]
    for path in (*_ATTRIBUTES, *_RESOURCE, *_IDS)
    if "." in path and not path.startswith("logging.")
)
#: What a schema says about itself.
_CONSTANTS = frozenset({"ecs.version", "@version"})
_HEX = re.compile("[0-9a-f]+", re.IGNORECASE)


def receiver(address: Address) -> Otlp:
    """Return what sends lines to a store by OTLP."""
    return Otlp(address)


class Otlp(Receiver):
    """
    Sends lines as log records.

    Args:
        address: `otlp://host:4318/v1/logs`; `otlps://` for TLS. Options: `encoding`,
            which is `json` or `protobuf`, and those of all stores by HTTP.

    Raises:
        ConfigError: if an option is invalid.
        MissingDependencyError: if opentelemetry-proto is not installed, for protobuf.
    """

    # Collectors take 20 MiB by default, but each record is some objects on the way.
    max_lines = 2_000

    def __init__(self, address: Address) -> None:
        address.check_options({*OPTIONS, "encoding"})
        self.name = address.name
        self._path = address.path if address.path not in ("", "/") else _PATH
        self._client = Client(address, _PORT)
        self._coded: Any = _Json
        if address.choice("encoding", "json", "protobuf") == "protobuf":
            self._coded = submodule("ctxlog.aggregators", "otlp_protobuf")

    def send(self, lines: Sequence[bytes], timeout: float) -> Mapping[int, str]:
        """Send lines by one request."""
        answer = self._client.request(
            "POST",
            self._path,
            self._coded.encode(_request(lines)),
            headers={"Content-Type": self._coded.CONTENT_TYPE},
            timeout=timeout,
        )
        rejected, message = self._coded.rejected(answer.body)
        reason = f"the store has rejected some records: {message}".rstrip(": ")
        # It does not say which.
        first = len(lines) - min(rejected, len(lines))
        return dict.fromkeys(range(first, len(lines)), reason)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


class _Json:
    """The protocol in JSON; `otlp_protobuf` has the same names."""

    CONTENT_TYPE = "application/json"
    encode = staticmethod(dumps)

    @staticmethod
    def rejected(body: bytes) -> tuple[int, str]:
        """Return how many records were rejected, and why."""
        try:
            answer = loads(body)
            partial = answer.get("partialSuccess") or {}
            # 64-bit integers are texts in the protocol's JSON.
            number = int(partial.get("rejectedLogRecords", 0))
            return max(number, 0), str(partial.get("errorMessage", ""))
        except (AttributeError, TypeError, ValueError):  # an answer of some proxy
            return 0, ""


def _request(lines: Sequence[bytes]) -> dict[str, Any]:
    """Return an `ExportLogsServiceRequest`: records in order, by their resources."""
    now = time.time_ns()
    records: dict[bytes, list[Any]] = {}
    resources: dict[bytes, list[Any]] = {}
    for line in lines:
        resource, record = _resource_and_record(line, now)
        key = dumps(resource)
        resources.setdefault(key, resource)
        records.setdefault(key, []).append(record)
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": resource},
                "scopeLogs": [{"scope": {}, "logRecords": records[key]}],
            }
            for key, resource in resources.items()
        ]
    }


def _resource_and_record(line: bytes, now: int) -> tuple[list[Any], dict[str, Any]]:
    if line.startswith(b'{"resourceLogs":'):  # of the schema `otel`
        try:
            of_resource = loads(line)["resourceLogs"][0]
            record = of_resource["scopeLogs"][0]["logRecords"][0]
            record.setdefault("observedTimeUnixNano", str(now))
            return of_resource.get("resource", {}).get("attributes", []), record
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            pass  # it only looks like one
    return _of_line(Line(line), now)


def _of_line(line: Line, now: int) -> tuple[list[Any], dict[str, Any]]:
    """Return a line's attributes of the resource, and its record."""
    members = line.members
    record: dict[str, Any] = {"observedTimeUnixNano": str(now)}
    if line.time is not None:
        record["timeUnixNano"] = str(line.time)
    level = line.level
    if level:
        record["severityNumber"] = min(max(1 + level * 4 // 10, 1), 24)
    text = next((t for p in _line.LEVELS if isinstance(t := at(members, p), str)), "")
    if text:
        record["severityText"] = text
    record["body"] = {"stringValue": line.message}
    resource: dict[str, Any] = {}
    found: dict[str, Any] = {}
    gelf = "short_message" in members
    for path, value in _flat(members, _placed(line)):
        if path in _RESOURCE and type(value) is str:
            resource[_RESOURCE[path]] = value
        elif path in _IDS and (id_ := _id(value, _IDS[path][1])):
            record[_IDS[path][0]] = id_
        else:
            name = _ATTRIBUTES.get(path, path)
            if gelf and name.startswith("_"):
                name = name[1:]
            found[name if name not in found else path] = value
    record["attributes"] = attributes(found)
    return attributes(resource), record


def _placed(line: Line) -> set[str]:
    """Return the keys of a line whose values have a place in the record."""
    members = line.members
    placed = set(_CONSTANTS)
    if line.time is not None:
        placed.update([path for path in _line.TIMES if path in members][:1])
    placed.update(
        path
        for path in _line.LEVELS
        if isinstance(at(members, path), str)
        or (path == "level" and type(members.get(path)) is int)
    )
    # The first that has a text is the message.
    for path in _line.MESSAGES:
        if line.first((path,)) is not None:
            placed.add(path)
            break
    return placed


def _flat(members: Mapping[str, Any], placed: set[str]) -> Iterator[tuple[str, Any]]:
    """Yield members without those placed; of some objects their members."""
    for key, value in members.items():
        if key in placed:
            continue
        if key in _NESTED and isinstance(value, dict):
            for inner, of in value.items():
                path = f"{key}.{inner}"
                if path not in placed:
                    yield path, of
        else:
            yield key, value


def _id(value: Any, digits: int) -> str | None:
    """Return the id of a trace or span if a value is one."""
    text = value.rpartition("/")[2] if isinstance(value, str) else ""
    if len(text) == digits and _HEX.fullmatch(text) and text.strip("0"):
        return text
    return None
