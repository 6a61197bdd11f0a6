"""
Which names a line's keys have, and what vendors ask of a line. Core.

A schema decides once: per schema, per level, per change of the context. Only the
fields of a log call that have to be renamed are looked at per line.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ctxlog.errors import ConfigError

__all__ = ["DEFAULT", "SCHEMAS", "Schema", "find"]


@dataclass(frozen=True)
class Schema:
    """
    The names of a line's keys, and which fields are renamed.

    Immutable; one may be shared by any number of encoders.

    Attributes:
        name: What `configure(schema=...)` calls it.
        timestamp: Key of the time of the event.
        level: Key of the level's name.
        request_id: Key of the field `requestID`.
        message: Key of the message.
        logger: Key of the logger's name.
        elapsed: Key of the milliseconds since the store was made.
        late: Key of the mark on lines logged after their request's end.
        exception: Key of the exception, an object of three.
        exception_type: Key of its type, within.
        exception_message: Key of its message, within.
        exception_stack: Key of its traceback, within.
        stack_info: Key of the stack that was asked for with `stack_info=True`.
        log_error: Key of what had to be replaced on the line.
        rename: Further fields to rename: from the name that is bound to the key.
        levels: What stands under *level* for a level's name and number; its name
            unless given.
        level_value: Key of the level's number; none unless given.
        level_text: Key of the level's name beside what *levels* gives; likewise.
        seconds: Write the time as a number of seconds since the epoch.
        constants: Members of every line.
        reserved: Further names that a field must not have, alone or before a dot; it
            is moved aside.
        place: Members for a field of a name and a value, already plain, and whether it
            is of a completion line; None to leave the field where it is.
        prefix: What stands before the names of fields.
        scalars: Values are texts and numbers only; others are flattened.
        otlp: Write the line as a batch of one log record of OpenTelemetry's protocol.
        undotted: Dots in the names of fields become underscores.

    With an empty *exception*, its three stand among the line's own keys.

    Raises:
        ConfigError: a key is not a string of at most 64 bytes, or two are the same.
    """

    name: str = "default"
    timestamp: str = "timestamp"
    level: str = "level"
    request_id: str = "requestID"
    message: str = "message"
    logger: str = "logger"
    elapsed: str = "elapsedMs"
    late: str = "late"
    exception: str = "exception"
    exception_type: str = "type"
    exception_message: str = "message"
    exception_stack: str = "stack"
    stack_info: str = "stack_info"
    log_error: str = "logError"
    rename: Mapping[str, str] = field(default_factory=dict)
    levels: Callable[[str, int], str | int] | None = None
    level_value: str = ""
    level_text: str = ""
    seconds: bool = False
    constants: Mapping[str, str] = field(default_factory=dict)
    reserved: frozenset[str] = frozenset()
    place: Callable[[str, Any, bool], Mapping[str, Any] | None] | None = None
    prefix: str = ""
    scalars: bool = False
    undotted: bool = False
    otlp: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.rename, Mapping):
            raise ConfigError("rename", self.rename, "a mapping of names to keys")
        object.__setattr__(self, "rename", MappingProxyType(dict(self.rename)))
        if not isinstance(self.constants, Mapping):
            raise ConfigError("constants", self.constants, "a mapping of keys to texts")
        object.__setattr__(self, "constants", MappingProxyType(dict(self.constants)))
        within = [self.exception_type, self.exception_message, self.exception_stack]
        outer = [*self.own_keys, self.request_id, *self.rename.values()]
        for keys in (outer, within):
            for key in keys:
                if not _is_key(key):
                    raise ConfigError("schema", key, "keys of 1 to 64 bytes as UTF-8")
                if keys.count(key) > 1:
                    raise ConfigError("schema", key, "a different name for every key")
        if "requestID" in self.rename:
            raise ConfigError("rename", "requestID", "other fields; that is request_id")

    @property
    def own_keys(self) -> tuple[str, ...]:
        """The keys that the line itself sets; a field of that name is moved aside."""
        exception = (
            (self.exception,)
            if self.exception != ""
            else (self.exception_type, self.exception_message, self.exception_stack)
        )
        return (
            self.timestamp,
            self.level,
            *(key for key in (self.level_value, self.level_text) if key),
            self.message,
            self.logger,
            self.elapsed,
            self.late,
            *exception,
            self.stack_info,
            self.log_error,
            *self.constants,
        )

    def aside(self, name: str) -> str:
        """Return the key of a field that must not be written under its own name."""
        if self.undotted:
            name = name.replace(".", "_")
        return f"{self.prefix}fields.{name}"

    @property
    def plain(self) -> bool:
        """Whether fields are at most renamed."""
        return not (
            self.place or self.prefix or self.scalars or self.undotted or self.reserved
        )


def _is_key(key: object) -> bool:
    try:
        return isinstance(key, str) and 0 < len(key.encode()) <= 64
    except UnicodeEncodeError:  # lone surrogates
        return False


#: The schema that the documentation shows.
DEFAULT = Schema()


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


def _user(value: Any, keys: Mapping[str, str]) -> dict[str, str] | None:
    """Return the members of a user: a text or a number, or an object with parts."""
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        return {keys["id"]: str(value)}
    if isinstance(value, dict) and value and value.keys() <= keys.keys():
        known = {keys[part]: text for part, text in value.items() if text is not None}
        if all(type(text) in (str, int) for text in known.values()):
            return {key: str(text) for key, text in known.items()}
    return None


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _is_number(value: object) -> bool:
    return type(value) in (int, float)


class _Placer:
    """Where a vendor has the fields that ctxlog knows; wrong types stay as they are."""

    def __init__(
        self,
        texts: Mapping[str, str],
        user: Mapping[str, str],
        http: Mapping[str, str],
    ) -> None:
        self._texts, self._user, self._http = texts, user, http

    def __call__(self, name: str, value: Any, http: bool) -> dict[str, Any] | None:
        if http and name in self._http:
            key = self._http[name]
            if name == "status":
                return {key: value} if type(value) is int else None
            if name == "durationMs":
                return {key: round(value * 1e6)} if _is_number(value) else None
            if type(value) is not str:
                return None
            if name == "client" and not _is_address(value):
                return None
            return {key: value}
        if name in self._texts:
            return {self._texts[name]: value} if type(value) is str else None
        if name == "user" and self._user:
            return _user(value, self._user)
        return None


def _google(name: str, value: Any, http: bool) -> dict[str, Any] | None:
    if http and name in _GOOGLE_HTTP:
        shown: str | int | None
        if name == "durationMs":
            shown = f"{value / 1000:.6f}s" if _is_number(value) else None
        else:
            wanted = int if name == "status" else str
            shown = value if type(value) is wanted else None
        return None if shown is None else {"httpRequest": {_GOOGLE_HTTP[name]: shown}}
    if type(value) is str and name in _GOOGLE_TEXTS:
        return {_GOOGLE_TEXTS[name]: value}
    if type(value) is str and name in ("service", "version"):
        return {"serviceContext": {name: value}}
    return None


_GOOGLE_TEXTS = {
    "traceID": "logging.googleapis.com/trace",
    "spanID": "logging.googleapis.com/spanId",
}
_GOOGLE_HTTP = {
    "method": "requestMethod",
    "path": "requestUrl",
    "status": "status",
    "durationMs": "latency",
    "client": "remoteIp",
}


def _severity(_name: str, number: int) -> int:
    return min(max(1 + number * 4 // 10, 1), 24)


#: Elastic Common Schema 8.17 and ecs-logging's specification: dotted keys only, so that
#: no object stands beside one. A field called like a field set goes aside.
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
    stack_info="stack_info",
    levels=_lower,
    constants={"ecs.version": "8.17.0"},
    undotted=True,
    # The field sets of the reference, its base fields, and where others go aside.
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
        {"id": "user.id", "name": "user.name", "email": "user.email"},
        {
            "method": "http.request.method",
            "path": "url.path",
            "status": "http.response.status_code",
            "durationMs": "event.duration",
            "client": "client.ip",
        },
    ),
)

#: Datadog's standard and reserved attributes; `duration` is in nanoseconds.
_DATADOG = Schema(
    name="datadog",
    level="status",
    request_id="http.request_id",
    logger="logger.name",
    exception="",
    exception_type="error.kind",
    exception_message="error.message",
    exception_stack="error.stack",
    levels=_by_number(
        ((50, "critical"), (40, "error"), (30, "warning"), (20, "info")), "debug"
    ),
    undotted=True,
    reserved=frozenset(
        "host source service status trace_id span_id message timestamp date ddsource "
        "ddtags dd usr http network error logger duration db fields".split()
    ),
    place=_Placer(
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
    ),
)

#: Google Cloud's structured logging: the special fields of a JSON payload, and the
#: severities of `LogEntry`. `stack_trace` is what Error Reporting reads.
_GCP = Schema(
    name="gcp",
    timestamp="time",
    level="severity",
    exception="",
    exception_type="exception_type",
    exception_message="exception_message",
    exception_stack="stack_trace",
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
    place=_google,
)

#: Logstash's JSON event, version 1, with the names of logstash-logback-encoder.
_LOGSTASH = Schema(
    name="logstash",
    timestamp="@timestamp",
    logger="logger_name",
    level_value="level_value",
    exception="",
    exception_type="throwable_class",
    exception_message="throwable_message",
    exception_stack="stack_trace",
    constants={"@version": "1"},
    reserved=frozenset({"@metadata", "tags"}),
)

#: GELF 1.1: additional fields have a `_` before them and are texts or numbers.
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
    stack_info="_stack_info",
    log_error="_logError",
    levels=_by_number(((50, 2), (40, 3), (30, 4), (20, 6)), 7),
    seconds=True,
    constants={"version": "1.1", "host": socket.gethostname() or "localhost"},
    reserved=frozenset({"_id"}),
    prefix="_",
    scalars=True,
)

#: OpenTelemetry's logs data model and OTLP 1.x as JSON, semantic conventions 1.3x. A
#: line is a whole `LogsData`, not a bare record: that is what OTLP's file format asks
#: of a line, and what the collector's `otlpjsonfile` receiver reads as it is.
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
    levels=_severity,
    seconds=True,
    otlp=True,
    place=_Placer(
        {
            "service": "service.name",
            "environment": "deployment.environment.name",
            "version": "service.version",
        },
        {"id": "user.id", "name": "user.name", "email": "user.email"},
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


def find(schema: str | Schema) -> Schema:
    """
    Return the schema that a `schema=` option means.

    Raises:
        ConfigError: there is none of that name.
    """
    if isinstance(schema, Schema):
        return schema
    if isinstance(schema, str) and schema in SCHEMAS:
        return SCHEMAS[schema]
    raise ConfigError("schema", schema, f"{', '.join(SCHEMAS)} or a Schema")
