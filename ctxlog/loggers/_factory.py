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
from ctxlog.loggers._messages import NO_MAPPINGS, only_mapping
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
    except Exception as error:  # it is being imported
        if is_interrupt(error):
            raise
        return "MainProcess"


def _task_name() -> str | None:
    asyncio: Any = sys.modules.get("asyncio")
    try:
        # Not current_task() alone, which raises where no loop runs: that is slow.
        loop = asyncio and asyncio._get_running_loop()
        task = loop and asyncio.current_task(loop)
        return None if task is None else str(task.get_name())
    except Exception as error:  # it is being imported, or a third-party task
        if is_interrupt(error):
            raise
        return None


_makes_copies = logging.makeLogRecord.__code__


def _stamp_of_original() -> object:
    """
    Return the stamp of the record that `logging.makeLogRecord` is about to copy.

    structlog's `ProcessorFormatter` copies a record so, perhaps in the thread of a
    queue, and others do. The function is given attributes only, and calls the factory
    without them: so the record is looked for among the variables of the caller. Return
    None for attributes that came from elsewhere, as over a network.
    """
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_code is not _makes_copies:
        frame = frame.f_back
    if frame is None:
        return None
    given = frame.f_locals["dict"]
    created = given.get("created") if isinstance(given, dict) else None
    for value in list(frame.f_back.f_locals.values()):
        # Each record has an object of its own there.
        if (
            created is not None
            and issubclass(type(value), logging.LogRecord)
            and value.__dict__.get("created") is created
        ):
            return get_stamp(value)
    return None


class _RecordFactory:
    """
    Makes records as the factory before it did, and stamps them.

    Stock records are made here, with the same attributes: what is the same for all
    records of one call site is copied in one step, since making the record is
    most of what a log call costs.
    """

    def __init__(self, previous: _Factory) -> None:
        self.previous = previous
        self.active = True
        stock = logging.LogRecord("", 0, "", 0, "", (), None)
        self._began = stock.created - stock.relativeCreated / 1000
        self._makes = previous is logging.LogRecord and (
            tuple(stock.__dict__) == ATTRIBUTES
        )
        # None for those of which others make the records.
        self._call_sites: dict[tuple[Any, ...], CallSite | None] = {}
        # Of all records that another factory makes.
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
            # Also where this factory works no longer.
            site = None
            passed_on = self._passed_on(name, pathname, lineno)
            if passed_on is None:
                site = self._first(key)
            else:  # the same logger may be called from elsewhere next time
                key = (name, level, *passed_on)
        if site is None or more:
            return self._chained(*key[:4], msg, args, exc_info, key[4], sinfo, **more)
        if args and len(args) == 1 and type(args[0]) not in NO_MAPPINGS:
            args = only_mapping(args)
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
        """Stamp no longer: only call the factory of before."""
        self.active = False
        self._call_sites.clear()

    def _first(self, key: tuple[Any, ...]) -> CallSite | None:
        """Return the call site of a first record; None if others make those."""
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
                shared[attribute] = None  # what the flags of `logging` switch off
            if HAS_TASK_NAMES:
                shared["taskName"] = None
            site = CallSite(shared)
        try:
            remember(self._call_sites, key, site, 4096)
        except TypeError as error:  # something in it cannot be hashed
            if is_interrupt(error):
                raise
        return site

    def _passed_on(self, name: Any, path: Any, line: Any) -> tuple[Any, ...] | None:
        """Return file, line and function of a call that ctxlog has passed on."""
        # ctxlog's own lines are logged where they say.
        if not self.active or is_ours(name):
            return None
        frame = passed_on(path, line, "stacklevel", 1)
        if frame is None:
            return None
        return frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name

    def _chained(self, *args: Any, **more: Any) -> logging.LogRecord:
        record = self.previous(*args, **more)
        if not self.active:
            # Another library that had replaced it has put it back.
            _remove_inactive()
            return record
        if type(record) is logging.LogRecord:
            record = self._taken_over(record)
        found = _stamp_of_original() if args[0] is None else None
        set_stamp(record, stamp(record) if found is None else found)
        return record

    def _taken_over(self, stock: logging.LogRecord) -> ContextRecord:
        """Return a record of ours that has the same attributes, not copies of them."""
        record: ContextRecord = _new_record(ContextRecord)
        record.__dict__ = stock.__dict__
        record._ctxlog_call_site = self._elsewhere
        return record


_installed: _RecordFactory | None = None

# Called with a logger's name before the first record of each call site.
_watcher: Callable[[str], None] | None = None


def watch_call_sites(callback: Callable[[str], None] | None) -> None:
    """Call `callback` with the logger's name before each call site's first record."""
    global _watcher
    _watcher = callback


def install_record_factory() -> Callable[[], None]:
    """
    Stamp every record where it is made, whoever logs and whichever handler writes.

    The factory that is there is called and its records are stamped. The stamp is none
    of a record's attributes: what exports them all does not see it, and no name of a
    user's `extra` can clash. Records stay right in queues, in other threads, in copies
    and in pickles. Calling it again is a no-op.

    Returns:
        `uninstall_record_factory`.
    """
    global _installed
    current = logging.getLogRecordFactory()
    if not (isinstance(current, _RecordFactory) and current.active):
        # One that somebody else's factory calls, or replaced, has nothing more to do.
        _hand_through()
        _installed = _RecordFactory(current)
        logging.setLogRecordFactory(_installed)
    return uninstall_record_factory


def uninstall_record_factory() -> None:
    """
    Stop stamping records where they are made.

    The factory of before comes back. If somebody else's was put over ours, ours only
    hands through to it. Without an installed factory nothing happens.
    """
    _hand_through()
    _remove_inactive()


def _remove_inactive() -> None:
    current = logging.getLogRecordFactory()
    while isinstance(current, _RecordFactory) and not current.active:
        current = current.previous
        logging.setLogRecordFactory(current)


def _hand_through() -> None:
    if _installed is not None:
        _installed.hand_through()
