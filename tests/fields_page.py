"""
Writes docs/fields.md from lines of each schema: `python -m tests.fields_page`.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from unittest import mock

import ctxlog
from ctxlog._names import CAMEL, COMPLETION_LOGGER, SNAKE
from ctxlog.line._schema import Schema
from ctxlog.line.vendors import SCHEMAS
from tests.helpers import ROOT

PAGE = ROOT / "docs" / "fields.md"

_HEAD = """\
# Every field of a line

The first two columns are the names in the default schema, in both
[spellings](logging.md#names); a name that the two share stands once. The other columns
are the keys of [the other schemas](schemas.md). An empty cell means that the schema has
the field under its own name, with a `_` before it in `gelf`. A `-` means that its lines
do not have it.

- In the default schema, `exception` and `caller` are objects. In `gcp`,
  `httpRequest`, `serviceContext` and `logging.googleapis.com/sourceLocation` are.
- In `otel`, a key is an attribute of the log record. A key in brackets is the record's
  own, or an attribute of the resource.
- ctxlog's own names are spelled as `case` says in every schema. The names that an
  application gives its fields stay.
- The fields of a request have a vendor's keys on the completion line only, but `route`
  on every line of the request.

This page is made of lines that are written: `python -m tests.fields_page`.

"""


class Field(NamedTuple):
    """
    A field that is no key of `Schema`.

    Attributes:
        name: The attribute of `Names` that has its name, or the name itself.
        value: What it may be.
        purpose: What it says.
    """

    name: str
    value: object
    purpose: str


#: The keys that the line sets by itself, by the attributes of `Schema`.
OWN = {
    "timestamp": "the time of the event, RFC 3339 in UTC",
    "level": "the level's name",
    "level_value": "the level's number",
    "level_text": "the level's name, beside a number",
    "request_id": "the request's id; `N/A` outside of requests",
    "message": "the message",
    "logger": "the logger's name",
    "elapsed": "milliseconds since the store was made",
    "late": "true, if the request had ended before",
    "exception_type": "the exception's type",
    "exception_message": "its message",
    "exception_stack": "its traceback",
    "stack_info": "the stack that `stack_info=True` asked for",
    "log_error": "what had to be replaced on the line",
    "caller_file": "with `caller=True`: the name of the file that logged it",
    "caller_path": "the same: the file's path",
    "caller_line": "the same: the line there",
    "caller_function": "the same: the function",
}

_TRACE = "0af7651916cd43dd8448eb211c80319c"

#: The other fields, by where they come from.
FIELDS: dict[str, list[Field]] = {
    "Of the process": [
        Field("service", "shop", "`configure(service=)`"),
        Field("environment", "production", "`configure(environment=)`"),
        Field("version", "1.2", "`configure(static={'version': ...})`"),
    ],
    "Of the context": [
        Field("trace_id", _TRACE, "the trace's id, of W3C's `traceparent`"),
        Field("span_id", "b7ad6b7169203331", "the span's id"),
        Field("user", {"id": "7"}, "whom the application has bound; here its `id`"),
        Field("route", "/orders/{id}", "the route that matched; the name of a task"),
    ],
    "Of a request's completion line": [
        Field("method", "GET", "the method"),
        Field("path", "/orders/7", "the path, without the query"),
        Field("status", 200, "the status code; the name of gRPC's"),
        Field("duration", 12.5, "milliseconds that it took"),
        Field("client", "192.0.2.1", "the client's address"),
        Field("error", "ValueError", "the type of the exception that ended it"),
        Field("disconnected", True, "true, if the client left before the end"),
        Field("close_code", 1000, "the code that a WebSocket was closed with"),
        Field("slow", True, "true, if it took as long as `slow=` says"),
        Field("bytes_out", 512, "the size of the response's body"),
        Field("bytes_in", 64, "the size of the request's body"),
        Field("query", "page=2", "the query, redacted"),
        Field("user_agent", "curl/8", "the client's name for itself"),
        Field("referer", "https://shop.example/", "the page that it came from"),
        Field("host", "shop.example:8000", "the header `Host`"),
        Field("scheme", "https", "`http`, `https`, `ws` or `wss`"),
        Field("http_version", "1.1", "the version of HTTP"),
        Field("ttfb", 3.5, "milliseconds until the response began"),
        Field(
            "headers", {"X-Tenant": "acme"}, "headers of the request; here `X-Tenant`"
        ),
        Field(
            "response_headers",
            {"X-Cache": "hit"},
            "headers of the response; here `X-Cache`",
        ),
        Field("db", {"count": 7, "ms": 6.5}, "calls of a database, and their time"),
        Field("http", {"count": 1, "ms": 9.5}, "outgoing calls by HTTP"),
        Field("redis", {"count": 2, "ms": 0.5}, "commands for Redis"),
        Field("grpc", {"count": 1, "ms": 1.5}, "outgoing calls by gRPC"),
    ],
    "Of a task, an `@entry` call, their completion lines": [
        Field("task", "mail.send", "the task's name, on each of its lines"),
        Field("task_id", "t-1", "the task's id, on each of its lines"),
        Field("parent_task_id", "t-0", "the id of the task that sent it"),
        Field("attempt", 2, "which attempt it is; the first is 1"),
        Field("outcome", "failed", "`succeeded`, `failed`, `retried` or `cancelled`"),
        Field("exit_code", 1, "the code that the program ends with"),
        Field("queue_time", 30.5, "milliseconds that it waited in its queue"),
    ],
    "Of lines that are kept or left out": [
        Field("buffered", True, "true, if the line waited before it was written"),
        Field("dropped_lines", 3, "how many lines had no room to wait in"),
        Field("sample_rate", 20, "how many requests the line's request stands for"),
        Field("suppressed", 40, "how many lines like this one were left out"),
    ],
}


def page() -> str:
    """Return the page."""
    others = [name for name in SCHEMAS if name != "default"]
    head = ["Field", "`snake`", "Meaning", *(f"`{name}`" for name in others)]
    parts = [_HEAD + "## Of every line, where it applies\n"]
    parts.append(
        _table(head, [_own_row(one, said, others) for one, said in OWN.items()])
    )
    for title, fields in FIELDS.items():
        rows = [_row(field, others) for field in fields]
        parts.append(f"## {title}\n\n{_table(head, rows)}")
    return "\n".join(parts)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _own_row(attribute: str, purpose: str, schemas: list[str]) -> list[str]:
    default = _own_key(SCHEMAS["default"].spelled(CAMEL, caller=True), attribute)
    snake = _own_key(SCHEMAS["default"].spelled(SNAKE, caller=True), attribute)
    row = [_code(default) or "-", _code(snake if snake != default else ""), purpose]
    for name in schemas:
        key = _own_key(SCHEMAS[name].spelled(CAMEL, caller=True), attribute)
        same = key == SCHEMAS[name].prefix + default
        row.append("" if same and key else _code(key) or "-")
    return row


def _own_key(schema: Schema, attribute: str) -> str:
    """Return the key of a part of the line, within its object's if it has one."""
    key: str = getattr(schema, attribute)
    outer, _, _ = attribute.partition("_")
    if outer in ("exception", "caller") and getattr(schema, outer) and key:
        return f"{getattr(schema, outer)}.{key}"
    own = ("timeUnixNano", "severityNumber", "severityText", "body")
    return f"({key})" if schema.otlp and key in own else key


def _row(field: Field, schemas: list[str]) -> list[str]:
    camel = getattr(CAMEL, field.name, field.name)
    snake = getattr(SNAKE, field.name, field.name)
    row = [_code(camel), _code(snake if snake != camel else ""), field.purpose]
    for name in schemas:
        keys = _keys(name, camel, field.value)
        own = SCHEMAS[name].prefix + camel
        row.append("" if keys == [own] else ", ".join(map(_code, keys)))
    return row


def _keys(schema: str, name: str, value: object) -> list[str]:
    """Return the keys that a line has because of a field."""
    before = _written(schema, {})
    return [key for key in _written(schema, {name: value}) if key not in before]


def _written(schema: str, fields: dict[str, object]) -> dict[str, Any]:
    """Return the members of a completion line, within objects by dots."""
    static, store = ({n: fields[n] for n in group if n in fields} for group in _APART)
    own = {n: of for n, of in fields.items() if n not in static and n not in store}
    formatter = ctxlog.JsonFormatter(schema=schema, static=static)
    record = logging.makeLogRecord({"name": COMPLETION_LOGGER, "msg": "", **own})
    store["requestID"] = "req-A"
    with mock.patch.dict(os.environ):
        os.environ.pop("GOOGLE_CLOUD_PROJECT", None)
        line = json.loads(ctxlog.run(store, formatter.format, record))
    return dict(_otel(line) if SCHEMAS[schema].otlp else _members(schema, line))


# The names of fields that no log call passes: of the process, and of the context.
_APART = [
    [getattr(CAMEL, field.name, field.name) for field in FIELDS[title]]
    for title in ("Of the process", "Of the context")
]


def _members(schema: str, line: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in line.items():
        if key in ("httpRequest", "serviceContext") and schema == "gcp":
            yield from ((f"{key}.{part}", of) for part, of in value.items())
        else:
            yield key, value


def _otel(line: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    (resource,) = line["resourceLogs"]
    ((record,),) = (one["logRecords"] for one in resource["scopeLogs"])
    for one in resource["resource"].get("attributes", ()):
        yield f"(resource) {one['key']}", one["value"]
    yield from ((f"({key})", of) for key, of in record.items() if key != "attributes")
    yield from ((one["key"], one["value"]) for one in record["attributes"])


def _code(key: str) -> str:
    return f"`{key}`" if key else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
