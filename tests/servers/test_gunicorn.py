"""
`gunicorn.Logger`, made and called as gunicorn does.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import ctxlog
from ctxlog import config
from ctxlog.servers.wsgi import ContextMiddleware
from tests.helpers import LogEnvironment, load_line, need

Config = need("gunicorn.config").Config
Logger = need("ctxlog.servers.gunicorn").Logger


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Any]:
    """
    Make a logger that writes to files; closed afterwards.
    """

    def logger(**settings: Any) -> Any:
        cfg = Config()
        cfg.set("errorlog", str(tmp_path / "error"))
        cfg.set("accesslog", str(tmp_path / "access"))
        for name, value in settings.items():
            cfg.set(name, value)
        return Logger(cfg)

    yield logger
    config.unconfigure()
    for name in ("gunicorn.error", "gunicorn.access"):
        for handler in logging.getLogger(name).handlers:
            handler.close()


def access(logger: Any, **environ: str) -> None:
    """
    Log the access of one request as gunicorn's workers do.
    """
    full = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/page",
        "RAW_URI": "/page?token=hush",
        "QUERY_STRING": "token=hush",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "203.0.113.7",
        **environ,
    }
    response = SimpleNamespace(status="200 OK", headers=[], sent=4)
    took = datetime.timedelta(milliseconds=12)
    logger.access(response, SimpleNamespace(headers=[]), full, took)


def test_error_lines_are_json(make: Any, tmp_path: Path) -> None:
    """
    What gunicorn says is JSON, from its level on, in its own file.
    """
    logger = make(loglevel="warning")
    logger.info("booting")
    logger.warning("worker %d timed out", 7)
    (line,) = (tmp_path / "error").read_bytes().splitlines()
    event = load_line(line)
    assert event["message"] == "worker 7 timed out"
    assert event["logger"] == "gunicorn.error"
    assert event["requestID"] == "N/A"


def test_the_access_line_has_fields_and_no_query(make: Any, tmp_path: Path) -> None:
    """
    An access line has the fields of a request, with its id, and no query string.
    """
    logger = make()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"page"]

    environ = {"PATH_INFO": "/page", "HTTP_X_REQUEST_ID": "req-1"}
    body: Any = ContextMiddleware(app)(environ, lambda *start: None)
    access(logger)
    body.close()
    (line,) = (tmp_path / "access").read_bytes().splitlines()
    event = load_line(line)
    del event["timestamp"], event["elapsedMs"]
    assert event == {
        "level": "INFO",
        "requestID": "req-1",
        "message": "GET /page 200",
        "logger": "gunicorn.access",
        "method": "GET",
        "path": "/page",
        "status": 200,
        "durationMs": 12.0,
        "client": "203.0.113.7",
    }


def test_the_access_line_is_spelled_as_chosen(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    gunicorn's lines follow the variables, since it begins before the application.
    """
    monkeypatch.setenv("CTXLOG_CASE", "snake")
    monkeypatch.setenv("CTXLOG_REQUEST_ID_KEY", "rid")
    access(make())
    event = load_line((tmp_path / "access").read_bytes())
    assert (event["rid"], event["duration_ms"]) == ("N/A", 12.0)
    assert "durationMs" not in event


def test_a_format_of_ones_own_stays(make: Any, tmp_path: Path) -> None:
    """
    With `access_log_format` the message is in that format, in a line of JSON.
    """
    access(make(access_log_format="%(m)s %(U)s took %(M)s"))
    event = load_line((tmp_path / "access").read_bytes())
    assert event["message"] == "GET /page took 12"


def test_releases_of_gunicorn_with_fewer_settings_have_access_lines(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Older ones have no `logconfig_json` and no `access_log_enabled`.
    """
    monkeypatch.delattr("gunicorn.glogging.Logger.access_log_enabled", raising=False)
    logger = make()
    logger.cfg.settings.pop("logconfig_json", None)
    access(logger)
    assert load_line((tmp_path / "access").read_text())["message"] == "GET /page 200"


def test_without_an_access_file_there_is_no_access_line(make: Any) -> None:
    """
    gunicorn writes no access lines unless told so, and that stays.
    """
    logger = make(accesslog=None)
    access(logger)
    assert logger.access_log.handlers == []


def test_configure_takes_the_lines_over(
    make: Any, log_env: LogEnvironment, capfd: pytest.CaptureFixture[str]
) -> None:
    """
    After `configure()` each line is in its stream, once.
    """
    logger = make(errorlog="-", accesslog="-")
    ctxlog.configure(format="json", stream=log_env.stream)
    logger.error("bad")
    access(logger)
    assert [one["message"] for one in log_env.load_all()] == ["bad", "GET /page 200"]
    assert capfd.readouterr() == ("", "")
