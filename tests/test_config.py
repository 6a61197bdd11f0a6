"""
`configure()`, `dict_config()` and the environment.
"""

from __future__ import annotations

import io
import logging
import logging.config
import logging.handlers
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from ctxlog.config import AccessLineFilter, unconfigure
from tests.helpers import clean_environment, load_line, need, run_python


@pytest.fixture(autouse=True)
def _unconfigured() -> Iterator[None]:
    yield
    unconfigure()


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def written(stream: io.StringIO) -> list[dict[str, Any]]:
    return [load_line(line) for line in stream.getvalue().splitlines()]


def test_one_call_configures_the_process(stream: io.StringIO) -> None:
    """
    Every logger's lines come out as JSON with service, environment and static fields.
    """
    ctxlog.configure(
        stream=stream, service="shop", environment="test", static={"pod": "p"}
    )

    logging.getLogger("a.b").info("x")
    logging.getLogger("a.b").debug("not this")

    (line,) = written(stream)
    assert (line["service"], line["environment"], line["pod"]) == ("shop", "test", "p")


def test_twice_is_once(stream: io.StringIO) -> None:
    """
    A second call replaces the first: one line per event.
    """
    ctxlog.configure(stream=stream)
    ctxlog.configure(stream=stream)

    logging.warning("x")

    assert len(written(stream)) == 1


def test_unconfigure_gives_everything_back(stream: io.StringIO) -> None:
    """
    Handlers, levels, record factory and dictConfig's class are as before.
    """
    root = logging.getLogger()
    console = logging.StreamHandler(sys.__stderr__)
    root.addHandler(console)
    before = (list(root.handlers), root.level, logging.getLogRecordFactory())
    hook = logging.config.dictConfigClass  # type: ignore[attr-defined]

    ctxlog.configure(stream=stream, levels={"noisy": "ERROR"})
    assert console not in root.handlers
    unconfigure()
    unconfigure()

    after = (list(root.handlers), root.level, logging.getLogRecordFactory())
    assert sorted(map(id, before[0])) == sorted(map(id, after[0]))
    assert before[1:] == after[1:]
    assert logging.config.dictConfigClass is hook  # type: ignore[attr-defined]
    assert logging.getLogger("noisy").level == logging.NOTSET


def test_other_handlers_stay(stream: io.StringIO, tmp_path: Path) -> None:
    """
    Files and what other libraries added keep their handlers.
    """
    file = logging.FileHandler(tmp_path / "app.log")
    logging.getLogger().addHandler(file)

    ctxlog.configure(stream=stream)
    logging.warning("x")
    file.close()

    assert (tmp_path / "app.log").read_text() == "x\n"
    assert len(written(stream)) == 1


def test_levels_of_single_loggers(stream: io.StringIO) -> None:
    """
    `levels` sets the least level of a logger, over the root's.
    """
    ctxlog.configure(stream=stream, level="warning", levels={"chatty": "DEBUG"})

    logging.getLogger("chatty.child").debug("seen")
    logging.getLogger("other").info("not seen")

    assert [line["message"] for line in written(stream)] == ["seen"]


def test_a_servers_later_dict_config_changes_nothing(stream: io.StringIO) -> None:
    """
    uvicorn configures logging when it starts: its lines still come into the stream.
    """
    uvicorn_config = need("uvicorn.config")
    ctxlog.configure(stream=stream)

    logging.config.dictConfig(uvicorn_config.LOGGING_CONFIG)
    logging.getLogger("uvicorn.error").info("started\n")
    logging.getLogger("shop").info("x")

    assert [line["message"] for line in written(stream)] == ["started", "x"]
    assert "color_message" not in written(stream)[0]


def test_access_lines_are_the_servers_where_nothing_else_says_it(
    stream: io.StringIO,
) -> None:
    """
    Outside of our middleware a server's access line is kept.
    """
    ctxlog.configure(stream=stream)

    logging.getLogger("uvicorn.access").info("GET / 200")

    assert len(written(stream)) == 1


