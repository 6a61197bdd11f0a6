"""
Formats of other systems: what their documented lines say, and that they are grouped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlog.__main__ import main
from ctxlog.viewer.recognize.formats import FORMATS, Format
from ctxlog.viewer.recognize.in_bytes import failing, id_key
from ctxlog.viewer.recognize.keys import WORDS, Names
from ctxlog.viewer.recognize.record import Record
from ctxlog.viewer.recognize.times import duration, seconds
from tests.helpers import ROOT

_TIME = 1769860800.123


@dataclass(frozen=True)
class Said:
    """What a sample says: the same in all of them, as far as a format can say it."""

    request: str | None = "7f3a91c2"
    time: float = _TIME
    level: int = 40
    message: str = "payment refused"
    took: float | None = None
    status: int | None = None
    method: str | None = None
    path: str | None = None
    user: str | None = None


_LOGGED = Said()
#: What an access log says of one request.
_ASKED = Said(
    level=0,
    message="POST /orders 503",
    took=0.041,
    status=503,
    method="POST",
    path="/orders",
)
_TRACE = "projects/shop/traces/7f3a91c2"
_SAID = {
    "Spring Boot, ECS": replace(_LOGGED, time=1769860800.123456789),
    ".NET, JsonConsole": replace(_LOGGED, path="/orders"),
    "Serilog, compact": replace(_LOGGED, message="payment of o-7 refused"),
    "Serilog, JSON": replace(_LOGGED, message="payment of o-7 refused"),
    "Serilog, compact and rendered": replace(
        _ASKED,
        level=20,
        message='HTTP "POST" "/orders" responded 503 in 41.0 ms',
    ),
    "lograge": replace(_ASKED, message="[503] POST /orders (OrdersController#create)"),
    "Rails 8.1, events": replace(_LOGGED, level=0, message="payment.refused"),
    "semantic_logger": replace(_ASKED, level=40, message="Completed #create"),
    "Monolog, information": replace(_LOGGED, level=20, message="order received"),
    "Laravel": replace(_LOGGED, time=1769860800.123456, user="alice"),
    "winston, npm levels": replace(_LOGGED, level=5, message="order received"),
    "pino-http": replace(_ASKED, level=40, message="request errored"),
    "zap": replace(_LOGGED, took=0.041),
    "zerolog": replace(_LOGGED, took=0.041),
    "logrus": replace(_LOGGED, took=0.041),
    "slog": replace(_LOGGED, took=0.041),
    "klog": replace(_LOGGED, time=1769860800.1234),
    "klog, information": replace(
        _LOGGED, time=1769860800.1234, level=20, message="order received"
    ),
    "tracing": replace(_LOGGED, time=1769860800.123456),
    "AWS Lambda, Python": replace(_LOGGED, time=1769860800.0),
    "AWS Lambda, platform": replace(
        _LOGGED, level=20, message="platform.report", took=0.041
    ),
    "Azure Monitor, requests": replace(
        _ASKED,
        message="POST /orders",
        method=None,
        path="https://shop/orders",
    ),
    "CloudFront": replace(_ASKED, time=1769860800.0),
    "Google Cloud, audit": replace(
        _LOGGED, request=None, message="storage.objects.create", user="alice"
    ),
    "Cloudflare Workers": replace(
        _ASKED, level=40, message="payment refused", took=None
    ),
    "Logback, requests": replace(
        _ASKED,
        message="10.0.0.9 - - [2026-01-31T12:00:00.123Z] "
        '"POST /orders HTTP/1.1" 503 12',
    ),
    "slog-http": replace(_ASKED, level=40, message="503: Service Unavailable"),
    "httplog": replace(_ASKED, level=40, message="Response: 503 Server Error"),
    "CloudWatch, Insights": replace(_LOGGED, level=0),
    "Google Cloud, textPayload": replace(_LOGGED, request=_TRACE),
    "Google Cloud, httpRequest": replace(_ASKED, request=_TRACE, level=40),
    "Datadog": replace(_ASKED, level=40, message="payment refused"),
    "Heroku, router": replace(_ASKED, level=40, message="payment refused"),
    "nginx": replace(_ASKED, time=1769860800.0, user="alice"),
    "nginx, msec": _ASKED,
    "Envoy": _ASKED,
    "Istio": _ASKED,
    "Traefik": replace(_ASKED, level=20, user="alice"),
    "Caddy": replace(_ASKED, level=40, message="handled request", user="alice"),
    "HAProxy": _ASKED,
    "HAProxy, names of its manual": _ASKED,
    "Kong": _ASKED,
    "Amazon API Gateway": replace(_ASKED, time=1769860800.0),
    "AWS CloudTrail": replace(
        _LOGGED, time=1769860800.0, level=0, message="PutObject", user="alice"
    ),
    "Cloudflare": replace(_ASKED, took=None),
    "Kubernetes audit": replace(
        _ASKED,
        message="create /api/v1/namespaces/shop/pods 503",
        took=None,
        method="create",
        path="/api/v1/namespaces/shop/pods",
        user="alice",
    ),
    "MinIO, audit": replace(_ASKED, message="PutObject", method=None),
    "Vault, audit": replace(
        _LOGGED, level=0, message="permission denied", method="read", path="secret/shop"
    ),
    "Nextcloud": replace(
        _LOGGED, time=1769860800.0, method="POST", path="/orders", user="alice"
    ),
    "Fastly": replace(_ASKED, time=1769860800.0),
    "Dropwizard, requests": _ASKED,
    "Sidekiq": replace(_LOGGED, took=0.041),
    "MongoDB": replace(_LOGGED, request=None, message="Slow query", took=0.041),
    "PostgreSQL": replace(_LOGGED, request=None, user="alice"),
    "Contour": _ASKED,
    "APISIX": _ASKED,
    "Akamai": replace(_ASKED, took=None),
    "nginx, Logstash's names": _ASKED,
    "Tomcat, requests": replace(_ASKED, time=1769860800.0, user="alice"),
    "SAP, Cloud Foundry": replace(_ASKED, level=20),
    "django-structlog": replace(
        _ASKED, level=40, message="request_finished", took=None, user="alice"
    ),
    "Ory": replace(_ASKED, level=40, message="completed handling request"),
    "Echo": _ASKED,
    "Linkerd, requests": _ASKED,
    "go-kit": replace(_LOGGED, took=0.041),
    "gRPC middleware, Gitaly": replace(_LOGGED, took=0.041),
    "Kubernetes, requests": replace(
        _ASKED, time=1769860800.1234, level=20, message="HTTP"
    ),
    "Kubernetes, events": replace(_LOGGED, request=None, time=1769860800.0, level=30),
    "Kubernetes, list of audit events": replace(
        _ASKED,
        message="create /orders 503",
        took=None,
        method="create",
        user="alice",
    ),
    "CockroachDB, events": replace(_LOGGED, level=20, message="query_execute"),
    "CloudNativePG": replace(_LOGGED, request=None),
    "MySQL": replace(_LOGGED, request=None),
    "MongoDB, audit": replace(_LOGGED, request=None, level=0, message="authenticate"),
    "Consul, Nomad (audit)": replace(_ASKED, took=None),
    "Hasura": replace(_ASKED, level=40, took=None),
    "AWS CloudTrail, file": replace(
        _LOGGED, time=1769860800.0, level=0, message="PutObject", user="alice"
    ),
    "AWS Step Functions": replace(_LOGGED, level=0, message="ExecutionFailed"),
    "Azure Front Door": _ASKED,
}

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Run the command line in this process: exit code and output."""

    def run(*words: object) -> tuple[int, str]:
        code = main([str(word) for word in words])
        return code, capfdbinary.readouterr().out.decode()

    return run


