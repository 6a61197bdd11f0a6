"""
Traces: what the W3C recommendation accepts, and OpenTelemetry's spans on the lines.

The cases of `traceparent` and `tracestate` are those of the validation suite that the
W3C publishes beside the recommendation: https://github.com/w3c/trace-context.
"""

from __future__ import annotations

import json
import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ctxlog
from ctxlog.carrier import ReceivedStore, extract, inject, pack, unpack
from ctxlog.carrier.trace_context import TRACE_HEADERS, Trace, trace_of
from tests.helpers import need, run_python

TRACE = "12345678901234567890123456789012"
SPAN = "1234567890123456"
PARENT = f"00-{TRACE}-{SPAN}-00"


def read(*headers: tuple[str, str]) -> Trace | None:
    """The trace that a store takes from headers."""
    store = ReceivedStore()
    store.receive(headers)
    return store.trace


def state(*values: str) -> str:
    """Return the state read from `tracestate` headers beside a valid `traceparent`."""
    trace = read(("traceparent", PARENT), *(("tracestate", value) for value in values))
    assert trace is not None
    assert trace.trace_id == TRACE
    return trace.state


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(f"00-{TRACE}-{SPAN}-01.", id="version 00, more behind"),
        pytest.param(
            f"00-{TRACE}-{SPAN}-01-what-will-be", id="version 00, a member more"
        ),
        pytest.param(
            f"cc-{TRACE}-{SPAN}-01.what-will-be", id="no dash behind the flags"
        ),
        pytest.param(f"ff-{TRACE}-{SPAN}-01", id="version ff"),
        pytest.param(f".0-{TRACE}-{SPAN}-01", id="version: illegal first"),
        pytest.param(f"0.-{TRACE}-{SPAN}-01", id="version: illegal second"),
        pytest.param(f"000-{TRACE}-{SPAN}-01", id="version: three digits"),
        pytest.param(f"0000-{TRACE}-{SPAN}-01", id="version: four digits"),
        pytest.param(f"0-{TRACE}-{SPAN}-01", id="version: one digit"),
        pytest.param(f"00-{'0' * 32}-{SPAN}-01", id="trace id: zeros"),
        pytest.param(f"00-.{TRACE[1:]}-{SPAN}-01", id="trace id: illegal first"),
        pytest.param(f"00-{TRACE[:-1]}.-{SPAN}-01", id="trace id: illegal last"),
        pytest.param(f"00-{TRACE}3-{SPAN}-01", id="trace id: too long"),
        pytest.param(f"00-{TRACE[:-1]}-{SPAN}-01", id="trace id: too short"),
        pytest.param(f"00-{'ABCDEF12' * 4}-{SPAN}-01", id="trace id: capitals"),
        pytest.param(f"00-{TRACE}-{'0' * 16}-01", id="parent id: zeros"),
        pytest.param(f"00-{TRACE}-.{SPAN[1:]}-01", id="parent id: illegal first"),
        pytest.param(f"00-{TRACE}-{SPAN[:-1]}.-01", id="parent id: illegal last"),
        pytest.param(f"00-{TRACE}-{SPAN}7-01", id="parent id: too long"),
        pytest.param(f"00-{TRACE}-{SPAN[:-1]}-01", id="parent id: too short"),
        pytest.param(f"00-{TRACE}-{SPAN}-.0", id="flags: illegal first"),
        pytest.param(f"00-{TRACE}-{SPAN}-0.", id="flags: illegal second"),
        pytest.param(f"00-{TRACE}-{SPAN}-001", id="flags: too long"),
        pytest.param(f"00-{TRACE}-{SPAN}-1", id="flags: too short"),
        pytest.param(f"00-{TRACE}-{SPAN}-01\n", id="a line break behind"),
        pytest.param(f"00-{TRACE}-{SPAN}-0١", id="a digit that is not ASCII"),
        pytest.param("", id="empty"),
    ],
)
def test_an_invalid_traceparent_is_none(value: str) -> None:
    """A header that the recommendation calls invalid gives no trace, and no fields."""
    assert read(("traceparent", value), ("tracestate", "foo=1")) is None
    assert extract({"traceparent": value}) == {}


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(f"00-{TRACE}-{SPAN}-01", id="version 00"),
        pytest.param(f"cc-{TRACE}-{SPAN}-01", id="a future version"),
        pytest.param(
            f"cc-{TRACE}-{SPAN}-01-what-will-be", id="a longer future version"
        ),
        pytest.param(f" 00-{TRACE}-{SPAN}-01", id="a space before"),
        pytest.param(f"\t00-{TRACE}-{SPAN}-01", id="a tab before"),
        pytest.param(f"00-{TRACE}-{SPAN}-01 ", id="a space behind"),
        pytest.param(f"00-{TRACE}-{SPAN}-01\t", id="a tab behind"),
        pytest.param(f"\t 00-{TRACE}-{SPAN}-01 \t", id="several around"),
    ],
)
def test_a_valid_traceparent_is_read(value: str) -> None:
    """The trace id, the caller's span id and the flag are taken; version 00 goes on."""
    trace = read(("traceparent", value))
    assert trace == Trace(TRACE, SPAN, 1, "")
    assert trace.parent == f"00-{TRACE}-{SPAN}-01"
    assert extract({"traceparent": value}) == {"traceID": TRACE, "spanID": SPAN}


