"""
The record factory: stamped where a record is made.
"""

from __future__ import annotations

import asyncio
import copy
import copyreg
import gc
import json
import logging
import os
import pickle
import threading
import weakref
from collections.abc import Callable, Iterator
from logging.handlers import QueueHandler
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonjsonlogger.json import JsonFormatter as StockJsonFormatter

import ctxlog
from ctxlog._stamps import get_stamp
from ctxlog.loggers._record import ContextRecord
from tests.helpers import LogEnvironment, load_line, run_python

install, uninstall = ctxlog.install_record_factory, ctxlog.uninstall_record_factory


@pytest.fixture(autouse=True)
def _uninstalled() -> Iterator[None]:
    yield
    uninstall()
    logging.setLogRecordFactory(logging.LogRecord)


def make_record(msg: Any = "hello", *args: Any, **options: Any) -> logging.LogRecord:
    """
    A record as a logger makes it.
    """
    logger = logging.getLogger("shop")
    return logger.makeRecord("shop", 20, "f.py", 1, msg, args, None, **options)


def line_of(record: logging.LogRecord) -> dict[str, Any]:
    """
    The line of a record.
    """
    return load_line(ctxlog.JsonFormatter().format(record))


def closure(tag: str) -> Callable[..., logging.LogRecord]:
    """
    Chain the current factory as OpenTelemetry does, in a closure.
    """
    previous = logging.getLogRecordFactory()

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = previous(*args, **kwargs)
        setattr(record, tag, "set")
        return record

    logging.setLogRecordFactory(factory)
    return factory


def test_a_record_keeps_the_context_in_which_it_was_made() -> None:
    """
    A bind after it does not change it, nor does the context that formats it.
    """
    install()

    def handler() -> logging.LogRecord:
        record = make_record()
        ctxlog.bind(user="late")
        return record

    record = ctxlog.run({"requestID": "A"}, handler)
    line = ctxlog.run({"requestID": "B"}, line_of, record)
    assert line["requestID"] == "A"
    assert "user" not in line


_CHANGING = ("created", "msecs", "relativeCreated")


@pytest.mark.parametrize(
    ("msg", "args"),
    [
        ("hello", ()),
        ("%s", ("x",)),
        ("%(a)s", ({"a": 1},)),
        ("%s", ({},)),
        ("%s %s", (1, {"a": 1})),
        ({"a": 1}, ()),
        (None, None),
    ],
)
@pytest.mark.parametrize("level", [0, 7, logging.INFO, "odd"])
@pytest.mark.parametrize("path", ["/a/b/c.py", "<string>", "", ["no path"], None])
def test_a_record_has_what_a_stock_one_has(
    msg: Any, args: Any, level: Any, path: Any
) -> None:
    """
    Every attribute is there, right and in its place; other formatters read them.
    """
    positional = ("shop", level, path, 3, msg, args, None, "work")
    install()
    ours = [vars(logging.getLogRecordFactory()(*positional)) for _ in range(2)]
    uninstall()
    stock = vars(logging.LogRecord(*positional))
    for attributes in ours:
        assert list(attributes) == [*stock]
        for name in stock.keys() - {*_CHANGING}:
            assert attributes[name] == stock[name], name


@given(st.floats(min_value=0, max_value=4e9))
def test_milliseconds_are_those_of_a_stock_record(created: float) -> None:
    """
    `msecs` is a whole number of milliseconds, of the same time as `created`.
    """
    install()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("ctxlog.loggers._factory._now", lambda: created)
        record = make_record()
    assert record.created == created
    assert record.msecs == int((created - int(created)) * 1000)
    assert type(record.msecs) is float


def test_relative_times_are_those_of_a_stock_record() -> None:
    """
    `relativeCreated` counts from when `logging` was loaded.
    """
    install()
    ours = make_record()
    uninstall()
    stock = logging.LogRecord("shop", 20, "f.py", 1, "hello", (), None)
    began = [one.created - one.relativeCreated / 1000 for one in (ours, stock)]
    assert began[0] == pytest.approx(began[1], abs=1e-3)