@pytest.mark.parametrize(
    ("access_lines", "written_by"),
    [
        ("ctxlog", ["ctxlog.request"]),
        ("server", ["uvicorn.access"]),
        ("both", ["uvicorn.access", "ctxlog.request"]),
    ],
)
@pytest.mark.parametrize("how", ["call", "dict"])
def test_who_writes_the_line_about_a_request(
    stream: io.StringIO, access_lines: str, written_by: list[str], how: str
) -> None:
    """
    One line per request, the middleware's or the server's; two only if asked for.
    """

    class Completed(ctxlog.Store):
        completes = True

    if how == "call":
        ctxlog.configure(stream=stream, access_lines=access_lines)
    else:
        settings = ctxlog.dict_config(stream=stream, access_lines=access_lines)
        logging.config.dictConfig(settings)

    def serve() -> None:
        logging.getLogger("uvicorn.access").info("GET / 200")
        logging.getLogger("ctxlog.request").info("GET / 200")

    ctxlog.run(Completed(), serve)

    assert [line["logger"] for line in written(stream)] == written_by


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("level", "LOUD"),
        ("level", -1),
        ("format", "yaml"),
        ("schema", "unknown"),
        ("stream", 3),
        ("service", 3),
        ("environment", 3),
        ("levels", {"a": "LOUD"}),
        ("levels", 3),
        ("static", {1: 2}),
        ("redact", 3),
        ("loggers", ["log4j"]),
        ("loggers", "log4j"),
        ("threads", "yes"),
        ("hooks", 1),
        ("access_lines", "none"),
        ("missing_request_id", 3),
        ("timespec", "days"),
        ("max_line_bytes", 1),
    ],
    ids=str,
)
def test_a_wrong_option_is_named_and_changes_nothing(option: str, value: Any) -> None:
    """
    The error names the option, its value and what is allowed; logging is as before.
    """
    before = list(logging.getLogger().handlers)

    with pytest.raises(ctxlog.ConfigError, match=f"^{option}.*allowed: "):
        ctxlog.configure(**{option: value})

    assert logging.getLogger().handlers == before


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CTXLOG_LEVEL", "LOUD"),
        ("CTXLOG_FORMAT", "yaml"),
        ("CTXLOG_LEVELS", "sqlalchemy"),
        ("CTXLOG_THREADS", "maybe"),
        ("CTXLOG_MAX_LINE_BYTES", "many"),
        ("CTXLOG_LOGGERS", "log4j"),
        ("CTXLOG_ACCESS_LINES", "none"),
    ],
)
def test_a_wrong_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """
    The error of a variable names the variable.
    """
    monkeypatch.setenv(variable, value)

    with pytest.raises(ctxlog.ConfigError, match=f"^{variable}="):
        ctxlog.configure()


def test_variables_fill_what_the_call_leaves_out(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO
) -> None:
    """
    What the call says wins over the environment.
    """
    for name, value in {
        "LEVEL": "DEBUG",
        "FORMAT": "json",
        "SERVICE": "from-env",
        "ENVIRONMENT": "env",
        "LEVELS": "noisy=ERROR, other=INFO",
        "MISSING_REQUEST_ID": "-",
        "TIMESPEC": "seconds",
        "MAX_LINE_BYTES": "2048",
        "REDACT": "iban",
        "THREADS": "off",
        "LOGGERS": "stdlib",
    }.items():
        monkeypatch.setenv(f"CTXLOG_{name}", value)
    ctxlog.configure(stream=stream, service="from-call")

    logging.getLogger("noisy").warning("not this")
    logging.debug("x", extra={"iban": "DE00", "long": "x" * 9999})

    (line,) = written(stream)
    assert (line["service"], line["environment"]) == ("from-call", "env")
    assert (line["requestID"], line["iban"]) == ("-", "[redacted]")
    assert len(line["timestamp"]) == len("2026-11-22T21:44:39Z")
    assert "max_line_bytes=2048" in line["logError"]