def test_of_a_future_version_only_known_flags_are_taken() -> None:
    """Flags that version 00 does not define are not passed on."""
    trace = read(("traceparent", f"cc-{TRACE}-{SPAN}-ff"))
    assert trace is not None
    assert trace.flags == 1


@pytest.mark.parametrize("name", ["TraceParent", "TrAcEpArEnT", "TRACEPARENT"])
def test_the_case_of_the_name_does_not_matter(name: str) -> None:
    """`traceparent` is found whatever the case of its name."""
    assert read((name, PARENT)) is not None


@pytest.mark.parametrize("name", ["trace-parent", "trace.parent", "traceparent "])
def test_another_name_is_not_read(name: str) -> None:
    """A header of a similar name is no `traceparent`."""
    assert read((name, PARENT)) is None


def test_two_traceparents_are_none() -> None:
    """If there are two, neither is taken."""
    other = PARENT.replace("2-", "1-")
    assert read(("traceparent", PARENT), ("traceparent", other)) is None


def test_a_tracestate_alone_is_dropped() -> None:
    """Without a `traceparent` there is no trace."""
    assert read(("tracestate", "foo=1")) is None


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        pytest.param(["foo=1,bar=2"], "foo=1,bar=2", id="two members"),
        pytest.param([""], "", id="empty"),
        pytest.param(["foo=1", ""], "foo=1", id="an empty one behind"),
        pytest.param(["", "foo=1"], "foo=1", id="an empty one before"),
        pytest.param(
            ["foo=1,bar=2", "rojo=1,congo=2", "baz=3"],
            "foo=1,bar=2,rojo=1,congo=2,baz=3",
            id="several headers",
        ),
        pytest.param(
            ["foo=1 \t , \t bar=2, \t baz=3"], "foo=1,bar=2,baz=3", id="spaces"
        ),
        pytest.param(["\t foo=1 \t"], "foo=1", id="spaces around"),
        pytest.param([f"{'z' * 256}=1"], f"{'z' * 256}=1", id="the longest key"),
        pytest.param(
            [f"{'t' * 241}@{'v' * 14}=1"],
            f"{'t' * 241}@{'v' * 14}=1",
            id="with a vendor",
        ),
        pytest.param([f"foo={'v' * 256}"], f"foo={'v' * 256}", id="the longest value"),
        pytest.param(
            [f"bar{n}=1" for n in range(32)],
            ",".join(f"bar{n}=1" for n in range(32)),
            id="32 members",
        ),
    ],
)
def test_a_valid_tracestate_is_kept(values: list[str], kept: str) -> None:
    """Members of all headers are kept in their order, without the space around them."""
    assert state(*values) == kept