_each = pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)


def test_every_row_is_expected_once() -> None:
    """Names are unique, and nothing is expected of a format that is not there."""
    names = [form.name for form in FORMATS]
    assert len(names) == len(set(names))
    assert set(_SAID) <= set(names)


@_each
def test_what_a_sample_says(form: Format) -> None:
    """Time, level, message, id, duration, status, path, method and user are found."""
    [record] = Record.read(form.sample.encode(), Names())
    said = _SAID.get(form.name, _LOGGED)
    found = {name: getattr(record, name) for name in said.__dataclass_fields__}
    assert found == pytest.approx(said.__dict__, abs=1e-6)


@pytest.mark.parametrize(
    "form",
    [form for form in FORMATS if _SAID.get(form.name, _LOGGED).request is not None],
    ids=lambda form: form.name,
)
def test_a_sample_is_shown(run: Run, tmp_path: Path, form: Format) -> None:
    """Lines of a format are grouped by the id that it has, with no option."""
    said = _SAID.get(form.name, _LOGGED)
    assert said.request is not None
    other = form.sample.replace("7f3a91c2", "b0b0")
    file = tmp_path / "a.log"
    file.write_text(f"{form.sample}\n{other}\n{form.sample}\n")
    code, out = run("show", file, "-r", said.request)
    header, *shown = out.splitlines()
    assert code == 0
    assert header.startswith(f"{said.request} ")
    assert "  2 lines" in header
    assert sum(said.message in text for text in shown) == 2
    failed = said.level >= 40 or (said.status or 0) >= 500
    code, out = run("show", file, "--errors")
    assert out.count(" 2 lines") == failed
    assert out.count(" 1 line ") == failed


