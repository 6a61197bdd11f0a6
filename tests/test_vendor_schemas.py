"""
The vendors' schemas: each line is valid, whatever is logged.
"""

from __future__ import annotations

import importlib
import json
import logging
import pkgutil
import re
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.semconv._incubating import attributes

import ctxlog
from ctxlog import _names
from ctxlog.context.adapter import View
from ctxlog.line.encoder import LineEncoder
from ctxlog.line.event import Caller, Event
from ctxlog.line.vendors import REPORTED_ERROR, SCHEMAS
from tests.helpers import load_line
from tests.schemas import check, record

ROOT = Path(__file__).parent.parent

_KNOWN = st.sampled_from(
    "user host error event service environment version traceID spanID status path "
    "method durationMs client bytesIn bytesOut query userAgent referer scheme "
    "httpVersion ttfbMs headers responseHeaders route db redis slow queueMs "
    "buffered droppedLines sampleRate suppressed "
    "http.route http.request.headers.x url.query "
    "message level id _id tags labels fields log.level "
    "http httpRequest httpRequest.status serviceContext severity time timestamp "
    "dd dd.trace_id dd.span_id dd.service dd.env dd.other "
    "a.b a a_b requestID http.request.id body trace fields.user @metadata @type "
    "exception exception.type error.type hostname eventTime "
    "logging.googleapis.com/trace logging.googleapis.com/labels "
    "logging.googleapis.com/trace_sampled "
    "caller caller.file file line function log log.origin.function "
    "logger.method_name caller_file_name code.file.path "
    "logging.googleapis.com/sourceLocation".split()
)
_NAMES = _KNOWN | st.text(min_size=1, max_size=12)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda of: (
        st.lists(of, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "name", "x.y", "x_y", "x", "*", "", "X"]), of
        )
        | st.dictionaries(st.text(max_size=6), st.text(max_size=6), max_size=3)
        | st.sampled_from(["shop:80", "[::1]:80", ":", "a:99999", "1.1", "/a/{b:\\d+}"])
    ),
    max_leaves=6,
)
_FIELDS = st.dictionaries(_NAMES, _VALUES, max_size=8)
_CALLERS = st.builds(
    Caller, st.text(), st.integers(1, 2**31), st.none() | st.text(max_size=20)
)


@pytest.mark.parametrize("name", SCHEMAS)
@settings(max_examples=70)
@given(
    bound=_FIELDS,
    own=_FIELDS,
    static=_FIELDS,
    message=st.text(),
    level=st.text(max_size=10),
    levelno=st.integers(-50, 200),
    logger=st.sampled_from(["shop", "ctxlog.request", "", "é"]),
    error=st.none() | st.text().map(ValueError),
    late=st.booleans(),
    caller=st.none() | _CALLERS,
    limit=st.sampled_from([1024, 262_144]),
)
def test_any_line_is_valid_in_its_schema(name: str, limit: int, **event: Any) -> None:
    """
    Any fields, levels, messages and exceptions, however short the line must be.
    """
    caller = event["caller"]
    encoder = LineEncoder(
        SCHEMAS[name],
        static=event["static"],
        max_line_bytes=limit,
        caller=caller is not None,
    )
    view = View(event["bound"], 0, late=event["late"])
    line = encoder.encode(
        Event(
            *(1700000000.5, event["level"], event["levelno"], event["logger"]),
            *(event["message"], view, event["own"], event["error"]),
            caller=caller,
        )
    )
    assert len(line) <= limit
    check(name, line)


NOTHING = View({}, None)
COMPLETION: dict[str, Any] = {
    "method": "GET",
    "path": "/x",
    "status": 404,
    "durationMs": 2.5,
    "client": "10.0.0.1",
    "bytesIn": 17,
    "bytesOut": 512,
    "query": "a=1&token=[redacted]",
    "userAgent": "curl/8",
    "referer": "https://shop.example/",
    "host": "shop.example:8443",
    "scheme": "https",
    "httpVersion": "1.1",
    "ttfbMs": 1.5,
    "headers": {"X-Tenant": "acme"},
    "responseHeaders": {"Content-Type": "text/html"},
    "slow": True,
    "cacheHits": 3,
    "db": {"count": 7, "ms": 31.2},
    "http": {"count": 1, "ms": 80.0},
    "redis": {"count": 2, "ms": 0.4},
}
ROUTE = "/x/{id:[0-9]{1,3}}"


