"""
The vendors' schemas: each line is valid, whatever is logged.
"""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ctxlog
from ctxlog.context import View
from ctxlog.line import LineEncoder
from ctxlog.schema import SCHEMAS
from tests.helpers import load_line
from tests.schemas import check, record

_KNOWN = st.sampled_from(
    "user host error event service environment version traceID spanID status path "
    "method durationMs client message level id _id tags labels fields log.level "
    "http httpRequest httpRequest.status serviceContext severity time timestamp "
    "a.b a a_b requestID http.request.id body trace fields.user @metadata".split()
)
_NAMES = _KNOWN | st.text(min_size=1, max_size=12)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda of: (
        st.lists(of, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "name", "email", "x.y", "é", ""]), of)
    ),
    max_leaves=6,
)
_FIELDS = st.dictionaries(_NAMES, _VALUES, max_size=8)


@pytest.mark.parametrize("name", SCHEMAS)
@settings(max_examples=40)
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
    limit=st.sampled_from([1024, 262_144]),
)
def test_any_line_is_valid_in_its_schema(name: str, limit: int, **event: Any) -> None:
    """
    Any fields, levels, messages and exceptions, however short the line must be.
    """
    encoder = LineEncoder(SCHEMAS[name], static=event["static"], max_line_bytes=limit)
    view = View(event["bound"], 0, late=event["late"])
    line = encoder.encode(
        *(1700000000.5, event["level"], event["levelno"], event["logger"]),
        *(event["message"], view, event["own"], event["error"]),
    )
    assert len(line) <= limit
    check(name, line)


def completion(name: str, logger: str = "ctxlog.request") -> bytes:
    """
    The line of a request's end.
    """
    view = View({"requestID": "A", "user": {"id": 7}, "traceID": "ab" * 16}, None)
    own = {"method": "GET", "path": "/x", "status": 404, "durationMs": 2.5}
    own["client"] = "10.0.0.1"
    encoder = LineEncoder(SCHEMAS[name], static={"service": "shop"})
    return encoder.encode(1.25, "WARNING", 30, logger, "GET /x", view, own)


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
                },
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
            },
        ),
        (
            "gelf",
            {"level": 4, "timestamp": 1.25, "short_message": "GET /x", "_user.id": 7},
        ),
        ("logstash", {"@version": "1", "level_value": 30, "status": 404}),
    ],
)
def test_a_completion_line_has_the_vendors_names(
    name: str, wanted: dict[str, Any]
) -> None:
    """
    User, trace, service and the HTTP fields stand where the vendor has them.
    """
    line = load_line(completion(name))
    assert {key: line.get(key) for key in wanted} == wanted


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


@pytest.mark.parametrize("name", ["ecs", "datadog"])
def test_an_applications_own_status_is_not_http(name: str) -> None:
    """
    Only the lines of completion have HTTP fields.
    """
    assert 404 in load_line(completion(name)).values()
    line = load_line(completion(name, "shop"))
    assert not [key for key in line if "http" in key and "status" in key]


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