@pytest.mark.parametrize(
    ("flag", "names"),
    [
        ("logThreads", ("thread", "threadName")),
        ("logProcesses", ("process",)),
        ("logMultiprocessing", ("processName",)),
        ("logAsyncioTasks", ("taskName",)),
    ],
)
def test_the_flags_of_logging_switch_attributes_off(
    monkeypatch: pytest.MonkeyPatch, flag: str, names: tuple[str, ...]
) -> None:
    """
    A value that `logging` is told not to look up is None, as on a stock record.
    """
    if not hasattr(logging, flag):
        pytest.skip(f"this Python has no logging.{flag}")
    install()
    make_record()
    monkeypatch.setattr(logging, flag, False)
    assert [getattr(make_record(), name) for name in names] == [None] * len(names)


def test_a_record_names_its_thread_and_task() -> None:
    """
    Thread and task are those that log, by the names that they have by then.
    """
    install()
    made = []

    async def work() -> None:
        asyncio.current_task().set_name("the task")  # type: ignore[union-attr]
        threading.current_thread().name = "renamed"
        made.append(make_record())
        asyncio.get_running_loop().call_soon(lambda: made.append(make_record()))
        await asyncio.sleep(0)

    thread = threading.Thread(target=lambda: asyncio.run(work()), name="first")
    thread.start()
    thread.join()
    assert [record.threadName for record in made] == ["renamed"] * 2
    assert made[0].thread == thread.ident
    if hasattr(logging, "logAsyncioTasks"):
        assert [vars(record)["taskName"] for record in made] == ["the task", None]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_record_names_the_process_that_made_it(tmp_path: Path) -> None:
    """
    In a forked child `process` and `processName` are the child's.
    """
    program = """
import logging, multiprocessing, os
import ctxlog
ctxlog.install_record_factory()
def show():
    record = logging.makeLogRecord({})
    print(record.process == os.getpid(), record.processName, flush=True)
show()
child = multiprocessing.get_context("fork").Process(target=show, name="child")
child.start()
child.join()
"""
    done = run_python("-c", program, cwd=tmp_path)
    assert done.stdout.split() == ["True", "MainProcess", "True", "child"]


def test_a_level_that_is_named_later_has_its_name() -> None:
    """
    `logging.addLevelName()` counts from the next record on.
    """
    install()
    record = make_record()
    assert record.levelname == "INFO"
    before = logging.getLevelName(20)
    try:
        logging.addLevelName(20, "NOTE")
        assert make_record().levelname == "NOTE"
    finally:
        logging.addLevelName(20, before)


def test_places_without_end_do_not_fill_the_memory() -> None:
    """
    Names and lines that are made up for every record are forgotten again.
    """
    install()
    factory: Any = logging.getLogRecordFactory()
    for number in range(10_000):
        factory(f"made up {number}", 20, "f.py", number, "x", (), None)
    assert len(factory._call_sites) <= 4096


def test_a_record_that_lost_an_attribute_keeps_its_fields() -> None:
    """
    Where the fields of the call stand on a record is looked at, not assumed.
    """
    install()
    record = make_record(extra={"rows": 3, "order": 7})
    del record.relativeCreated
    line = line_of(record)
    assert (line["rows"], line["order"]) == (3, 7)
    assert list(line)[-2:] == ["rows", "order"]


def test_what_other_formatters_add_is_no_field() -> None:
    """
    `message` and `asctime`, which a stock formatter puts on the record, stay there.
    """
    install()
    record = make_record(extra={"rows": 3})
    logging.Formatter("%(asctime)s %(message)s").format(record)
    record.order = 7
    line = line_of(record)
    assert line.keys() & {"asctime", "rows", "order"} == {"rows", "order"}


