"""
structlog's lines: the same as those of stdlib logging, in every set-up that it has.
"""

from __future__ import annotations

import asyncio
import collections
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

import ctxlog
from tests.helpers import LogEnvironment, load_line, need

structlog = need("structlog")

from ctxlog.loggers import structlog as adapter  # noqa: E402 (after the guard)
from ctxlog.loggers._structlog_logger import LineLogger  # noqa: E402


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    adapter.unconfigure()
    adapter.unbridge()
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def written(stream: io.StringIO) -> list[dict[str, Any]]:
    """
    The lines in *stream*, read as strict JSON.
    """
    return [load_line(line) for line in stream.getvalue().split("\n")[:-1]]


def in_store(fn: Any, **fields: object) -> Any:
    """
    Call *fn* in a store with an id.
    """
    return ctxlog.run({"requestID": "req-A", **fields}, fn)


# The whole set-up ----------------------------------------------------------------


def test_an_event_is_the_line_that_a_record_is(stream: io.StringIO) -> None:
    """
    Keys, their order and their values are those of stdlib logging.
    """
    ctxlog.configure(stream=stream, format="json", loggers=["stdlib", "structlog"])

    def work() -> None:
        log = structlog.get_logger("shop").bind(order=7)
        log.warning("%s of %d", "one", 2, rows=3)
        extra = {"order": 7, "rows": 3}
        logging.getLogger("shop").warning("%s of %d", "one", 2, extra=extra)

    in_store(work, user="alice")
    ctxlog.config.unconfigure()

    ours, stock = written(stream)
    assert list(ours) == list(stock)
    changing = ("timestamp", "elapsedMs")
    assert all(ours[key] == stock[key] for key in ours if key not in changing)
    assert ours["message"] == "one of 2"


@pytest.mark.parametrize(
    ("method", "level"),
    [
        *[("debug", "DEBUG"), ("info", "INFO"), ("msg", "INFO"), ("warn", "WARNING")],
        *[("warning", "WARNING"), ("error", "ERROR"), ("exception", "ERROR")],
        *[("critical", "CRITICAL"), ("fatal", "CRITICAL")],
    ],
)
def test_levels_have_the_words_of_stdlib_logging(
    stream: io.StringIO, method: str, level: str
) -> None:
    """
    Every method of a logger writes, under the level that it means.
    """
    adapter.configure(stream=stream, level=logging.DEBUG)
    getattr(structlog.get_logger("shop"), method)("hello")
    assert written(stream)[0]["level"] == level


def test_a_level_between_the_standard_ones_is_not_lost(stream: io.StringIO) -> None:
    """
    `log()` takes any number: structlog itself knows only the standard ones.
    """
    adapter.configure(stream=stream)
    structlog.get_logger("shop").log(25, "hello %s", "you")
    structlog.get_logger("shop").log(5, "not seen")
    assert [line["message"] for line in written(stream)] == ["hello you"]


def test_events_below_the_level_are_dropped(stream: io.StringIO) -> None:
    """
    `level` counts for all loggers, `levels` for single ones and what is below them.
    """
    adapter.configure(
        stream=stream, level=logging.WARNING, levels={"shop.db": logging.DEBUG}
    )
    structlog.get_logger("shop.db.pool").debug("seen")
    structlog.get_logger("shop").info("not seen")
    structlog.get_logger("shop").error("seen, too")
    assert [line["message"] for line in written(stream)] == ["seen", "seen, too"]


def test_a_logger_without_a_name_has_its_modules(stream: io.StringIO) -> None:
    """
    As with `structlog.stdlib.LoggerFactory`.
    """
    adapter.configure(stream=stream)
    structlog.get_logger().info("hello")
    assert written(stream)[0]["logger"] == __name__


def test_a_wrong_format_costs_no_line(stream: io.StringIO) -> None:
    """
    structlog itself would raise in the log call.
    """
    adapter.configure(stream=stream)
    structlog.get_logger("shop").info("%d items", "x", rows=3)
    (line,) = written(stream)
    assert line["message"] == "%d items [x]"
    assert line["rows"] == 3
    assert "TypeError" in line["logError"]


def test_precedence_is_call_then_bound_then_scope_then_store(
    stream: io.StringIO,
) -> None:
    """
    A field has one value, and stands once on the line.
    """
    adapter.configure(stream=stream)

    def work() -> None:
        log = structlog.get_logger("shop").bind(a="bound", b="bound")
        with ctxlog.scope(a="scope", b="scope", c="scope"):
            log.info("hello", a="call")

    in_store(work, a="store", b="store", c="store", d="store")
    (line,) = written(stream)
    assert [line[key] for key in "abcd"] == ["call", "bound", "scope", "store"]