def test_all_characters_that_a_tracestate_may_have() -> None:
    """Every legal character of keys and values passes."""
    key = string.ascii_lowercase + string.digits + "_-*/"
    value = "".join(chr(c) for c in range(0x20, 0x7F) if chr(c) not in ",=")
    for member in (f"{key}={value}", f"{key}@a-z0-9_-*/={value}"):
        assert state(member) == member


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(["foo=1,foo=1"], id="a key twice"),
        pytest.param(["foo=1,foo=2"], id="a key twice with two values"),
        pytest.param(["foo=1", "foo=2"], id="a key twice in two headers"),
        pytest.param(["foo =1"], id="a space in the key"),
        pytest.param(["FOO=1"], id="capitals"),
        pytest.param(["foo.bar=1"], id="a dot in the key"),
        pytest.param(["foo@=1,bar=2"], id="no vendor behind @"),
        pytest.param(["@foo=1,bar=2"], id="no tenant before @"),
        pytest.param(["foo@@bar=1,bar=2"], id="two @"),
        pytest.param(["foo@bar@baz=1,bar=2"], id="two vendors"),
        pytest.param([f"{'z' * 257}=1"], id="a key too long"),
        pytest.param([f"{'t' * 242}@v=1"], id="a tenant too long"),
        pytest.param([f"t@{'v' * 15}=1"], id="a vendor too long"),
        pytest.param(["foo=bar=baz"], id="= in the value"),
        pytest.param(["foo=,bar=3"], id="no value"),
        pytest.param([f"foo={'v' * 257}"], id="a value too long"),
        pytest.param(["foo"], id="no ="),
        pytest.param([",".join(f"bar{n}=1" for n in range(33))], id="33 members"),
        pytest.param(["foo=ä"], id="not ASCII"),
    ],
)
def test_an_invalid_tracestate_is_dropped(values: list[str]) -> None:
    """A wrong member drops the whole state, while the trace goes on."""
    assert state(*values) == ""


@given(st.text())
def test_any_text_is_read_or_none(text: str) -> None:
    """No header makes reading raise; what is read can be written."""
    trace = Trace.read([text], [text])
    assert trace is None or Trace.read([trace.parent], [trace.state]) == trace


