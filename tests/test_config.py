"""
`configure()`, `dict_config()` and the environment.
"""

from __future__ import annotations

import inspect
import io
import json
import logging
import logging.config
import logging.handlers
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from ctxlog.config import AccessLineFilter, unconfigure
from ctxlog.line import redact
from ctxlog.line.redactor import get_redactor, set_redactor
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


def test_calling_it_again_is_a_no_op(stream: io.StringIO) -> None:
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


def test_what_another_library_has_taken_away_stays_away(stream: io.StringIO) -> None:
    """
    A handler that its library removes while ctxlog is configured is not put back.
    """
    root = logging.getLogger()
    theirs = logging.Handler()
    root.addHandler(theirs)
    ctxlog.configure(stream=stream)
    assert theirs in root.handlers
    root.removeHandler(theirs)
    unconfigure()
    assert theirs not in root.handlers


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
        ("timespec", ["seconds"]),
        ("max_line_bytes", 1),
    ],
    ids=str,
)
def test_a_wrong_option_is_named_and_changes_nothing(option: str, value: Any) -> None:
    """
    The error names the option, its value and what is allowed; logging is as before.
    """
    before = list(logging.getLogger().handlers)

    with pytest.raises(
        ctxlog.ConfigError, match=rf"^invalid value for {option}.*expected "
    ):
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

    with pytest.raises(ctxlog.ConfigError, match=f"^invalid value for {variable}: "):
        ctxlog.configure()


def test_variables_fill_what_the_call_leaves_out(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO
) -> None:
    """
    An option of the call wins over the environment.
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


def test_a_line_of_an_unregistered_logger_registers_none(
    stream: io.StringIO,
) -> None:
    """
    Names of loggers may be made up without end; only getLogger() keeps them.
    """
    ctxlog.configure(stream=stream, format="json", loggers=["stdlib"])
    names = ["unregistered.logger", "unregistered." + "n" * 20_000]
    for name in names:
        logger = logging.Logger(name)
        logger.parent = logging.root
        logger.warning("hello")
    assert [line["logger"][:9] for line in written(stream)] == ["unregiste"] * 2
    assert not any(name.startswith("unreg") for name in logging.root.manager.loggerDict)


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
        (ctxlog.line.redact.Redactor(["iban"]), ["p", "[redacted]"]),  # type: ignore[attr-defined]
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


def on_a_terminal(program: str, **environment: str) -> str:
    """
    Return the output of a fresh interpreter on a pseudo-terminal.
    """
    if sys.platform == "win32":
        pytest.skip("there are no pseudo-terminals on Windows")
    import pty
    import subprocess

    parent, child = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-Ic", program],
        stdout=child,
        env=clean_environment(**{"TERM": "xterm", **environment}),
    ) as process:
        os.close(child)
        shown = b""
        try:
            while more := os.read(parent, 4096):
                shown += more
        except OSError:  # Linux's way to say that the other side is closed
            pass
        os.close(parent)
        assert process.wait(timeout=50) == 0
    return shown.decode()


WARN = "import ctxlog, logging; ctxlog.configure(); logging.warning('x')"


def test_text_on_a_terminal_and_json_elsewhere(tmp_path: Path) -> None:
    """
    `format="auto"` looks at the stream.
    """
    assert "\x1b[33mWARNING" in on_a_terminal(WARN)
    assert load_line(run_python("-c", WARN, cwd=tmp_path).stdout)["message"] == "x"


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_without_colors(environment: dict[str, str]) -> None:
    """
    `NO_COLOR` and a dumb terminal leave the text as it is.
    """
    shown = on_a_terminal(WARN, **environment)
    assert "WARNING" in shown
    assert "\x1b" not in shown


def test_a_terminal_may_have_json() -> None:
    """
    Where `CTXLOG_FORMAT` says so.
    """
    line = load_line(on_a_terminal(WARN, CTXLOG_FORMAT="json").rstrip("\r\n"))
    assert line["message"] == "x"


def test_a_pipe_may_have_colored_text(tmp_path: Path) -> None:
    """
    With `CTXLOG_FORMAT` and `FORCE_COLOR`, as CI systems set it.
    """
    env = clean_environment(CTXLOG_FORMAT="console", FORCE_COLOR="1")
    done = run_python("-Ec", WARN, cwd=tmp_path, env=env)
    assert "\x1b[33mWARNING" in done.stdout


def test_three_loggers_look_alike_on_a_terminal() -> None:
    """
    One event has one text in all loggers; nothing in the data drives the terminal.
    """
    need("structlog", "loguru")
    shown = on_a_terminal(
        """