def test_an_exception_is_shown_as_on_a_record(stream: io.StringIO) -> None:
    """
    `exc_info` may be true, an exception or a tuple.
    """
    adapter.configure(stream=stream)
    log = structlog.get_logger("shop")
    error = ValueError("bad")
    try:
        raise error
    except ValueError:
        log.exception("1")
        log.error("2", exc_info=True)
    log.error("3", exc_info=error)
    log.error("4", exc_info=(ValueError, error, error.__traceback__))
    log.error("5", exc_info=True)  # there is none
    *shown, last = written(stream)
    for line in shown:
        exception = line["exception"]
        assert (exception["type"], exception["message"]) == ("ValueError", "bad")
        assert exception["stack"].startswith("Traceback")
    assert "exception" not in last


def test_an_exception_brings_its_context(stream: io.StringIO) -> None:
    """
    A line that reports an exception outside of the request has the request's fields.
    """
    adapter.configure(stream=stream)

    def fail() -> None:
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad") as raised:
        in_store(fail, user="alice")
    structlog.get_logger("shop").error("failed", exc_info=raised.value)
    (line,) = written(stream)
    assert (line["requestID"], line["user"]) == ("req-A", "alice")
    assert "late" not in line


def test_the_stack_that_was_asked_for_ends_at_the_call(stream: io.StringIO) -> None:
    """
    `stack_info=True` shows neither structlog's frames nor ours.
    """
    adapter.configure(stream=stream)
    structlog.get_logger("shop").info("hello", stack_info=True)
    last = written(stream)[0]["stackInfo"].split("\n")[-1]
    assert last.strip().startswith('structlog.get_logger("shop").info(')


def test_asynchronous_methods_take_the_callers_context(stream: io.StringIO) -> None:
    """
    `ainfo()` renders in a thread.
    """
    adapter.configure(stream=stream)

    async def work() -> None:
        log = structlog.get_logger("shop")
        await log.ainfo("hello %s", "you", rows=3)
        try:
            raise ValueError("bad")
        except ValueError:
            await log.aexception("failed")

    asyncio.run(in_store(work))
    hello, failed = written(stream)
    assert (hello["message"], hello["rows"]) == ("hello you", 3)
    assert failed["exception"]["message"] == "bad"
    assert [line["requestID"] for line in (hello, failed)] == ["req-A", "req-A"]


def test_hostile_fields_cost_no_line(stream: io.StringIO) -> None:
    """
    A value that is not JSON is replaced, and the line says so.
    """

    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError("no")

        __repr__ = __str__

    adapter.configure(stream=stream)
    log = structlog.get_logger("shop").bind(bound=Hostile())
    log.info(Hostile(), called=Hostile(), number=float("nan"), password="hunter2")
    (line,) = written(stream)
    assert line["password"] == "[redacted]"
    assert line["number"] == "NaN"
    assert "RuntimeError" in line["logError"]


def test_reserved_names_are_moved_aside(stream: io.StringIO) -> None:
    """
    A field cannot take the place of one of the line's own keys.
    """
    adapter.configure(stream=stream)
    structlog.get_logger("shop").info(
        "hello", level=[1], timestamp="2001-01-01", exception=3, message="mine"
    )
    (line,) = written(stream)
    assert (line["level"], line["message"]) == ("INFO", "hello")
    assert line["fields.level"] == [1]
    assert line["fields.timestamp"] == "2001-01-01"
    assert line["fields.exception"] == 3
    assert line["fields.message"] == "mine"


def test_capture_logs_works_for_loggers_that_are_in_use(stream: io.StringIO) -> None:
    """
    structlog's own test helper sees the events, formatted, and lines come back after.
    """
    adapter.configure(stream=stream)
    log = structlog.get_logger("shop")
    log.info("before")
    with structlog.testing.capture_logs() as captured:
        log.info("hello %s", "you", rows=3)
    log.info("after")
    assert captured == [{"event": "hello you", "rows": 3, "log_level": "info"}]
    assert [line["message"] for line in written(stream)] == ["before", "after"]


def test_a_further_configure_reaches_loggers_that_are_in_use(
    stream: io.StringIO,
) -> None:
    """
    structlog caches a logger when it is first used; where it writes to still changes.
    """
    adapter.configure(stream=io.StringIO())
    log = structlog.get_logger("shop")
    log.info("elsewhere")
    adapter.configure(stream=stream, schema=ctxlog.Schema(message="msg"))
    log.info("here")
    assert written(stream)[0]["msg"] == "here"