def completion(name: str, logger: str = "ctxlog.request") -> bytes:
    """
    The line of a request's end.
    """
    trace = {"traceID": "ab" * 16}
    view = View({"requestID": "A", "user": {"id": 7}, **trace, "route": ROUTE}, None)
    encoder = LineEncoder(SCHEMAS[name], static={"service": "shop"})
    return encoder.encode(
        Event(1.25, "WARNING", 30, logger, "GET /x", view, COMPLETION)
    )


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (
            "ecs",
            {
                "log.level": "warning",
                "http.request.id": "A",
                "user.id": "7",
                "trace.id": "ab" * 16,
                "service.name": "shop",
                "http.request.method": "GET",
                "url.path": "/x",
                "http.response.status_code": 404,
                "event.duration": 2_500_000,
                "client.ip": "10.0.0.1",
                "route": ROUTE,
                "http.request.body.bytes": 17,
                "http.response.body.bytes": 512,
                "url.query": "a=1&token=[redacted]",
                "user_agent.original": "curl/8",
                "http.request.referrer": "https://shop.example/",
                "url.domain": "shop.example",
                "url.port": 8443,
                "url.scheme": "https",
                "http.version": "1.1",
                "ttfbMs": 1.5,
                "headers": {"X-Tenant": "acme"},
                "responseHeaders": {"Content-Type": "text/html"},
                "slow": True,
                "cacheHits": 3,
                "db": {"count": 7, "ms": 31.2},
                "fields.http": {"count": 1, "ms": 80.0},
                "redis": {"count": 2, "ms": 0.4},
            },
        ),
        (
            "gcp",
            {
                "severity": "WARNING",
                "logging.googleapis.com/trace": "ab" * 16,
                "serviceContext": {"service": "shop"},
                "httpRequest": {
                    "requestMethod": "GET",
                    "requestUrl": "/x",
                    "status": 404,
                    "latency": "0.002500s",
                    "remoteIp": "10.0.0.1",
                    "userAgent": "curl/8",
                    "referer": "https://shop.example/",
                    "protocol": "HTTP/1.1",
                },
                "route": ROUTE,
                # Google's sizes are those of whole messages, with their headers.
                "bytesIn": 17,
                "bytesOut": 512,
                "query": "a=1&token=[redacted]",
                "host": "shop.example:8443",
                "scheme": "https",
                "headers": {"X-Tenant": "acme"},
                "db": {"count": 7, "ms": 31.2},
                "http": {"count": 1, "ms": 80.0},
            },
        ),
        (
            "datadog",
            {
                "status": "warning",
                "usr.id": "7",
                "dd.trace_id": "ab" * 16,
                "http.status_code": 404,
                "duration": 2_500_000,
                "network.client.ip": "10.0.0.1",
                "http.route": ROUTE,
                "http.request.content_length": 17,
                "http.response.content_length": 512,
                # Datadog's own is an object of the parameters.
                "query": "a=1&token=[redacted]",
                "http.useragent": "curl/8",
                "http.referer": "https://shop.example/",
                "http.url_details.host": "shop.example",
                "http.url_details.port": 8443,
                "http.url_details.scheme": "https",
                "http.version": "1.1",
                "http.request.headers.x-tenant": "acme",
                "http.response.headers.content-type": "text/html",
                "fields.db": {"count": 7, "ms": 31.2},
                "fields.http": {"count": 1, "ms": 80.0},
                "redis": {"count": 2, "ms": 0.4},
            },
        ),
        (
            "gelf",
            {
                "level": 4,
                "timestamp": 1.25,
                "short_message": "GET /x",
                "_user.id": 7,
                "_route": ROUTE,
                "_db.count": 7,
                "_db.ms": 31.2,
                "_headers.X-Tenant": "acme",
                "_slow": "true",
            },
        ),
        (
            "logstash",
            {
                **{"@version": "1", "level_value": 30, "status": 404, "route": ROUTE},
                **{"bytesOut": 512, "db": {"count": 7, "ms": 31.2}},
            },
        ),
    ],
)
def test_a_completion_line_has_the_vendors_names(
    name: str, wanted: dict[str, Any]
) -> None:
    """
    User, trace, service and the HTTP fields stand where the vendor has them.
    """
    line = completion(name)
    check(name, line)
    found = load_line(line)
    assert {key: found.get(key) for key in wanted} == wanted


