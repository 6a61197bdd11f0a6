"""
granian's reports of crashes: the error is found by its text, and the request by it.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from ctxlog.context.adapter import error_view
from ctxlog.servers import granian
from ctxlog.servers.asgi import ContextMiddleware

_LOG = logging.getLogger("_granian.utils")


@pytest.fixture(autouse=True)
def reported(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Installed, as `configure()` does where granian runs."""
    caplog.set_level(logging.ERROR, _LOG.name)
    granian.install()
    yield
    granian.uninstall()


def _fail(request_id: str, error: Exception) -> Exception:
    """Let a request end by an error, as granian gets it."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        raise error

    async def nothing(*_: Any) -> Any:
        return {"type": "http.disconnect"}

    headers = [(b"x-request-id", request_id.encode())]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}
    with pytest.raises(type(error)):
        asyncio.run(ContextMiddleware(application)(scope, nothing, nothing))
    return error


def _report(error: Exception) -> None:
    """Report an error as granian does."""
    text = "".join(traceback.format_exception(error))
    _LOG.error(f"Application callable raised an exception\n{text}")


def _ids(caplog: pytest.LogCaptureFixture) -> list[object]:
    ids: list[object] = []
    for record in caplog.records:
        if record.name == _LOG.name:
            error = record.exc_info[1] if record.exc_info else None
            ids.append(error_view(error, reporting=True).fields.get("requestID"))
    return ids


def test_the_report_is_of_the_request(caplog: pytest.LogCaptureFixture) -> None:
    """A report has the error as a part of its own, and by it the request's id."""
    _report(_fail("req-1", ValueError("bad")))
    (record,) = [one for one in caplog.records if one.name == _LOG.name]
    assert record.getMessage() == "Application callable raised an exception"
    assert _ids(caplog) == ["req-1"]


def test_reports_in_another_order(caplog: pytest.LogCaptureFixture) -> None:
    """Errors that differ in their text are told apart."""
    errors = [_fail(f"req-{number}", ValueError(number)) for number in range(3)]
    for error in reversed(errors):
        _report(error)
    assert _ids(caplog) == ["req-2", "req-1", "req-0"]


def test_errors_that_are_alike_have_no_id(caplog: pytest.LogCaptureFixture) -> None:
    """Two errors that look alike have no id; the next one has its own."""
    errors = [_fail(f"req-{number}", ValueError("bad")) for number in range(2)]
    for error in errors:
        _report(error)
    _report(_fail("req-3", ValueError("bad")))
    assert _ids(caplog) == [None, None, "req-3"]


def test_what_is_not_reported_is_not_kept() -> None:
    """With the logger switched off nothing waits for a report."""
    _LOG.setLevel(logging.CRITICAL)
    _fail("req-1", ValueError("bad"))
    assert not granian._filter._waiting


class _Unreadable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_what_cannot_be_read_costs_no_line() -> None:
    """An error and a message that raise when they are printed are passed on."""
    _fail("req-1", _Unreadable())
    message: Any = _Unreadable()
    record = logging.LogRecord(_LOG.name, logging.ERROR, "", 0, message, (), None)
    assert all(one.filter(record) for one in _LOG.filters if hasattr(one, "filter"))
    assert record.msg is message


def test_uninstall() -> None:
    """After uninstalling no report is changed, and no error is kept."""
    _fail("req-1", ValueError("bad"))
    granian.uninstall()
    _fail("req-2", ValueError("bad"))
    assert not granian._filter._waiting
    assert granian._filter not in _LOG.filters