import logging
import structlog
from loguru import logger
import ctxlog
ctxlog.configure()
evil = "a\\x1b[2J\\r\\x07\\u202eb"
def work():
    logging.getLogger("__main__").info(evil, extra={"field": evil, "password": "abc"})
    structlog.get_logger("__main__").info(evil, field=evil, password="abc")
    logger.info(evil, field=evil, password="abc")
ctxlog.run({"requestID": "req-A"}, work)
"""
    )
    ours = re.sub(r"\x1b\[[0-9;]+m", "", shown).split("\r\n")[:-1]
    evil = r"a\x1b[2J\r\x07\u202eb"
    assert all(line.isprintable() for line in ours)
    assert {re.sub(r"^\S+ | \S+$", "", line) for line in ours} == {
        f"INFO     req-A __main__: {evil} "
        r'field="a\x1b[2J\r\x07\u202eb" password=[redacted]'
    }


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


def test_an_access_line_that_is_dropped_is_not_made(stream: io.StringIO) -> None:
    """
    The access logger is off in a request that ctxlog completes, and only there: as the
    application has it elsewhere, for a crash report, and after `unconfigure()`.
    """
    names = ("uvicorn.access", "werkzeug")
    access, werkzeug = map(logging.getLogger, names)

    class Completed(ctxlog.Store):
        completes = True

    def enabled() -> list[bool]:
        levels = (logging.INFO, logging.ERROR)
        return [log.isEnabledFor(n) for log in (access, werkzeug) for n in levels]

    ctxlog.configure(stream=stream)
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
    within, outside = ctxlog.run(Completed(), enabled), enabled()
    access.setLevel(logging.ERROR)
    quiet = enabled()
    access.setLevel(logging.NOTSET)
    unconfigure()

    assert within == [False, False, False, True]
    assert outside == [True] * 4
    assert quiet == [False, True, True, True]
    assert not vars(access).keys() & {"isEnabledFor"}
    assert all(ctxlog.run(Completed(), enabled)[1::2])


def test_the_version_is_the_distributions() -> None:
    """
    `ctxlog.__version__`, and no attribute that does not exist.
    """
    assert ctxlog.__version__[0].isdigit()
    assert "run" in dir(ctxlog)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = ctxlog.nothing


# All or nothing, and back --------------------------------------------------------


def state_of_logging() -> dict[str, Any]:
    """
    Everything that a configuration may change.
    """
    names = ["", "uvicorn", "uvicorn.access", "uvicorn.error", "django", "noisy"]
    loggers = {name: logging.getLogger(name) for name in names}
    return {
        "loggers": {
            name: (
                sorted(map(id, logger.handlers)),
                list(logger.filters),
                logger.level,
                logger.propagate,
                logger.disabled,
            )
            for name, logger in loggers.items()
        },
        "factory": logging.getLogRecordFactory(),
        "dict_config": logging.config.dictConfigClass,  # type: ignore[attr-defined]
        "redactor": get_redactor(),
    }


@pytest.mark.parametrize("configured", [False, True], ids=["before", "after another"])
def test_a_wrong_option_changes_nothing_at_all(
    stream: io.StringIO, configured: bool
) -> None:
    """
    Neither where nothing is configured, nor where something is: that stays.
    """
    if configured:
        ctxlog.configure(stream=stream, redact=["iban"])
    before = state_of_logging()

    for wrong in ({"level": "LOUD"}, {"levels": {"noisy": "LOUD"}}, {"redact": ["-"]}):
        with pytest.raises(ctxlog.ConfigError):
            ctxlog.configure(**wrong)  # type: ignore[arg-type]

    assert state_of_logging() == before


def test_unconfigure_brings_back_what_configure_found(stream: io.StringIO) -> None:
    """
    Servers' loggers, filters, levels, the redactor, a user's own record factory.
    """
    uvicorn = logging.getLogger("uvicorn")
    uvicorn.addHandler(logging.StreamHandler(sys.__stderr__))
    uvicorn.propagate = False
    uvicorn.setLevel("WARNING")
    ctxlog.install_record_factory()
    mine = redact.Redactor(["mine"])
    redact_before = get_redactor()
    set_redactor(mine)
    before = state_of_logging()

    ctxlog.configure(stream=stream, levels={"noisy": "ERROR"}, access_lines="server")
    ctxlog.configure(stream=stream, redact=["iban"])
    unconfigure()

    after = state_of_logging()
    ctxlog.uninstall_record_factory()
    set_redactor(redact_before)
    assert after == before


def test_a_further_call_starts_from_the_defaults(stream: io.StringIO) -> None:
    """
    Nothing of the earlier call is left, what it hid or did not hide least of all.
    """
    ctxlog.configure(stream=io.StringIO(), redact=False, levels={"noisy": "ERROR"})
    ctxlog.configure(stream=stream)

    logging.getLogger("noisy").info("x", extra={"password": "hunter2"})

    assert [line["password"] for line in written(stream)] == ["[redacted]"]


def test_a_factory_put_over_ours_survives_unconfigure(stream: io.StringIO) -> None:
    """
    OpenTelemetry may be set up after ctxlog and stays.
    """
    ctxlog.configure(stream=stream)
    below = logging.getLogRecordFactory()

    def theirs(*args: Any, **kwargs: Any) -> logging.LogRecord:
        return below(*args, **kwargs)

    logging.setLogRecordFactory(theirs)
    unconfigure()

    assert logging.getLogRecordFactory() is theirs
    assert not [
        name
        for name in vars(theirs("a", 20, "f", 1, "m", (), None))
        if "ctxlog" in name
    ]


@pytest.mark.parametrize("times", [1, 3])
def test_configuring_again_gives_the_same_line_once(
    stream: io.StringIO, times: int
) -> None:
    """
    For the root logger's children and the servers' loggers alike.
    """
    for _ in range(times):
        ctxlog.configure(stream=stream, access_lines="both")

    ctxlog.run({"requestID": "A"}, logging.getLogger("uvicorn.access").info, "x")

    (line,) = written(stream)
    assert list(line) == [
        *("timestamp", "level", "requestID", "message", "logger", "elapsedMs")
    ]


def test_handlers_of_others_get_stamped_records(
    stream: io.StringIO, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """
    A file, pytest's capture and an exporter of all attributes keep working; the last
    one sees no attribute that is not the call's own.
    """
    exported: list[dict[str, Any]] = []
    usual = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

    class Exporter(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            exported.append(
                {
                    name: value
                    for name, value in vars(record).items()
                    if name not in usual and not name.startswith("_")
                }
            )

    root = logging.getLogger()
    file = logging.FileHandler(tmp_path / "app.log")
    file.setFormatter(ctxlog.JsonFormatter())
    exporter = Exporter()
    for handler in (file, exporter):
        root.addHandler(handler)
    ctxlog.configure(stream=stream)

    ctxlog.run({"requestID": "A"}, logging.warning, "x", extra={"rows": 1})
    file.close()
    unconfigure()

    assert load_line((tmp_path / "app.log").read_bytes())["requestID"] == "A"
    assert caplog.messages == ["x"]
    assert exported == [{"rows": 1}]
    assert {file, exporter} <= set(root.handlers)


# Later configurations --------------------------------------------------------------

GRANIAN_LIKE: dict[str, Any] = {
    "version": 1,
    "root": {"level": "WARNING", "handlers": []},
    "disable_existing_loggers": False,
    "formatters": {"generic": {"()": "logging.Formatter", "fmt": "[%(levelname)s]"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "generic",
            "stream": "ext://sys.stdout",
        }
    },
    "loggers": {
        name: {"handlers": ["console"], "level": "INFO", "propagate": False}
        for name in ("_granian", "granian.access")
    },
}


def test_a_later_dict_config_of_granian_changes_nothing(
    stream: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    It replaces the root logger's handlers and level, and gives its loggers a console.
    """
    ctxlog.configure(stream=stream, access_lines="both")

    logging.config.dictConfig(GRANIAN_LIKE)
    for name in ("_granian", "granian.access", "shop"):
        logging.getLogger(name).info("x")

    assert [line["logger"] for line in written(stream)] == [
        *("_granian", "granian.access", "shop")
    ]
    assert capsys.readouterr() == ("", "")