@_each
def test_what_is_looked_for_in_bytes(form: Format) -> None:
    """A pattern is on each line that fails, and a key's end before each id."""
    text = form.sample.encode()
    [record] = Record.read(text, Names())
    if record.failed:
        assert any(re.search(pattern, text) for pattern in failing())
    if record.request is not None and form.name not in _KEYS_OF_THEIR_OWN:
        found = re.findall(id_key([]) + rb'\[?\\?"?([^"\\\s]*)', text)
        assert record.request.encode() in found


#: Of these the key of an id, in OpenTelemetry's, is a value.
_KEYS_OF_THEIR_OWN = ("OpenTelemetry, file exporter",)


def _spelled(name: str) -> st.SearchStrategy[str]:
    """Strategy for the spellings of a name."""
    words = name.replace(".", "_").replace("-", "_").split("_")
    cases = st.sampled_from([str.lower, str.upper, str.capitalize])
    return st.tuples(
        st.sampled_from(["", "_", "-", ".", "@", " "]), st.lists(cases, min_size=9)
    ).map(
        lambda how: how[0].join(
            case(word) for word, case in zip(words, how[1], strict=False)
        )
    )


_NAMES_OF_IDS = st.sampled_from([name for name in WORDS["id"] if "google" not in name])
_CONTEXTS = st.sampled_from(
    "mdc contextMap named_tags Properties record jsonPayload dd extra context "
    "fields labels attributes metadata request.headers payload customDimensions".split()
)


@given(_NAMES_OF_IDS.flatmap(_spelled), st.none() | _CONTEXTS, st.booleans())
def test_ids_are_found_in_any_spelling(
    key: str, context: str | None, is_list: bool
) -> None:
    """Case and separators of a name do not matter, at the top or in a context."""
    members: dict[str, Any] = {key: ["7f3a"] if is_list else "7f3a"}
    for name in reversed(context.split(".") if context else []):
        members = {name: members}
    for one in (members, {"level": "info", "message": "m", **members}):
        [record] = Record.read(json.dumps(one).encode(), Names())
        assert record.request == "7f3a"