def test_nothing_is_put_among_the_attributes_of_a_record() -> None:
    """
    An exporter of all attributes finds those of a stock record and the call's own.
    """
    plain = list(vars(make_record(extra={"rows": 3})))
    install()
    fields = {"requestID": "A", "user": "u"}
    stamped = ctxlog.run(fields, make_record, extra={"rows": 3})
    assert list(vars(stamped)) == plain


def test_an_extra_with_the_name_of_a_field_is_no_key_error() -> None:
    """
    An attribute that another factory sets does not replace a field of the call.
    """
    install()
    record = ctxlog.run(
        {"requestID": "A", "user": "bound"},
        lambda: make_record(extra={"user": "call", "requestID": "B"}),
    )
    line = line_of(record)
    assert (line["user"], line["requestID"]) == ("call", "B")


@pytest.mark.parametrize("order", ["theirs first", "ours first"])
def test_another_factory_works_under_and_over_ours(order: str) -> None:
    """
    OpenTelemetry's attributes and our stamp are both there.
    """
    for step in (closure, install) if order == "theirs first" else (install, closure):
        step("otelTraceID") if step is closure else step()  # type: ignore[operator]
    line = line_of(ctxlog.run({"requestID": "A"}, make_record))
    assert (line["requestID"], line["otelTraceID"]) == ("A", "set")


def is_stamped() -> bool:
    """
    Return whether a record made now is stamped at once.
    """
    return get_stamp(make_record()) is not None


def test_uninstall_brings_back_the_factory_of_before() -> None:
    """
    Whatever it was; doing it again does nothing.
    """
    theirs = closure("theirs")
    install()()
    uninstall()
    assert logging.getLogRecordFactory() is theirs


def test_uninstall_under_another_factory_leaves_that_and_stops_stamping() -> None:
    """
    Ours cannot be taken out of another factory's closure: it only calls the previous.
    """
    install()
    theirs = closure("theirs")
    uninstall()
    assert logging.getLogRecordFactory() is theirs
    assert not is_stamped()
    assert make_record().theirs == "set"  # type: ignore[attr-defined]


def test_install_over_another_factory_stamps_again() -> None:
    """
    Installed, chained over, uninstalled, installed: records are stamped, once.
    """
    install()
    closure("theirs")
    uninstall()
    install()
    assert is_stamped()
    uninstall()
    assert not is_stamped()


def test_a_factory_that_does_not_chain_can_be_stamped_over() -> None:
    """
    Another library replaced ours; installing again brings the stamp back.
    """
    install()
    logging.setLogRecordFactory(logging.LogRecord)
    assert not is_stamped()
    install()
    assert is_stamped()
    uninstall()
    assert logging.getLogRecordFactory() is logging.LogRecord


def test_installing_twice_changes_nothing() -> None:
    """
    One uninstall is enough.
    """
    install()
    first = logging.getLogRecordFactory()
    install()
    assert logging.getLogRecordFactory() is first
    uninstall()
    assert logging.getLogRecordFactory() is logging.LogRecord


class BraceRecord(logging.LogRecord):
    """
    A record with a format of its own, as logging's cookbook shows it.
    """

    def getMessage(self) -> str:
        return str(self.msg).format(*self.args or ())


@pytest.mark.parametrize("formatter", [ctxlog.JsonFormatter, StockJsonFormatter])
def test_records_with_a_format_of_their_own_keep_it(formatter: Any) -> None:
    """
    The class of the factory before formats its message, on our lines too.
    """
    logging.setLogRecordFactory(BraceRecord)
    install()
    record = make_record("{} of {}", 1, 2)
    assert isinstance(record, BraceRecord)
    assert load_line(formatter().format(record))["message"] == "1 of 2"


def test_a_subclass_of_our_record_may_extend_it() -> None:
    """
    Calling super().getMessage() there ends.
    """

    class Mine(ContextRecord):
        def getMessage(self) -> str:
            return f"mine: {super().getMessage()}"

    record = Mine("shop", 20, "f", 1, "seen %s", (1,), None)
    assert line_of(record)["message"] == "mine: seen 1"


