"""
`configure(caller=True)`: each line says where in the code it was logged, whichever
logger and wrapper it came through.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import functools
import inspect
import io
import logging
import logging.handlers
import pickle
import queue
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from ctxlog.line.encoder import LineEncoder
from ctxlog.line.event import Caller
from ctxlog.loggers._callers import caller_of
from tests.helpers import load_line, need, run_python
from tests.loggers.test_callers import PASSING

_FILE = Path(__file__).name


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    ctxlog.config.unconfigure()
    ctxlog.uninstall_record_factory()
    logging.captureWarnings(False)
    logging.setLoggerClass(logging.Logger)
    if "structlog" in sys.modules:
        need("structlog").reset_defaults()


@pytest.fixture
def stream() -> io.StringIO:
    """
    The stream of a process that is configured to show callers.
    """
    stream = io.StringIO()
    ctxlog.configure(stream=stream, format="json", caller=True, warn=False)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """
    The lines in *stream*, which is empty from then on.
    """
    text = stream.getvalue()
    stream.seek(0)
    stream.truncate()
    return [load_line(line) for line in text.splitlines()]


def callers(stream: io.StringIO) -> list[Any]:
    """
    What the lines in *stream* say of their callers.
    """
    return [line.get("caller") for line in lines(stream)]


def here(function: str, back: int = 1) -> dict[str, Any]:
    """
    The caller that a log call some lines above has.
    """
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    line = frame.f_back.f_lineno - back
    return {"file": _FILE, "line": line, "function": function}


@pytest.fixture(params=PASSING.values(), ids=PASSING)
def passing(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    """
    Passes a log call on.
    """
    passes: Callable[[Any], Any] = request.param
    return passes


# stdlib logging -----------------------------------------------------------------

_log = logging.getLogger("shop")

CALLS: dict[str, Callable[..., object]] = {
    "info": functools.partial(_log.info, "x"),
    "arguments": functools.partial(_log.info, "x %s", 1, extra={"rows": 3}),
    "log": functools.partial(_log.log, 30, "x"),
    "root": functools.partial(logging.warning, "x"),
    "wrong format": functools.partial(_log.info, "%d", "x"),
    "exception": functools.partial(_log.exception, "x"),
    "stack": functools.partial(_log.info, "x", stack_info=True),
    "adapter": functools.partial(logging.LoggerAdapter(_log, {"a": 1}).info, "x"),
    "too long": functools.partial(_log.info, "x" * 300_000),
    "fields too long": functools.partial(_log.info, "", extra={"x": "x" * 300_000}),
    "a dict": functools.partial(_log.info, {"event": "x"}),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_line_of_logging(
    call: Callable[..., object], passing: Callable[[Any], Any], stream: io.StringIO
) -> None:
    """
    Through every method and wrapper, for the first line of a place and the next ones.
    """
    for _ in range(2):
        passing(call)()
        assert callers(stream) == [here("test_a_line_of_logging")]


def test_it_stands_behind_the_fields(stream: io.StringIO) -> None:
    """
    What a line begins with stays the same.
    """
    ctxlog.run({"requestID": "req-A", "a": 1}, _log.info, "x", extra={"rows": 3})
    try:
        raise ValueError("bad")
    except ValueError:
        _log.exception("x", stack_info=True)
    one, two = lines(stream)
    assert list(one)[-4:] == ["a", "elapsedMs", "rows", "caller"]
    assert list(one["caller"]) == ["file", "line", "function"]
    assert list(two)[-3:] == ["caller", "exception", "stackInfo"]


@pytest.mark.parametrize("case", ["camel", "snake"])
def test_it_is_off_by_default(case: str) -> None:
    """
    Then `caller` is a name like any other; with it, a field of the name is prefixed.
    """
    stream = io.StringIO()
    for caller in (False, True):
        options: Any = {"caller": caller, "case": case, "warn": False}
        ctxlog.configure(stream=stream, format="json", **options)
        ctxlog.run({"caller": "mine"}, _log.info, "x")
        _log.info("x", extra={"caller": "mine"})
    off, off_own, on, on_own = lines(stream)
    assert (off["caller"], off_own["caller"]) == ("mine", "mine")
    for line in (on, on_own):
        assert line["fields.caller"] == "mine"
        assert line["caller"]["function"] == "test_it_is_off_by_default"


def test_a_stack_level(passing: Callable[[Any], Any], stream: io.StringIO) -> None:
    """
    A helper that logs for its caller.
    """

    def helper() -> None:
        _log.info("x", stacklevel=2)

    passing(helper)()
    assert callers(stream) == [here("test_a_stack_level")]


def test_a_formatter_alone() -> None:
    """
    Without the record factory it finds the caller beyond ctxlog's frames as well.
    """
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(ctxlog.JsonFormatter(caller=True))
    logger = logging.Logger("shop")
    logger.addHandler(handler)

    for _ in range(2):
        ctxlog.run({}, logger.info, "x")
        assert callers(stream) == [here("test_a_formatter_alone")]
        ctxlog.run({}, ctxlog.wrap(logger.info), "x", stacklevel=1)
        assert callers(stream) == [here("test_a_formatter_alone")]


def test_a_warning_comes_from_where_it_is_given(stream: io.StringIO) -> None:
    """
    `logging.captureWarnings()`: not from the module `warnings`; also through a queue.
    """

    def old() -> None:
        warnings.warn("old", DeprecationWarning, stacklevel=2)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        old()
        expected = {"file": _FILE, "line": here("")["line"]}
    assert callers(stream) == [expected]
    for text in ("odd", "C:\\shop\\a.py:7: UserWarning: x", 7):
        record = logging.makeLogRecord({"name": "py.warnings", "msg": text})
        expected = Caller("C:\\shop\\a.py", 7) if str(text).startswith("C:") else None
        assert caller_of(record) == expected
    assert Caller("C:\\shop\\a.py", 7).file == "a.py"


@pytest.mark.parametrize(
    "sent", [copy.copy, lambda record: pickle.loads(pickle.dumps(record))]
)
def test_through_a_queue(sent: Callable[[Any], Any], stream: io.StringIO) -> None:
    """
    The record has the caller along, to another thread or process.
    """
    records: queue.Queue[logging.LogRecord] = queue.Queue()
    logger = logging.getLogger("queued")
    logger.propagate = False
    handler = logging.handlers.QueueHandler(records)
    logger.addHandler(handler)
    logger.warning("x %s", 1)
    expected = here("test_through_a_queue")
    ctxlog.run({}, logger.warning, "x")
    passed = here("test_through_a_queue")
    logger.removeHandler(handler)
    for _ in range(2):
        logging.getLogger().handle(sent(records.get()))
    assert callers(stream) == [expected, passed]


BROKEN: dict[str, dict[str, Any]] = {
    "no record of a place": {},
    "unknown": {"pathname": "(unknown file)", "lineno": 0, "funcName": "(unknown)"},
    "a list": {"pathname": ["a.py"], "lineno": 7, "funcName": "f"},
    "no number": {"pathname": "a.py", "lineno": "7", "funcName": "f"},
    "true": {"pathname": "a.py", "lineno": True},
    "no line of a file": {"pathname": "a.py", "lineno": 2**70, "funcName": "f"},
    "nothing": {"pathname": None, "lineno": None, "funcName": None},
}


@pytest.mark.parametrize("attributes", BROKEN.values(), ids=BROKEN)
def test_a_record_without_a_place(attributes: dict[str, Any]) -> None:
    """
    Made by hand, or unpickled: it may hold anything.
    """
    formatter = ctxlog.JsonFormatter(caller=True)
    record = logging.makeLogRecord({"msg": "x", "name": "shop", **attributes})
    line = load_line(formatter.format(record))
    assert line["message"] == "x"
    assert not {"caller", "logError"} & line.keys()


def test_a_record_with_half_a_place() -> None:
    """
    The function is left out where it is not known; a broken name costs nothing.
    """
    formatter = ctxlog.JsonFormatter(caller=True)
    place = {"pathname": "/a/b.py", "lineno": 7, "msg": "x"}
    for more in ({"funcName": None}, {"funcName": ["f"]}, {"name": ["shop"]}):
        record = logging.makeLogRecord({"funcName": None, **place, **more})
        line = load_line(formatter.format(record))
        assert line["caller"] == {"file": "b.py", "line": 7}


@pytest.mark.parametrize("name", ["ctxlog", "ctxlog.request", "ctxlog.crash"])
def test_a_line_of_ctxlogs_own_has_none(name: str, stream: io.StringIO) -> None:
    """
    It would show a place in ctxlog.
    """
    logging.getLogger(name).warning("x")
    ctxlog.run({}, logging.getLogger(name).warning, "x")
    assert callers(stream) == [None, None]


def test_the_lines_of_a_request(tmp_path: Path) -> None:
    """
    The application's have it, and what it writes to `wsgi.errors`; a completion line
    and a crash report have none.
    """
    program = """
