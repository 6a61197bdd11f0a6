"""
structlog in front of `logging`, as its documentation recommends: records whose message
is an event dict are read as `JsonRenderer` reads it.
"""

from __future__ import annotations

import io
import itertools
import logging
import logging.handlers
import queue
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from tests.helpers import LogEnvironment, load_line, need, run_python

structlog = need("structlog")

from ctxlog.loggers import structlog as adapter  # noqa: E402 (after the guard)

_LOGGER = "test.env"


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    ctxlog.config.unconfigure()
    ctxlog.uninstall_record_factory()
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def recommended() -> list[Any]:
    """
    The processors that structlog's documentation puts in front of `logging`.
    """
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.StackInfoRenderer(),
    ]


def crash(log: Any) -> None:
    try:
        raise ValueError("bad")
    except ValueError:
        log.exception("failed", rows=3)


def crash_later(log: Any) -> None:
    try:
        raise ValueError("bad")
    except ValueError as caught:
        error = caught
    log.error("failed", exc_info=error)


CALLS: dict[str, Callable[[Any], object]] = {
    "fields": lambda log: log.warning("placed", rows=3, items=[1, {"a": 2}]),
    "arguments": lambda log: log.info("order %s of %d", "o-7", 3, rows=3),
    "wrong arguments": lambda log: log.info("%d items", "many"),
    "bound": lambda log: log.bind(order="o-7").info("placed"),
    "odd message": lambda log: log.info(7),
    "crash": crash,
    "crash later": crash_later,
    "exception without one": lambda log: log.exception("failed"),
    "secret": lambda log: log.info("x", password="hunter2"),
}

MORE: dict[str, list[Any]] = {
    "as it is": [],
    "arguments": [structlog.stdlib.PositionalArgumentsFormatter()],
    "text": [structlog.processors.format_exc_info],
    "dicts": [structlog.processors.dict_tracebacks],
    "local time": [structlog.processors.TimeStamper("%Y-%m-%d %H:%M:%S", utc=False)],
    "its own time": [structlog.processors.TimeStamper("%Y-%m-%d %H:%M.%S", utc=True)],
    "unix time": [structlog.processors.TimeStamper()],
    "context": [adapter.merge_context],
    "message": [structlog.processors.EventRenamer("message")],
    "msg": [structlog.processors.EventRenamer("msg")],
}

HAND_OVERS = {
    "formatter": structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    "keywords": structlog.stdlib.render_to_log_kwargs,
    "arguments": structlog.stdlib.render_to_log_args_and_kwargs,
}


def without_times(line: dict[str, Any]) -> dict[str, Any]:
    """
    A line without what differs from one to the next.
    """
    return {k: v for k, v in line.items() if k not in ("timestamp", "elapsedMs")}