def test_unconfigure_gives_back_what_was_configured() -> None:
    """
    The application's own set-up, or none.
    """
    mine = [structlog.processors.JSONRenderer()]
    structlog.configure(processors=mine)
    adapter.configure(stream=io.StringIO())
    assert not adapter.is_configured()
    adapter.unconfigure()
    assert structlog.get_config()["processors"] is mine
    assert adapter.is_configured()
    structlog.reset_defaults()
    adapter.configure(stream=io.StringIO())
    adapter.unconfigure()
    adapter.unconfigure()
    assert not structlog.is_configured()


def test_further_processors_find_the_context_in_the_event(stream: io.StringIO) -> None:
    """
    They may change what is on the line.
    """

    def shout(logger: Any, name: str, event_dict: Any) -> Any:
        event_dict["user"] = event_dict["user"].upper()
        return event_dict

    adapter.configure(shout, stream=stream)
    in_store(lambda: structlog.get_logger("shop").info("hello", rows=3), user="alice")
    (line,) = written(stream)
    assert (line["requestID"], line["user"], line["rows"]) == ("req-A", "ALICE", 3)


# structlog.contextvars -----------------------------------------------------------


def test_fields_of_structlogs_contextvars_are_on_every_loggers_line(
    stream: io.StringIO,
) -> None:
    """
    Code that binds there keeps working, and stdlib's lines have its fields, too.
    """
    ctxlog.configure(stream=stream, format="json", loggers=["stdlib", "structlog"])

    def work() -> None:
        with structlog.contextvars.bound_contextvars(tenant="t-1", user="bob"):
            structlog.get_logger("shop").info("hello")
            logging.getLogger("shop").info("hello")
        structlog.get_logger("shop").info("after")
        logging.getLogger("shop").info("after")

    in_store(work, user="alice")
    ctxlog.config.unconfigure()
    found = [(line["user"], line.get("tenant")) for line in written(stream)]
    assert found == [("bob", "t-1"), ("bob", "t-1"), ("alice", None), ("alice", None)]


def test_without_the_bridge_they_stay_with_structlog(log_env: LogEnvironment) -> None:
    """
    `unbridge()` leaves stdlib's lines alone.
    """
    adapter.bridge()
    adapter.unbridge()
    log_env.set_formatter(ctxlog.JsonFormatter())
    with structlog.contextvars.bound_contextvars(tenant="t-1"):
        log_env.logger.info("hello")
    assert "tenant" not in log_env.load_json()


# Chains of the application's own ---------------------------------------------------


def test_merge_context_fills_in_what_is_not_there() -> None:
    """
    Fields of the event win over structlog's contextvars, and those over the store.
    """

    def work() -> Any:
        with structlog.contextvars.bound_contextvars(b="contextvars", c="contextvars"):
            return adapter.merge_context(None, "info", {"c": "event"})

    merged = in_store(work, a="store", b="store", c="store")
    assert merged == {
        **{"requestID": "req-A", "a": "store", "b": "contextvars", "c": "event"}
    }


def test_the_renderer_understands_what_structlogs_processors_made() -> None:
    """
    Level, logger, time, exception and stack stand in their places, once.
    """
    output = io.BytesIO()
    structlog.configure(
        processors=[
            adapter.merge_context,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            adapter.JsonRenderer(),
        ],
        logger_factory=structlog.BytesLoggerFactory(output),
    )

    def work() -> None:
        log = structlog.get_logger().bind(logger="shop")
        try:
            raise ValueError("bad")
        except ValueError:
            log.exception("failed", stack_info=True, rows=3)

    in_store(work, user="alice")
    line = load_line(output.getvalue())
    assert output.getvalue().endswith(b"}\n")
    assert (line["level"], line["logger"], line["user"]) == ("ERROR", "shop", "alice")
    assert line["exception"]["type"] == "ValueError"
    assert line["stackInfo"].startswith("Stack (most recent call last)")
    assert not any(key.startswith("fields.") or key == "stack" for key in line)


def test_an_exception_that_was_rendered_elsewhere_is_kept() -> None:
    """
    Text is all that is left of it.
    """
    rendered = adapter.JsonRenderer()(
        None, "error", {"event": "failed", "exception": "Traceback ...\nValueError: x"}
    )
    shown = json.loads(rendered)["exception"]
    assert shown["stack"] == "Traceback ...\nValueError: x"


