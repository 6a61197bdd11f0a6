"""
OpenTelemetry's instrumentations beside ctxlog's adapters, in both orders.

Each runs in a process of its own, since instrumentations change classes for good.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.helpers import load_line, need, run_python

#: The paths that `traces.py` asks for.
PATHS = ("/talks", "/silent", "/crash")

FRAMEWORKS = {
    "fastapi": "fastapi",
    "starlette": "starlette",
    "asgi": "asgi",
    "wsgi": "wsgi",
    "flask": "flask",
    "django": "django",
    "aiohttp": "aiohttp_server",
    "tornado": "tornado",
    "grpc": "grpc",
    "celery": "celery",
}


class Run(NamedTuple):
    """The outcome of the requests."""

    lines: list[dict[str, Any]]
    spans: list[list[str]]


@pytest.fixture(
    scope="module",
    params=[
        (framework, order)
        for framework in FRAMEWORKS
        for order in ("ours-first", "theirs-first")
    ],
    ids="-".join,
)
def run(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Run:
    """
    The lines and spans of one framework, instrumented in one order.
    """
    framework, order = request.param
    need(f"opentelemetry.instrumentation.{FRAMEWORKS[framework]}")
    program = str(Path(__file__).parent / "traces.py")
    done = run_python(program, framework, order, cwd=tmp_path_factory.mktemp("run"))
    *lines, spans = done.stdout.splitlines()
    return Run([load_line(line) for line in lines], json.loads(spans))


def test_both_are_taken_off_in_any_order(tmp_path: Path) -> None:
    """
    FastAPI serves on with the one that is left, and is as before without both.
    """
    need("opentelemetry.instrumentation.fastapi")
    program = """
import itertools
import ctxlog
from ctxlog.servers import asgi
from fastapi import FastAPI
from fastapi.testclient import TestClient
from opentelemetry import context, trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import TracerProvider

trace.set_tracer_provider(TracerProvider())
attach = context.attach
theirs = FastAPIInstrumentor
steps = {
    "ours": (asgi.install, asgi.uninstall),
    "theirs": (theirs.instrument_app, theirs.uninstrument_app),
}
for on, off in itertools.product(itertools.permutations(steps), repeat=2):
    ctxlog.configure(format="json")
    app = FastAPI()

    @app.get("/")
    async def index():
        # Without theirs FastAPI makes a span, which is no server's.
        kind = getattr(trace.get_current_span(), "kind", None)
        return ctxlog.get_store() is not None, kind is trace.SpanKind.SERVER

    for name in on:
        steps[name][0](app)
    here = set(on)
    assert TestClient(app).get("/").json() == [True, True], on
    for name in off:
        steps[name][1](app)
        here.remove(name)
        found = TestClient(app).get("/").json()
        assert found == ["ours" in here, "theirs" in here], (on, off, name, found)
    assert type(app) is FastAPI
    ctxlog.config.unconfigure()
    assert context.attach is attach
"""
    run_python("-c", program, cwd=tmp_path)


def ids(line: dict[str, Any]) -> list[str]:
    return [line.get("traceID", ""), line.get("spanID", "")]


def test_spans_are_made(run: Run) -> None:
    """
    The tracer makes one span for each request, installed before ctxlog or after.
    """
    own = [span for span in run.spans if span[0] in ("SERVER", "CONSUMER")]
    assert len(own) == len(PATHS), run.lines


def test_completion_lines_have_the_span_of_their_request(run: Run) -> None:
    """
    They have it although the tracer may have ended it before: the span of the server,
    also where the application logged nothing within it, or failed.
    """
    own = [span[1:] for span in run.spans if span[0] in ("SERVER", "CONSUMER")]
    done = [
        line
        for line in run.lines
        if line["logger"] in ("ctxlog.request", "ctxlog.task")
    ]
    assert [line["requestID"] for line in done] == list(PATHS)
    assert [ids(line) for line in done] == own


def test_all_lines_of_a_request_have_its_trace(run: Run) -> None:
    """
    Crash reports do, too; a span of the application's own is on the lines within it.
    """
    for path in PATHS:
        found = [line for line in run.lines if line["requestID"] == path]
        found = [line for line in found if line["logger"] != "kombu.connection"]
        assert len({line.get("traceID") for line in found}) == 1, found
    inner = [line for line in run.lines if line["message"].startswith("within")]
    made = [span[1:] for span in run.spans if span[0] == "INTERNAL"]
    assert [ids(line) in made for line in inner] == [True]


def test_a_crash_is_reported_with_the_span(run: Run) -> None:
    """
    A line with the exception has the span of its request.
    """
    own = [span[1:] for span in run.spans if span[0] in ("SERVER", "CONSUMER")]
    reports = [line for line in run.lines if "exception" in line]
    assert all(ids(line) in own for line in reports), reports