@pytest.mark.parametrize(
    ("members", "stack"),
    [
        (
            {"stackTrace": ['  File "a.py"\n', "ValueError\n"]},
            '  File "a.py"\nValueError',
        ),
        (
            {
                "thrown": {
                    "extendedStackTrace": [{"class": "A", "method": "b", "line": 7}]
                }
            },
            "\tat A.b(Unknown Source:7)",
        ),
        (
            {"throwable": {"stepArray": [{"className": "A", "methodName": "b"}] * 2}},
            "\tat A.b(Unknown Source)\n\tat A.b(Unknown Source)",
        ),
        (
            {"context": {"exception": {"trace": ["/a.php:7", "/b.php:9"]}}},
            "/a.php:7\n/b.php:9",
        ),
        (
            {
                "exceptions": [
                    {"ClassName": "E", "Message": "no", "StackTraceString": "at A"}
                ]
            },
            "E: no\nat A",
        ),
        (
            {"error": {"stack": [{"method": "f", "filePathWithLine": "a.ts:7"}]}},
            "    at f (a.ts:7)",
        ),
        ({"stackTrace": ["one line"]}, ""),
        ({"exceptions": [{"a": 1}]}, ""),
    ],
    ids=[
        "Lambda",
        "Log4j2",
        "Logback",
        "Monolog",
        "Serilog",
        "tslog",
        "a line",
        "others",
    ],
)
def test_tracebacks_in_lists(members: dict[str, Any], stack: str) -> None:
    """A list of a traceback's lines, or of its calls, is shown as a traceback."""
    [record] = Record.read(json.dumps({"msg": "m", **members}).encode(), Names())
    assert record.stack == stack


@pytest.mark.parametrize(
    ("members", "level"),
    [
        ({"type": "platform.report", "record": {"status": "timeout"}, "time": 1}, 40),
        ({"type": "platform.report", "record": {"status": "success"}, "time": 1}, 20),
        ({"Outcome": "exceededCpu", "EventTimestampMs": 1}, 40),
        ({"Outcome": "ok", "EventTimestampMs": 1}, 20),
        ({"level": "\x1b[31merror\x1b[39m"}, 40),
    ],
    ids=str,
)
def test_levels_of_one_format(members: dict[str, Any], level: int) -> None:
    """How a function ended is a level, and colors are no part of a word."""
    text = json.dumps(members).encode()
    [record] = Record.read(text, Names())
    assert record.level == level
    if level == 40 and "level" not in members:
        assert any(re.search(pattern, text) for pattern in failing())


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"message": {"order": 7, "name": "Zoë"}}, '{"order": 7, "name": "Zoë"}'),
        ({"message": {"message": "m", "order": 7}}, "m"),
        ({"message": {}}, ""),
        ({"error": {"name": "Error", "message": "card expired"}}, "card expired"),
        (
            {"@t": 1, "@mt": "{A} in {B:0.0}, {B:0.00}", "@r": ["1.5", "1.50"], "A": 7},
            "7 in 1.5, 1.50",
        ),
    ],
    ids=["an object", "a message within", "nothing", "an error", "rendered"],
)
def test_messages_that_are_put_together(members: dict[str, Any], message: str) -> None:
    """A message may be an object, and a template have renderings of its values."""
    [record] = Record.read(json.dumps(members).encode(), Names())
    assert record.message == message


_ROWS = {
    "results": [
        [
            {"field": "@timestamp", "value": "2026-01-31 12:00:00.123"},
            {"field": "@message", "value": '{"level":"ERROR","request_id":"r"}'},
            {"field": "@ptr", "value": "a"},
        ]
    ]
    * 2
}
_TABLES = {
    "tables": [
        {
            "columns": [{"name": "timestamp"}, {"name": "operation_Id"}]
            + [{"name": "severityLevel"}, {"name": "message"}],
            "rows": [["2026-01-31T12:00:00.123Z", "r", 3, None]] * 2,
        }
    ]
}