def test_other_tools_variables_name_the_service(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO
) -> None:
    """
    OpenTelemetry's and Datadog's names of service and environment are honoured.
    """
    monkeypatch.setenv("OTEL_SERVICE_NAME", "otel")
    monkeypatch.setenv("DD_SERVICE", "dd")
    monkeypatch.setenv("DD_ENV", "prod")
    ctxlog.configure(stream=stream)

    logging.warning("x")

    assert (written(stream)[0]["service"], written(stream)[0]["environment"]) == (
        "otel",
        "prod",
    )


@pytest.mark.parametrize(
    ("redact", "shown"),
    [
        (None, ["[redacted]", "DE00"]),
        (True, ["[redacted]", "DE00"]),
        (False, ["p", "DE00"]),
        (["iban"], ["[redacted]", "[redacted]"]),
        (ctxlog.redact.Redactor(["iban"]), ["p", "[redacted]"]),  # type: ignore[attr-defined]
    ],
    ids=["default", "on", "off", "more", "own"],
)
def test_what_is_hidden_can_be_chosen(
    stream: io.StringIO, redact: Any, shown: list[str]
) -> None:
    """
    The default names, none, more, or a redactor of one's own.
    """
    ctxlog.configure(stream=stream, redact=redact)

    logging.warning("x", extra={"password": "p", "iban": "DE00"})

    (line,) = written(stream)
    assert [line["password"], line["iban"]] == shown


def test_the_dict_says_what_the_call_does(tmp_path: Path) -> None:
    """
    `dict_config()` given to dictConfig: same line, servers' loggers included.
    """
    program = (
        "import ctxlog, logging, logging.config as c;"
        "c.dictConfig(ctxlog.dict_config(format='json', service='shop',"
        " levels={'noisy': 'ERROR'}));"
        "ctxlog.run({'requestID': 'r'}, logging.getLogger('uvicorn.access').info, 'x')"
    )

    done = run_python("-c", program, cwd=tmp_path)

    line = load_line(done.stdout)
    assert (line["requestID"], line["service"]) == ("r", "shop")


def test_text_on_a_terminal_and_json_elsewhere(tmp_path: Path) -> None:
    """
    `format="auto"` looks at the stream; NO_COLOR is honoured.
    """
    if sys.platform == "win32":
        pytest.skip("there are no pseudo-terminals on Windows")
    import pty
    import subprocess

    program = "import ctxlog, logging; ctxlog.configure(); logging.warning('x')"
    shown = []
    for extra in ({}, {"NO_COLOR": "1"}):
        parent, child = pty.openpty()
        subprocess.run(
            [sys.executable, "-Ic", program],
            stdout=child,
            env=clean_environment(**extra),
            check=True,
            timeout=50,
        )
        os.close(child)
        shown.append(os.read(parent, 4096).decode())
        os.close(parent)
    piped = run_python("-c", program, cwd=tmp_path).stdout

    assert "\x1b[33mWARNING" in shown[0]
    assert "\x1b[" not in shown[1]
    assert "WARNING" in shown[1]
    assert load_line(piped)["message"] == "x"


def test_the_access_filter_drops_only_what_is_completed() -> None:
    """
    A request that has a completion line needs no access line.
    """
    record = logging.makeLogRecord({})

    class Completed(ctxlog.Store):
        completes = True

    assert AccessLineFilter().filter(record)
    assert ctxlog.run({}, AccessLineFilter().filter, record)
    assert not ctxlog.run(Completed(), AccessLineFilter().filter, record)


def test_the_version_is_the_distributions() -> None:
    """
    `ctxlog.__version__`, and no attribute that does not exist.
    """
    assert ctxlog.__version__[0].isdigit()
    assert "run" in dir(ctxlog)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = ctxlog.nothing