def test_opentelemetry_reads_a_completion_line() -> None:
    """
    Through the message types that OpenTelemetry publishes.
    """
    found = record(completion("otel"))
    assert found.time_unix_nano == 1_250_000_000
    assert (found.severity_number, found.severity_text) == (13, "WARNING")
    assert found.trace_id
    assert found.body.string_value == "GET /x"
    values = {a.key: a.value for a in found.attributes}
    assert values["http.response.status_code"].int_value == 404
    assert values["requestID"].string_value == "A"
    texts = {name: of.string_value for name, of in values.items()}
    assert texts["http.route"] == ROUTE
    assert texts["url.query"] == "a=1&token=[redacted]"
    assert texts["user_agent.original"] == "curl/8"
    assert (texts["server.address"], texts["url.scheme"]) == ("shop.example", "https")
    assert values["server.port"].int_value == 8443
    assert texts["network.protocol.version"] == "1.1"
    assert values["http.request.body.size"].int_value == 17
    assert values["http.response.body.size"].int_value == 512
    for name, value in (
        ("http.request.header.x-tenant", "acme"),
        ("http.request.header.referer", "https://shop.example/"),
        ("http.response.header.content-type", "text/html"),
    ):
        assert [of.string_value for of in values[name].array_value.values] == [value]
    totals = {of.key: of.value for of in values["db"].kvlist_value.values}
    assert totals["count"].int_value == 7
    assert totals["ms"].double_value == 31.2


def test_opentelemetrys_attributes_are_those_that_it_publishes() -> None:
    """
    Whatever is not in its registry is the application's own name, or ctxlog's.
    """
    names = {
        value
        for info in pkgutil.iter_modules(attributes.__path__, attributes.__name__ + ".")
        for value in vars(importlib.import_module(info.name)).values()
        if isinstance(value, str)
    }
    user = {"id": 7, "name": "Ann", "email": "a@b.org", "full_name": "Ann B"}
    view = View({"requestID": "A", "user": user, "route": ROUTE}, 0, late=True)
    static = {"service": "shop", "environment": "prod", "version": "1.2"}
    line = LineEncoder(SCHEMAS["otel"], static=static, caller=True).encode(
        Event(
            *(1.25, "ERROR", 40, "ctxlog.request", "GET /x", view, COMPLETION),
            ValueError("bad"),
            "Stack",
            caller=Caller("/a/orders.py", 42, "place"),
        )
    )
    resource = json.loads(line)["resourceLogs"][0]["resource"]["attributes"]
    found = {of["key"] for of in resource} | {a.key for a in record(line).attributes}
    headers = ("http.request.header.", "http.response.header.")
    assert {header[:-1] for header in headers} <= names  # templates
    ours = {"requestID", "logger.name", "elapsedMs", "late", "stackInfo", "durationMs"}
    ours |= {"ttfbMs", "slow", "cacheHits", "db", "http", "redis"}
    assert {name for name in found - names if not name.startswith(headers)} == ours
    assert {"service.name", "exception.stacktrace", "url.path"} <= found
    assert {"code.file.path", "code.line.number", "code.function.name"} <= found


