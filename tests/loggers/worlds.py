"""
A process's logging from its beginning, for tests that compare two set-ups.

A world has its own root logger and manager, so that nothing of pytest's is in it. What
happens in it is noted: the bytes of every stream, each record that a handler, a filter
or a factory sees, and the functions on the stack while it does.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import logging
import re
import sys
from collections.abc import Callable, Iterator
from logging.handlers import MemoryHandler
from types import TracebackType
from typing import Any

import ctxlog

#: The functions of the steps that log: where the stack of a log call ends.
CALLING = "perform"

# In lines of JSON, and in those for the console.
_TIMES = re.compile(
    rb'(?<="timestamp":)"[^"]*"|(?<="elapsedMs":)[0-9.]+'
    rb"|^[0-9:.]+(?= )|(?<= )\+[0-9.]+ms",
    re.MULTILINE,
)

# The code of a frame of `logging`, in a stack: ctxlog's methods name its file.
_CODE = re.compile(r'(logging/__init__\.py", line )\d+(, in \w+)(\n {4}.*)?')
_CODE_AS_JSON = re.compile(
    r'(logging/__init__\.py\\", line )\d+(, in \w+)(\\n {4}([^\\"]|\\[^n])*)?'
)

#: Attributes of a record that no two runs have in common.
_OF_ITS_TIME = {"created", "msecs", "relativeCreated"}


def stack_above() -> list[tuple[str, str]]:
    """Return file and function of the caller's callers, up to the log call."""
    found = []
    frame: Any = sys._getframe(2)
    while frame is not None and frame.f_code.co_name != CALLING:
        found.append((frame.f_code.co_filename, frame.f_code.co_name))
        frame = frame.f_back
    return found


class World:
    """
    One process's logging, with what was seen in it.

    Attributes:
        seen: What handlers, filters, factories and patches have seen, in order.
        output: The bytes of ctxlog's stream.
        text: What plain handlers have written.
    """

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.output = io.BytesIO()
        self.text = io.StringIO()
        self.factories: list[Any] = []
        self.patches: list[Callable[[], None]] = []

    def note(self, what: str, record: Any) -> None:
        """Note that a record was seen."""
        attributes: Any = record
        if isinstance(record, logging.LogRecord):
            attributes = {
                name: _comparable(value)
                for name, value in vars(record).items()
                if name not in _OF_ITS_TIME
            }
            attributes["getMessage"] = _comparable(_message_of(record))
        self.seen.append((what, attributes, stack_above()))

    def lines(self) -> list[str]:
        """Return the lines of ctxlog's stream, without their times."""
        text = _TIMES.sub(b"0", self.output.getvalue()).decode("utf-8", "replace")
        return _CODE_AS_JSON.sub(r"\1\2", text).splitlines()

    def handler(self, kind: str) -> logging.Handler:
        """Return a new handler of a kind."""
        world = self

        class Noting(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                world.note("handler", record)

        made: dict[str, Callable[[], logging.Handler]] = {
            "noting": Noting,
            "text": lambda: logging.StreamHandler(self.text),
            "memory": lambda: MemoryHandler(2, target=Noting()),
            "line": lambda: ctxlog.LineHandler(self.output),
            "json": self._with_formatter,
            "null": logging.NullHandler,
        }
        handler = made[kind]()
        if kind in ("text", "line"):
            handler.setFormatter(logging.Formatter("%(name)s %(message)s %(lineno)d"))
        return handler

    def _with_formatter(self) -> logging.Handler:
        handler = ctxlog.LineHandler(self.output)
        handler.setFormatter(ctxlog.JsonFormatter())
        return handler

    def filter(self, kind: str) -> Any:
        """Return a new filter of a kind."""

        def passing(record: logging.LogRecord) -> bool:
            self.note("filter", record)
            return True

        def adding(record: logging.LogRecord) -> bool:
            record.added = "by a filter"
            return True

        def dropping(record: logging.LogRecord) -> bool:
            self.note("dropped", record)
            return False

        kinds = {"passing": passing, "adding": adding, "dropping": dropping}
        return kinds.get(kind) or ctxlog.ContextFilter()

    def set_factory(self, kind: str) -> None:
        """Set a record factory of a kind."""
        before = logging.getLogRecordFactory()
        self.factories.append(before)

        class Record(logging.LogRecord):
            """Of a third party."""

        def wrapping(*args: Any, **more: Any) -> logging.LogRecord:
            record = before(*args, **more)
            self.note("factory", record)
            return record

        logging.setLogRecordFactory(Record if kind == "class" else wrapping)

    def reset_factory(self) -> None:
        """Set the record factory of before the last one."""
        if self.factories:
            logging.setLogRecordFactory(self.factories.pop())

    def patch(self, owner: Any, name: str) -> None:
        """Replace a method of a class or of an object with one that notes its calls."""
        on_class = isinstance(owner, type)
        before = getattr(owner, name)
        missing = name not in vars(owner)
        kept = vars(owner).get(name)

        def noting(*args: Any, **more: Any) -> Any:
            self.seen.append((name, len(args) - on_class, sorted(more), stack_above()))
            return before(*args, **more)

        setattr(owner, name, noting)

        def undo() -> None:
            if missing:
                delattr(owner, name)
            else:
                setattr(owner, name, kept)

        self.patches.append(undo)

    def unpatch(self) -> None:
        """Put the last method back that was replaced."""
        if self.patches:
            self.patches.pop()()


def _message_of(record: logging.LogRecord) -> object:
    try:
        return record.getMessage()
    except Exception as error:
        return error


def _comparable(value: object) -> object:
    """Return what two runs have in common of a value."""
    if isinstance(value, BaseException):
        return type(value), str(value)
    if isinstance(value, str):
        return _CODE.sub(r"\1\2", value)
    if isinstance(value, (type, TracebackType)):
        return type(value)
    if isinstance(value, tuple):
        return tuple(map(_comparable, value))
    if type(value).__module__ == "builtins" and not callable(value):
        return value
    return type(value).__qualname__


@contextlib.contextmanager
def world() -> Iterator[World]:
    """Begin the process's logging anew for a block."""
    logger_class, factory = logging.getLoggerClass(), logging.getLogRecordFactory()
    root, manager = logging.root, logging.Logger.manager
    own = World()
    logging.setLoggerClass(logging.Logger)
    logging.setLogRecordFactory(logging.LogRecord)
    logging.root = logging.Logger.root = logging.RootLogger(logging.WARNING)
    logging.Logger.manager = logging.Manager(logging.root)
    try:
        # `logging` reports there what a handler could not format.
        with contextlib.redirect_stderr(io.StringIO()):
            yield own
    finally:
        while own.patches:
            own.unpatch()
        ctxlog.unconfigure()
        logging.root = logging.Logger.root = root
        logging.Logger.manager = manager
        logging.setLoggerClass(logger_class)
        logging.setLogRecordFactory(factory)


def in_world(test: Callable[..., None]) -> Callable[..., None]:
    """
    Decorate a test: it runs in a world of its own, which is its first argument.

    A fixture would be too early: pytest adds its handlers to the root logger that there
    is when the test is called.
    """

    @functools.wraps(test)
    def run(*args: Any, **more: Any) -> None:
        with world() as own:
            test(own, *args, **more)

    _, *parameters = inspect.signature(test).parameters.values()
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run
