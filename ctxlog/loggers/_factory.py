"""
The record factory: makes and stamps the records of `logging`. Private to `loggers/`.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from ctxlog._interrupts import is_interrupt
from ctxlog._memory import remember
from ctxlog._stamps import get_stamp, set_stamp
from ctxlog.context.adapter import current_view
from ctxlog.loggers._callers import is_ours, passed_on
from ctxlog.loggers._messages import NO_MAPPINGS, sole_mapping
from ctxlog.loggers._record import (
    ATTRIBUTES,
    HAS_TASK_NAMES,
    CallSite,
    ContextRecord,
    is_servers,
    stamp,
)

_Factory = Callable[..., logging.LogRecord]

_new_record = logging.LogRecord.__new__
_now, _this_thread = time.time, threading.current_thread
_level_names, getLevelName = logging._levelToName, logging.getLevelName
_modules = sys.modules

# `os.getpid` is a system call; only a fork changes what it returns.
_process_id = os.getpid()


def _renew_process_id() -> None:
    global _process_id
    _process_id = os.getpid()


if hasattr(os, "register_at_fork"):  # pragma: no branch (all but Windows)
    os.register_at_fork(after_in_child=_renew_process_id)


def _process_name() -> str:
    try:
        return _modules["multiprocessing"].current_process().name  # type: ignore[no-any-return]
    except Exception as error:
        # While the module is being imported it lacks the function.
        if is_interrupt(error):
            raise
        return "MainProcess"


def _task_name() -> str | None:
    asyncio: Any = sys.modules.get("asyncio")
    try:
        # current_task() alone raises if no loop runs, which is slow.
        loop = asyncio and asyncio._get_running_loop()
        task = loop and asyncio.current_task(loop)
        return None if task is None else str(task.get_name())
    except Exception as error:
        # The module may be half imported; a third-party task may raise anything.
        if is_interrupt(error):
            raise
        return None


_makes_copies = logging.makeLogRecord.__code__


def _stamp_of_original() -> object:
    """
    Return the stamp of the record that `logging.makeLogRecord` is about to copy.

    structlog's `ProcessorFormatter` and others copy a record so, perhaps in the thread
    of a queue. The function gets the attributes only, and calls the factory without
    them: the record itself is looked for among the variables of the caller. Return None
    if it is not there: the attributes may have come over a network.
    """
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_code is not _makes_copies:
        frame = frame.f_back
    if frame is None:
        return None
    given = frame.f_locals["dict"]
    created = given.get("created") if isinstance(given, dict) else None
    for value in list(frame.f_back.f_locals.values()):
        # The time of each record is an object of its own.
        if (
            created is not None
            and issubclass(type(value), logging.LogRecord)
            and value.__dict__.get("created") is created
        ):
            return get_stamp(value)
    return None


class RecordFactory:
    """
    Makes records as the previous factory does, and stamps them.

    Making the record is most of what a log call costs. So stock records are made here,
    with the same attributes: those that all records of one call site share are copied
    in one step.

    Args:
        previous: The factory that was there; it makes all other records.

    Attributes:
        ways: By a logger's name, what the logger class knows of it. A logger comes in
            with its first record, if that is a stock one.
    """

    def __init__(self, previous: _Factory) -> None:
        self.previous = previous
        self.active = True
        stock = logging.LogRecord("", 0, "", 0, "", (), None)
        self._began = stock.created - stock.relativeCreated / 1000
        self._makes = previous is logging.LogRecord and (
            tuple(stock.__dict__) == ATTRIBUTES
        )
        # None for a call site whose records the previous factory makes.
        self._call_sites: dict[tuple[Any, ...], CallSite | None] = {}
        self.ways: dict[str, Any] = {}
        # The call site of all records that the previous factory makes.
        self._elsewhere = CallSite({})

    def __call__(
        self,
        name: Any,
        level: Any,
        pathname: Any,
        lineno: Any,
        msg: Any,
        args: Any,
        exc_info: Any,
        func: Any = None,
        sinfo: Any = None,
        **more: Any,
    ) -> logging.LogRecord:
        key = (name, level, pathname, lineno, func)
        site: CallSite | None
        try:
            site = self._call_sites[key]
        except (KeyError, TypeError) as error:
            if is_interrupt(error):
                raise
            site = None  # also after `hand_through`
            passed_on = self._passed_on(name, pathname, lineno)
            if passed_on is None:
                site = self._first(key)
            else:  # the same logger may be called from elsewhere next time
                key = (name, level, *passed_on)
        if site is None or more:
            return self._chained(*key[:4], msg, args, exc_info, key[4], sinfo, **more)
        if args and len(args) == 1 and type(args[0]) not in NO_MAPPINGS:
            args = sole_mapping(args)
        created = _now()
        record: ContextRecord = _new_record(ContextRecord)
        record._ctxlog_call_site = site
        record.__dict__ = attributes = site.attributes.copy()
        attributes["msg"] = msg
        attributes["args"] = args
        attributes["levelname"] = _level_names.get(level) or getLevelName(level)
        attributes["created"] = created
        attributes["msecs"] = int(created % 1 * 1000) + 0.0
        attributes["relativeCreated"] = (created - self._began) * 1000
        if logging.logThreads:
            attributes["thread"] = threading.get_ident()
            attributes["threadName"] = _this_thread().name
        if logging.logMultiprocessing:
            attributes["processName"] = (
                _process_name() if "multiprocessing" in _modules else "MainProcess"
            )
        if logging.logProcesses:
            attributes["process"] = _process_id
        if HAS_TASK_NAMES and logging.logAsyncioTasks:  # type: ignore[attr-defined]
            attributes["taskName"] = _task_name()
        if exc_info or sinfo is not None or type(msg) is dict:
            attributes["exc_info"] = exc_info
            attributes["stack_info"] = sinfo
            record._ctxlog_stamp = stamp(record)
        else:
            record._ctxlog_stamp = current_view()
        return record

    def hand_through(self) -> None:
        """Only call the previous factory from now on."""
        self.active = False
        self._call_sites.clear()
        self.ways.clear()

    def _first(self, key: tuple[Any, ...]) -> CallSite | None:
        """Return a new call site; None if the previous factory makes its records."""
        if not self.active:
            return None
        name, level, pathname, lineno, func = key
        if _watcher is not None and name is not None:
            _watcher(str(name))
        site = None
        if self._makes and name is not None and not is_servers(name):
            stock = logging.LogRecord(name, level, pathname, lineno, "", (), None, func)
            shared = stock.__dict__
            for attribute in ("thread", "threadName", "processName", "process"):
                # The flags of `logging` may switch it off later.
                shared[attribute] = None
            if HAS_TASK_NAMES:
                shared["taskName"] = None
            site = CallSite(shared)
            if type(name) is str and name not in self.ways:
                remember(self.ways, name, None, 4096)
        try:
            remember(self._call_sites, key, site, 4096)
        except TypeError as error:  # a part of the key cannot be hashed
            if is_interrupt(error):
                raise
        return site

    def _passed_on(self, name: Any, path: Any, line: Any) -> tuple[Any, ...] | None:
        """Return file, line and function of a call that ctxlog has passed on."""
        # The callers of ctxlog's own lines are in ctxlog.
        if not self.active or is_ours(name):
            return None
        frame = passed_on(path, line, "stacklevel", 1)
        if frame is None:
            return None
        return frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name

    def _chained(self, *args: Any, **more: Any) -> logging.LogRecord:
        record = self.previous(*args, **more)
        if not self.active:
            # Another library that had replaced this factory has put it back.
            _remove_inactive()
            return record
        if type(record) is logging.LogRecord:
            record = self._taken_over(record)
        found = _stamp_of_original() if args[0] is None else None
        set_stamp(record, stamp(record) if found is None else found)
        return record

    def _taken_over(self, stock: logging.LogRecord) -> ContextRecord:
        """Return a record of ours that shares the attributes of *stock*."""
        record: ContextRecord = _new_record(ContextRecord)
        record.__dict__ = stock.__dict__
        record._ctxlog_call_site = self._elsewhere
        return record


_installed: RecordFactory | None = None

# Called with a logger's name before the first record of each call site.
_watcher: Callable[[str], None] | None = None


def watch_call_sites(callback: Callable[[str], None] | None) -> None:
    """Call *callback* with the logger's name before each call site's first record."""
    global _watcher
    _watcher = callback


def install_record_factory() -> Callable[[], None]:
    """
    Stamp every record of every logger where it is made.

    The previous factory is called and its records are stamped. The stamp is not an
    attribute of the record: exporters of all attributes do not see it, and no name in
    `extra` can clash with it. It goes along to queues, other threads, copies and
    pickles. Calling it again is a no-op.

    Returns:
        `uninstall_record_factory`.
    """
    global _installed
    current = logging.getLogRecordFactory()
    if not (isinstance(current, RecordFactory) and current.active):
        # Another library's factory may call, or have replaced, the one of before.
        uninstall_record_factory()
        _installed = RecordFactory(logging.getLogRecordFactory())
        logging.setLogRecordFactory(_installed)
    return uninstall_record_factory


def uninstall_record_factory() -> None:
    """
    Stop stamping records where they are made.

    The previous factory comes back. If another library has put its factory over ours,
    ours stays and only calls the previous one. Calling it again is a no-op.
    """
    if _installed is not None:
        _installed.hand_through()
    _remove_inactive()


def _remove_inactive() -> None:
    current = logging.getLogRecordFactory()
    while isinstance(current, RecordFactory) and not current.active:
        current = current.previous
        logging.setLogRecordFactory(current)