def test_a_later_dict_config_that_is_wrong_leaves_the_lines(
    stream: io.StringIO,
) -> None:
    """
    It has removed all handlers when it raises.
    """
    ctxlog.configure(stream=stream)

    with pytest.raises(ValueError, match="Unable to configure"):
        logging.config.dictConfig(
            {"version": 1, "root": {"handlers": ["missing"], "level": "ERROR"}}
        )
    logging.info("x")

    assert len(written(stream)) == 1


def test_another_librarys_dict_config_class_is_kept(stream: io.StringIO) -> None:
    """
    Ours extends the class that it finds.
    """
    seen: list[dict[str, Any]] = []
    stock: Any = logging.config.dictConfigClass  # type: ignore[attr-defined]

    class Theirs(stock):  # type: ignore[misc]
        def configure(self) -> None:
            seen.append(self.config)
            super().configure()

    logging.config.dictConfigClass = Theirs  # type: ignore[attr-defined]
    ctxlog.configure(stream=stream)
    logging.config.dictConfig({"version": 1})
    unconfigure()

    assert len(seen) == 1
    assert logging.config.dictConfigClass is Theirs  # type: ignore[attr-defined]


# Options and variables -------------------------------------------------------------

WRONG_VARIABLES = {
    "LEVEL": "LOUD",
    "FORMAT": "yaml",
    "SCHEMA": "unknown",
    "LEVELS": "sqlalchemy=LOUD",
    "REDACT": "-",
    "LOGGERS": "log4j",
    "THREADS": "maybe",
    "HOOKS": "maybe",
    "ACCESS_LINES": "none",
    "TIMESPEC": "days",
    "MAX_LINE_BYTES": "12",
}