@pytest.mark.parametrize("answer", [_ROWS, _TABLES], ids=["Insights", "Azure"])
def test_answers_of_queries(answer: dict[str, Any]) -> None:
    """Each row of an answer of CloudWatch's Insights, and of Azure's, is a line."""
    text = json.dumps(answer).encode()
    records = Record.read(text, Names())
    said = [(record.request, record.time, record.level) for record in records]
    assert said == [("r", pytest.approx(_TIME), 40)] * 2
    assert any(re.search(pattern, text) for pattern in failing())


@pytest.mark.parametrize("answer", [{"results": [1, "x"]}, {"tables": [{"rows": 1}]}])
def test_what_is_no_answer(answer: dict[str, Any]) -> None:
    """A line that only has a member of that name is one line."""
    [record] = Record.read(json.dumps({"msg": "m", **answer}).encode(), Names())
    assert record.message == "m"


def test_a_batch_of_several_services() -> None:
    """Records of OpenTelemetry's have the service, and the members of their body."""
    body = {"values": [{"key": "message", "value": {"stringValue": "m"}}]}
    text = json.dumps(
        {
            "resourceLogs": [
                {
                    "resource": {"attributes": [_named("service.name", name)]},
                    "scopeLogs": [{"logRecords": [{"body": {"kvlistValue": body}}]}],
                }
                for name in ("shop", "mail")
            ]
        }
    )
    records = Record.read(text.encode(), Names())
    said = [(record.says("service"), record.message) for record in records]
    assert said == [("shop", "m"), ("mail", "m")]


def _named(key: str, text: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": text}}


def test_the_method_of_a_class_is_none() -> None:
    """A method in small letters is one of a request only beside a path."""
    [record] = Record.read(b'{"method":"place","msg":"m"}', Names())
    assert record.method is None
    [record] = Record.read(b'{"method":"get","path":"/a","msg":"m"}', Names())
    assert record.method == "get"


@given(st.permutations([("request_id", "r"), ("trace_id", "t"), ("auditID", "a")]))
def test_the_request_comes_before_its_trace(members: list[tuple[str, str]]) -> None:
    """Whatever their order is, and where they stand."""
    nested = {"mdc": dict(members[:1]), **dict(members[1:])}
    for one in (dict(members), nested):
        [record] = Record.read(json.dumps(one).encode(), Names())
        assert record.request == "r"


@pytest.mark.parametrize(
    "members",
    [
        {"user_request_count": 3},
        {"id": "x"},
        {"request": "x"},
        {"trace": "x"},
        {"request_id": "N/A"},
        {"request_id": ""},
        {"request_id": "-"},
        {"dd": {"trace_id": "0"}},
        {"trace_id": "00000000000000000000000000000000"},
        {"request_id": True},
        {"request_id": {"a": 1}},
        {"CorrelationKey": "x"},
        {"user": {"request_id": "x"}},
    ],
    ids=json.dumps,
)
def test_what_is_no_id(members: dict[str, Any]) -> None:
    """A name or a value that only looks like an id is none."""
    [record] = Record.read(json.dumps(members).encode(), Names())
    assert record.request is None


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T12:00:00.123Z",
        "2026-01-31T12:00:00,123Z",
        "2026-01-31T12:00:00.123000000Z",
        "2026-01-31T13:00:00.123+0100",
        "2026-01-31T13:00:00.123+01:00",
        "2026-01-31T13:00:00.123+01",
        "2026-01-31 12:00:00.123",
        "2026-01-31 12:00:00.123 UTC",
        "2026-01-31 13:00:00.123 CET",
        "2026-01-31T12:00:00.123Z[UTC]",
        "2026-01-31T07:00:00.123-05:00[America/New_York]",
        "2026/01/31 12:00:00.123",
        "2026-01-31 12:00:00.123 +0000 UTC m=+0.1",
        "2026-01-31 13:00:00.123 +0100 CET",
        "20260131T120000.123Z",
        "31/Jan/2026:12:00:00.123 +0000",
        "[31/Jan/2026:13:00:00.123 +0100]",
        "1769860800.123",
        "1769860800123",
        "1769860800123000",
        "1769860800123000000",
        1769860800.123,
        1769860800123,
        1769860800123.0,
        1769860800123000,
        1769860800123000000,
        {"$date": "2026-01-31T12:00:00.123Z"},
        {"$date": {"$numberLong": "1769860800123"}},
        {"epochSecond": 1769860800, "nanoOfSecond": 123000000},
        {"seconds": "1769860800", "nanos": 123000000},
    ],
    ids=str,
)
def test_times(text: object) -> None:
    """A time is the same however it is written."""
    assert seconds(text) == pytest.approx(_TIME, abs=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30T12:00:00Z",
        "12:00:00",
        "2026-01-31",
        "12",
        12,
        -1,
        True,
        float("nan"),
        float("inf"),
        "1" * 400,
        "31/Foo/2026:12:00:00 +0000",
        "2026-01-31 12:00:00 PM",
        {"$date": {"$numberLong": {"$date": 1}}},
        {"epochSecond": "x"},
        {},
        [],
        None,
    ],
    ids=lambda text: str(text)[:40],
)
def test_what_is_no_time(text: object) -> None:
    """What has no date, or none that exists, is not guessed."""
    assert seconds(text) is None


