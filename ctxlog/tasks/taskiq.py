"""
taskiq tasks. Adapter: imports taskiq and core.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ctxlog.carrier.messages import MESSAGE_HEADER, redated, unpack
from ctxlog.errors import requires
from ctxlog.tasks._task import (
    FAILED,
    RETRIED,
    SUCCEEDED,
    SendingOptions,
    Task,
    TaskOptions,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

with requires("taskiq"):
    from taskiq import AsyncBroker, TaskiqMiddleware
    from taskiq.exceptions import NoResultError

__all__ = ["ContextMiddleware", "install", "uninstall"]


class ContextMiddleware(TaskiqMiddleware):
    """
    Let tasks carry the context, and give each one a store and a completion line.

    For `broker.with_middlewares(ContextMiddleware(), ...)`, before all others, in the
    processes that send tasks and in the workers. A task is sent with the id and the
    trace of the request that sends it, in the label `ctxlog`; it runs in a fresh store
    with that `requestID`, or a new one if no request has sent it, and with `taskID`,
    `task`, `attempt` and `parentTaskID`. Functions that run in threads have the store,
    too; those in a process pool have not.

    Args:
        options: The options of all adapters of tasks, see `TaskOptions`.

    Raises:
        ConfigError: if an option is invalid.
    """

    def __init__(self, **options: Unpack[SendingOptions]) -> None:
        super().__init__()
        self._options = TaskOptions(**options)
        # By the message, which goes through all hooks.
        self._running: dict[int, Task] = {}

    def pre_send(self, message: Any) -> Any:
        """Let a message carry the context."""
        labels = message.labels
        due = time.time() + _delay(labels.get("delay"))
        if not self._options.stamp(labels, message.task_id, due):
            labels[MESSAGE_HEADER] = redated(labels[MESSAGE_HEADER], due)
        return message

    def pre_execute(self, message: Any) -> Any:
        """Open the task's store, until `post_execute()`."""
        running = self._options.task(
            unpack(message.labels.get(MESSAGE_HEADER)),
            message.task_name,
            message.task_id,
            attempt=_attempt(message.labels.get("_retries")),
            request=lambda: message,
            headers=lambda: message.labels.items(),
        )
        running.__enter__()
        self._running[id(message)] = running
        return message

    def on_error(self, message: Any, result: Any, exception: BaseException) -> None:
        """Note the exception: other middlewares may put another into the result."""
        running = self._running.get(id(message))
        if running is not None:
            running.note_error(exception)

    def post_execute(self, message: Any, result: Any) -> None:
        """Close the store, after all other middlewares."""
        running = self._running.pop(id(message), None)
        if running is None:
            return
        error = result.error
        if error is None:
            running.outcome = SUCCEEDED
        elif isinstance(error, NoResultError):
            # Set by the middlewares that have sent it once more.
            running.outcome = RETRIED
        else:
            running.outcome = FAILED
        running.__exit__(None, error, None)


def _delay(seconds: object) -> float:
    try:
        return max(float(seconds), 0.0)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return 0.0


def _attempt(retries: object) -> int:
    try:
        return int(retries) + 1  # type: ignore[call-overload, no-any-return]
    except (TypeError, ValueError):
        return 1


def install(broker: Any, **options: Unpack[SendingOptions]) -> None:
    """
    Put a `ContextMiddleware` before all other middlewares of a broker.

    It lasts until `uninstall(broker)`; calling it again replaces the options.

    Args:
        broker: The `taskiq.AsyncBroker`.
        options: The options of all adapters of tasks, see `TaskOptions`.

    Raises:
        ConfigError: if an option is invalid.
        TypeError: if *broker* is no broker of taskiq.
    """
    if not isinstance(broker, AsyncBroker):
        raise TypeError(f"install() takes a taskiq.AsyncBroker, not {broker!r}")
    middleware = ContextMiddleware(**options)
    uninstall(broker)
    middleware.set_broker(broker)
    broker.middlewares.insert(0, middleware)


def _is_installed(broker: object) -> bool | None:
    """Return whether a broker of taskiq has the adapter; None for other objects."""
    if not isinstance(broker, AsyncBroker):
        return None
    return any(isinstance(one, ContextMiddleware) for one in broker.middlewares)


def uninstall(broker: Any) -> None:
    """Undo `install(broker)`; without it, a no-op."""
    broker.middlewares[:] = [
        one for one in broker.middlewares if not isinstance(one, ContextMiddleware)
    ]
