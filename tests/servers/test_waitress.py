"""
waitress's word on a client that went away; `tests/stacks` has it from real servers.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from ctxlog._stamps import get_stamp
from ctxlog.servers import waitress
from ctxlog.servers.wsgi import ContextMiddleware

_LOG = logging.getLogger("waitress")


@pytest.fixture(autouse=True)
def installed(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """As `configure()` does where waitress runs."""
    caplog.set_level(logging.INFO, _LOG.name)
    waitress.install()
    yield
    waitress.uninstall()


def _serve(path: str) -> dict[str, Any]:
    """Serve a request to its end; return what waitress keeps until it is done."""

    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"ok"]

    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "HTTP_X_REQUEST_ID": "req-1",
    }
    body: Any = ContextMiddleware(application)(environ, lambda *_: lambda _: None)
    assert list(body) == [b"ok"]
    body.close()
    return environ


def _stamp(caplog: pytest.LogCaptureFixture, path: str) -> Any:
    _LOG.info(f"Client disconnected while serving {path}")
    (record,) = [one for one in caplog.records if one.name == _LOG.name]
    return get_stamp(record)


def test_the_request_that_was_served_right_before(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The line has its id, and is late."""
    kept = _serve("/orders")
    view = _stamp(caplog, "/orders")
    assert kept
    assert (view.fields["requestID"], view.late) == ("req-1", True)


def test_another_path(caplog: pytest.LogCaptureFixture) -> None:
    """A request that waitress answered by itself does not take the one before."""
    kept = _serve("/orders")
    assert _stamp(caplog, "/upload") is None
    assert kept


def test_a_request_that_waitress_is_done_with(caplog: pytest.LogCaptureFixture) -> None:
    """The same path again, of a request that never came here, has no id."""
    _serve("/orders")
    assert _stamp(caplog, "/orders") is None


def test_a_message_that_cannot_be_read() -> None:
    """It is passed on as it is."""

    class Unreadable:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    message: Any = Unreadable()
    record = logging.LogRecord(_LOG.name, logging.ERROR, "", 0, message, (), None)
    assert all(one.filter(record) for one in _LOG.filters if hasattr(one, "filter"))
    assert record.msg is message