@given(st.text() | st.from_regex(r"[\dT:/ .,+A-Za-z-]{0,40}", fullmatch=True))
def test_no_text_raises_as_a_time_or_a_duration(text: str) -> None:
    """Any text is read as a time and as a duration, or as none."""
    assert isinstance(seconds(text), float | int | None)
    assert isinstance(duration(text), float | None)


@pytest.mark.parametrize(
    ("members", "taken"),
    [
        ({"duration_ms": 41}, 0.041),
        ({"durationMs": 41.0}, 0.041),
        ({"duration_us": 41000}, 0.041),
        ({"durationNs": 41000000}, 0.041),
        ({"duration_seconds": 0.041}, 0.041),
        ({"duration_s": 0.041}, 0.041),
        ({"http_request_duration_ms": 41}, 0.041),
        ({"ElapsedMilliseconds": 41}, 0.041),
        ({"latencyMs": "41"}, 0.041),
        ({"duration": "41ms"}, 0.041),
        ({"latency": "41.0 ms"}, 0.041),
        ({"took": "41000µs"}, 0.041),
        ({"elapsed": "0.041s"}, 0.041),
        ({"dur": "1m2.5s"}, 62.5),
        ({"duration": "PT0.5S"}, 0.5),
        ({"Elapsed": "00:00:01.5000000"}, 1.5),
        ({"request_time": "0.041"}, 0.041),
        ({"responseTime": 41}, 0.041),
        ({"event": {"duration": 41000000}}, 0.041),
        ({"duration_μs": 41000}, 0.041),
        ({"latency": {"seconds": "1", "nanos": 500000000}}, 1.5),
        ({"duration": 41}, None),
        ({"duration": "long"}, None),
        ({"durations": 41}, None),
        ({"duration_ms": -1}, None),
        ({"duration_ms": True}, None),
    ],
    ids=str,
)
def test_durations(members: dict[str, Any], taken: float | None) -> None:
    """The unit is that of the name or of the value; without any it is not guessed."""
    [record] = Record.read(json.dumps(members).encode(), Names())
    assert record.took == (None if taken is None else pytest.approx(taken))


