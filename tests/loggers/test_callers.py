"""
The place in the code that a logger shows is the caller's, also where ctxlog has passed
the call on.
"""

from __future__ import annotations

import asyncio
import functools
import io
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

import ctxlog
from tests.helpers import need


class Place(NamedTuple):
    """The place of a call in the code, as a logger shows it."""

    file: str
    function: str
    line: int


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    ctxlog.config.unconfigure()
    ctxlog.uninstall_record_factory()
    logging.setLogRecordFactory(logging.LogRecord)


def _scoped(call: Callable[..., object]) -> Any:
    return ctxlog.scope(step="pay")(call)


def _of_storage(call: Callable[..., object]) -> Any:
    return functools.partial(ctxlog.AsyncLocalStorage("x").run, 1, call)


#: Functions that take a log call and return one that ctxlog passes on.
PASSING: dict[str, Callable[[Any], Any]] = {
    "none": lambda call: call,
    "run": lambda call: functools.partial(ctxlog.run, {"requestID": "A"}, call),
    "run in run": lambda call: functools.partial(ctxlog.run, {}, ctxlog.run, {}, call),
    "snapshot": lambda call: functools.partial(ctxlog.Snapshot().run, call),
    "wrap": ctxlog.wrap,
    "scope": _scoped,
    "detached": ctxlog.detached(),
    "storage": _of_storage,
}