@pytest.mark.parametrize("call", [ctxlog.configure, ctxlog.dict_config])
@pytest.mark.parametrize(("name", "value"), WRONG_VARIABLES.items())
def test_the_error_of_a_variable_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, call: Any
) -> None:
    """
    The error has the value and what is expected; an option of the call wins.
    """
    monkeypatch.setenv(f"CTXLOG_{name}", value)
    if call is ctxlog.dict_config and name in ("LOGGERS", "THREADS", "HOOKS"):
        call()  # not an option of stdlib logging
        return

    with pytest.raises(
        ctxlog.ConfigError, match=rf"value for CTXLOG_{name}.*expected "
    ):
        call()

    right: dict[str, Any] = {
        **{"level": 10, "format": "json", "schema": "default", "levels": {}},
        **{"redact": None, "loggers": "auto", "threads": True, "hooks": True},
        **{"access_lines": "both", "timespec": "seconds", "max_line_bytes": 2048},
    }
    call(**{name.lower(): right[name.lower()]})


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        *[("DEBUG", 10), ("debug", 10), ("Warning", 30), ("WARN", 30), ("17", 17)],
        *[(17, 17), (0, 0), ("Notice", 25), ("notset", 0)],
    ],
)
def test_a_level_is_a_name_or_a_number(level: Any, shown: int) -> None:
    """
    In any case, and of one's own.
    """
    logging.addLevelName(25, "Notice")
    try:
        assert ctxlog.dict_config(level=level)["root"]["level"] == shown
    finally:
        logging._levelToName.pop(25)
        logging._nameToLevel.pop("Notice")


@pytest.mark.parametrize(
    "level", ["LOUD", "", "1.5", 1.5, True, None, -1, "-1"], ids=repr
)
def test_any_other_level_is_refused(level: Any) -> None:
    """
    The error lists the names.
    """
    expected = r"^invalid value for level: .*one of: .*DEBUG.*INFO.*or a number"
    with pytest.raises(ctxlog.ConfigError, match=expected):
        ctxlog.dict_config(level=level)