@pytest.mark.parametrize(
    ("members", "level"),
    [
        ({"lvl": "eror"}, 40),
        ({"level": "W"}, 30),
        ({"s": "D2", "t": 1, "c": "X", "msg": "m"}, 10),
        ({"level": "Fatal"}, 50),
        ({"severity": "SEVERE"}, 40),
        ({"level": "fine"}, 10),
        ({"PRIORITY": "3"}, 40),
        ({"priority": 6}, 20),
        ({"severity_text": "Warn"}, 30),
        ({"severityNumber": 17}, 40),
        ({"level": 200, "level_name": "INFO"}, 20),
        ({"level": 550}, 50),
        ({"level": 30}, 20),
        ({"levelno": 30}, 30),
        ({"level": "emerg"}, 50),
        ({"level": "AUDIT"}, 0),
        ({"level": 2}, 0),
        ({"status": "fail"}, 0),
        ({"status": 500}, 0),
        ({"status": "error"}, 40),
        ({"level": None}, 0),
        ({"level": []}, 0),
        ({"level": True}, 0),
    ],
    ids=str,
)
def test_levels(members: dict[str, Any], level: int) -> None:
    """Words and numbers of all scales are on that of logging; others are 0."""
    [record] = Record.read(json.dumps(members).encode(), Names())
    assert record.level == level


@pytest.mark.parametrize(
    "members",
    [
        {"contextMap": [{"key": "requestId", "value": "r1"}], "message": "m"},
        {"Attributes": [{"Key": "request_id", "Value": {"Type": "S", "Value": "r1"}}]}
        | {"Body": {"Type": "S", "Value": "m"}},
        {"timeUnixNano": "1769860800123000000", "body": {"stringValue": "m"}}
        | {"attributes": [{"key": "request.id", "value": {"stringValue": "r1"}}]},
        {"message": "m", "logging.googleapis.com/labels": {"request_id": "r1"}},
        {"log": "level=info msg=m request_id=r1\n", "stream": "stdout"},
        {"MESSAGE": list(b'{"msg":"m","request_id":"r1"}')}
        | {"__REALTIME_TIMESTAMP": "1769860800123000"},
    ],
    ids=json.dumps,
)
def test_ids_in_unusual_places(members: dict[str, Any]) -> None:
    """Lists of names and values, wrapped text and bytes are read, too."""
    [record] = Record.read(json.dumps(members).encode(), Names())
    assert (record.request, record.message) == ("r1", "m")


def test_a_date_beside_a_time() -> None:
    """A day and a clock in two fields are one time."""
    text = b'{"date":"2026-01-31","time":"12:00:00.123","msg":"m"}'
    [record] = Record.read(text, Names())
    assert record.time == _TIME


@pytest.mark.parametrize(("name", "taken"), [("elapsedMs", 0.041), ("rows", None)])
def test_elapsed_time_of_another_logger(name: str, taken: float | None) -> None:
    """Where no logger of ctxlog's speaks, `elapsedMs` is how long something took."""
    [record] = Record.read(json.dumps({"msg": "m", name: 41}).encode(), Names())
    assert record.took == taken


@pytest.mark.parametrize(
    ("members", "status"),
    [
        ({"DownstreamStatus": 503}, 503),
        ({"responseStatus": {"code": 503}}, 503),
        ({"http_status": "503"}, 503),
        ({"response": {"status": 503}}, 503),
        ({"sc-status": 503}, 503),
        ({"status": "ready"}, None),
        ({"status": 7}, None),
        ({"status": True}, None),
        ({"error": {"status": 503}}, None),
    ],
    ids=str,
)
def test_statuses(members: dict[str, Any], status: int | None) -> None:
    """A status is a number that HTTP has, under the name of one."""
    [record] = Record.read(json.dumps(members).encode(), Names())
    assert record.status == status


def test_what_a_method_is_not() -> None:
    """The function that wrote a line is no method of a request."""
    [record] = Record.read(b'{"method":"shop.Orders.create()","msg":"m"}', Names())
    assert record.method is None


def test_the_page_is_the_table() -> None:
    """The page of formats says what the table does: `python -m tests.formats_page`."""
    from tests.formats_page import page

    assert (ROOT / "docs/formats.md").read_text(encoding="utf-8") == page()
