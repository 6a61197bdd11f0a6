"""
One task, whatever the queue: the shared part of all adapters of task queues.

An adapter reads its library's message into plain values, keeps a `Task` open while the
task runs, and notes how it ended. `entry()` does the same for a function that the
system calls: a cron job, a command, AWS Lambda.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
import time
from collections.abc import Callable, Iterable, MutableMapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from ctxlog._interrupts import is_interrupt
from ctxlog._names import TASK_LOGGER, get_names
from ctxlog.carrier import spans
from ctxlog.carrier.fields import checked_fields
from ctxlog.carrier.messages import MESSAGE_HEADER, pack
from ctxlog.carrier.received import ReceivedStore
from ctxlog.completion.completed import Completed
from ctxlog.completion.line import further_fields, is_heard, log_completion
from ctxlog.completion.rules import CompletionOptions, CompletionRules
from ctxlog.context.adapter import Entry, current_view, within
from ctxlog.errors import ConfigError
from ctxlog.retention import settle

if TYPE_CHECKING:
    from typing_extensions import Unpack

#: How a task ends.
SUCCEEDED = "succeeded"
FAILED = "failed"
RETRIED = "retried"
CANCELLED = "cancelled"

_LEVELS = {SUCCEEDED: logging.INFO, FAILED: logging.ERROR}

# Clocks of two machines differ by seconds, and no task waits for longer than weeks:
# anything else is no time of a message.
_MAX_EARLY = 300.0
_MAX_WAIT = 30 * 86_400.0

_log = logging.getLogger("ctxlog")
_completion_log = logging.getLogger(TASK_LOGGER)


class LineOptions(CompletionOptions, total=False):
    """The keyword arguments of every adapter of tasks, see `TaskOptions`."""

    completion_line: bool


class SendingOptions(LineOptions, total=False):
    """The keyword arguments of adapters whose tasks carry the context."""

    fields: Iterable[str]


class TaskOptions:
    """
    The options of all adapters of task queues, checked.

    Args:
        fields: The names of fields that go along with every task, redacted, besides
            the request's id and trace.
        completion_line: Whether to log a line when a task has ended, from the logger
            `ctxlog.task`.
        completion: Called with the `ctxlog.completion.Completed` task; returns further
            fields of the line, None for none, or False for no line.
        completion_level: Called with the same; returns the line's level, as a number or
            a name, or None for the usual one.
        slow: From this duration on, in seconds, the line says `slow` and is at least a
            warning.

    Attributes:
        given: The options as keyword arguments.
        rules: What the application wants of its completion lines.

    Raises:
        ConfigError: if an option is invalid.
    """

    __slots__ = ("completion_line", "fields", "given", "rules")

    def __init__(
        self,
        *,
        fields: Iterable[str] = (),
        completion_line: bool = True,
        **rules: Unpack[CompletionOptions],
    ) -> None:
        self.fields = checked_fields(fields)
        if not isinstance(completion_line, bool):
            raise ConfigError("completion_line", completion_line, "True or False")
        self.completion_line = completion_line
        self.rules = CompletionRules(**rules)
        self.given: dict[str, Any] = {
            "fields": self.fields,
            "completion_line": completion_line,
            **rules,
        }

    def __reduce__(self) -> tuple[Any, ...]:
        # A pool of processes sends them along with each task.
        return partial(TaskOptions, **_pickled(self.given)), ()

    def pack(self, task_id: str | None = None, due: float | None = None) -> str:
        """Return the active context as the text for a task's message."""
        return pack(fields=self.fields, task_id=task_id, due=due)

    def stamp(
        self,
        headers: MutableMapping[str, Any],
        task_id: str | None,
        due: float | None = None,
    ) -> bool:
        """
        Put the active context into the headers of a task's message.

        A message that a scheduler passes on, outside of any context, keeps its own.

        Returns:
            Whether the message has the active context.
        """
        if MESSAGE_HEADER in headers and current_view().empty:
            return False
        headers[MESSAGE_HEADER] = self.pack(task_id, due)
        return True

    def task(
        self,
        store: ReceivedStore,
        name: str,
        task_id: str | None,
        attempt: int | None = None,
        *,
        request: Callable[[], object] | None = None,
        headers: Callable[[], Iterable[tuple[Any, Any]]] | None = None,
    ) -> Task:
        """
        Return the task that a received message asks for; see `Task`.

        Args:
            store: The same as there, and so are *name*, *task_id* and *attempt*.
            request: Returns the library's own object for the task.
            headers: Returns the headers of its message, as pairs.
        """
        task = Task(store, self, name=name, task_id=task_id, attempt=attempt)
        if request is not None:
            task.read_request = request
        if headers is not None:
            task.read_headers = headers
        return task


def _pickled(given: dict[str, Any]) -> dict[str, Any]:
    """Return options without the callables that cannot be pickled."""
    kept = {}
    for name, value in given.items():
        try:
            pickle.dumps(value)
        except Exception as error:
            # An object of the application raises anything. The task is run without it.
            if is_interrupt(error):
                raise
            if name not in _complained:
                _complained.add(name)
                _log.warning(
                    "%s cannot be pickled: other processes do not ask it; said once",
                    name,
                )
        else:
            kept[name] = value
    return kept


_complained: set[str] = set()
_DEFAULT = TaskOptions()