import logging, sys, threading, ctxlog
ctxlog.configure(format="json", caller=True)

def app(environ, start_response):
    logging.info("handled")
    print("printed", file=environ["wsgi.errors"])
    start_response("200 OK", [])
    return []

environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.errors": sys.stderr}
wrapped = ctxlog.servers.wsgi.ContextMiddleware(app)
for _ in wrapped(environ, lambda *args: None):
    pass

def crash():
    raise ValueError("bad")

thread = threading.Thread(target=crash)
thread.start()
thread.join()
"""
    (tmp_path / "program.py").write_text(program)
    done = run_python("program.py", cwd=tmp_path)
    found = [load_line(line) for line in done.stdout.splitlines()]
    assert [(line["logger"], line.get("caller")) for line in found] == [
        ("root", {"file": "program.py", "line": 6, "function": "app"}),
        ("wsgi.errors", {"file": "program.py", "line": 7, "function": "app"}),
        ("ctxlog.request", None),
        ("ctxlog.crash", None),
    ]


@pytest.mark.parametrize("way", ["file", "module", "command"])
def test_a_program_that_is_run_in_any_way(way: str, tmp_path: Path) -> None:
    """
    `python orders.py`, `python -m orders`, `python -c`.
    """
    program = """import logging, ctxlog