@pytest.fixture(params=PASSING.values(), ids=PASSING)
def passing(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    """
    Passes a log call on.
    """
    passes: Callable[[Any], Any] = request.param
    return passes


class Shop:
    """A logger of its own of stdlib logging, and the places of its records."""

    def __init__(self) -> None:
        self.records: list[logging.LogRecord] = []
        self.logger = logging.Logger("shop")
        handler = logging.Handler()
        handler.emit = self.records.append  # type: ignore[method-assign]
        self.logger.addHandler(handler)

    def place(self) -> Place:
        (record,) = self.records
        assert record.filename == record.pathname.rpartition("/")[2]
        return Place(record.pathname, record.funcName or "", record.lineno)


METHODS: dict[str, Callable[[logging.Logger], Any]] = {
    "info": lambda logger: functools.partial(logger.info, "x"),
    "log": lambda logger: functools.partial(logger.log, 30, "x %s", 1),
    "exception": lambda logger: functools.partial(logger.exception, "x"),
}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize("chained", [False, True])
def test_a_record_of_stdlib_logging(
    passing: Callable[[Any], Any],
    method: Callable[[logging.Logger], Any],
    chained: bool,
) -> None:
    """
    Also behind another factory, for the first record of a place and all others.
    """
    if chained:
        before = logging.getLogRecordFactory()
        logging.setLogRecordFactory(lambda *args, **more: before(*args, **more))
    ctxlog.install_record_factory()
    shop = Shop()
    call = passing(method(shop.logger))
    for _ in range(2):
        shop.records.clear()
        call()
        here = sys._getframe().f_lineno - 1
        assert shop.place() == (__file__, "test_a_record_of_stdlib_logging", here)


def test_one_place_is_not_taken_for_another() -> None:
    """
    The same line of ctxlog passes on calls from everywhere.
    """
    ctxlog.install_record_factory()
    shop = Shop()

    def first() -> None:
        ctxlog.run({}, shop.logger.info, "x")

    def second() -> None:
        ctxlog.run({}, shop.logger.info, "x")

    for work in (first, second, first):
        work()
    names = [record.funcName for record in shop.records]
    assert names == ["first", "second", "first"]


def test_a_stack_level_counts_the_frames_of_the_application(
    passing: Callable[[Any], Any],
) -> None:
    """
    A helper that logs for its caller, passed on as it is, or calling what is passed on.
    """
    ctxlog.install_record_factory()
    shop = Shop()

    def helper() -> None:
        shop.logger.info("x", stacklevel=2)

    def passing_helper() -> None:
        passing(functools.partial(shop.logger.info, "x", stacklevel=2))()

    for call in (passing(helper), passing_helper):
        shop.records.clear()
        call()
        assert shop.place().function.startswith("test_a_stack_level")


def test_a_line_of_ctxlogs_own_says_where_it_is_logged() -> None:
    """
    A completion line is not logged by the server that happens to call.
    """
    ctxlog.install_record_factory()
    shop = Shop()
    shop.logger.name = "ctxlog.request"
    ctxlog.run({}, shop.logger.info, "x")
    assert shop.place().function == "run"


def test_a_record_without_a_log_call_stays_as_it_is() -> None:
    """
    Made by hand, with a place in ctxlog's files, or in none.
    """
    ctxlog.install_record_factory()
    shop = Shop()
    for path in (ctxlog.__file__, "nowhere.py", ""):
        record = shop.logger.makeRecord("shop", 20, path, 7, "x", (), None, "f")
        assert (record.pathname, record.lineno, record.funcName) == (path, 7, "f")


# loguru --------------------------------------------------------------------------


@pytest.fixture
def loguru_places() -> Iterator[list[Place]]:
    """
    The places of loguru's records, taken from its own sink.
    """
    logger = need("loguru").logger
    from ctxlog.loggers.loguru import patcher

    places: list[Place] = []

    def sink(message: Any) -> None:
        record = message.record
        assert record["file"].name == record["module"] + ".py"
        assert record["name"] == __name__
        places.append(Place(record["file"].path, record["function"], record["line"]))

    handlers = dict(logger._core.handlers)
    number = logger.add(sink, level=0, catch=False)
    logger.configure(patcher=patcher)
    yield places
    logger.remove(number)
    assert dict(logger._core.handlers) == handlers
    logger._core.patcher = None


@pytest.mark.parametrize("method", ["info", "exception", "log", "bound"])
def test_a_record_of_loguru(
    passing: Callable[[Any], Any], method: str, loguru_places: list[Place]
) -> None:
    """
    Name, function, line, module and file.
    """
    logger = need("loguru").logger
    methods = {
        "info": functools.partial(logger.info, "x {}", 1),
        "exception": functools.partial(logger.exception, "x"),
        "log": functools.partial(logger.log, 25, "x"),
        "bound": functools.partial(logger.bind(a=1).info, "x"),
    }
    call = passing(methods[method])
    call()
    here = sys._getframe().f_lineno - 1
    assert loguru_places == [(__file__, "test_a_record_of_loguru", here)]


def test_a_depth_counts_the_frames_of_the_application(
    passing: Callable[[Any], Any], loguru_places: list[Place]
) -> None:
    """
    `opt(depth=1)` in a helper that is passed on.
    """
    logger = need("loguru").logger

    def helper() -> None:
        logger.opt(depth=1).info("x")

    passing(helper)()
    ((_, function, _),) = loguru_places
    assert function == "test_a_depth_counts_the_frames_of_the_application"


# structlog -----------------------------------------------------------------------


class Events:
    """structlog with a chain that notes the places of its events."""

    def __init__(self, configured: str) -> None:
        structlog = need("structlog")
        from ctxlog.loggers import structlog as adapter

        names = ("PATHNAME", "FUNC_NAME", "LINENO", "MODULE")
        adder = structlog.processors.CallsiteParameterAdder(
            {structlog.processors.CallsiteParameter[name] for name in names}
        )
        self.places: list[Place] = []
        chain = [adder, self._note]
        if configured == "by ctxlog":
            adapter.configure(*chain, level=0, stream=io.StringIO())
        else:
            structlog.configure(processors=chain)
            ctxlog.configure(stream=io.StringIO(), format="json", warn=False)
        self.log = structlog.get_logger("shop")

    def _note(self, logger: Any, method: str, event: Any) -> Any:
        assert event["module"] == __name__.rpartition(".")[2]
        keys = ("pathname", "func_name", "lineno")
        self.places.append(Place(*(event[key] for key in keys)))
        raise need("structlog").DropEvent


@pytest.fixture(params=["by ctxlog", "by the application"])
def events(request: pytest.FixtureRequest) -> Iterator[Events]:
    """
    structlog, configured by ctxlog's adapter or by the application.
    """
    structlog = need("structlog")
    from ctxlog.loggers import structlog as adapter

    found = structlog.processors._find_first_app_frame_and_name
    yield Events(request.param)
    ctxlog.config.unconfigure()
    adapter.unconfigure()
    structlog.reset_defaults()
    assert structlog.processors._find_first_app_frame_and_name is found


_LEVELS = (
    *("debug", "info", "msg", "warning", "warn", "error", "exception", "critical"),
    "fatal",
)


@pytest.mark.parametrize("method", [*_LEVELS, "log", "bound"])
def test_an_event_of_structlog(
    passing: Callable[[Any], Any], method: str, events: Events
) -> None:
    """
    Through every method, with arguments and without.
    """
    log = events.log.bind(a=1) if method == "bound" else events.log
    first = (20,) if method == "log" else ()
    called = getattr(log, "info" if method == "bound" else method)
    for call in (
        passing(functools.partial(called, *first, "x", rows=3)),
        passing(functools.partial(called, *first, "x %s", 1)),
    ):
        events.places.clear()
        call()
        here = sys._getframe().f_lineno - 1
        assert events.places == [(__file__, "test_an_event_of_structlog", here)]


@pytest.mark.parametrize("method", [*_LEVELS, "log"])
def test_an_event_of_structlogs_asynchronous_methods(
    method: str, events: Events
) -> None:
    """
    The coroutine that awaits is the caller.
    """
    called = getattr(events.log, f"a{method}")
    first = (20,) if method == "log" else ()

    async def work() -> int:
        await called(*first, "x %s", 1)
        here = sys._getframe().f_lineno - 1
        return here

    here = asyncio.run(work())
    assert events.places == [(__file__, "work", here)]


def test_an_asynchronous_call_that_is_passed_on() -> None:
    """
    With the methods of ctxlog's adapter.
    """
    need("structlog")
    from ctxlog.loggers import structlog as adapter

    events = Events("by ctxlog")

    async def work() -> None:
        await ctxlog.run({}, events.log.ainfo, "x")
        await ctxlog.run({}, events.log.alog, 20, "x")

    asyncio.run(work())
    adapter.unconfigure()
    assert [place.function for place in events.places] == ["work"] * 2


def test_a_record_of_structlogs_logger_for_logging(
    passing: Callable[[Any], Any],
) -> None:
    """
    structlog in front of `logging`: the record's own place is right.
    """
    structlog = need("structlog")
    structlog.configure(
        processors=[structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    ctxlog.configure(stream=io.StringIO(), format="json", warn=False)
    shop = Shop()
    logger = logging.getLogger("of structlog")
    logger.addHandler(shop.logger.handlers[0])
    log = structlog.get_logger("of structlog")
    passing(functools.partial(log.warning, "x"))()
    logger.removeHandler(shop.logger.handlers[0])
    structlog.reset_defaults()
    logging.setLoggerClass(logging.Logger)
    assert shop.place()[:2] == (
        __file__,
        "test_a_record_of_structlogs_logger_for_logging",
    )
