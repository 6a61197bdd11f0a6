"""
Lines as records of OpenTelemetry's protocol, as a receiver of it reads them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest

import ctxlog
from ctxlog import aggregators
from ctxlog.aggregators import Receiver, RefusedError, UnavailableError
from ctxlog.errors import ConfigError
from ctxlog.line.vendors import SCHEMAS
from tests.aggregators.lines import TIME, line_of
from tests.aggregators.web import Answer, serving
from tests.helpers import need

need("urllib3", "opentelemetry.proto.logs.v1.logs_pb2", "google.protobuf")
from opentelemetry.proto.collector.logs.v1 import (  # noqa: E402
    logs_service_pb2 as service,
)

from tests.aggregators.otlp_store import OtlpStore, attributes  # noqa: E402

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def store() -> Iterator[OtlpStore]:
    """A receiver that takes all records."""
    with serving(OtlpStore()) as store:
        assert isinstance(store, OtlpStore)
        yield store


@pytest.fixture(params=["json", "protobuf"])
def sender(request: pytest.FixtureRequest, store: OtlpStore) -> Iterator[Receiver]:
    """What sends to it, in both encodings."""
    address = f"otlp://127.0.0.1:{store.port}?encoding={request.param}"
    sender = aggregators.receiver(address)
    yield sender
    sender.close()


def hexadecimal(store: OtlpStore, value: bytes) -> str:
    """Return an id of a record, which the test's reader takes for base64 in JSON."""
    if store.requests[-1].headers["Content-Type"] == "application/json":
        return base64.b64encode(value).decode()
    return value.hex()


@pytest.mark.parametrize("case", ["camel", "snake"])
@pytest.mark.parametrize("schema", list(SCHEMAS))
def test_a_line_of_any_schema_is_a_record(
    store: OtlpStore, sender: Receiver, schema: str, case: str
) -> None:
    """Time, severity, body, ids, resource and attributes are where the protocol has
    them."""
    ids = {"camel": ("traceID", "spanID"), "snake": ("trace_id", "span_id")}[case]
    with ctxlog.scope(**dict(zip(ids, (TRACE, SPAN), strict=True))):
        line = line_of(schema, case=case, rows=3)
    assert sender.send([line], 60) == {}
    ((resource, record),) = store.records
    assert store.requests[0].path == "/v1/logs"
    assert record.time_unix_nano == TIME
    assert record.observed_time_unix_nano > TIME
    assert record.severity_number == 17
    assert record.severity_text.upper() == "ERROR"
    assert record.body.string_value == "paid é"
    assert hexadecimal(store, record.trace_id) == TRACE
    assert hexadecimal(store, record.span_id) == SPAN
    assert attributes(resource)["service.name"] == "shop"
    assert attributes(resource)["deployment.environment.name"] == "production"
    found = attributes(record)
    assert found["logger.name"] == "shop.orders"
    assert found["rows"] == 3
    assert "req-A" in found.values()
    assert not {"level", "severity", "timestamp", "@timestamp", "message"} & set(found)
    assert not [name for name in found if name.startswith("_")]


def test_values_keep_their_types(store: OtlpStore, sender: Receiver) -> None:
    """Nested values, numbers and nulls arrive as they are on the line."""
    members = {
        **{"a": 1, "b": 1.5, "c": True, "d": None, "e": [1, "x", [], {}], "f": 2**70},
        **{"exception": {"type": "ValueError", "message": "bad", "stack": "Trace"}},
        **{"traceID": "0" * 32, "g": {"h": {"i": -(2**63)}}, "status": 200},
    }
    sender.send([json.dumps({"message": "m", **members}).encode() + b"\n"], 60)
    ((_, record),) = store.records
    found = attributes(record)
    assert found["f"] in (str(2**70), 2.0**70)
    del found["f"]
    assert found == {
        **{"a": 1, "b": 1.5, "c": True, "d": None, "e": [1, "x", [], {}]},
        **{"exception.type": "ValueError", "exception.message": "bad"},
        **{"exception.stacktrace": "Trace", "traceID": "0" * 32},
        **{"g": {"h": {"i": -(2**63)}}, "status": 200},
    }
    assert record.trace_id == b""
    assert record.time_unix_nano == record.severity_number == 0
    assert record.observed_time_unix_nano > 0