ctxlog.configure(format="json", caller=True)
logging.info("x")
"""
    (tmp_path / "orders.py").write_text(program)
    ways = {
        "file": ["orders.py"],
        # `-m`, from a folder that an isolated interpreter does not search.
        "module": [
            "-c",
            "import runpy, sys; sys.path.insert(0, '.'); "
            "runpy.run_module('orders', run_name='__main__')",
        ],
        "command": ["-c", program],
    }
    done = run_python(*ways[way], cwd=tmp_path)
    file = "<string>" if way == "command" else "orders.py"
    caller = {"file": file, "line": 3, "function": "<module>"}
    assert load_line(done.stdout)["caller"] == caller


def test_a_frozen_program_has_relative_paths_in_its_code(stream: io.StringIO) -> None:
    """
    As PyInstaller's code objects have them.
    """
    code = compile("log.info('x')", "shop/orders.py", "exec")
    exec(code, {"log": _log, "__name__": "shop.orders"})
    assert callers(stream) == [{"file": "orders.py", "line": 1, "function": "<module>"}]


# Formatters ---------------------------------------------------------------------


def _formatted(formatter: logging.Formatter, **extra: object) -> str:
    place = {"pathname": "/a/orders.py", "lineno": 42, "funcName": "place"}
    return formatter.format(
        logging.makeLogRecord({"msg": "x", "name": "shop", **place, **extra})
    )


def test_options_of_python_json_logger_keep_their_meaning() -> None:
    """
    With `fmt` the attributes of a record are the line's first, and the caller follows.
    """
    shown = {"file": "orders.py", "line": 42, "function": "place"}
    line = load_line(
        _formatted(ctxlog.JsonFormatter("%(pathname)s %(lineno)d %(msg)s"))
    )
    assert (line["pathname"], line["lineno"], "caller" in line) == (
        *("/a/orders.py", 42, False),
    )
    formatter = ctxlog.JsonFormatter("%(lineno)d %(message)s", caller=True)
    line = load_line(_formatted(formatter, caller="mine"))
    assert line.pop("requestID") == "N/A"
    expected = {"lineno": 42, "message": "x", "fields.caller": "mine", "caller": shown}
    assert line == expected
    formatter = ctxlog.JsonFormatter(caller=True, defaults={"app": "shop"})
    assert load_line(_formatted(formatter))["caller"] == shown


def test_the_text_for_people_has_the_file_and_the_line() -> None:
    """
    At the end of its first line, dimmed.
    """
    text = _formatted(ctxlog.ConsoleFormatter(caller=True), rows=3)
    assert text.endswith("shop: x rows=3 orders.py:42")
    text = _formatted(ctxlog.ConsoleFormatter(caller=True, color=True), exc_text="E: e")
    first, _ = text.split("\n", 1)
    assert first.endswith("\x1b[2morders.py:42\x1b[0m")
    assert "orders" not in _formatted(ctxlog.ConsoleFormatter())
    assert _formatted(
        ctxlog.ConsoleFormatter(caller=True), pathname="/a/\x1b[2J.py"
    ).endswith("\\x1b[2J.py:42")


def test_a_secret_in_a_path_is_hidden() -> None:
    """
    Patterns are for all texts of a line.
    """
    redactor = ctxlog.Redactor(patterns=["s3cret"])
    formatter = ctxlog.JsonFormatter(caller=True, redact=redactor)
    line = _formatted(formatter, pathname="/a/s3cret.py", funcName="of_s3cret")
    assert "s3cret" not in line
    assert load_line(line)["caller"]["line"] == 42


def test_a_broken_path_costs_no_line() -> None:
    """
    Lone surrogates, and a name that is far too long.
    """
    encoder = LineEncoder(caller=True, max_line_bytes=1024)
    for path in ("/a/\udc80.py", "/a/" + "x" * 100_000):
        formatter = ctxlog.JsonFormatter(caller=True, max_line_bytes=1024)
        line = _formatted(formatter, pathname=path, funcName="\udc80")
        assert load_line(line)["message"] == "x"
        assert len(line) < encoder.max_line_bytes


@pytest.mark.parametrize("make", [ctxlog.JsonFormatter, ctxlog.ConsoleFormatter])
def test_a_wrong_option_is_refused(make: Any) -> None:
    """
    It is one of two.
    """
    with pytest.raises(ctxlog.ConfigError, match="caller"):
        make(caller="yes")


@pytest.mark.parametrize("name", ["json", "console"])
def test_dict_config_and_the_environment(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Both have the option.
    """
    assert ctxlog.dict_config(format=name)["formatters"]["ctxlog"]["caller"] is False
    assert ctxlog.dict_config(format=name, caller=True)["formatters"]["ctxlog"][
        "caller"
    ]
    monkeypatch.setenv("CTXLOG_CALLER", "1")
    stream = io.StringIO()
    ctxlog.configure(stream=stream, format=name, warn=False)
    _log.info("x")
    assert _FILE in stream.getvalue()
    monkeypatch.setenv("CTXLOG_CALLER", "often")
    with pytest.raises(ctxlog.ConfigError, match="CTXLOG_CALLER"):
        ctxlog.configure()


