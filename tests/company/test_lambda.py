"""
AWS Lambda's runtime interface client runs a function, with its own logging set-up.
"""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import clean_environment, load_line, need

need("awslambdaric")

FUNCTION = """
import logging
import ctxlog

ctxlog.configure()
log = logging.getLogger("shop")
log.warning("cold start")


@ctxlog.entry
def handler(event, context):
    log.warning("hello", extra={"rows": 1})
    if event:
        raise LookupError("no such order")
"""

INVOCATION = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"


class Platform(http.server.ThreadingHTTPServer):
    """The runtime API of AWS Lambda: one invocation, and what was answered to it."""

    daemon_threads = True

    def __init__(self, event: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Runtime)
        self.events = [event]
        self.answered = threading.Event()
        self.answer = ""
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Runtime(http.server.BaseHTTPRequestHandler):
    server: Platform

    def do_GET(self) -> None:
        if not self.server.events:  # the next invocation never comes
            self.server.answered.wait(50)
            self.close_connection = True
            return
        body = self.server.events.pop()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Lambda-Runtime-Aws-Request-Id", INVOCATION)
        self.send_header("Lambda-Runtime-Deadline-Ms", "9999999999999")
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:f")
        self.send_header(
            "Lambda-Runtime-Trace-Id",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
        )
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.answer = self.path.rpartition("/")[2]
        self.send_response(202)
        self.end_headers()
        self.server.answered.set()

    def log_message(self, *args: object) -> None:
        """Print nothing."""


def invoke(tmp_path: Path, event: bytes, **settings: str) -> list[dict[str, Any]]:
    """Run the function once in the runtime, and return its lines."""
    (tmp_path / "function.py").write_text(FUNCTION)
    platform = Platform(event)
    environment = {
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{platform.server_port}",
        "LAMBDA_TASK_ROOT": str(tmp_path),
        "AWS_LAMBDA_FUNCTION_NAME": "function",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_GROUP_NAME": "group",
        "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
        **settings,
    }
    runtime = subprocess.Popen(
        [sys.executable, "-m", "awslambdaric", "function.handler"],
        cwd=tmp_path,
        env=clean_environment(**environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert platform.answered.wait(50)
    finally:
        runtime.kill()
        out, err = runtime.communicate()
        platform.shutdown()
        platform.server_close()
    assert err == ""
    # The runtime prints a failed invocation; that is no line of a logger.
    return [load_line(line) for line in out.splitlines() if line.startswith("{")]


@pytest.mark.parametrize(
    "settings",
    [{}, {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}],
    ids=["text", "json"],
)
def test_every_line_of_an_invocation_comes_once_with_its_id(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    """
    The runtime's handler and what its filter sets are gone; its ids are the line's.
    """
    lines = invoke(tmp_path, b"{}", **settings)

    assert [(line["message"], line["requestID"]) for line in lines] == [
        ("cold start", "N/A"),
        ("hello", INVOCATION),
        ("function.handler succeeded", INVOCATION),
    ]
    assert lines[1]["traceID"] == "5bef4de7ad49b0e87f6ef6c87fc2e700"
    assert not {"aws_request_id", "tenant_id"}.intersection(*lines)


def test_a_failed_invocation_says_so(tmp_path: Path) -> None:
    """
    With the id of its invocation.
    """
    *_, last = invoke(tmp_path, b'{"fail": true}')

    assert (last["outcome"], last["requestID"]) == ("failed", INVOCATION)
