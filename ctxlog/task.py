"""
One task, whatever the queue: what all adapters of task queues have in common. Core.

An adapter reads its library's message into plain values, keeps a `Task` open while the
task runs, and tells it what became of it. `entry()` is the same for a function that
nothing but the system calls: a cron job, a command, AWS Lambda.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, overload

from ctxlog import trace, trackers
from ctxlog._names import get_names
from ctxlog._unheard import warn_if_unheard
from ctxlog.carrier import (
    ReceivedStore,
    checked_fields,
    is_possible_request_id,
)
from ctxlog.context import Entry, run, within
from ctxlog.errors import ConfigError
from ctxlog.ids import new_request_id
from ctxlog.interrupts import is_interrupt
from ctxlog.isolate import decorated

__all__ = [
    "CANCELLED",
    "FAILED",
    "RETRIED",
    "SUCCEEDED",
    "TASK_LOGGER",
    "Task",
    "TaskOptions",
    "entry",
]

_F = TypeVar("_F", bound=Callable[..., Any])

#: The logger of the lines that say how a task ended.
TASK_LOGGER = "ctxlog.task"

#: How a task ends.
SUCCEEDED = "succeeded"
FAILED = "failed"
RETRIED = "retried"
CANCELLED = "cancelled"

_log = logging.getLogger("ctxlog")
_completion_log = logging.getLogger(TASK_LOGGER)


class TaskOptions:
    """
    The options of all adapters of task queues, checked.

    Args:
        fields: The names of fields that go along with every task, redacted, besides
            the request's id and trace.
        completion_line: Whether to log a line when a task has ended.

    Raises:
        ConfigError: an option has a value that it cannot have.
    """

    __slots__ = ("completion_line", "fields")

    def __init__(
        self, *, fields: Iterable[str] = (), completion_line: bool = True
    ) -> None:
        self.fields = checked_fields(fields)
        if not isinstance(completion_line, bool):
            raise ConfigError("completion_line", completion_line, "True or False")
        self.completion_line = completion_line


class Task(Entry):
    """
    One task from its arrival to its completion line.

    A context manager: inside, the task's fresh store is active, whatever was before.
    Leaving logs the completion line, also by an exception or a cancellation, closes
    the store and puts the context back. It adds no exception of its own. A task that
    its library runs piece by piece runs each with `step()`, and ends with `done()`.

    Args:
        store: The task's own store: what `unpack()` has made of its message.
        name: The task's name: field `task`.
        task_id: The library's id of the task: field `taskID`.
        attempt: Which attempt this is, the first is 1.
        completion_line: Whether to log a line at the end.

    Attributes:
        completion_line: The same; may be changed until then.
        outcome: What became of the task, where the library knows better than the
            exception: `succeeded`, `failed`, `retried`, `cancelled`, or a word of its
            own.
        details: Further fields of the completion line.
    """

    __slots__ = (
        "_ended",
        "_name",
        "_started",
        "completion_line",
        "details",
        "outcome",
    )

    def __init__(
        self,
        store: ReceivedStore,
        /,
        *,
        name: str,
        task_id: str | None = None,
        attempt: int | None = None,
        completion_line: bool = True,
    ) -> None:
        super().__init__(store)
        own: dict[str, object] = {"task": name}
        if task_id is not None:
            own[get_names().task_id] = task_id
        if attempt is not None:
            own["attempt"] = attempt
        store.update(own)
        trace.watch(store)
        self.outcome: str | None = None
        self.details: dict[str, object] = {}
        self._name = name
        self.completion_line = completion_line
        self._ended = False
        self._started = time.perf_counter()

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        try:
            self._complete(error)
        finally:
            super().__exit__(kind, error, traceback)

    def done(self, error: BaseException | None, /) -> None:
        """End one that ran in pieces, as leaving the block does. Twice is once."""
        if self._ended:
            return
        try:
            self._complete(error)
        finally:
            super().done(error)

    def _complete(self, error: BaseException | None) -> None:
        self._ended = True
        if not self.completion_line:
            return
        # In the store, wherever a cancelled task is cleaned up.
        within(self.store, self._log_completion, error)

    def _log_completion(self, error: BaseException | None) -> None:
        milliseconds = (time.perf_counter() - self._started) * 1000
        outcome = self.outcome or _outcome(error)
        fields: dict[str, object] = {
            "outcome": outcome,
            get_names().duration: round(milliseconds, 3),
            **self.details,
        }
        if error is not None and outcome != SUCCEEDED:
            fields.setdefault("error", type(error).__name__)
        level = _LEVELS.get(outcome, logging.WARNING)
        warn_if_unheard(_completion_log)
        trackers.watch()
        # One template for each task, by which trackers tell records apart.
        _completion_log.log(level, f"{self._name} {outcome}", extra=fields)


_LEVELS = {SUCCEEDED: logging.INFO, FAILED: logging.ERROR}


def _outcome(error: BaseException | None) -> str:
    if error is None:
        return SUCCEEDED
    if isinstance(error, SystemExit):
        return FAILED if _exit_code(error) else SUCCEEDED
    # A generator that is closed early has done what was wanted of it.
    if isinstance(error, GeneratorExit):
        return SUCCEEDED
    stopped = isinstance(error, asyncio.CancelledError)
    return FAILED if isinstance(error, Exception) and not stopped else CANCELLED


def _exit_code(error: BaseException | None) -> int | None:
    """
    Return the exit code that an exception ends a program with, None if it names none.

    `SystemExit`, and what libraries for command lines turn into one when they are back
    from the function: Click's and Typer's exceptions have an `exit_code`.
    """
    if isinstance(error, SystemExit):
        code = error.code
        if code is None:
            return 0
        return int(code) if isinstance(code, int) else 1  # a text, to be printed
    code = getattr(error, "exit_code", None) if isinstance(error, Exception) else None
    return code if isinstance(code, int) else None


class _Call(Task):
    """One call of an entry point: it ends as the program does."""

    __slots__ = ()

    def _complete(self, error: BaseException | None) -> None:
        code = _exit_code(error)
        if code is not None:
            self.outcome = FAILED if code else SUCCEEDED
        if code:
            self.details[get_names().exit_code] = code
        super()._complete(error)


@overload
def entry(fn: _F, /) -> _F: ...
@overload
def entry(
    name: str | None = None,
    /,
    *,
    request_id: str | Callable[..., str | None] | None = None,
    headers: Callable[..., Any] | None = None,
    completion_line: bool = True,
    **fields: object,
) -> Callable[[_F], _F]: ...
def entry(
    name: Any = None,
    /,
    *,
    request_id: str | Callable[..., str | None] | None = None,
    headers: Callable[..., Any] | None = None,
    completion_line: bool = True,
    **fields: object,
) -> Any:
    """
    Decorate a function that the system calls: every call runs in a fresh store.

    For cron jobs, commands, AWS Lambda, consumers of one's own. `def`, `async def`,
    generator and async generator functions keep their kind. The store has a new
    `requestID` and the field `task`; it is closed at the end, after one completion line
    from the logger `ctxlog.task` with `durationMs` and `outcome`. An exception goes on
    unchanged. An exception that sets the exit code of the program, as `SystemExit` and
    those of Click and Typer do, has succeeded with 0, else failed with `exitCode`::

        @ctxlog.entry
        def main(): ...

        @ctxlog.entry(request_id=lambda message: message["id"])
        def consume(message): ...

    Args:
        name: The field `task`; the function's name with its module's unless given.
        request_id: The id: a text, or a callable that gets the call's arguments and
            returns it, or None for a new one; on AWS Lambda the invocation's own.
            What cannot be an id is replaced.
        headers: A callable that gets the call's arguments and returns the headers that
            came with it, for `ctxlog.carrier.extract()`.
        completion_line: Whether to log a line at the end.
        fields: The store's first fields.

    Raises:
        ConfigError: an option has a value that it cannot have.
    """
    if callable(name) or isinstance(name, classmethod):
        return _Entries(None, request_id, headers, completion_line, fields)(name)
    return _Entries(name, request_id, headers, completion_line, fields)


class _Entries:
    """Opens a task for every call of a function."""

    __slots__ = ("_completion_line", "_fields", "_headers", "_name", "_request_id")

    def __init__(
        self,
        name: object,
        request_id: object,
        headers: object,
        completion_line: bool,
        fields: Mapping[str, object],
    ) -> None:
        if name is not None and not isinstance(name, str):
            raise ConfigError("name", name, "a text")
        if request_id is not None and not callable(request_id):
            if not is_possible_request_id(request_id):
                raise ConfigError("request_id", request_id, "an id or a callable")
        if headers is not None and not callable(headers):
            raise ConfigError("headers", headers, "a callable")
        self._name = name
        self._request_id = request_id
        self._headers = headers
        self._completion_line = TaskOptions(
            completion_line=completion_line
        ).completion_line
        self._fields = fields

    def __call__(self, fn: Any, /) -> Any:
        if isinstance(fn, staticmethod | classmethod):
            return type(fn)(self(fn.__func__))
        name = self._name or _name_of(fn)
        return decorated(fn, lambda *args, **kwargs: self._open(name, args, kwargs))

    def _open(
        self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Task:
        store = ReceivedStore(self._fields)
        # What the callables log is this call's, and has no id yet.
        run(store, self._receive, store, args, kwargs)
        names = get_names()
        if names.id_of(store) is None:
            store[names.request_id] = new_request_id()
        return _Call(store, name=name, completion_line=self._completion_line)

    def _receive(
        self, store: ReceivedStore, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        request_id = self._request_id
        invocation = _lambda_invocation(args)
        if invocation is not None:
            # Its runtime sets the variable anew for each invocation.
            parent = os.environ.get("_X_AMZN_TRACE_ID", "")
            store.receive({"x-amzn-trace-id": parent})
            request_id = request_id or invocation
        if self._headers is not None:
            try:
                store.receive(self._headers(*args, **kwargs))
            except Exception as error:
                if is_interrupt(error):
                    raise
                _log.exception("the headers of the call could not be read")
        if callable(request_id):
            try:
                request_id = request_id(*args, **kwargs)
            except Exception as error:
                if is_interrupt(error):
                    raise
                _log.exception("the request id of the call could not be read")
                return
        if request_id is None:
            return
        if is_possible_request_id(request_id):
            store[get_names().request_id] = request_id
        else:
            _log.warning("the request id of the call is not usable")


def _lambda_invocation(args: tuple[Any, ...]) -> str | None:
    """Return the request id of AWS Lambda's second argument, if it is that."""
    # https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    context = args[1] if len(args) == 2 else None
    if type(context).__name__ != "LambdaContext":
        return None
    found = getattr(context, "aws_request_id", None)
    return found if isinstance(found, str) else None


def _name_of(fn: Any) -> str:
    name = getattr(fn, "__qualname__", None) or type(fn).__qualname__
    module = getattr(fn, "__module__", None)
    return str(name) if module in (None, "__main__") else f"{module}.{name}"