# structlog ----------------------------------------------------------------------


@pytest.fixture
def log(stream: io.StringIO) -> Any:
    """
    structlog's logger, in a process that shows callers.
    """
    return need("structlog").get_logger("shop")


STRUCTLOGS: dict[str, Callable[[Any], Callable[..., object]]] = {
    "info": lambda log: functools.partial(log.info, "x"),
    "fields": lambda log: functools.partial(log.info, "x %s", 1, rows=3),
    "log": lambda log: functools.partial(log.log, 30, "x"),
    "bound": lambda log: functools.partial(log.bind(a=1).warning, "x"),
    "exception": lambda log: functools.partial(log.exception, "x"),
    "stack": lambda log: functools.partial(log.info, "x", stack_info=True),
    "own caller": lambda log: functools.partial(log.info, "x", caller="mine"),
}


@pytest.mark.parametrize("method", STRUCTLOGS.values(), ids=STRUCTLOGS)
def test_a_line_of_structlog(
    method: Callable[[Any], Any],
    passing: Callable[[Any], Any],
    log: Any,
    stream: io.StringIO,
) -> None:
    """
    Through every method, for the first line of a place and the next ones.
    """
    for _ in range(2):
        passing(method(log))()
        assert callers(stream) == [here("test_a_line_of_structlog")]