def test_a_message_that_was_masked_later_stays_masked(
    log_env: LogEnvironment,
) -> None:
    """
    A filter that rewrites `msg` has the last word, on a crash line too.
    """

    def mask(record: logging.LogRecord) -> bool:
        record.msg, record.args = record.getMessage().replace("hunter2", "***"), None
        return True

    install()
    log_env.set_formatter(ctxlog.JsonFormatter())
    log_env.logger.addFilter(mask)
    try:
        raise ValueError("bad")
    except ValueError:
        log_env.logger.exception("login with %s", "hunter2")
    log_env.logger.removeFilter(mask)
    assert log_env.load_json()["message"] == "login with ***"


def test_an_exception_that_is_added_to_the_record_later_is_shown(
    log_env: LogEnvironment,
) -> None:
    """
    By a filter, for instance, after the record was stamped.
    """
    error = ValueError("bad")

    def add(record: logging.LogRecord) -> bool:
        record.exc_info = (type(error), error, None)
        return True

    install()
    log_env.set_formatter(ctxlog.JsonFormatter())
    log_env.handler.addFilter(add)
    log_env.logger.info("x")
    assert log_env.load_json()["exception"]["message"] == "bad"


def copied(how: str, record: logging.LogRecord) -> logging.LogRecord:
    """
    A copy of a record, made in one of the ways in which others make it.
    """
    if how == "copy":
        return copy.copy(record)
    if how == "deepcopy":
        return copy.deepcopy(record)
    if how == "QueueHandler":
        prepared: logging.LogRecord = QueueHandler(None).prepare(record)  # type: ignore[arg-type]
        return prepared
    if how == "makeLogRecord":
        return logging.makeLogRecord(record.__dict__)
    if how == "of a dict":
        attributes = {**vars(record), "color": "red"}
        return logging.makeLogRecord(attributes)
    loaded: logging.LogRecord = pickle.loads(pickle.dumps(record, int(how)))
    return loaded


COPIES = ["copy", "deepcopy", "QueueHandler", "makeLogRecord", "of a dict"]
PICKLES = [str(protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]


class SlottedRecord(BraceRecord):
    """
    A record with a slot of its own.
    """

    __slots__ = ("cost",)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.cost = 7


class ValueRecord(logging.LogRecord):
    """
    A record that compares by value, and so has no hash.
    """

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ValueRecord) and vars(self) == vars(other)


class OursExtended(ContextRecord):
    """
    A record of a class that extends ours.
    """


KINDS = [logging.LogRecord, SlottedRecord, ValueRecord, OursExtended]


@pytest.mark.parametrize("how", [*COPIES, *PICKLES])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chained", [False, True])
def test_a_copy_of_a_record_has_its_stamp(how: str, kind: Any, chained: bool) -> None:
    """
    Of any class, copied in any way, in any context.
    """
    logging.setLogRecordFactory(kind)
    if chained:
        closure("theirs")
    install()
    secret = {"requestID": "A", "password": "hunter2"}
    record = ctxlog.run(secret, make_record, "seen", extra={"rows": 3})
    plain = set(vars(record))
    again = ctxlog.run({"requestID": "B"}, copied, how, record)
    line = ctxlog.run({"requestID": "C"}, line_of, again)
    assert (line["requestID"], line["rows"], line["message"]) == ("A", 3, "seen")
    assert vars(again).keys() - plain <= {"message", "asctime", "color"}
    assert isinstance(again, kind)
    if kind is SlottedRecord:
        assert again.cost == 7  # type: ignore[attr-defined]
    if how in PICKLES:
        assert b"hunter2" not in pickle.dumps(record, int(how))


def test_a_record_of_another_class_stays_what_it_is() -> None:
    """
    Its class and its identity are those that its factory gave it.
    """
    made = []

    def factory(*args: Any, **options: Any) -> logging.LogRecord:
        made.append(SlottedRecord(*args, **options))
        return made[-1]

    logging.setLogRecordFactory(factory)
    install()
    record = make_record()
    assert record is made[0]
    assert type(record) is SlottedRecord