def test_what_is_no_json_is_a_message(store: OtlpStore, sender: Receiver) -> None:
    """A text, broken JSON and a broken batch arrive as messages."""
    lines = [b"Traceback:\n", b'{"a":\n', b'{"resourceLogs":[]}\n', b"\xff\n", b"[1]\n"]
    assert sender.send(lines, 60) == {}
    bodies = ["Traceback:", '{"a":', "", "\ufffd", "[1]"]
    assert store.messages == bodies


def test_records_of_one_resource_stand_together(
    store: OtlpStore, sender: Receiver
) -> None:
    """Lines of two services are two resources, each with its records in order."""
    lines = [
        json.dumps({"message": str(n), "service": "ab"[n % 2]}).encode() + b"\n"
        for n in range(6)
    ]
    sender.send(lines, 60)
    assert store.messages == ["0", "2", "4", "1", "3", "5"]
    services = [attributes(resource)["service.name"] for resource, _ in store.records]
    assert services == ["a", "a", "a", "b", "b", "b"]


def partial(rejected: int, message: str, content_type: str) -> bytes:
    """Return an answer that some records were rejected."""
    if content_type == "application/json":
        content = {"rejectedLogRecords": str(rejected), "errorMessage": message}
        return json.dumps({"partialSuccess": content}).encode()
    answer = service.ExportLogsServiceResponse()
    answer.partial_success.rejected_log_records = rejected
    answer.partial_success.error_message = message
    return answer.SerializeToString()


@pytest.mark.parametrize("encoding", ["json", "protobuf"])
def test_rejected_records_are_counted(store: OtlpStore, encoding: str) -> None:
    """A partial success says how many records were rejected, though not which."""
    sender = aggregators.receiver(
        f"otlp://127.0.0.1:{store.port}/other/path?encoding={encoding}"
    )
    kind = {"json": "application/json", "protobuf": "application/x-protobuf"}[encoding]
    lines = [b'{"message":"1"}\n', b'{"message":"2"}\n']
    store.usual = Answer(200, partial(1, "too old", kind))
    assert list(sender.send(lines, 60).values()) == [
        "the store has rejected some records: too old"
    ]
    store.usual = Answer(200, partial(5, "", kind))
    assert len(sender.send(lines, 60)) == 2
    store.usual = Answer(200, partial(0, "a hint", kind))
    assert sender.send(lines, 60) == {}
    store.usual = Answer(200, b"<html>not one of these</html>")
    assert sender.send(lines, 60) == {}
    assert store.requests[0].path == "/other/path"
    sender.close()


def test_failures_are_told_apart(store: OtlpStore, sender: Receiver) -> None:
    """A busy receiver is tried again; one that refuses the records is not."""
    for status in (429, 502, 503, 504):
        store.usual = Answer(status, headers={"Retry-After": "1"})
        with pytest.raises(UnavailableError) as raised:
            sender.send([b"{}\n"], 60)
        assert raised.value.retry_after == 1.0
    store.usual = Answer(400, b"\x0a\x02\x08\x00")
    with pytest.raises(RefusedError, match="^it answers 400$"):
        sender.send([b"{}\n"], 60)


def test_addresses_of_receivers() -> None:
    """The address says port, path, encoding and TLS; a wrong option is an error."""
    assert aggregators.receiver("otlp://collector").name == "otlp://collector"
    assert aggregators.receiver("otlps://collector:1/p").name == "otlps://collector:1/p"
    with pytest.raises(ConfigError, match="json or protobuf"):
        aggregators.receiver("otlp://collector?encoding=xml")
    with pytest.raises(ConfigError, match="encoding, gzip"):
        aggregators.receiver("otlp://collector?index=app")