@pytest.mark.parametrize("value", ["2001-01-01T00:00:00Z", "soon", 3, None, [1]])
def test_a_field_called_timestamp_that_is_not_now_is_a_field(value: Any) -> None:
    """
    Only what a `TimeStamper` has just put there is left out.
    """
    event = {"event": "hello", "timestamp": value}
    line = json.loads(adapter.JsonRenderer()(None, "info", event))
    assert line["fields.timestamp"] == value


def test_positional_arguments_of_stdlib_loggers_are_formatted(
    log_env: LogEnvironment,
) -> None:
    """
    With `structlog.stdlib.BoundLogger`, whose chain need not format them.
    """
    log_env.set_formatter(logging.Formatter("%(message)s"))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            adapter.JsonRenderer(),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    in_store(lambda: structlog.get_logger("test.env").info("%s of %d", "one", 2))
    line = log_env.load_json()
    assert (line["message"], line["requestID"]) == ("one of 2", "req-A")
    assert line["logger"] == "test.env"


@pytest.mark.parametrize("removes", [False, True])
def test_a_processor_formatter_renders_both_kinds_of_records(
    log_env: LogEnvironment, removes: bool
) -> None:
    """
    Events of structlog and of stdlib logging, formatted later and elsewhere.
    """
    ctxlog.install_record_factory()
    held: list[logging.LogRecord] = []

    class Holding(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            held.append(record)

    log_env.use(Holding())
    structlog.configure(
        processors=[
            adapter.merge_context,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )

    def work() -> None:
        structlog.get_logger("test.env").info("from %s", "structlog", rows=3)
        log_env.logger.info("from %s", "stdlib", extra={"rows": 3})
        try:
            raise ValueError("bad")
        except ValueError:
            structlog.get_logger("test.env").exception("failed")
            log_env.logger.exception("failed")

    in_store(work, user="alice")
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[adapter.merge_context, structlog.stdlib.add_log_level],
        processors=[
            *([structlog.stdlib.ProcessorFormatter.remove_processors_meta] * removes),
            adapter.JsonRenderer(),
        ],
    )
    lines = [load_line(formatter.format(record)) for record in held]
    ctxlog.uninstall_record_factory()
    assert [line["message"] for line in lines] == [
        *("from structlog", "from stdlib", "failed", "failed")
    ]
    for line in lines:
        assert (line["requestID"], line["user"]) == ("req-A", "alice")
        assert line["logger"] == "test.env"
        assert not any(key.startswith("_") for key in line)
    assert [line.get("rows") for line in lines] == [3, 3, None, None]
    assert [line["exception"]["type"] for line in lines[2:]] == ["ValueError"] * 2


def test_events_handed_over_as_keyword_arguments_are_records(
    log_env: LogEnvironment,
) -> None:
    """
    `render_to_log_kwargs` and our formatter: no field stands there twice.
    """
    log_env.set_formatter(ctxlog.JsonFormatter())
    structlog.configure(
        processors=[adapter.merge_context, structlog.stdlib.render_to_log_kwargs],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    in_store(
        lambda: structlog.get_logger("test.env").info("hello", rows=3), user="alice"
    )
    line = log_env.load_json()
    assert (line["requestID"], line["user"], line["rows"]) == ("req-A", "alice", 3)
    assert (line["level"], line["logger"]) == ("INFO", "test.env")


def test_processors_are_for_structlogs_own_configure() -> None:
    """
    The renderer alone, or with others between the context and the renderer.
    """
    (only,) = adapter.processors()
    assert isinstance(only, adapter.JsonRenderer)
    first, between, last = adapter.processors(structlog.processors.add_log_level)
    assert first is adapter.merge_context
    assert between is structlog.processors.add_log_level
    assert isinstance(last, adapter.JsonRenderer)


def test_text_of_another_renderer_is_written_as_it_is(stream: io.StringIO) -> None:
    """
    A console renderer may stand in the place of ours.
    """
    adapter.configure(stream=stream)
    LineLogger("shop").info("text")
    assert stream.getvalue() == "text\n"
    assert repr(LineLogger("shop")) == "<LineLogger 'shop'>"


class Hostile:
    """A value whose truth cannot be tested."""

    def __bool__(self) -> bool:
        raise RuntimeError("no")

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


KEYS = [
    *("event", "exc_info", "exception", "level", "logError", "logger", "stack"),
    *("stack_info", "timestamp", "positional_args", "_record", "_from_structlog"),
]
ODD = [
    *(5, 10**400, float("nan"), float("-inf"), True, None, "text", b"bytes"),
    *((1, 2), (1, 2, 3), [1], {"a": 1}, Hostile(), ValueError("bad"), ValueError),
    *("9999-99-99", logging.makeLogRecord({})),
]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", ODD, ids=lambda value: type(value).__name__)
def test_no_value_of_structlogs_own_keys_costs_a_line(key: str, value: Any) -> None:
    """
    Given in the call, or a field of the store.
    """
    chain = adapter.processors(lambda logger, name, event_dict: event_dict)
    for bound, called in ({}, {key: value}), ({key: value}, {}):
        event: Any = {"event": "hello", **called}
        with ctxlog.scope(requestID="req-A", **bound):
            for processor in chain:
                event = processor(None, "info", event)
        line = load_line(event)
        assert line["requestID"] == "req-A"
        assert line["message"].startswith("hello") or key == "event"


@pytest.mark.parametrize("key", ["_record", "_from_structlog", "positional_args"])
def test_a_field_that_only_has_an_internal_name_is_a_field(key: str) -> None:
    """
    structlog's own values of that name are records, tuples and a mark.
    """
    line = load_line(adapter.JsonRenderer()(None, "info", {"event": "x", key: "own"}))
    assert line[key] == "own"
    assert "logError" not in line


@pytest.mark.parametrize("info", [True, 1, "yes"])
def test_any_true_exc_info_is_the_exception_being_handled(info: Any) -> None:
    """
    As for structlog's own processors, and for stdlib logging.
    """
    try:
        raise ValueError("bad")
    except ValueError:
        event = {"event": "failed", "exc_info": info}
        line = load_line(adapter.JsonRenderer()(None, "error", event))
    assert line["exception"]["message"] == "bad"


def test_a_dict_for_a_message_is_the_events_fields() -> None:
    """
    As on a record of stdlib logging: its secrets are hidden, and the call's own win.
    """
    event = {"event": {"rows": 3, "password": "hunter2", "a": 1}, "a": 2}
    line = load_line(adapter.JsonRenderer()(None, "info", event))
    assert (line["message"], line["rows"], line["a"]) == ("", 3, 2)
    assert line["password"] == "[redacted]"


def test_any_mapping_may_be_the_event() -> None:
    """
    `context_class` may be any.
    """
    for kind in (collections.OrderedDict, collections.UserDict):
        event: Any = kind(event="hello", rows=3)
        line = load_line(adapter.JsonRenderer()(None, "info", event))
        assert (line["message"], line["rows"]) == ("hello", 3)


def test_merge_context_hides_secrets_from_other_renderers() -> None:
    """
    The store keeps them: the application reads them from there.
    """
    render = structlog.processors.JSONRenderer()
    with ctxlog.scope(token="hunter2", user={"password": "hunter2", "id": 7}):
        text = render(None, "info", adapter.merge_context(None, "info", {}))
        assert ctxlog.fields()["token"] == "hunter2"
    assert "hunter2" not in text
    assert json.loads(text)["user"]["id"] == 7


def test_an_async_bound_logger_takes_the_callers_context(stream: io.StringIO) -> None:
    """
    It renders in another thread: the context, the exception and the name are there.
    """
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.PositionalArgumentsFormatter(),
            adapter.JsonRenderer(),
        ],
        wrapper_class=structlog.stdlib.AsyncBoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    log = logging.getLogger("test.async_bound")
    handler = logging.StreamHandler(stream)
    log.addHandler(handler)
    log.propagate = False
    log.setLevel(logging.INFO)

    async def work() -> None:
        bound = structlog.get_logger("test.async_bound").bind(order="o-7")
        await bound.info("rows: %d", 3, user="alice")
        try:
            raise ValueError("bad")
        except ValueError as error:
            await bound.error("failed", exc_info=error)

    async def main() -> None:
        await asyncio.gather(
            ctxlog.run({"requestID": "req-A"}, work),
            ctxlog.run({"requestID": "req-B"}, work),
        )

    try:
        asyncio.run(main())
    finally:
        structlog.reset_defaults()
        log.removeHandler(handler)
    lines = [load_line(line) for line in stream.getvalue().splitlines()]
    for name in ("req-A", "req-B"):
        hello, failed = (line for line in lines if line["requestID"] == name)
        assert (hello["message"], hello["user"]) == ("rows: 3", "alice")
        assert (failed["logger"], failed["order"]) == ("test.async_bound", "o-7")
        assert failed["exception"]["message"] == "bad"


def test_an_unknown_method_is_a_level_of_its_own() -> None:
    """
    Custom loggers have custom methods.
    """
    line = json.loads(adapter.JsonRenderer()(None, "notice", {"event": "hello"}))
    assert (line["level"], line["logger"]) == ("NOTICE", "root")
