"""
One task, whatever the queue: the shared part of all adapters of task queues.

An adapter reads its library's message into plain values, keeps a `Task` open while the
task runs, and notes how it ended. `entry()` does the same for a function that the
system calls: a cron job, a command, AWS Lambda.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, MutableMapping
from typing import Any

from ctxlog import _trackers
from ctxlog._names import get_names
from ctxlog._unheard import warn_if_unheard
from ctxlog.carrier import spans
from ctxlog.carrier.fields import checked_fields
from ctxlog.carrier.messages import MESSAGE_HEADER, pack
from ctxlog.carrier.received import ReceivedStore
from ctxlog.context.adapter import Entry, current_view, within
from ctxlog.errors import ConfigError

#: How a task ends.
SUCCEEDED = "succeeded"
FAILED = "failed"
RETRIED = "retried"
CANCELLED = "cancelled"

_LEVELS = {SUCCEEDED: logging.INFO, FAILED: logging.ERROR}

_completion_log = logging.getLogger("ctxlog.task")


class TaskOptions:
    """
    The options of all adapters of task queues, checked.

    Args:
        fields: The names of fields that go along with every task, redacted, besides
            the request's id and trace.
        completion_line: Whether to log a line when a task has ended.

    Raises:
        ConfigError: if an option is invalid.
    """

    __slots__ = ("completion_line", "fields")

    def __init__(
        self, *, fields: Iterable[str] = (), completion_line: bool = True
    ) -> None:
        self.fields = checked_fields(fields)
        if not isinstance(completion_line, bool):
            raise ConfigError("completion_line", completion_line, "True or False")
        self.completion_line = completion_line

    def pack(self, task_id: str | None = None) -> str:
        """Return the active context as the text for a task's message."""
        return pack(fields=self.fields, task_id=task_id)

    def stamp(self, headers: MutableMapping[str, Any], task_id: str | None) -> None:
        """
        Put the active context into the headers of a task's message.

        A message that a scheduler passes on, outside of any context, keeps its own.
        """
        if MESSAGE_HEADER not in headers or not current_view().empty:
            headers[MESSAGE_HEADER] = self.pack(task_id)

    def task(
        self,
        store: ReceivedStore,
        name: str,
        task_id: str | None,
        attempt: int | None = None,
    ) -> Task:
        """Return the task that a received message asks for; see `Task`."""
        return Task(
            store,
            name=name,
            task_id=task_id,
            attempt=attempt,
            completion_line=self.completion_line,
        )


class Task(Entry):
    """
    The entry of one task, from its arrival to its completion line.

    A context manager: inside, the task's fresh store is active, whatever was before.
    Leaving logs the completion line, also after an exception or a cancellation, closes
    the store and puts the context back. It adds no exception of its own. A task that
    its library runs piece by piece runs each with `step()`, and ends with `done()`.

    Args:
        store: The task's own store: what `unpack()` has made of its message.
        name: The task's name: field `task`.
        task_id: The library's id of the task: field `taskID`.
        attempt: The number of the attempt, beginning with 1.
        sent: When its message was to be run, in seconds since the epoch: the time since
            then is the time in the queue.
        completion_line: Whether to log a line at the end.

    Attributes:
        completion_line: The same; may be changed until then.
        outcome: How the task ended, if the library knows better than the exception:
            `succeeded`, `failed`, `retried`, `cancelled`, or a word of its own.
        details: Further fields of the completion line.
    """

    __slots__ = ("_ended", "_name", "_started", "completion_line", "details", "outcome")

    def __init__(
        self,
        store: ReceivedStore,
        /,
        *,
        name: str,
        task_id: str | None = None,
        attempt: int | None = None,
        sent: float | None = None,
        completion_line: bool = True,
    ) -> None:
        super().__init__(store)
        own: dict[str, object] = {"task": name}
        if task_id is not None:
            own[get_names().task_id] = task_id
        if attempt is not None:
            own["attempt"] = attempt
        store.update(own)
        spans.watch(store)
        self.outcome: str | None = None
        self.details: dict[str, object] = {}
        if sent is not None:
            # Clocks differ between machines.
            waited = max(time.time() - sent, 0.0)
            self.details[get_names().queue_time] = round(waited * 1000, 3)
        self.completion_line = completion_line
        self._name = name
        self._ended = False
        self._started = time.perf_counter()

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        try:
            self._complete(error)
        finally:
            super().__exit__(kind, error, traceback)

    def done(self, error: BaseException | None, /) -> None:
        """End a task that ran in pieces. Calling it again is a no-op."""
        if self._ended:
            return
        try:
            self._complete(error)
        finally:
            super().done(error)

    def note_error(self, error: BaseException) -> None:
        """Let the completion line name an exception that its library has caught."""
        self.details["error"] = type(error).__name__

    def _complete(self, error: BaseException | None) -> None:
        self._ended = True
        if self.completion_line:
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
        _trackers.watch()
        # One template for each task, by which trackers tell records apart.
        _completion_log.log(level, f"{self._name} {outcome}", extra=fields)


def _outcome(error: BaseException | None) -> str:
    if error is None:
        return SUCCEEDED
    if isinstance(error, SystemExit):
        return FAILED if exit_code(error) else SUCCEEDED
    # A generator that is closed early has done all that was wanted.
    if isinstance(error, GeneratorExit):
        return SUCCEEDED
    stopped = isinstance(error, asyncio.CancelledError)
    return FAILED if isinstance(error, Exception) and not stopped else CANCELLED


def exit_code(error: BaseException | None) -> int | None:
    """
    Return the exit code that an exception ends a program with, or None.

    `SystemExit` has one, and so have the exceptions that Click and Typer turn into a
    `SystemExit` after the function: the attribute `exit_code`.
    """
    if isinstance(error, SystemExit):
        code = error.code
        if code is None:
            return 0
        return int(code) if isinstance(code, int) else 1  # a text, to be printed
    code = getattr(error, "exit_code", None) if isinstance(error, Exception) else None
    return code if isinstance(code, int) else None


def is_ours(handler: logging.Handler) -> bool:
    """Return whether a handler, its formatter or one of its filters is ctxlog's."""
    parts = (handler, handler.formatter, *handler.filters)
    return any(type(part).__module__.startswith("ctxlog.") for part in parts)