_PLACE = {"caller": {"file": "orders.py", "line": 42, "function": "place"}}
_IN_GOOGLE = {"file": "orders.py", "line": "42", "function": "place"}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("default", _PLACE),
        (
            "ecs",
            {
                "log.origin.file.name": "orders.py",
                "log.origin.file.line": 42,
                "log.origin.function": "place",
            },
        ),
        ("gcp", {"logging.googleapis.com/sourceLocation": _IN_GOOGLE}),
        (
            "datadog",
            {
                "caller.file": "orders.py",
                "caller.line": 42,
                "logger.method_name": "place",
            },
        ),
        ("gelf", {"_file": "orders.py", "_line": 42, "_function": "place"}),
        (
            "logstash",
            {
                "caller_file_name": "orders.py",
                "caller_line_number": 42,
                "caller_method_name": "place",
            },
        ),
    ],
)
def test_a_caller_has_the_vendors_names(name: str, wanted: dict[str, Any]) -> None:
    """
    Without the option they are names as any others, and never there twice with it.
    """
    caller = Caller("/srv/shop/orders.py", 42, "place")
    own = {"caller": "mine", "line": "mine", "function": "mine"}
    event = Event(1e9, "INFO", 20, "shop", "x", NOTHING, own, caller=caller)
    line = LineEncoder(SCHEMAS[name], caller=True).encode(event)
    check(name, line)
    found = load_line(line)
    assert {key: found[key] for key in wanted} == wanted
    off = LineEncoder(SCHEMAS[name]).encode(event)
    check(name, off)
    without = load_line(off)
    prefix = SCHEMAS[name].prefix
    assert {key: without[f"{prefix}{key}"] for key in own} == own
    short = LineEncoder(SCHEMAS[name], caller=True)
    line = short.encode(event._replace(caller=Caller("a.py", 1), fields={}))
    keys = [key for key in load_line(line) if "function" in key or "method" in key]
    assert not keys


def test_opentelemetry_has_the_path() -> None:
    """
    As its conventions prefer it, and the line as a number.
    """
    event = Event(1e9, "INFO", 20, "shop", "x", NOTHING)
    encoder = LineEncoder(SCHEMAS["otel"], caller=True)
    line = encoder.encode(event._replace(caller=Caller("/a/orders.py", 42, "place")))
    values = {a.key: a.value for a in record(line).attributes}
    assert values["code.file.path"].string_value == "/a/orders.py"
    assert values["code.line.number"].int_value == 42
    assert values["code.function.name"].string_value == "place"


@pytest.mark.parametrize(
    ("number", "wanted"),
    [
        (5, {"gcp": "DEFAULT", "datadog": "debug", "gelf": 7, "otel": 3}),
        (10, {"gcp": "DEBUG", "datadog": "debug", "gelf": 7, "otel": 5}),
        (20, {"gcp": "INFO", "datadog": "info", "gelf": 6, "otel": 9}),
        (25, {"gcp": "INFO", "datadog": "info", "gelf": 6, "otel": 11}),
        (30, {"gcp": "WARNING", "datadog": "warning", "gelf": 4, "otel": 13}),
        (40, {"gcp": "ERROR", "datadog": "error", "gelf": 3, "otel": 17}),
        (50, {"gcp": "CRITICAL", "datadog": "critical", "gelf": 2, "otel": 21}),
        (99, {"gcp": "CRITICAL", "datadog": "critical", "gelf": 2, "otel": 24}),
    ],
)
def test_a_level_goes_by_its_number(number: int, wanted: dict[str, Any]) -> None:
    """
    A level of one's own is the lower one's where the vendor has a list of its own.
    """

    def shown(name: str) -> Any:
        line = LineEncoder(SCHEMAS[name]).encode(
            Event(0, "MINE", number, "a", "b", NOTHING)
        )
        if name == "otel":
            return record(line).severity_number
        return load_line(line)[SCHEMAS[name].level]

    assert {name: shown(name) for name in wanted} == wanted