def test_the_stamp_of_a_record_goes_with_it() -> None:
    """
    Nothing is kept of a record that is gone, whatever its class is.
    """
    logging.setLogRecordFactory(BraceRecord)
    install()
    value = type("Value", (), {})
    kept = weakref.ref(value)
    ctxlog.run({"requestID": "A", "value": value}, make_record)
    del value
    gc.collect()
    assert kept() is None


class NoReferences:
    """
    A record as other logging libraries make it: no `LogRecord`, no weak references.
    """

    __slots__ = tuple(vars(logging.LogRecord("", 0, "", 0, "", (), None)))

    def __init__(self, *args: Any, **options: Any) -> None:
        for name, value in vars(logging.LogRecord(*args, **options)).items():
            setattr(self, name, value)


def test_a_record_that_cannot_be_stamped_is_passed_on() -> None:
    """
    The log call works as it does without ctxlog.
    """
    logging.setLogRecordFactory(NoReferences)  # type: ignore[arg-type]
    install()
    record = logging.getLogRecordFactory()("shop", 20, "f.py", 1, "seen", (), None)
    assert type(record) is NoReferences
    assert record.msg == "seen"


def test_copies_as_another_library_has_registered_them() -> None:
    """
    A reducer in `copyreg` that was there for the class keeps its say.
    """

    class Registered(logging.LogRecord):
        pass

    def reduced(record: Registered) -> Any:
        return Registered, ("theirs", 20, "", 0, record.msg, (), None)

    copyreg.pickle(Registered, reduced)  # type: ignore[arg-type]
    logging.setLogRecordFactory(Registered)
    install()
    again = copy.copy(ctxlog.run({"requestID": "A"}, make_record, "seen"))
    line = line_of(again)
    assert (line["logger"], line["message"]) == ("theirs", "seen")
    assert line["requestID"] == "A"


def test_a_record_from_a_network_is_no_copy_of_another() -> None:
    """
    It is stamped where it arrives, unless it brings fields of its own.
    """
    install()
    record = ctxlog.run({"requestID": "A"}, make_record)
    attributes = json.loads(json.dumps(vars(record)))
    line = ctxlog.run(
        {"requestID": "B"}, lambda: line_of(logging.makeLogRecord(attributes))
    )
    assert line["requestID"] == "B"
    assert line["message"] == record.getMessage()


def test_a_wrong_format_behind_another_factory_costs_no_line() -> None:
    """
    A stock queue handler formats the message before any formatter of ours does.
    """
    closure("otelTraceID")
    install()
    record = ctxlog.run({"requestID": "A"}, make_record, "%d items", "many")
    line = line_of(copied("QueueHandler", record))
    assert (line["message"], line["requestID"]) == ("%d items [many]", "A")


def test_captured_warnings_are_stamped(log_env: LogEnvironment) -> None:
    """
    A library's warning, through logging.captureWarnings.
    """
    import warnings

    install()
    logger = logging.getLogger("py.warnings")
    log_env.set_formatter(ctxlog.JsonFormatter())
    logger.addHandler(log_env.handler)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        ctxlog.run({"requestID": "A"}, warnings.warn, "old", stacklevel=1)
        logging.captureWarnings(False)
    logger.removeHandler(log_env.handler)
    line = log_env.load_json()
    assert line["requestID"] == "A"
    assert "old" in line["message"]


def test_a_disabled_level_does_no_work() -> None:
    """
    No record is made, and the context is not encoded.
    """
    install()
    made = []
    previous = logging.getLogRecordFactory()

    def counting(*args: Any, **kwargs: Any) -> logging.LogRecord:
        made.append(1)
        return previous(*args, **kwargs)

    logging.setLogRecordFactory(counting)
    logger = logging.getLogger("test.quiet")
    logger.setLevel(logging.WARNING)
    store = ctxlog.Store(requestID="A")
    ctxlog.run(store, logger.info, "x")
    assert not made
    assert store._view.encoded is None