def test_a_call_has_a_span_id_of_its_own() -> None:
    """Two calls of a request share the trace; each has a span id of its own."""
    store = ReceivedStore({"requestID": "req-A"})
    store.receive({"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "foo=1"})
    sent: list[dict[str, str]] = []
    ctxlog.run(store, lambda: sent.extend([inject({}), inject({})]))
    read_back = [extract(headers) for headers in sent]
    assert [found["traceID"] for found in read_back] == [TRACE, TRACE]
    assert len({SPAN, *(str(found["spanID"]) for found in read_back)}) == 3
    assert [headers["tracestate"] for headers in sent] == ["foo=1", "foo=1"]
    assert all(headers["traceparent"].endswith("-01") for headers in sent)


def test_a_traceparent_of_the_caller_stays() -> None:
    """Headers that another library has set are left alone, state included."""
    store = ReceivedStore()
    store.receive({"traceparent": PARENT, "tracestate": "foo=1"})
    headers = {"Traceparent": "theirs"}
    ctxlog.run(store, inject, headers)
    assert headers == {"Traceparent": "theirs"}


def test_a_trace_id_that_was_bound_goes_along() -> None:
    """An application that only knows a trace id can bind it: it is carried on."""
    sent: dict[str, str] = {}
    ctxlog.run({"traceID": TRACE}, inject, sent)
    assert extract(sent)["traceID"] == TRACE


@pytest.mark.parametrize("wrong", ["", "0" * 32, TRACE.upper() + "A", 5, None, b"x"])
def test_what_is_no_trace_id_is_not_sent(wrong: object) -> None:
    """A bound `traceID` that is none makes no header."""
    assert trace_of(wrong) is None
    sent: dict[str, str] = {}
    ctxlog.run({"traceID": wrong}, inject, sent)
    assert sent == {}


def test_a_message_carries_the_trace() -> None:
    """A task has the trace of who sent it, and sends it on."""
    store = ReceivedStore()
    store.receive({"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "foo=1"})
    task = unpack(ctxlog.run(store, pack))
    assert task["traceID"] == TRACE
    assert task.trace is not None
    assert (task.trace.flags, task.trace.state) == (1, "foo=1")
    assert f"-{TRACE}-" in ctxlog.run(task, pack)


# OpenTelemetry ------------------------------------------------------------------

SPANS = """
import json, logging
import ctxlog
from ctxlog import carrier

ctxlog.configure(format="json")
log = logging.getLogger("shop")
log.info("before it is loaded")

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

log.info("outside")
trace.set_tracer_provider(TracerProvider())
tracer = trace.get_tracer("shop")
with tracer.start_as_current_span("outer") as outer:
    log.info("outer")
    with tracer.start_as_current_span("inner") as inner:
        log.info("inner")
    log.info("outer again")
    ctxlog.run({"requestID": "req-A", "traceID": "f" * 32}, log.info, "in a store")
    sent = carrier.inject({})
    message = carrier.pack()
log.info("outside again")
spans = [f"{one.get_span_context().span_id:016x}" for one in (outer, inner)]
print(json.dumps([f"{outer.get_span_context().trace_id:032x}", *spans, sent, message]))
"""


def test_lines_in_a_span_have_its_ids(tmp_path: Path) -> None:
    """Lines have the ids of the active span, whenever OpenTelemetry was loaded."""
    need("opentelemetry.sdk")
    *printed, last = run_python("-c", SPANS, cwd=tmp_path).stdout.splitlines()
    trace_id, outer, inner, sent, message = json.loads(last)
    found = {
        line["message"]: (line.get("traceID"), line.get("spanID"))
        for line in map(json.loads, printed)
    }
    assert found == {
        "before it is loaded": (None, None),
        "outside": (None, None),
        "outer": (trace_id, outer),
        "inner": (trace_id, inner),
        "outer again": (trace_id, outer),
        "in a store": (trace_id, outer),
        "outside again": (None, None),
    }
    assert sent["traceparent"].startswith(f"00-{trace_id}-{outer}-0")
    assert sent["traceparent"] in message


FOREIGN = """
import sys, types
import ctxlog
from ctxlog.carrier import spans

module = types.ModuleType("opentelemetry.trace")
sys.modules["opentelemetry.trace"] = module
spans.install()
print(ctxlog.fields(), spans.active_trace())

class Broken:
    def get_span_context(self):
        raise RuntimeError("no")

module.get_current_span = Broken
print(ctxlog.fields(), spans.active_trace())
spans.uninstall()
spans.watch()
spans.install()
print(ctxlog.run({"a": 1}, ctxlog.fields))
"""


def test_a_foreign_span_never_breaks_a_line(tmp_path: Path) -> None:
    """A half-loaded OpenTelemetry, and a span that raises, count as no span."""
    printed = run_python("-c", FOREIGN, cwd=tmp_path).stdout
    assert printed.splitlines() == ["{} None", "{} None", "{'a': 1}"]


EXPORTED = """
import json, logging, threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import ctxlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest, ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

received = []

class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                received.extend(scope.spans)
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass

server = HTTPServer(("127.0.0.1", 0), Receiver)
thread = threading.Thread(target=server.serve_forever, daemon=True)
thread.start()

ctxlog.configure(format="json")
log = logging.getLogger("shop")
exporter = OTLPSpanExporter(f"http://127.0.0.1:{server.server_port}/v1/traces")
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
tracer = provider.get_tracer("shop")
for name in ("one", "two"):
    with tracer.start_as_current_span(name):
        ctxlog.run({"requestID": name}, log.info, name)
        with tracer.start_as_current_span(name + " inner"):
            log.info(name + " inner")
provider.shutdown()
server.shutdown()
print(json.dumps([[s.name, s.trace_id.hex(), s.span_id.hex()] for s in received]))
"""


def test_lines_have_the_ids_of_the_exported_spans(tmp_path: Path) -> None:
    """The ids on the lines are those that the exporter sends to an OTLP receiver."""
    need("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http.trace_exporter")
    *printed, last = run_python("-c", EXPORTED, cwd=tmp_path).stdout.splitlines()
    lines = [json.loads(line) for line in printed if '"shop"' in line]
    stamped = [[line["message"], line["traceID"], line["spanID"]] for line in lines]
    assert sorted(stamped) == sorted(json.loads(last))
    assert len({trace_id for _, trace_id, _ in stamped}) == 2


# Other systems' headers ---------------------------------------------------------

HALF, OTHER = "80f198ee56343ba8", "e457b5a2e4d86bd1"


@pytest.mark.parametrize(
    ("headers", "trace_id", "span_id", "flags"),
    [
        pytest.param(
            {"X-Amzn-Trace-Id": "Root=1-12345678-901234567890123456789012"},
            *(TRACE, "", None),
            id="an ALB's, which has begun the trace",
        ),
        pytest.param(
            {
                "X-Amzn-Trace-Id": "Self=1-67891234-12456789abcdef0123456789;"
                f"Root=1-12345678-901234567890123456789012;Parent={SPAN};Sampled=1"
            },
            *(TRACE, SPAN, 1),
            id="AWS X-Ray's",
        ),
        pytest.param(
            {"X-Cloud-Trace-Context": f"{TRACE}/81985529216486895;o=1"},
            *(TRACE, "0123456789abcdef", 1),
            id="Google Cloud's",
        ),
        pytest.param(
            {"X-Cloud-Trace-Context": TRACE},
            *(TRACE, "", None),
            id="Google Cloud's without a span",
        ),
        pytest.param(
            {"b3": f"{TRACE}-{SPAN}-1-{OTHER}"}, *(TRACE, SPAN, 1), id="B3, sampled"
        ),
        pytest.param(
            {"b3": f"{HALF}-{SPAN}-d"}, *("0" * 16 + HALF, SPAN, 1), id="B3, 64 bits"
        ),
        pytest.param(
            {"b3": f"{TRACE}-{SPAN}"}, *(TRACE, SPAN, None), id="B3, undecided"
        ),
        pytest.param(
            {"X-B3-TraceId": TRACE, "X-B3-SpanId": SPAN, "X-B3-Sampled": "1"},
            *(TRACE, SPAN, 1),
            id="B3 in several headers",
        ),
        pytest.param(
            {"X-B3-TraceId": HALF.upper(), "X-B3-SpanId": SPAN, "X-B3-Flags": "1"},
            *("0" * 16 + HALF, SPAN, 1),
            id="B3 in several headers, debug",
        ),
        pytest.param(
            {
                "x-datadog-trace-id": str(int(HALF, 16)),
                "x-datadog-parent-id": str(int(OTHER, 16)),
                "x-datadog-sampling-priority": "1",
                "x-datadog-tags": f"_dd.p.dm=-1,_dd.p.tid={SPAN}",
            },
            *(SPAN + HALF, OTHER, 1),
            id="Datadog's of 128 bits",
        ),
        pytest.param(
            {"x-datadog-trace-id": "1", "x-datadog-parent-id": "2"},
            *("1".zfill(32), "2".zfill(16), None),
            id="Datadog's of 64 bits",
        ),
        pytest.param(
            {
                "b3": f"{TRACE}-{SPAN}",
                "X-Amzn-Trace-Id": f"Root=1-{'1' * 8}-{'1' * 24}",
            },
            *(TRACE, SPAN, None),
            id="the application's before the balancer's",
        ),
    ],
)
def test_headers_of_other_systems_are_read(
    headers: dict[str, str], trace_id: str, span_id: str, flags: int | None
) -> None:
    """Where there is no `traceparent`, they give the same ids as a W3C header."""
    decided = flags is not None
    assert read(*headers.items()) == Trace(trace_id, span_id, flags or 0, "", decided)
    found = {"traceID": trace_id, "spanID": span_id}
    assert extract(headers) == {name: text for name, text in found.items() if text}


@pytest.mark.parametrize(
    ("headers", "sampled"),
    [
        ({"traceparent": f"00-{TRACE}-{SPAN}-00"}, False),
        ({"traceparent": f"00-{TRACE}-{SPAN}-01"}, True),
        ({"b3": f"{TRACE}-{SPAN}-0"}, False),
        ({"b3": f"{TRACE}-{SPAN}"}, None),
        ({"X-B3-TraceId": TRACE, "X-B3-Sampled": "false"}, False),
        ({"X-B3-TraceId": TRACE, "X-B3-Sampled": "0", "X-B3-Flags": "1"}, True),
        ({"X-B3-TraceId": TRACE}, None),
        ({"x-datadog-trace-id": "1", "x-datadog-sampling-priority": "-1"}, False),
        ({"x-datadog-trace-id": "1", "x-datadog-sampling-priority": "2"}, True),
        ({"x-datadog-trace-id": "1", "x-datadog-sampling-priority": "7"}, None),
        ({"X-Amzn-Trace-Id": f"Root=1-{TRACE[:8]}-{TRACE[8:]};Sampled=0"}, False),
        ({"X-Amzn-Trace-Id": f"Root=1-{TRACE[:8]}-{TRACE[8:]};Sampled=?"}, None),
        ({"X-Cloud-Trace-Context": f"{TRACE}/1;o=0"}, False),
        ({"X-Cloud-Trace-Context": f"{TRACE}/1;o=3"}, True),
        ({"X-Cloud-Trace-Context": f"{TRACE}/1"}, None),
    ],
)
def test_a_header_may_leave_open_whether_the_trace_is_recorded(
    headers: dict[str, str], sampled: bool | None
) -> None:
    """A load balancer that has begun the trace has decided nothing."""
    trace = read(*headers.items())
    assert trace is not None
    assert trace.sampled is sampled
    assert trace.child().sampled is sampled


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Amzn-Trace-Id", ""),
        ("X-Amzn-Trace-Id", "Root=1-00000000-000000000000000000000000"),
        ("X-Amzn-Trace-Id", f"Root={TRACE}"),
        ("X-Cloud-Trace-Context", "0" * 32 + "/1;o=1"),
        ("X-Cloud-Trace-Context", f"{TRACE[1:]}/1"),
        ("b3", "0"),
        ("b3", f"{TRACE}-{SPAN}-2"),
        ("b3", f"{TRACE}-{SPAN}\n-1"),
        ("X-B3-TraceId", "0" * 16),
        ("X-B3-TraceId", f"{TRACE}0"),
        ("x-datadog-trace-id", "0"),
        ("x-datadog-trace-id", str(1 << 64)),
        ("x-datadog-trace-id", "-1"),
        ("x-datadog-trace-id", "١"),
    ],
)
def test_an_invalid_header_of_another_system_is_none(name: str, value: str) -> None:
    """It gives no trace, as an invalid `traceparent` does."""
    assert extract({name: value}) == {}


def test_a_traceparent_excludes_the_others() -> None:
    """Where there is one, valid or not, the headers of other systems are not read."""
    other = ("b3", f"{'1' * 32}-{'1' * 16}")
    assert read(other, ("traceparent", PARENT)) == Trace(TRACE, SPAN)
    assert read(other, ("traceparent", "00-1-2-3")) is None


def test_a_repeated_header_of_another_system_is_none() -> None:
    """If there are two, neither is taken."""
    assert read(("b3", f"{TRACE}-{SPAN}"), ("b3", f"{TRACE}-{OTHER}")) is None


_PIECES = st.sampled_from(
    [TRACE, SPAN, "-", ";", "/", "Root=1-", "o=1", "0", "Parent="]
)
_VALUES = st.text(max_size=80) | st.lists(_PIECES, max_size=8).map("".join)


@given(st.dictionaries(st.sampled_from(TRACE_HEADERS), st.lists(_VALUES, max_size=2)))
def test_no_header_gives_an_invalid_id(headers: dict[str, list[str]]) -> None:
    """Whatever the headers are, nothing is raised, and an id is valid or not there."""
    pairs = [(name, value) for name, values in headers.items() for value in values]
    found = extract(pairs)
    assert re.fullmatch(r"(?!0{32})[0-9a-f]{32}", str(found.get("traceID", TRACE)))
    assert re.fullmatch(r"(?!0{16})[0-9a-f]{16}", str(found.get("spanID", SPAN)))


def test_only_traceparent_is_sent() -> None:
    """A trace of another system's goes on as `traceparent`, with a span of its own."""
    store = ReceivedStore()
    store.receive({"X-Amzn-Trace-Id": "Root=1-12345678-901234567890123456789012"})
    headers: dict[str, str] = ctxlog.run(store, inject, {})
    assert set(headers) == {"traceparent"}
    assert re.fullmatch(rf"00-{TRACE}-[0-9a-f]{{16}}-00", headers["traceparent"])


# The span of a request -----------------------------------------------------------

SEEN = """
import json
import ctxlog
from ctxlog.carrier import spans as ctxlog_trace
from ctxlog.carrier import ReceivedStore
from opentelemetry import context, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags

ctxlog_trace.install()
tracer = TracerProvider().get_tracer("tests")
found = []

def ids(span):
    at = span.get_span_context()
    return {"traceID": f"{at.trace_id:032x}", "spanID": f"{at.span_id:016x}"}

def within(store, *kinds):
    # What the store has after spans of these kinds, one within the other; and theirs.
    spans = []

    def enter(kinds):
        if kinds:
            with tracer.start_as_current_span("s", kind=SpanKind[kinds[0]]) as span:
                spans.append(span)
                enter(kinds[1:])

    ctxlog.run(store, enter, kinds)
    return {**store}, [ids(span) for span in spans]
"""


def seen(tmp_path: Path, program: str) -> None:
    """Run a program after `SEEN`."""
    need("opentelemetry.sdk")
    run_python("-c", SEEN + program, cwd=tmp_path)


def test_a_request_has_its_servers_span(tmp_path: Path) -> None:
    """It is kept when it begins, whatever is current before and after it."""
    seen(
        tmp_path,
        """
for kinds in (["SERVER"], ["SERVER", "INTERNAL"], ["INTERNAL", "SERVER", "CLIENT"]):
    fields, spans = within(ReceivedStore(), *kinds)
    assert fields == spans[kinds.index("SERVER")], kinds
fields, spans = within(ReceivedStore(), "CONSUMER", "SERVER")
assert fields == spans[0]
""",
    )


def test_a_request_without_a_server_span_has_the_first_one(tmp_path: Path) -> None:
    """The application's own, but not that of a call that the request makes."""
    seen(
        tmp_path,
        """
fields, spans = within(ReceivedStore(), "INTERNAL", "INTERNAL")
assert fields == spans[0]
assert within(ReceivedStore(), "CLIENT")[0] == {}
fields, spans = within(ReceivedStore(), "PRODUCER", "INTERNAL")
assert fields == spans[1]
""",
    )


def test_a_span_of_another_trace_is_not_the_requests(tmp_path: Path) -> None:
    """A request that came with a trace keeps it, unless the server has another."""
    seen(
        tmp_path,
        """
came = {"traceID": "1" * 32, "spanID": "2" * 16}
assert within(ReceivedStore(came), "INTERNAL")[0] == came
fields, spans = within(ReceivedStore(came), "SERVER")
assert fields == spans[0]
""",
    )


def test_what_is_no_span_of_the_request_is_not_kept(tmp_path: Path) -> None:
    """A remote caller's, one that has ended, and any within a store of one's own."""
    seen(
        tmp_path,
        """
remote = NonRecordingSpan(SpanContext(1, 2, True, TraceFlags(1)))
store = ReceivedStore()
ctxlog.run(store, context.attach, trace.set_span_in_context(remote))
assert {**store} == {}
ended = tracer.start_span("ended", kind=SpanKind.SERVER)
ended.end()
ctxlog.run(store, context.attach, trace.set_span_in_context(ended))
assert {**store} == {}
assert within(ctxlog.Store(), "SERVER")[0] == {}
store.close()
assert within(store, "SERVER")[0] == {}
""",
    )


def test_attach_is_given_back(tmp_path: Path) -> None:
    """`uninstall()` leaves OpenTelemetry as it was, and nothing is kept any more."""
    seen(
        tmp_path,
        """
ctxlog_trace.uninstall()
assert context.attach.__module__ == "opentelemetry.context"
assert not hasattr(context.attach, "__wrapped__")
assert within(ReceivedStore(), "SERVER")[0] == {}
""",
    )
