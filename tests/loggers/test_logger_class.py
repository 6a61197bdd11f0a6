"""
The class of loggers that `configure()` sets: what becomes of loggers, and which calls
need no record.
"""

from __future__ import annotations

import copy
import importlib
import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import ctxlog
from ctxlog.line.encoder import LineEncoder
from ctxlog.loggers._factory import RecordFactory
from ctxlog.loggers._logger import ContextLogger, ContextRootLogger
from tests.helpers import load_line, run_python
from tests.loggers.worlds import World, in_world


def configure(own: World, **options: Any) -> None:
    """Configure logging, with the lines in the world's output."""
    own.output.truncate(0)
    ctxlog.configure(
        format="json",
        stream=own.output,
        hooks=False,
        threads=False,
        loggers=["stdlib"],
        **options,
    )


def records_of(log: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many records a call makes, once its logger has been seen."""
    made = 0
    make = RecordFactory.__call__

    def counted(self: RecordFactory, *args: Any, **more: Any) -> logging.LogRecord:
        nonlocal made
        made += 1
        return make(self, *args, **more)

    log()
    with monkeypatch.context() as patching:
        patching.setattr(RecordFactory, "__call__", counted)
        log()
    return made


# Which loggers get the class, and for how long ----------------------------------------


@in_world
def test_loggers_of_before_and_after_get_the_class(own: World) -> None:
    """So does the root logger. They are the same objects as before."""
    before = logging.getLogger("before")
    configure(own)
    after = logging.getLogger("after")

    assert type(before) is type(after) is ContextLogger
    assert type(logging.getLogger()) is ContextRootLogger
    assert isinstance(logging.getLogger(), logging.RootLogger)
    assert logging.getLogger("before") is before


@in_world
def test_unconfigure_gives_every_logger_its_class_back(own: World) -> None:
    """Those that were made meanwhile are stock loggers, too."""
    before = logging.getLogger("before")
    configure(own)
    between = logging.getLogger("between")
    ctxlog.unconfigure()

    assert type(before) is type(between) is logging.Logger
    assert type(logging.getLogger()) is logging.RootLogger
    assert logging.getLoggerClass() is logging.Logger


@in_world
def test_logger_class_false_keeps_the_stock_one(own: World) -> None:
    """Nothing but the cost is different."""
    configure(own, logger_class=False)
    log = logging.getLogger("shop")
    log.warning("hello")

    assert type(log) is logging.Logger
    assert load_line(own.output.getvalue())["message"] == "hello"


@in_world
def test_a_second_configure_may_take_the_class_off(own: World) -> None:
    """The last call counts, as for every option."""
    configure(own)
    configure(own, logger_class=False)

    assert logging.getLoggerClass() is logging.Logger
    assert type(logging.getLogger("shop")) is logging.Logger


class Verbose(logging.Logger):
    """A logger class of a third party, set before."""

    def verbose(self, message: str) -> None:
        self._log(15, message, ())


@in_world
def test_a_class_of_others_stays(own: World) -> None:
    """The class that a library has set before, and its loggers."""
    logging.setLoggerClass(Verbose)
    theirs = logging.getLogger("theirs")
    configure(own, level=15)
    theirs.verbose("hello")  # type: ignore[attr-defined]

    assert logging.getLoggerClass() is type(theirs) is Verbose
    assert load_line(own.output.getvalue())["level"] == "Level 15"


@in_world
def test_a_class_that_others_set_later_stays(own: World) -> None:
    """It may be made of the one in force, as the documentation of `logging` says."""
    configure(own)

    class Derived(logging.getLoggerClass()):  # type: ignore[misc]
        pass

    logging.setLoggerClass(Derived)
    log = logging.getLogger("derived")
    ctxlog.unconfigure()
    configure(own)
    log.warning("hello")

    assert logging.getLoggerClass() is type(log) is Derived
    assert load_line(own.output.getvalue())["message"] == "hello"


@in_world
def test_loggers_of_another_manager_are_left_alone(own: World) -> None:
    """A library may have a tree of loggers of its own."""
    manager = logging.Manager(logging.RootLogger(logging.WARNING))
    theirs = manager.getLogger("theirs")
    configure(own)

    assert type(theirs) is logging.Logger


@in_world
def test_loggers_can_be_copied_and_pickled(own: World) -> None:
    """By their name, as stock ones."""
    configure(own)
    for name in ("shop", ""):
        log = logging.getLogger(name)
        assert pickle.loads(pickle.dumps(log)) is copy.deepcopy(log) is log


def test_logging_that_was_reloaded_keeps_its_class(tmp_path: Path) -> None:
    """Its classes are others by then: a logger of ours would be none of its loggers."""
    done = run_python(
        "-c",
        "import importlib, logging, ctxlog\n"
        "ctxlog.configure(format='json')\n"
        "logging.getLogger('shop').warning('one')\n"
        "importlib.reload(logging)\n"
        "ctxlog.configure(format='json')\n"
        "log = logging.getLogger('shop')\n"
        "log.warning('two')\n"
        "log.warning('three')\n"
        "assert type(log) is logging.Logger\n",
        cwd=tmp_path,
    )
    lines = [load_line(line)["message"] for line in done.stdout.splitlines()]
    assert lines == ["one", "two", "three"]


# Which calls need no record -----------------------------------------------------------


@in_world
def test_a_usual_call_needs_no_record(
    own: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With arguments, fields, an exception; from its logger's second line on."""
    configure(own)
    log = logging.getLogger("shop.orders")

    def usual() -> None:
        log.info("paid %s", "o-7", extra={"rows": 3})
        log.error("failed", exc_info=ValueError("bad"))

    assert records_of(usual, monkeypatch) == 0
    first, *_, last = own.output.getvalue().splitlines()
    assert load_line(first)["rows"] == 3
    assert load_line(last)["exception"]["message"] == "bad"


@in_world
def test_a_first_line_of_a_logger_is_a_record(
    own: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`configure()` looks at where it goes, and says what stays outside."""
    configure(own)
    numbers = iter(range(10))

    def first() -> None:
        logging.getLogger(f"shop.{next(numbers)}").warning("hello")

    assert records_of(first, monkeypatch) == 1


class Noting(logging.Handler):
    """A handler of a third party."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@in_world
def test_a_handler_that_is_added_later_gets_records(own: World) -> None:
    """From the next call on; also if it is put into the list of handlers."""
    configure(own)
    log = logging.getLogger("shop.orders")
    log.warning("one")
    log.warning("two")
    added, appended = Noting(), Noting()
    logging.getLogger().addHandler(added)
    log.warning("three")
    logging.getLogger("shop").handlers.append(appended)
    log.warning("four")

    assert [one.getMessage() for one in added.records] == ["three", "four"]
    assert [one.getMessage() for one in appended.records] == ["four"]
    assert (
        added.records[0].funcName
        == test_a_handler_that_is_added_later_gets_records.__name__
    )


@in_world
def test_a_handler_that_is_added_meanwhile_gets_records(own: World) -> None:
    """Another thread may add one while a logger's handlers are being looked at."""
    configure(own)
    noting = Noting()

    class Encoder(LineEncoder):
        """Asked about the caller just then."""

        @property
        def caller(self) -> bool:  # type: ignore[override]
            if noting not in logging.root.handlers:
                logging.root.handlers.append(noting)
            return False

        @caller.setter
        def caller(self, value: bool) -> None:
            pass

    log = logging.getLogger("shop")
    log.warning("one")
    (handler,) = logging.root.handlers
    assert isinstance(handler, ctxlog.LineHandler)
    handler.direct_encoder = Encoder()
    log.warning("two")
    log.warning("three")

    assert [one.getMessage() for one in noting.records] == ["three"]


@in_world
def test_a_method_that_was_taken_before_decides_at_each_call(own: World) -> None:
    """`functools.partial`, callbacks and queues of jobs keep `logger.info`."""
    configure(own)
    log = logging.getLogger("shop").warning
    log("one")
    log("two")
    noting = Noting()
    logging.getLogger().addHandler(noting)
    log("three")

    assert [one.getMessage() for one in noting.records] == ["three"]


@pytest.mark.parametrize(
    "name", ["_log", "callHandlers", "filter", "findCaller", "handle", "makeRecord"]
)
@pytest.mark.parametrize("of", ["logging.Logger", "the class", "the logger"])
@in_world
def test_a_method_that_is_replaced_later_is_called(
    own: World, name: str, of: str
) -> None:
    """Error trackers and tracers do so, on a class or on one logger."""
    configure(own)
    log = logging.getLogger("shop")
    log.warning("one")
    log.warning("two")
    owner: Any = {
        "logging.Logger": logging.Logger,
        "the class": ContextLogger,
        "the logger": log,
    }[of]
    own.patch(owner, name)
    log.warning("three")

    assert [seen[0] for seen in own.seen] == [name]


@pytest.mark.parametrize(
    "name", ["debug", "info", "warning", "error", "critical", "log"]
)
@in_world
def test_a_method_of_a_level_that_is_replaced_is_called(own: World, name: str) -> None:
    """As `mock.patch("logging.Logger.info")` does in tests, with what was given."""
    configure(own, level="DEBUG")
    args = (logging.INFO, "hello %s") if name == "log" else ("hello %s",)
    with mock.patch.object(logging.Logger, name, autospec=True) as replaced:
        log = logging.getLogger("shop")
        getattr(log, name)(*args, "x", extra={"rows": 3}, stacklevel=2)

    replaced.assert_called_once_with(log, *args, "x", extra={"rows": 3}, stacklevel=2)
    assert own.lines() == []


@pytest.mark.parametrize(
    "name", ["callHandlers", "makeRecord", "handle", "findCaller", "filter", "_log"]
)
def test_a_method_that_was_replaced_before_the_import_is_called(
    name: str, tmp_path: Path
) -> None:
    """A tracker may be set up before ctxlog is imported; here also one for `info`."""
    done = run_python(
        "-c",
        "import functools, logging\n"
        "called = []\n"
        "def replace(name):\n"
        "    stock = getattr(logging.Logger, name)\n"
        "    @functools.wraps(stock)\n"
        "    def replaced(*args, **more):\n"
        "        called.append(name)\n"
        "        return stock(*args, **more)\n"
        "    setattr(logging.Logger, name, replaced)\n"
        f"replace({name!r})\n"
        "replace('info')\n"
        "import ctxlog\n"
        "ctxlog.configure(format='json')\n"
        "for number in range(3):\n"
        "    logging.getLogger('shop').info('line %d', number)\n"
        "print(called)\n",
        cwd=tmp_path,
    )
    *lines, called = done.stdout.splitlines()
    assert [load_line(line)["message"] for line in lines] == [
        "line 0",
        "line 1",
        "line 2",
    ]
    assert called == str(["info", name] * 3)


def test_a_method_that_is_mocked_during_the_import_is_called(tmp_path: Path) -> None:
    """It has no code of its own, and is put back afterwards."""
    done = run_python(
        "-c",
        "import logging\n"
        "from unittest import mock\n"
        "with mock.patch('logging.Logger.info') as info:\n"
        "    import ctxlog\n"
        "    ctxlog.configure(format='json')\n"
        "    logging.getLogger('shop').info('one')\n"
        "    assert info.call_count == 1\n"
        "logging.getLogger('shop').info('two')\n"
        "logging.getLogger('shop').info('three')\n",
        cwd=tmp_path,
    )
    lines = [load_line(line)["message"] for line in done.stdout.splitlines()]
    assert lines == ["two", "three"]


@in_world
def test_a_method_of_others_gets_what_was_given(own: World) -> None:
    """A class may have a `_log` with options of its own, and none of the usual ones."""
    configure(own)
    given: list[dict[str, Any]] = []

    class Derived(logging.getLoggerClass()):  # type: ignore[misc]
        def _log(self, level: int, msg: object, args: object, **more: Any) -> None:
            given.append(more)

    log = Derived("shop")
    log.warning("hello")
    log.warning("hello", color="red", exc_info=True)

    assert given == [{}, {"color": "red", "exc_info": True}]


@in_world
def test_a_level_that_is_no_number_is_refused(own: World) -> None:
    """As `logging` refuses it."""
    configure(own)
    with pytest.raises(TypeError, match="level must be an integer"):
        logging.getLogger("shop").log("INFO", "hello")  # type: ignore[arg-type]


@in_world
def test_a_stack_of_a_handler_has_no_function_of_ctxlog(own: World) -> None:
    """Handlers that hand records on look there for the caller: loguru's recipe."""
    configure(own)
    log = logging.getLogger("shop")
    log.warning("one")
    logging.getLogger().addHandler(own.handler("noting"))

    def perform() -> None:
        log.warning("two")

    perform()
    (_, _, stack) = own.seen[0]
    assert {path for path, _ in stack[1:]} == {logging.__file__}


@in_world
def test_a_name_of_a_record_in_extra_is_refused(own: World) -> None:
    """As `logging` refuses it, with its own exception."""
    configure(own)
    log = logging.getLogger("shop")
    for _ in range(3):
        with pytest.raises(KeyError, match="Attempt to overwrite 'name' in LogRecord"):
            log.warning("hello", extra={"name": "x"})
        log.warning("hello")


@in_world
def test_loggers_without_number_are_not_kept(own: World) -> None:
    """What is known of them has a bound."""
    configure(own)
    for number in range(5_000):
        log = logging.getLogger(f"connection.{number}")
        log.error("one")
        log.error("two")

    factory: Any = logging.getLogRecordFactory()
    assert len(factory.ways) <= 4096
    assert len(own.lines()) == 10_000


def test_importing_ctxlog_sets_no_class() -> None:
    """Only `configure()` does."""
    importlib.import_module("ctxlog.loggers.stdlib")
    assert not issubclass(logging.getLoggerClass(), ContextLogger)