def test_the_word_of_a_level_is_kept_where_the_vendor_has_a_place_for_it() -> None:
    """
    Under a name of the vendor's, or as a further field of GELF.
    """
    lines = {
        name: LineEncoder(schema).encode(Event(0, "Notice", 25, "a", "b", NOTHING))
        for name, schema in SCHEMAS.items()
    }
    assert load_line(lines["default"])["level"] == "Notice"
    assert load_line(lines["ecs"])["log.level"] == "notice"
    assert load_line(lines["logstash"])["level"] == "Notice"
    assert load_line(lines["gelf"])["_level_name"] == "Notice"
    assert record(lines["otel"]).severity_text == "Notice"


@pytest.mark.parametrize(
    ("name", "key", "aside"),
    [("ecs", "user.id", "fields.user"), ("datadog", "usr.id", "fields.user")],
)
def test_a_users_other_parts_go_aside(name: str, key: str, aside: str) -> None:
    """
    What the vendor has no name for does not hide the user's id.
    """
    view = View({"user": {"id": 7, "plan": "pro", "name": None}}, None)
    line = load_line(
        LineEncoder(SCHEMAS[name]).encode(Event(0, "I", 20, "a", "b", view))
    )
    assert (line[key], line[aside]) == ("7", {"plan": "pro"})


@pytest.mark.parametrize("name", ["ecs", "datadog"])
def test_no_two_names_within_a_field_are_the_same_path(name: str) -> None:
    """
    Elasticsearch and Datadog read a dotted name within an object as an object, too.
    """
    order = {"a.b": 1, "a": {"b": 2}, "a_b": 3, "": [{"c.d": 4}]}
    line = LineEncoder(SCHEMAS[name]).encode(
        Event(0, "I", 20, "a", "b", NOTHING, {"order": order})
    )
    assert load_line(line)["order"] == {
        "a_b_2": 1,
        "a": {"b": 2},
        "a_b": 3,
        "_": [{"c_d": 4}],
    }


@pytest.mark.parametrize(
    ("key", "right", "wrong"),
    [
        ("labels", {"a": "b", "n": 1}, {"a": {"b": 1}}),
        ("labels", {}, {"a*": "b"}),
        ("tags", ["a", "b"], ["a", 1]),
        ("tags", [], "a"),
    ],
)
def test_labels_and_tags_of_ecs_can_be_given(key: str, right: Any, wrong: Any) -> None:
    """
    They keep their place with a value of their type, and are prefixed with another.
    """

    def shown(value: Any) -> dict[str, Any]:
        encoder = LineEncoder(SCHEMAS["ecs"])
        line = encoder.encode(Event(0, "I", 20, "a", "b", View({key: value}, None)))
        check("ecs", line)
        return dict(load_line(line))

    assert shown(right)[key] == right
    assert key not in shown(wrong)
    assert shown(wrong)[f"fields.{key}"] == wrong


def google(fields: dict[str, Any]) -> dict[str, Any]:
    """
    What Google Cloud gets of a line with these fields.
    """
    encoder = LineEncoder(SCHEMAS["gcp"])
    line = encoder.encode(Event(0, "ERROR", 40, "a", "b", View(fields, None)))
    check("gcp", line)
    return dict(load_line(line))