def written(
    log_env: LogEnvironment, call: Callable[[Any], object], processors: list[Any]
) -> dict[str, Any]:
    """
    The first line of a log call, within a request.
    """
    structlog.configure(
        processors=[*recommended(), *processors],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    log_env.clear()
    fields = {"requestID": "A", "user": "u"}
    ctxlog.run(fields, lambda: call(structlog.get_logger(_LOGGER)))
    return load_line(log_env.lines()[0])


def line_of_event(
    log_env: LogEnvironment, call: Callable[[Any], object], processors: list[Any]
) -> dict[str, Any]:
    """
    The line that `JsonRenderer` makes of an event.
    """
    log_env.set_formatter(logging.Formatter("%(message)s"))
    return written(log_env, call, [*processors, adapter.JsonRenderer()])


def of_record(
    log_env: LogEnvironment, call: Callable[[Any], object], processors: list[Any]
) -> dict[str, Any]:
    """
    The line of the record that structlog hands to `logging`; there must be one only.
    """
    ctxlog.install_record_factory()
    log_env.set_formatter(ctxlog.JsonFormatter())
    line = written(log_env, call, processors)
    assert len(log_env.lines()) == 1
    return line


def cases() -> Iterator[Any]:
    """
    Every log call with every chain that structlog itself has no exception for.
    """
    for call, more, last in itertools.product(CALLS, MORE, HAND_OVERS):
        # This processor formats, and raises in the log call.
        formats = (call, more) == ("wrong arguments", "arguments")
        # These raise where the event has another name.
        renamed = more in ("message", "msg") and last != "formatter"
        if not formats and not renamed:
            values = (CALLS[call], MORE[more], HAND_OVERS[last])
            yield pytest.param(*values, id=f"{call}-{more}-{last}")


@pytest.mark.parametrize(("call", "more", "last"), list(cases()))
def test_a_record_of_an_event_is_the_line_of_the_event(
    log_env: LogEnvironment, call: Any, more: list[Any], last: Any
) -> None:
    """
    Message, level, logger, exception and fields, each once; whatever else processors
    have put there is what the line says already.
    """
    expected, line = (
        line_of_event(log_env, call, more),
        of_record(log_env, call, [*more, last]),
    )
    assert without_times(line) == without_times(expected)
    names = ("fields.", "event", "positional_args", "exc_info", "_")
    assert not [key for key in line if key.startswith(names)]


def test_names_of_the_line_are_free_for_fields_of_an_event(
    log_env: LogEnvironment,
) -> None:
    """
    As on the event's own line; `logging` itself allows no attribute `message`.
    """

    def call(log: Any) -> None:
        log.info("x", message="mine", name="x", args=3, lineno=4)

    last = [HAND_OVERS["formatter"]]
    line = of_record(log_env, call, last)
    assert without_times(line) == without_times(line_of_event(log_env, call, []))
    assert (line["message"], line["fields.message"]) == ("x", "mine")
    assert (line["name"], line["args"], line["lineno"]) == ("x", 3, 4)


def test_what_differs_from_the_record_is_a_field(log_env: LogEnvironment) -> None:
    """
    A level, a logger or a time of the event's own is not lost.
    """

    def override(logger: Any, name: str, event: Any) -> Any:
        return {**event, "level": "error", "logger": "x", "timestamp": "2001-01-01"}

    line = of_record(
        log_env, lambda log: log.info("x"), [override, HAND_OVERS["formatter"]]
    )
    assert (line["level"], line["logger"]) == ("INFO", _LOGGER)
    found = [line[f"fields.{name}"] for name in ("level", "logger", "timestamp")]
    assert found == ["error", "x", "2001-01-01"]


def test_a_stack_that_no_processor_has_rendered(log_env: LogEnvironment) -> None:
    """
    The stack of the log call, without structlog's and logging's frames.
    """
    structlog.configure(
        processors=[HAND_OVERS["formatter"]],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    ctxlog.install_record_factory()
    log_env.set_formatter(ctxlog.JsonFormatter())
    structlog.get_logger(_LOGGER).info("here", stack_info=True)
    stack = log_env.load_json()["stackInfo"]
    assert stack.startswith("Stack (most recent call last):\n")
    assert stack.splitlines()[-2].endswith(
        "in test_a_stack_that_no_processor_has_rendered"
    )


def test_a_chain_of_exceptions_that_is_rendered_as_dicts(
    log_env: LogEnvironment,
) -> None:
    """
    Where the exception itself is gone, the line has its text, without variables.
    """

    def call(log: Any) -> None:
        secret = "hunter2"
        try:
            try:
                raise KeyError(secret[:0])
            except KeyError as error:
                raise ValueError("bad") from error
        except ValueError as caught:
            error = caught
        log.error("failed", exc_info=error)

    line = of_record(log_env, call, [*MORE["dicts"], HAND_OVERS["formatter"]])
    assert "hunter2" not in str(line)
    found = line["exception"]
    assert (found["type"], found["message"]) == ("ValueError", "bad")
    first, between, last = found["stack"].split("\n\n")
    assert between.endswith("direct cause of the following exception:")
    assert first.splitlines()[-1].startswith("KeyError")
    assert last.splitlines()[-1] == "ValueError: bad"
    assert f'File "{__file__}"' in last


@pytest.mark.parametrize("filtered", [False, True])
def test_an_event_through_the_stock_queue(filtered: bool) -> None:
    """
    `QueueHandler` makes text of the event dict; the line has the event all the same.
    """
    waiting: queue.Queue[Any] = queue.Queue()
    handler = logging.handlers.QueueHandler(waiting)
    if filtered:
        handler.addFilter(ctxlog.ContextFilter())
    logger = logging.getLogger("queued")
    logger.addHandler(handler)
    logger.propagate = False
    ctxlog.install_record_factory()
    structlog.configure(
        processors=[*recommended(), HAND_OVERS["formatter"]],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    ctxlog.run({"requestID": "A"}, crash, structlog.get_logger("queued"))
    ctxlog.run({"requestID": "A"}, logger.warning, {"rows": 3})
    logger.removeHandler(handler)
    stream = io.BytesIO()
    listener = logging.handlers.QueueListener(waiting, ctxlog.LineHandler(stream))
    listener.start()
    listener.stop()
    event, plain = map(load_line, stream.getvalue().splitlines())
    assert (event["message"], event["rows"], event["requestID"]) == ("failed", 3, "A")
    assert event["exception"]["type"] == "ValueError"
    assert not [key for key in event if key.startswith(("fields.", "event"))]
    assert (plain["message"], plain["rows"]) == ("", 3)


def test_attributes_of_stdlib_logging_that_only_look_alike(
    log_env: LogEnvironment,
) -> None:
    """
    Fields of `extra` with structlog's names stay fields where they say something else.
    """
    ctxlog.install_record_factory()
    log_env.set_formatter(ctxlog.JsonFormatter())
    extra = {"level": 3, "logger": "x", "timestamp": 1.5, "stack": "full", "event": "e"}
    for _ in range(2):
        log_env.logger.info("seen %s", "x", extra={**extra, "exception": None})
    for line in log_env.load_all():
        assert (line["message"], line["level"]) == ("seen x", "INFO")
        assert (line["fields.level"], line["fields.logger"]) == (3, "x")
        assert (line["fields.timestamp"], line["stack"]) == (1.5, "full")
        assert (line["event"], line["fields.exception"]) == ("e", None)


def test_formatters_of_the_application_go_on_beside_us(tmp_path: Path) -> None:
    """
    structlog as its documentation sets it up, its handler on the root logger, and one
    call of `configure()`: each event is one line of ours, and one in the file.
    """
    program = """
import logging, logging.config, structlog, ctxlog
shared = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso"),
]
structlog.configure(
    processors=[
        *shared,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)
structlog.get_logger("early")
formatter = structlog.stdlib.ProcessorFormatter(
    foreign_pre_chain=shared,
    processors=[
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ],
)
for handler in (logging.StreamHandler(), logging.FileHandler("app.log")):
    handler.setFormatter(formatter)
    logging.getLogger().addHandler(handler)
logging.getLogger().setLevel("INFO")
ctxlog.configure(format="json")

def work():
    structlog.contextvars.bind_contextvars(tenant="acme")
    structlog.get_logger("shop").info("order %s", "o-7", rows=3)
    logging.getLogger("lib").info("rows %d", 3, extra={"rows": 3})
    try:
        1 / 0
    except ZeroDivisionError:
        structlog.get_logger("shop").exception("failed")
        logging.getLogger("lib").exception("failed")

ctxlog.run({"requestID": "A"}, work)
"""
    done = run_python("-c", program, cwd=tmp_path)
    assert done.stderr == ""
    ours = [load_line(line) for line in done.stdout.splitlines()]
    theirs = list(map(load_line, (tmp_path / "app.log").read_text().splitlines()))
    expected = ["order o-7", "rows 3", "failed", "failed"]
    assert [line["message"] for line in ours] == expected
    assert [line["event"] for line in theirs] == expected
    assert {line["requestID"] for line in ours} == {"A"}
    assert [line["logger"] for line in ours] == ["shop", "lib", "shop", "lib"]
    assert [line.get("rows") for line in ours] == [3, 3, None, None]
    for line in ours[2:]:
        assert line["exception"]["type"] == "ZeroDivisionError"
        assert str(line).count("Traceback") == 1
    for line in theirs:
        assert "View" not in str(line)
        assert str(line).count("Traceback") <= 1


def test_django_structlog(tmp_path: Path) -> None:
    """
    Set up as its README says, with a request that fails: its lines, Django's and the
    application's have one request's id, and each event is one line.
    """
    need("django")
    need("django_structlog")
    program = """
import logging.config, sys, structlog, ctxlog
from django.conf import settings

formatter = {
    "()": structlog.stdlib.ProcessorFormatter,
    "processor": structlog.processors.JSONRenderer(),
}
settings.configure(
    SECRET_KEY="x",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF="__main__",
    INSTALLED_APPS=["django_structlog"],
    MIDDLEWARE=[
        "ctxlog.servers.django.ContextMiddleware",
        "django_structlog.middlewares.RequestMiddleware",
    ],
    LOGGING={
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json_formatter": formatter},
        "handlers": {
            "json_file": {
                "class": "logging.handlers.WatchedFileHandler",
                "filename": "json.log",
                "formatter": "json_formatter",
            },
        },
        "loggers": {
            "django_structlog": {"handlers": ["json_file"], "level": "INFO"},
            "shop": {"handlers": ["json_file"], "level": "INFO"},
        },
    },
)
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.filter_by_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        structlog.processors.UnicodeDecoder(),
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
import django
django.setup()
ctxlog.configure(format="json")
from django.http import HttpResponse
from django.test import Client
from django.urls import path

def pay(request):
    structlog.get_logger("shop").info("paid", rows=3)
    return HttpResponse("ok")

def fail(request):
    structlog.get_logger("shop").warning("about to fail %s", "now")
    raise ValueError("bad")

urlpatterns = [path("pay", pay), path("fail", fail)]
client = Client(raise_request_exception=False)
client.get("/pay", headers={"X-Request-ID": "req-1"})
client.get("/fail", headers={"X-Request-ID": "req-2"})
"""
    done = run_python("-c", program, cwd=tmp_path)
    lines = [load_line(line) for line in done.stdout.splitlines()]
    by_logger = [
        (line["requestID"], line["logger"], line["message"].partition(":")[0])
        for line in lines
        if line["logger"].partition(".")[0] in ("django_structlog", "shop")
    ]
    middleware = "django_structlog.middlewares.request"
    assert by_logger == [
        ("req-1", middleware, "request_started"),
        ("req-1", "shop", "paid"),
        ("req-1", middleware, "request_finished"),
        ("req-2", middleware, "request_started"),
        ("req-2", "shop", "about to fail now"),
        ("req-2", middleware, "request_failed"),
    ]
    assert lines[0]["request"] == "GET /pay"
    assert {line["level"] for line in lines[:3]} == {"INFO"}
    (crash,) = [line for line in lines if line["message"] == "request_failed"]
    assert crash["exception"]["type"] == "ValueError"
    assert str(crash).count("Traceback") == 1
    for line in lines:
        assert not [key for key in line if key.startswith(("event", "fields.", "_"))]