def test_an_error_says_what_was_given_and_what_is_possible() -> None:
    """
    For people and, by its attributes, for programs.
    """
    with pytest.raises(ctxlog.ConfigError) as caught:
        ctxlog.configure(format="yaml")

    assert str(caught.value) == (
        "invalid value for format: 'yaml' (expected one of: auto, json, console)"
    )
    assert (caught.value.option, caught.value.value) == ("format", "yaml")


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    As deployments leave them.
    """
    for name in WRONG_VARIABLES:
        monkeypatch.setenv(f"CTXLOG_{name}", "")

    assert ctxlog.dict_config() == ctxlog.dict_config(level="INFO")


@pytest.mark.parametrize("format", ["json", "console"])
def test_a_format_that_is_asked_for_is_used_everywhere(
    stream: io.StringIO, format: str
) -> None:
    """
    The format is used for any stream; text is colored on terminals only.
    """
    ctxlog.configure(stream=stream, format=format)

    logging.warning("x")

    assert stream.getvalue().startswith("{") is (format == "json")
    assert "\x1b" not in stream.getvalue()


# As a dict -------------------------------------------------------------------------


def test_the_dict_gives_the_line_that_the_call_gives(stream: io.StringIO) -> None:
    """
    Every option that both have means the same, and reads as the same dict twice.
    """
    other = io.StringIO()
    options: dict[str, Any] = {
        **{"level": "DEBUG", "service": "shop", "environment": "test"},
        **{"static": {"pod": "p"}, "redact": ["iban"], "missing_request_id": "-"},
        **{"timespec": "seconds", "max_line_bytes": 2048, "access_lines": "both"},
    }
    assert ctxlog.dict_config(**options) == ctxlog.dict_config(**options)
    record = logging.LogRecord("uvicorn.access", 10, "f", 1, "x" * 3000, (), None)
    record.iban = "DE00"

    ctxlog.configure(stream=stream, **options)
    logging.getLogger("uvicorn.access").handle(record)
    unconfigure()
    logging.config.dictConfig(ctxlog.dict_config(stream=other, **options))
    logging.getLogger("uvicorn.access").handle(record)

    assert stream.getvalue() == other.getvalue()
    assert "DE00" not in stream.getvalue()


def test_the_dict_can_be_changed_before_use(
    stream: io.StringIO, tmp_path: Path
) -> None:
    """
    A handler of one's own uses its formatter and its filter by name.
    """
    settings = ctxlog.dict_config(stream=stream, missing_request_id="-")
    settings["formatters"]["plain"] = {"format": "%(requestID)s %(message)s"}
    settings["handlers"]["file"] = {
        "class": "logging.FileHandler",
        "filename": str(tmp_path / "app.log"),
        "formatter": "plain",
        "filters": ["ctxlog"],
    }
    settings["root"]["handlers"].append("file")
    logging.config.dictConfig(settings)

    logging.warning("out")
    ctxlog.run({"requestID": "A"}, logging.warning, "in")
    logging.shutdown([lambda: logging.getLogger().handlers[-1]])  # type: ignore[list-item]

    assert (tmp_path / "app.log").read_text() == "- out\nA in\n"
    assert [line["requestID"] for line in written(stream)] == ["-", "A"]


def test_django_with_the_dict_writes_every_line_once(tmp_path: Path) -> None:
    """
    Django configures its own loggers first; a 404 and its server's line come out too.
    """
    need("django")
    program = (
        "import ctxlog, logging, django\n"
        "from django.conf import settings\n"
        "settings.configure(LOGGING=ctxlog.dict_config(format='json'),"
        " ROOT_URLCONF=__name__, ALLOWED_HOSTS=['*'])\n"
        "django.setup()\n"
        "urlpatterns = []\n"
        "from django.test import Client\n"
        "ctxlog.run({'requestID': 'A'}, Client().get, '/missing?token=hunter2')\n"
        "ctxlog.run({'requestID': 'B'}, logging.getLogger('shop').info, 'x')\n"
        "logging.getLogger('django.server').info('\"GET /\" 200')\n"
    )

    done = run_python("-c", program, cwd=tmp_path)

    lines = [load_line(line) for line in done.stdout.splitlines()]
    assert [(line["logger"], line["requestID"]) for line in lines] == [
        *(("django.request", "A"), ("shop", "B"), ("django.server", "N/A"))
    ]
    assert done.stderr == ""
    assert "hunter2" not in done.stdout


def test_a_server_that_sets_its_handlers_later_writes_no_line_twice() -> None:
    """Hypercorn replaces its logger's handlers at start, without dictConfig."""
    stream = io.StringIO()
    ctxlog.configure(format="json", stream=stream)
    logger = logging.getLogger("hypercorn.access")
    theirs = logging.StreamHandler(sys.stdout)
    logger.handlers = [theirs]
    logger.propagate = False
    logger.error("broken")
    assert theirs not in logger.handlers
    assert [json.loads(x)["message"] for x in stream.getvalue().splitlines()] == [
        "broken"
    ]


# Which loggers -------------------------------------------------------------------


def test_a_logger_that_is_not_installed_is_an_error_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    A name in a list always does what it says, or nothing is changed.
    """
    monkeypatch.setattr(
        "ctxlog.config._settings.find_spec",
        lambda name: None if name == "loguru" else name,
    )
    before = logging.getLogger().handlers[:]
    with pytest.raises(ctxlog.ConfigError, match=r"loguru.*ctxlog-json\[loguru\]"):
        ctxlog.configure(loggers=["stdlib", "loguru"])
    assert logging.getLogger().handlers == before


def test_loggers_auto_takes_what_is_imported_and_not_configured(
    tmp_path: Path,
) -> None:
    """
    structlog's and loguru's lines come into the one stream, and leave it again.
    """
    need("structlog", "loguru")
    program = """