def test_googles_trace_is_of_the_project_in_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    Cloud Logging links a line to a trace by its resource name.
    """
    key = "logging.googleapis.com/trace"
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    assert google({"traceID": "ab"})[key] == "ab"
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "shop-1")
    assert google({"traceID": "ab"})[key] == "projects/shop-1/traces/ab"
    named = "projects/other/traces/ab"
    assert google({"traceID": named})[key] == named


@pytest.mark.parametrize(
    ("key", "right", "wrong"),
    [
        ("@type", REPORTED_ERROR, "something"),
        ("logging.googleapis.com/insertId", "i-1", 1),
        ("logging.googleapis.com/labels", {"a": "b"}, {"a": 1}),
        ("logging.googleapis.com/sourceLocation", {"line": 3}, {"row": 3}),
        ("logging.googleapis.com/trace_sampled", True, "yes"),
    ],
)
def test_googles_special_fields_can_be_given(key: str, right: Any, wrong: Any) -> None:
    """
    They keep their place with a value of their type, and are prefixed with another.
    """
    assert google({key: right})[key] == right
    line = google({key: wrong})
    assert key not in line
    assert line[f"fields.{key}"] == wrong


def test_error_reporting_takes_a_traceback_as_it_is() -> None:
    """
    It looks for `stack_trace` first, and asks for no `@type` then.
    """
    line = LineEncoder(SCHEMAS["gcp"], static={"service": "shop", "version": "2"})
    shown = load_line(
        line.encode(Event(0, "E", 40, "a", "b", NOTHING, {}, ValueError("x")))
    )
    assert shown["stack_trace"] == "ValueError: x"
    assert shown["serviceContext"] == {"service": "shop", "version": "2"}
    assert "@type" not in shown


def test_gelfs_host_is_the_one_at_the_time_of_the_encoder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    Not that of the import, which a snapshot of a process or container would keep.
    """
    for name, wanted in [("one", "one"), ("two", "two"), ("", "localhost")]:
        monkeypatch.setattr("socket.gethostname", lambda name=name: name)
        line = LineEncoder(SCHEMAS["gelf"]).encode(Event(0, "I", 20, "a", "b", NOTHING))
        assert load_line(line)["host"] == wanted


@pytest.mark.parametrize("name", ["ecs", "datadog", "gcp"])
@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("status", 1_000_000),
        ("status", "200"),
        ("durationMs", -1.0),
        ("durationMs", 1e300),
        ("durationMs", True),
        ("client", "unix:"),
        ("client", "fe80::1%eth0"),
        ("method", 1),
    ],
)
def test_a_value_that_does_not_fit_is_not_http(
    name: str, field: str, wrong: Any
) -> None:
    """
    It keeps its own name, or a prefixed one, and the others are in their places.
    """
    encoder = LineEncoder(SCHEMAS[name])
    own = {**COMPLETION, field: wrong}
    line = encoder.encode(Event(0, "I", 20, "ctxlog.request", "m", NOTHING, own))
    check(name, line)
    shown = load_line(line)
    assert shown.get(f"fields.{field}", shown.get(field)) == wrong


@pytest.mark.parametrize("name", ["ecs", "datadog"])
def test_an_applications_own_status_is_not_http(name: str) -> None:
    """
    Only the lines of completion have HTTP fields.
    """
    assert 404 in load_line(completion(name)).values()
    line = load_line(completion(name, "shop"))
    assert not [key for key in line if "http" in key and "status" in key]


def shown(name: str, logger: str, own: dict[str, Any], **bound: object) -> Any:
    """
    A line in a schema as its members, OpenTelemetry's attributes among them.
    """
    event = Event(1e9, "INFO", 20, logger, "m", View(dict(bound), None), own)
    line = LineEncoder(SCHEMAS[name]).encode(event)
    check(name, line)
    if name == "otel":
        attributes = json_format.MessageToDict(record(line))["attributes"]
        return {a["key"]: next(iter(a["value"].values())) for a in attributes}
    return load_line(line)


@pytest.mark.parametrize("name", ["datadog", "otel"])
def test_the_route_is_https_on_every_line_of_a_request(name: str) -> None:
    """
    Whatever the logger: it is the context's. Braces and patterns are texts as any.
    """
    for route in (ROUTE, "^orders/(?P<pk>[0-9]+)/$", "<int:id>", "", '"\\'):
        for logger in ("shop", "ctxlog.request", "ctxlog.task"):
            line = shown(name, logger, {}, route=route)
            assert line["http.route"] == route
            assert "route" not in line


