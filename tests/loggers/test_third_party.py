"""
Libraries that know nothing of ctxlog: what they log through stdlib comes out stamped.
"""

from __future__ import annotations

import asyncio
import gc
import http.server
import logging
import threading
import warnings
from collections.abc import Iterator

import pytest

import ctxlog
from tests.helpers import LogEnvironment, need


@pytest.fixture
def configured(log_env: LogEnvironment) -> Iterator[LogEnvironment]:
    """
    The process configured by one call, its lines in memory.
    """
    ctxlog.configure(level="DEBUG", format="json", stream=log_env.stream)
    yield log_env
    ctxlog.config.unconfigure()


def of(environment: LogEnvironment, logger: str) -> list[dict[str, object]]:
    """
    The lines of a logger and its children; there must be some.
    """
    lines = [
        line
        for line in environment.load_all()
        if f"{line['logger']}.".startswith(f"{logger}.")
    ]
    assert lines, f"{logger} logged nothing"
    return lines


def test_sqlalchemy_echo(configured: LogEnvironment) -> None:
    """
    Every statement of a request is on a line with its id and its user.
    """
    sqlalchemy = need("sqlalchemy")

    def handle(number: int) -> None:
        ctxlog.bind(user=f"u{number}")
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text("select :n"), {"n": number})

    engine = sqlalchemy.create_engine(
        "sqlite://", echo=True, poolclass=sqlalchemy.pool.StaticPool
    )
    for number in (1, 2):
        ctxlog.run({"requestID": f"req-{number}"}, handle, number)
    engine.dispose()

    lines = of(configured, "sqlalchemy.engine")
    assert {line["requestID"] for line in lines} == {"req-1", "req-2"}
    for number in (1, 2):
        mine = [line for line in lines if line["requestID"] == f"req-{number}"]
        assert "select ?" in [line["message"] for line in mine]
        assert {line["user"] for line in mine} == {f"u{number}"}


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    """
    Where a server of the standard library answers.
    """
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_httpx(configured: LogEnvironment, url: str) -> None:
    """
    A client's line, and those of the transport below it, have the caller's id.
    """
    httpx = need("httpx")

    async def handle(client: object, number: int) -> None:
        await client.get(f"{url}/{number}")  # type: ignore[attr-defined]

    async def main() -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            requests = (
                ctxlog.run({"requestID": f"req-{n}"}, handle, client, n)
                for n in range(4)
            )
            await asyncio.gather(*requests)

    asyncio.run(main())

    lines = of(configured, "httpx")
    found = {str(line["message"]).split(url)[1][1]: line["requestID"] for line in lines}
    assert found == {str(n): f"req-{n}" for n in range(4)}
    below = of(configured, "httpcore")
    sent = [line for line in below if "send_request_headers" in str(line["message"])]
    assert {line["requestID"] for line in sent} == set(found.values())


def test_asyncio_reports_a_slow_callback(configured: LogEnvironment) -> None:
    """
    In debug mode the loop reports it, in the context that the loop was started in.
    """

    async def slow() -> None:
        asyncio.get_running_loop().slow_callback_duration = 0.0
        await asyncio.sleep(0)

    def job() -> None:
        asyncio.run(slow(), debug=True)

    ctxlog.run({"requestID": "job-1"}, job)

    lines = [line for line in of(configured, "asyncio") if line["level"] == "WARNING"]
    assert any("Executing" in str(line["message"]) for line in lines)
    assert {line["requestID"] for line in lines} == {"job-1"}


def test_asyncio_reports_a_task_whose_error_was_not_retrieved(
    configured: LogEnvironment,
) -> None:
    """
    The report comes when the task is collected, with the id of the request that failed.
    """

    async def fail() -> None:
        raise ValueError("bad")

    async def main() -> None:
        task = asyncio.ensure_future(ctxlog.run({"requestID": "req-A"}, fail))
        await asyncio.wait([task])
        del task
        gc.collect()

    asyncio.run(main())

    (line,) = [line for line in of(configured, "asyncio") if line["level"] == "ERROR"]
    assert line["requestID"] == "req-A"
    assert "never retrieved" in str(line["message"])


def test_a_warning_has_the_id_of_the_request_that_it_was_given_in(
    configured: LogEnvironment,
) -> None:
    """
    Under logging.captureWarnings().
    """
    with warnings.catch_warnings():
        logging.captureWarnings(True)
        warnings.simplefilter("always")
        with ctxlog.scope(requestID="req-A"):
            warnings.warn("old", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(False)

    (line,) = of(configured, "py.warnings")
    assert (line["requestID"], line["level"]) == ("req-A", "WARNING")
    assert "DeprecationWarning: old" in str(line["message"])


def test_a_coroutine_that_was_never_awaited_is_reported_on_one_line(
    configured: LogEnvironment,
) -> None:
    """
    Python warns about it when it is collected; under captureWarnings it is a line.
    """

    async def forgotten() -> None: ...

    with warnings.catch_warnings():
        logging.captureWarnings(True)
        warnings.simplefilter("always")
        with ctxlog.scope(requestID="req-A"):
            forgotten()
            gc.collect()
        logging.captureWarnings(False)

    (line,) = of(configured, "py.warnings")
    assert "was never awaited" in str(line["message"])
    assert line["requestID"] == "req-A"
