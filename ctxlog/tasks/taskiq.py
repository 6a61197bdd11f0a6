"""
taskiq tasks. Adapter: imports taskiq and core.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ctxlog.carrier.messages import MESSAGE_HEADER, pack, unpack
from ctxlog.context.adapter import current_view
from ctxlog.errors import MissingDependencyError
from ctxlog.tasks._task import FAILED, RETRIED, SUCCEEDED, Task, TaskOptions

try:
    from taskiq import AsyncBroker, TaskiqMiddleware
    from taskiq.exceptions import NoResultError
except ModuleNotFoundError as error:
    if error.name != "taskiq":
        raise
    raise MissingDependencyError("taskiq", "taskiq") from None

__all__ = ["ContextMiddleware", "install", "uninstall"]


class ContextMiddleware(TaskiqMiddleware):
    """
    Lets tasks carry the context, and gives each one a store and a completion line.

    For `broker.with_middlewares(ContextMiddleware(), ...)`, before all others, in whom
    sends tasks and in the workers. A task is sent with the id and the trace of the
    request that sends it, in the label `ctxlog`; it runs in a fresh store with that
    `requestID`, or a new one where nobody asked for it, and with `taskID`, `task`,
    `attempt` and `parentTaskID`. Functions that run in threads have it, too; those in
    a process pool have not.

    Args:
        fields: The names of further fields to send along, redacted.
        completion_line: Whether to log a line when a task has ended, from the logger
            `ctxlog.task`.

    Raises:
        ConfigError: an option has a value that it cannot have.
    """

    def __init__(
        self, *, fields: Iterable[str] = (), completion_line: bool = True
    ) -> None:
        super().__init__()
        self._options = TaskOptions(fields=fields, completion_line=completion_line)
        # By the task's message: it goes through all hooks.
        self._running: dict[int, Task] = {}

    def pre_send(self, message: Any) -> Any:
        """Let a message carry the context."""
        # A scheduler sends what somebody else has made, in no context.
        if not current_view().empty or MESSAGE_HEADER not in message.labels:
            message.labels[MESSAGE_HEADER] = pack(
                fields=self._options.fields, task_id=message.task_id
            )
        return message

    def pre_execute(self, message: Any) -> Any:
        """Open the task's store: for the rest of what the worker does with it."""
        running = Task(
            unpack(message.labels.get(MESSAGE_HEADER)),
            name=message.task_name,
            task_id=message.task_id,
            attempt=_attempt(message.labels.get("_retries")),
            completion_line=self._options.completion_line,
        )
        running.__enter__()
        self._running[id(message)] = running
        return message

    def on_error(self, message: Any, result: Any, exception: BaseException) -> None:
        """Note what a task raised: others may put something else into the result."""
        running = self._running.get(id(message))
        if running is not None:
            running.details["error"] = type(exception).__name__

    def post_execute(self, message: Any, result: Any) -> None:
        """Close it, after all other middleware."""
        running = self._running.pop(id(message), None)
        if running is None:
            return
        error = result.error
        if error is None:
            running.outcome = SUCCEEDED
        elif isinstance(error, NoResultError):
            # So say the middlewares that have sent it once more.
            running.outcome = RETRIED
        else:
            running.outcome = FAILED
        running.__exit__(None if error is None else type(error), error, None)


def _attempt(retries: object) -> int:
    try:
        return int(retries) + 1  # type: ignore[call-overload, no-any-return]
    except (TypeError, ValueError):
        return 1


def install(
    broker: Any, *, fields: Iterable[str] = (), completion_line: bool = True
) -> None:
    """
    Put a `ContextMiddleware` before all other middlewares of a broker.

    It lasts until `uninstall(broker)`; a second time replaces the options.

    Args:
        broker: The `taskiq.AsyncBroker`.
        fields: The names of further fields to send along, redacted.
        completion_line: Whether to log a line when a task has ended.

    Raises:
        ConfigError: an option has a value that it cannot have.
        TypeError: *broker* is no broker of taskiq.
    """
    if not isinstance(broker, AsyncBroker):
        raise TypeError(f"install() takes a taskiq.AsyncBroker, not {broker!r}")
    middleware = ContextMiddleware(fields=fields, completion_line=completion_line)
    uninstall(broker)
    middleware.set_broker(broker)
    broker.middlewares.insert(0, middleware)


def uninstall(broker: Any) -> None:
    """Take away what `install(broker)` did; if that was not called, nothing."""
    broker.middlewares[:] = [
        one for one in broker.middlewares if not isinstance(one, ContextMiddleware)
    ]