@pytest.mark.parametrize("name", ["datadog", "otel"])
def test_the_route_of_a_task_is_not_https(name: str) -> None:
    """
    Nor is that of a bus: only a call on the line of a request's end has HTTP's.
    """
    for logger in ("ctxlog.task", "shop"):
        line = shown(name, logger, {"route": "mail.send"})
        assert line["route"] == "mail.send"
        assert "http.route" not in line
    assert shown(name, "ctxlog.request", {"route": "/a"})["http.route"] == "/a"


@pytest.mark.parametrize("name", ["datadog", "otel"])
def test_a_calls_own_route_is_there_instead_of_the_contexts(name: str) -> None:
    """
    One name is one field: the call's goes first, wherever either stands.
    """
    line = shown(name, "shop", {"route": "42"}, route="/a")
    assert line["route"] == "42"
    assert "http.route" not in line
    line = shown(name, "ctxlog.request", {"route": "/b"}, route="/a")
    assert line["http.route"] == "/b"
    assert "route" not in line


@pytest.mark.parametrize("name", [name for name in SCHEMAS if name != "gelf"])
@pytest.mark.parametrize("value", [7, True, ["a"], {"a": "b"}])
def test_what_is_no_route_keeps_its_name(name: str, value: Any) -> None:
    """
    The application's own field of another type is as readable as any.
    """
    line = shown(name, "shop", {}, route=value)
    if name == "otel":
        assert "route" in line
        assert "http.route" not in line
    else:
        assert line["route"] == value


@pytest.mark.parametrize("name", ["ecs", "datadog", "otel", "gcp"])
def test_names_of_details_that_mean_something_else_keep_their_names(name: str) -> None:
    """
    Totals and fields of the application's, called as what was sent with a request.
    """
    total = {"count": 2, "ms": 1.5}
    own = dict.fromkeys(["query", "headers", "responseHeaders", "scheme"], total)
    line = shown(name, "ctxlog.request", {**own, "bytesOut": -1, "db": "orders"})
    assert own.keys() <= line.keys()
    assert "bytesOut" in line
    assert line.get("db", line.get("fields.db")) == "orders"
    assert not [key for key in line if "header." in key or "headers." in key]


@pytest.mark.parametrize(
    ("host", "ecs", "otel"),
    [
        ("shop.example", ("shop.example", None), ("shop.example", None)),
        ("10.0.0.1:80", ("10.0.0.1", 80), ("10.0.0.1", 80)),
        ("[::1]:8080", ("[::1]", 8080), ("::1", 8080)),
        ("[::1]", ("[::1]", None), ("::1", None)),
    ],
)
def test_a_host_is_a_name_and_a_port(
    host: str, ecs: tuple[Any, ...], otel: tuple[Any, ...]
) -> None:
    """
    ECS leaves an address of version 6 in its brackets, OpenTelemetry has it alone.
    """
    line = shown("ecs", "ctxlog.request", {"host": host})
    assert (line["url.domain"], line.get("url.port")) == ecs
    line = shown("otel", "ctxlog.request", {"host": host})
    port = line.get("server.port")
    assert (line["server.address"], port and int(port)) == otel


@pytest.mark.parametrize(
    "host", ["", ":80", "a:b", "a:99999", "a b", "::1", "a:1:2", 7]
)
def test_what_is_no_host_keeps_its_name(host: object) -> None:
    """
    A client may send anything.
    """
    line = shown("ecs", "ctxlog.request", {"host": host})
    assert line["fields.host"] == host
    assert not [key for key in line if key.startswith("url.")]


