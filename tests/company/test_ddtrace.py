"""
Datadog's tracer beside ctxlog: lines are joined with its traces.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers import clean_environment, load_line, need, run_python

PROGRAM = """
import logging
import sys

import ctxlog

order, schema = sys.argv[1:]


def ours():
    ctxlog.configure(format="json", schema=schema, levels={"ddtrace": "CRITICAL"})


def theirs():
    import ddtrace

    ddtrace.patch(logging=True, structlog=True, loguru=True)


for step in (ours, theirs) if order == "ours-first" else (theirs, ours):
    step()

import loguru
import structlog
from ddtrace.trace import tracer


class Nowhere:
    def process_trace(self, trace):
        return None  # nothing is sent


tracer.configure(trace_processors=[Nowhere()])


def log():
    logging.getLogger("shop").info("stdlib")
    structlog.get_logger("shop").info("structlog")
    loguru.logger.info("loguru")


with tracer.trace("web") as span:
    logging.getLogger("ids").info(f"{span.trace_id:032x} {span.span_id}")
    ctxlog.run({"requestID": "req-A", "traceID": "1" * 32}, log)
"""


@pytest.mark.parametrize("schema", ["datadog", "default"])
@pytest.mark.parametrize("order", ["ours-first", "theirs-first"])
def test_lines_of_all_loggers_have_the_tracers_ids(
    tmp_path: Path, order: str, schema: str
) -> None:
    """
    At the root of the line, under the names by which Datadog joins them.
    """
    need("ddtrace", "structlog", "loguru")
    environment = clean_environment(
        DD_SERVICE="shop",
        DD_ENV="prod",
        DD_VERSION="1.2",
        DD_LOGS_INJECTION="true",
        DD_INSTRUMENTATION_TELEMETRY_ENABLED="false",
        DD_REMOTE_CONFIGURATION_ENABLED="false",
    )
    done = run_python("-c", PROGRAM, order, schema, cwd=tmp_path, env=environment)
    lines = [load_line(line) for line in done.stdout.splitlines()]
    (ids,) = [line["message"].split() for line in lines if len(line["message"]) > 40]
    messages = ("stdlib", "structlog", "loguru")
    found = [line for line in lines if line["message"] in messages]
    assert [line["message"] for line in found] == list(messages)
    for line in found:
        assert [line["dd.trace_id"], line["dd.span_id"]] == ids
        assert line["dd.service"] == "shop"
        assert (line["dd.env"], line["dd.version"]) == ("prod", "1.2")


REQUESTS = """
import logging
import sys

import ctxlog

order = sys.argv[1]


def ours():
    ctxlog.configure(format="json", levels={"ddtrace": "CRITICAL", "httpx": "WARNING"})


def theirs():
    import ddtrace

    ddtrace.patch(logging=True, fastapi=True, starlette=True)


for step in (ours, theirs) if order == "ours-first" else (theirs, ours):
    step()

from ddtrace.trace import tracer
from fastapi import FastAPI
from fastapi.testclient import TestClient


class Nowhere:
    def process_trace(self, trace):
        return None  # nothing is sent


tracer.configure(trace_processors=[Nowhere()])
app = FastAPI()
ctxlog.servers.asgi.install(app)


@app.get("/order")
def place():
    logging.getLogger("shop").info("hello")


client = TestClient(app)
for number in range(3):
    client.get("/order", headers={"X-Request-ID": f"req-{number}"})
"""


@pytest.mark.parametrize("order", ["ours-first", "theirs-first"])
@pytest.mark.filterwarnings("default")
def test_completion_lines_have_the_ids_of_the_requests_span(
    order: str, tmp_path: Path
) -> None:
    """
    The tracer's middleware stands inside ctxlog's, and its span has ended by then.
    """
    need("fastapi", "httpx")
    done = run_python(
        "-W",
        "ignore",
        "-c",
        REQUESTS,
        order,
        cwd=tmp_path,
        env=clean_environment(
            DD_INSTRUMENTATION_TELEMETRY_ENABLED="false",
            DD_REMOTE_CONFIGURATION_ENABLED="false",
        ),
    )
    lines = [load_line(line) for line in done.stdout.splitlines()]
    shop = [line for line in lines if line["logger"] == "shop"]
    ended = [line for line in lines if line["logger"] == "ctxlog.request"]
    assert len(shop) == len(ended) == 3
    for one, other in zip(shop, ended, strict=True):
        assert other["requestID"] == one["requestID"]
        assert other["dd.trace_id"] == one["dd.trace_id"] != "0"