import logging
import loguru, structlog
import ctxlog
ctxlog.configure(format="json")
structlog.get_logger("shop").info("from structlog")
loguru.logger.info("from loguru")
logging.getLogger("shop").info("from stdlib")
ctxlog.config.unconfigure()
assert not structlog.is_configured()
loguru.logger.info("loguru's own")
"""
    done = run_python("-c", program, cwd=tmp_path)
    lines = [load_line(line) for line in done.stdout.splitlines()]
    assert [line["message"] for line in lines] == [
        *("from structlog", "from loguru", "from stdlib")
    ]
    assert done.stderr.endswith("loguru's own\n")


def test_loggers_auto_leaves_alone_what_the_application_has_configured(
    stream: io.StringIO,
) -> None:
    """
    Its own set-up stays as it is; a list takes it all the same.
    """
    structlog = need("structlog")
    mine = [structlog.processors.KeyValueRenderer()]
    structlog.configure(processors=mine)
    try:
        ctxlog.configure(stream=stream, format="json", loggers="auto", warn=False)
        assert structlog.get_config()["processors"] is mine
        ctxlog.configure(stream=stream, format="json", loggers=["structlog"])
        structlog.get_logger("shop").info("hello")
        ctxlog.config.unconfigure()
        assert structlog.get_config()["processors"] is mine
    finally:
        structlog.reset_defaults()
    assert [line["message"] for line in written(stream)] == ["hello"]


def test_a_list_without_stdlib_leaves_stdlib_alone(stream: io.StringIO) -> None:
    """
    Its handlers, level and record factory are as they were.
    """
    need("structlog")
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.getLogRecordFactory()
    ctxlog.configure(stream=stream, format="json", loggers=["structlog"])
    after = root.handlers[:], root.level, logging.getLogRecordFactory()
    ctxlog.config.unconfigure()
    assert after == before


@pytest.mark.parametrize("call", [ctxlog.configure, ctxlog.dict_config])
def test_the_signature_names_every_option_with_its_default(call: Any) -> None:
    """
    `help()`, IPython and documentation tools show what the docstring describes.
    """
    options = inspect.signature(call).parameters
    described = inspect.getdoc(ctxlog.configure) or ""

    assert {one.kind for one in options.values()} == {inspect.Parameter.KEYWORD_ONLY}
    assert options["level"].default == "INFO"
    assert options["max_line_bytes"].default == 262_144
    assert [name for name in options if f"\n    {name}: " not in described] == []


def test_the_defaults_that_are_shown_are_the_defaults() -> None:
    """
    A dict of the options that the signature shows is the dict without any.
    """
    options = inspect.signature(ctxlog.dict_config).parameters
    shown = {name: option.default for name, option in options.items()}
    assert ctxlog.dict_config(**shown) == ctxlog.dict_config()


@pytest.mark.parametrize(
    ("call", "option"), [(ctxlog.configure, "levle"), (ctxlog.dict_config, "hooks")]
)
def test_an_unknown_option_is_a_type_error(call: Any, option: str) -> None:
    """
    As an unknown parameter of any function; a dict has no hooks.
    """
    with pytest.raises(TypeError, match=option):
        call(**{option: True})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"loggers": "shop"}, "a list of logging libraries: stdlib, structlog, loguru"),
        ({"levels": ["shop"]}, "a mapping of loggers to levels"),
    ],
    ids=str,
)
def test_loggers_are_libraries_and_levels_are_of_loggers(
    options: dict[str, Any], expected: str
) -> None:
    """
    The error of each says what the other option is not about.
    """
    with pytest.raises(ctxlog.ConfigError, match=expected):
        ctxlog.configure(**options)


def test_completion_lines_are_off_where_the_servers_are_wanted(
    stream: io.StringIO,
) -> None:
    """
    Whatever level the logger was given, by the call and by the dict alike.
    """
    completion = logging.getLogger("ctxlog.request")
    options: dict[str, Any] = {
        "access_lines": "server",
        "levels": {"ctxlog.request": "DEBUG"},
    }
    ctxlog.configure(stream=stream, **options)
    assert not completion.isEnabledFor(logging.CRITICAL)
    unconfigure()
    assert completion.isEnabledFor(logging.CRITICAL)
    logging.config.dictConfig(ctxlog.dict_config(stream=stream, **options))
    assert not completion.isEnabledFor(logging.CRITICAL)
    completion.setLevel(logging.NOTSET)