def test_snake_case_has_the_same_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    And a name of the other spelling is the application's own there.
    """
    monkeypatch.setattr(_names, "_used", _names.SNAKE)
    own = {"bytes_out": 5, "user_agent": "a", "http_version": "2", "bytesIn": 7}
    line = shown("ecs", "ctxlog.request", own)
    assert line["http.response.body.bytes"] == 5
    assert line["user_agent.original"] == "a"
    assert line["http.version"] == "2"
    assert line["bytesIn"] == 7


#: The fields of a request, with a value that fits everywhere.
_DETAILS: dict[str, Any] = {
    **COMPLETION,
    **{"route": ROUTE, "queueMs": 1.5, "sampleRate": 10},
}


def keys(name: str, field: str) -> list[str]:
    """
    Where a schema has a field, by a line without it; a list of members by their object.
    """
    with_it = shown(name, "ctxlog.request", {field: _DETAILS[field]})
    without = shown(name, "ctxlog.request", {})
    found = []
    for key in with_it.keys() - without.keys():
        inner = with_it[key]
        is_of_google = name == "gcp" and key == "httpRequest"
        found += [f"{key}.{part}" for part in inner] if is_of_google else [key]
    return sorted(found)


def test_the_documentation_says_where_each_schema_has_a_field() -> None:
    """
    Every field but the totals, whose names are free; `NAME` is that of a header.
    """
    page = (ROOT / "docs" / "schemas.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)`((?: \|[^|\n]*){4}) \|$", page, flags=re.MULTILINE)
    named = {field for field, _ in rows}
    assert named == _DETAILS.keys() - {"cacheHits"}
    for field, cells in rows:
        for name, cell in zip(
            ("ecs", "gcp", "datadog", "otel"), cells.split("|")[1:], strict=True
        ):
            said = re.findall(r"`([^`]+)`", cell)
            parts = {"x-tenant": "NAME", "content-type": "NAME"}
            found = [
                f"{start}.{parts.get(end, end)}" if start else end
                for start, _, end in (key.rpartition(".") for key in keys(name, field))
            ]
            assert sorted(said or [field]) == found, (field, name)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_name_works_with_a_formatter(name: str) -> None:
    """
    A name is enough, and secrets are hidden in each.
    """
    record_ = logging.makeLogRecord(
        {"msg": "hello", "levelno": 20, "levelname": "INFO", "apiKey": "s3cret"}
    )
    text = ctxlog.JsonFormatter(schema=name).format(record_)
    check(name, text.encode() + b"\n")
    assert "s3cret" not in text
    assert "[redacted]" in text
    assert json.loads(text)


_TRACERS = {
    "dd.trace_id": "640cfd8d00000000123456789abcdef0",
    "dd.span_id": "1311768467463790320",
    "dd.service": "shop",
    "dd.env": "prod",
    "dd.version": "1.2",
}


def datadogs(own: dict[str, Any], **bound: object) -> dict[str, Any]:
    """
    The attributes of a line that are called as Datadog's tracer calls them.
    """
    encoder = LineEncoder(SCHEMAS["datadog"], static={"environment": "test"})
    view = View(dict(bound), None)
    line = encoder.encode(Event(1e9, "INFO", 20, "shop", "hello", view, own))
    check("datadog", line)
    return {key: of for key, of in load_line(line).items() if "dd" in key}


def test_what_datadogs_tracer_adds_is_where_datadog_joins_by_it() -> None:
    """
    At the root, under its own names, before what came with the request.
    """
    assert datadogs(_TRACERS) == _TRACERS
    assert datadogs(_TRACERS, traceID="1" * 32, spanID="2" * 16) == _TRACERS
    assert datadogs({}, **_TRACERS, traceID="1" * 32) == _TRACERS


def test_what_datadogs_tracer_has_nothing_for_is_left_out() -> None:
    """
    Outside of its traces it adds zeros and empty texts; other ids of the line stay.
    """
    nothing = dict.fromkeys(_TRACERS, "") | {"dd.trace_id": "0", "dd.span_id": "0"}
    assert datadogs(nothing) == {"dd.env": "test"}
    found = datadogs(nothing, traceID="1" * 32, spanID="2" * 16)
    assert found == {
        "dd.env": "test",
        "dd.trace_id": "1" * 32,
        "dd.span_id": "2" * 16,
    }


def test_other_names_of_datadogs_tracer_are_aside() -> None:
    """
    What the tracer does not add, or of another type, is a field of the application's.
    """
    assert datadogs({"dd.other": "x", "dd.service": 7}) == {
        "dd.env": "test",
        "fields.dd_other": "x",
        "fields.dd_service": 7,
    }