def test_asynchronous_methods(log: Any, stream: io.StringIO) -> None:
    """
    They log in another thread; the coroutine that awaits is the caller.
    """

    async def work() -> list[dict[str, Any]]:
        await log.ainfo("x")
        first = here("work")
        await log.alog(30, "x", rows=3)
        second = here("work")
        await ctxlog.run({}, log.ainfo, "x")
        third = here("work")
        return [first, second, third]

    expected = asyncio.run(work())
    assert callers(stream) == expected


def test_an_asynchronous_method_as_a_task(log: Any, stream: io.StringIO) -> None:
    """
    The event loop calls it, and is not the caller.
    """

    async def work() -> None:
        await asyncio.gather(log.ainfo("x"), asyncio.create_task(log.ainfo("x")))

    asyncio.run(work())
    assert callers(stream) == [None, None]


@pytest.mark.parametrize("factory", ["print", "bytes", "stdlib", "write"])
@pytest.mark.parametrize("wrapper", ["filtering", "stdlib", "generic"])
def test_a_chain_of_ones_own(
    factory: str, wrapper: str, passing: Callable[[Any], Any]
) -> None:
    """
    `JsonRenderer` with the loggers and wrappers of structlog.
    """
    structlog = need("structlog")
    from ctxlog.loggers.structlog import JsonRenderer, show_callers

    rendered: list[bytes | str] = []

    def note(logger: Any, method: str, event: Any) -> Any:
        rendered.append(event)
        raise structlog.DropEvent

    factories = {
        "print": structlog.PrintLoggerFactory(),
        "bytes": structlog.BytesLoggerFactory(),
        "write": structlog.WriteLoggerFactory(),
        "stdlib": structlog.stdlib.LoggerFactory(),
    }
    wrappers = {
        "filtering": structlog.make_filtering_bound_logger(0),
        "stdlib": structlog.stdlib.BoundLogger,
        "generic": structlog.BoundLogger,
    }
    structlog.configure(
        processors=[JsonRenderer(caller=True), note],
        logger_factory=factories[factory],
        wrapper_class=wrappers[wrapper],
    )
    show_callers()
    try:
        passing(structlog.get_logger().error)("x")
        expected = here("test_a_chain_of_ones_own")
        passing(structlog.get_logger().bind(a=1).error)("x")
        (first, second) = (load_line(line) for line in rendered)
    finally:
        from ctxlog.loggers.structlog import hide_callers

        hide_callers()
    assert first["caller"] == expected
    assert second["caller"] == {**expected, "line": expected["line"] + 2}


#: Processors that hand events over to `logging`.
_HANDING_OVER = ("wrap_for_formatter", "render_to_log_kwargs")


@pytest.mark.parametrize("last", _HANDING_OVER)
@pytest.mark.parametrize("factory", ["structlog's", "plain"])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_structlog_in_front_of_logging(
    last: str, factory: str, asynchronous: bool, passing: Callable[[Any], Any]
) -> None:
    """
    structlog's loggers for `logging` find the caller; for stock ones ctxlog does.
    """
    structlog = need("structlog")
    stdlib = structlog.stdlib
    processors: list[Any] = [getattr(stdlib, last, None)]
    if last == "wrap_for_formatter":
        processors = [stdlib.ProcessorFormatter.wrap_for_formatter]
    make = stdlib.LoggerFactory() if factory == "structlog's" else logging.getLogger
    structlog.configure(
        processors=processors, logger_factory=make, wrapper_class=stdlib.BoundLogger
    )
    stream = io.StringIO()
    ctxlog.configure(stream=stream, format="json", caller=True, warn=False)
    # A logger keeps the class that it was made with.
    log = structlog.get_logger(f"in front of logging, {factory}", rows=3)

    async def work() -> None:
        await log.ainfo("x")

    if asynchronous:
        asyncio.run(work())
        (caller,) = callers(stream)
        assert (caller["file"], caller["function"]) == (_FILE, "work")
    else:
        passing(log.info)("x")
        assert callers(stream) == [here("test_structlog_in_front_of_logging")]