class Task(Entry):
    """
    The entry of one task, from its arrival to its completion line.

    A context manager: inside, the task's fresh store is active, whatever was before.
    Leaving logs the completion line, also after an exception or a cancellation, closes
    the store and puts the context back. It adds no exception of its own. A task that
    its library runs piece by piece runs each with `step()`, and ends with `done()`.

    Args:
        store: The task's own store: what `unpack()` has made of its message.
        options: The adapter's options.
        name: The task's name: fields `task` and, on the completion line, `route`.
        task_id: The library's id of the task: field `taskID`.
        attempt: The number of the attempt, beginning with 1.

    Attributes:
        completion_line: Whether to log a line at the end.
        outcome: How the task ended, if the library knows better than the exception:
            `succeeded`, `failed`, `retried`, `cancelled`, or a word of its own.
        duration: How long it took, in seconds, if the library knows better.
        details: Further fields of the completion line.
        read_request: Returns the library's own object for the task.
        read_headers: Returns the headers of its message, as pairs.
    """

    __slots__ = (
        *("_error", "_ended", "_name", "_options", "_started"),
        *("completion_line", "details", "duration", "outcome"),
        *("read_headers", "read_request"),
    )

    read_headers: Callable[[], Iterable[tuple[Any, Any]]]
    read_request: Callable[[], object]

    def __init__(
        self,
        store: ReceivedStore,
        /,
        options: TaskOptions = _DEFAULT,
        *,
        name: str,
        task_id: str | None = None,
        attempt: int | None = None,
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
        self.duration: float | None = None
        self.details: dict[str, object] = {}
        self.completion_line = options.completion_line
        self.read_headers = tuple
        self.read_request = _nothing
        self._options = options
        self._name = name
        self._error: BaseException | None = None
        self._ended = False
        self._started = time.perf_counter()
        self.note_due(store.due)

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

    def note_due(self, due: float | None, started: float | None = None) -> None:
        """
        Note when the task was due: the time until it starts is that in the queue.

        Args:
            due: When it was sent or, if that is later, was to be run, in seconds since
                the epoch; None if that is not known. The last of several calls counts.
            started: When it started; now unless given.
        """
        name = get_names().queue_time
        self.details.pop(name, None)
        if due is not None:
            waited = (time.time() if started is None else started) - due
            if -_MAX_EARLY < waited < _MAX_WAIT:
                # The clock of the machine that sent it may be ahead.
                self.details[name] = round(max(waited, 0.0) * 1000, 3)

    def note_error(self, error: BaseException) -> None:
        """Let the completion line name an exception that its library has caught."""
        self._error = error
        self.details["error"] = type(error).__name__

    def _complete(self, error: BaseException | None) -> None:
        self._ended = True
        # Not kept: it refers to frames that refer to this.
        noted, self._error = self._error, None
        if self.completion_line or self.store._view.lines is not None:
            # In the store, wherever a cancelled task is cleaned up.
            within(self.store, self._finish, noted or error)

    def _finish(self, error: BaseException | None) -> None:
        duration = self.duration
        if duration is None:
            duration = time.perf_counter() - self._started
        outcome = self.outcome or _outcome(error)
        if outcome == SUCCEEDED:
            error = None
        level, fields = 0, None
        if self.completion_line:
            rules = self._options.rules
            level, slow, completed = rules.judge(
                _LEVELS.get(outcome, logging.WARNING),
                duration,
                lambda: self._completed(outcome, duration, error),
            )
            if is_heard(_completion_log, level):
                fields = self._fields(outcome, duration, error)
                if slow:
                    fields["slow"] = True
                if not further_fields(fields, self.store, rules, completed):
                    fields = None
        if self.store._view.lines is not None:
            # An attempt that is tried again has failed as well.
            failed = outcome in (FAILED, RETRIED)
            shown = 0 if fields is None else level
            settle(self.store, failed=failed, seconds=duration, level=shown)
        if fields is not None:
            # One template for each task, by which trackers tell records apart.
            message = f"{self._name} {outcome}"
            log_completion(_completion_log, level, message, (), fields)

    def _fields(
        self, outcome: str, duration: float, error: BaseException | None
    ) -> dict[str, object]:
        """Return the fields of the completion line that every task has."""
        fields: dict[str, object] = {
            "outcome": outcome,
            get_names().duration: round(duration * 1000, 3),
            **self.details,
        }
        if "route" not in self.store:
            fields = {"route": self._name, **fields}
        if error is not None:
            fields.setdefault("error", type(error).__name__)
        return fields

    def _completed(
        self, outcome: str, duration: float, error: BaseException | None
    ) -> Completed:
        return Completed(
            route=self.store.get("route", self._name),
            status=outcome,
            duration=duration,
            error=error,
            headers=self.read_headers,
            request=self.read_request,
        )


def _nothing() -> None:
    return None


def latest(*times: float | None) -> float | None:
    """Return the latest of several times that are known; None if none is."""
    return max((one for one in times if one is not None), default=None)


def seconds_of(moment: datetime | None) -> float | None:
    """Return a moment in seconds since the epoch, None if that is not possible."""
    try:
        return None if moment is None else moment.timestamp()
    except (OverflowError, ValueError):  # the first or last one, without a zone
        return None


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