def test_a_processor_formatter_of_ones_own() -> None:
    """
    `JsonRenderer` in a `ProcessorFormatter`, for structlog's records and all others.
    """
    structlog = need("structlog")
    from ctxlog.loggers.structlog import JsonRenderer

    stdlib = structlog.stdlib
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        stdlib.ProcessorFormatter(processors=[JsonRenderer(caller=True)])
    )
    logger = logging.getLogger("formatted")
    logger.addHandler(handler)
    logger.propagate = False
    structlog.configure(
        processors=[stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=stdlib.LoggerFactory(),
        wrapper_class=stdlib.BoundLogger,
    )
    function = "test_a_processor_formatter_of_ones_own"
    try:
        structlog.get_logger("formatted").error("x")
        first = here(function)
        logger.error("x")
        second = here(function)
    finally:
        logger.removeHandler(handler)
    assert callers(stream) == [first, second]


def test_a_stock_logger_behind_a_queue_has_none() -> None:
    """
    Rather none than a place in structlog: the record says no more.
    """
    structlog = need("structlog")
    formatter = ctxlog.JsonFormatter(caller=True)
    records: list[logging.LogRecord] = []
    logger = logging.Logger("shop")
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    logger.addHandler(handler)
    structlog.wrap_logger(
        logger, processors=[structlog.stdlib.render_to_log_kwargs]
    ).info("x")
    (record,) = records
    assert "structlog" in record.pathname
    assert "caller" not in load_line(formatter.format(record))


# loguru -------------------------------------------------------------------------


@pytest.fixture
def loguru() -> Iterator[Any]:
    """
    loguru's logger, as it was afterwards.
    """
    logger = need("loguru").logger
    core = logger._core
    before = dict(core.handlers), core.patcher, core.min_level
    yield logger
    ctxlog.config.unconfigure()
    core.handlers, core.patcher, core.min_level = before


LOGURUS: dict[str, Callable[[Any], Callable[..., object]]] = {
    "info": lambda log: functools.partial(log.info, "x"),
    "fields": lambda log: functools.partial(log.info, "x {}", 1, rows=3),
    "log": lambda log: functools.partial(log.log, 25, "x"),
    "bound": lambda log: functools.partial(log.bind(caller="mine").info, "x"),
    "exception": lambda log: functools.partial(log.exception, "x"),
    "lazy": lambda log: functools.partial(log.opt(lazy=True).info, "x"),
}


@pytest.mark.parametrize("method", LOGURUS.values(), ids=LOGURUS)
def test_a_line_of_loguru(
    method: Callable[[Any], Any],
    passing: Callable[[Any], Any],
    loguru: Any,
    stream: io.StringIO,
) -> None:
    """
    Through every method.
    """
    for _ in range(2):
        passing(method(loguru))()
        assert callers(stream) == [here("test_a_line_of_loguru")]


def test_a_depth(
    passing: Callable[[Any], Any], loguru: Any, stream: io.StringIO
) -> None:
    """
    `opt(depth=1)` in a helper that logs for its caller.
    """

    def helper() -> None:
        loguru.opt(depth=1).info("x")

    passing(helper)()
    assert callers(stream) == [here("test_a_depth")]


@pytest.mark.parametrize("ours", [False, True])
def test_a_queue_of_loguru(ours: bool, loguru: Any) -> None:
    """
    The record has the caller along.
    """
    from ctxlog.loggers import loguru as adapter

    stream = io.StringIO()
    if ours:
        adapter.install(stream, enqueue=True, caller=True)
    else:
        loguru.add(adapter.JsonSink(stream, caller=True), format="", enqueue=True)
    loguru.warning("x")
    expected = here("test_a_queue_of_loguru")
    loguru.complete()
    adapter.uninstall()
    assert callers(stream) == [expected]


def test_a_patcher_may_change_the_place(loguru: Any, stream: io.StringIO) -> None:
    """
    The line shows what loguru's other sinks show; nonsense is left out.
    """
    for change in ({"line": 7}, {"file": "odd"}, {"line": None}, {"function": None}):
        loguru.patch(lambda record, new=change: record.update(new)).info("x")
    first, *nonsense, last = callers(stream)
    assert first["line"] == 7
    assert nonsense == [None, None]
    assert last.keys() == {"file", "line"}


class InterceptHandler(logging.Handler):
    """loguru's recipe that hands records of `logging` to loguru."""

    def emit(self, record: logging.LogRecord) -> None:
        logger = need("loguru").logger
        frame, depth = inspect.currentframe(), 0
        while frame and (depth == 0 or frame.f_code.co_filename == logging.__file__):
            frame = frame.f_back
            depth += 1
        options: Any = {"depth": depth, "exception": record.exc_info}
        logger.opt(**options).log(record.levelname, record.getMessage())


@contextlib.contextmanager
def _intercepted(name: str) -> Iterator[logging.Logger]:
    logger = logging.getLogger(name)
    handler = InterceptHandler()
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield logger
    finally:
        logger.removeHandler(handler)
        logger.propagate = True


def test_records_that_are_handed_to_loguru(
    passing: Callable[[Any], Any], loguru: Any, stream: io.StringIO
) -> None:
    """
    As the record has the caller, with `stacklevel`, too.
    """
    with _intercepted("intercepted") as logger:

        def helper() -> None:
            logger.warning("x", stacklevel=2)

        passing(logger.warning)("x")
        assert callers(stream) == [here("test_records_that_are_handed_to_loguru")]
        passing(helper)()
        assert callers(stream) == [here("test_records_that_are_handed_to_loguru")]
        logging.captureWarnings(True)
    with _intercepted("ctxlog.request") as logger:
        logger.warning("x")
        assert callers(stream) == [None]


def test_records_that_loguru_hands_to_logging(
    passing: Callable[[Any], Any], loguru: Any
) -> None:
    """
    Its other recipe, `PropagateHandler`.
    """

    class PropagateHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logging.getLogger(record.name).handle(record)

    stream = io.StringIO()
    ctxlog.configure(stream=stream, format="json", caller=True, loggers=["stdlib"])
    loguru.remove()
    loguru.add(PropagateHandler(), format="{message}")
    from ctxlog.loggers.loguru import patcher

    loguru.configure(patcher=patcher)
    passing(loguru.warning)("x")
    assert callers(stream) == [here("test_records_that_loguru_hands_to_logging")]


# Shared handlers ----------------------------------------------------------------


def test_shared_handlers(passing: Callable[[Any], Any], loguru: Any) -> None:
    """
    Records of structlog's and loguru's events have the place for all handlers.
    """
    stream, text = io.StringIO(), io.StringIO()
    log = need("structlog").get_logger("shop")
    other = logging.StreamHandler(text)
    other.setFormatter(logging.Formatter("%(filename)s:%(lineno)d:%(funcName)s"))
    logging.getLogger("shop").addHandler(other)
    options: Any = {"format": "json", "warn": False, "share_handlers": True}
    try:
        ctxlog.configure(stream=stream, caller=True, **options)
        passing(log.info)("x")
        expected = here("test_shared_handlers")
        passing(loguru.info)("x")
        of_loguru = here("test_shared_handlers")
        ctxlog.configure(stream=stream, **options)
        passing(log.info)("x")
    finally:
        logging.getLogger("shop").removeHandler(other)
    assert callers(stream) == [expected, of_loguru, None]
    shown = f"{_FILE}:{expected['line']}:test_shared_handlers"
    assert text.getvalue().splitlines() == [shown, "(unknown file):0:None"]
