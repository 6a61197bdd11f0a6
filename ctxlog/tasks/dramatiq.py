"""
Dramatiq actors. Adapter: imports Dramatiq and core.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ctxlog._kept import Kept
from ctxlog.carrier.messages import MESSAGE_HEADER, pack, unpack
from ctxlog.context.adapter import current_view
from ctxlog.errors import MissingDependencyError
from ctxlog.tasks._task import FAILED, RETRIED, SUCCEEDED, Task, TaskOptions

try:
    import dramatiq
    from dramatiq.middleware import Retries
except ModuleNotFoundError as error:
    if error.name != "dramatiq":
        raise
    raise MissingDependencyError("dramatiq", "dramatiq") from None

__all__ = ["ContextMiddleware", "install", "uninstall"]

_RUNNING = "_ctxlog_task"


class ContextMiddleware(dramatiq.Middleware):
    """
    Lets messages carry the context, and gives each one a store and a completion line.

    For whom sends messages and for the workers. A message is sent with the id and the
    trace of the request that sends it, in the option `ctxlog`; it is processed in a
    fresh store with that `requestID`, or a new one where nobody asked for it, and with
    `taskID`, `task`, `attempt` and `parentTaskID`. It has to be the first of the
    broker's middleware, as `install()` puts it, so that the lines of the others are in
    the store.

    Args:
        fields: The names of further fields to send along, redacted.
        completion_line: Whether to log a line when a message has been processed, from
            the logger `ctxlog.task`.

    Raises:
        ConfigError: an option has a value that it cannot have.
    """

    def __init__(
        self, *, fields: Iterable[str] = (), completion_line: bool = True
    ) -> None:
        self._options = TaskOptions(fields=fields, completion_line=completion_line)

    def before_enqueue(self, broker: Any, message: Any, delay: Any) -> None:
        """Let a message carry the context."""
        # A worker enqueues once more what was delayed, in no context.
        if current_view().empty and MESSAGE_HEADER in message.options:
            return
        message.options[MESSAGE_HEADER] = pack(
            fields=self._options.fields, task_id=message.message_id
        )

    def before_process_message(self, broker: Any, message: Any) -> None:
        """Open the message's store."""
        retries = message.options.get("retries")
        running = Task(
            unpack(message.options.get(MESSAGE_HEADER)),
            name=message.actor_name,
            task_id=message.message_id,
            attempt=retries + 1 if isinstance(retries, int) else 1,
            completion_line=self._options.completion_line,
        )
        running.__enter__()
        setattr(message, _RUNNING, Kept(running))

    def after_process_message(
        self,
        broker: Any,
        message: Any,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        """Close it, after all other middleware: a retry is sent from inside."""
        outcome = SUCCEEDED
        if exception is not None:
            retries = any(isinstance(one, Retries) for one in broker.middleware)
            outcome = RETRIED if retries and not message.failed else FAILED
        self._end(message, outcome, exception)

    def after_skip_message(self, broker: Any, message: Any) -> None:
        """Close the store of a message that other middleware refuses."""
        self._end(message, "skipped", None)

    def _end(self, message: Any, outcome: str, error: BaseException | None) -> None:
        kept: Kept[Task] | None = vars(message).pop(_RUNNING, None)
        if kept is not None:
            running = kept.take()
            running.outcome = outcome
            running.__exit__(None if error is None else type(error), error, None)


def install(
    broker: Any, *, fields: Iterable[str] = (), completion_line: bool = True
) -> None:
    """
    Put a `ContextMiddleware` before all other middleware of a broker.

    Call it where the broker is made, so that both who sends messages and the workers
    do. It lasts until `uninstall(broker)`; a second time replaces the options.

    Args:
        broker: The `dramatiq.Broker`.
        fields: The names of further fields to send along, redacted.
        completion_line: Whether to log a line when a message has been processed.

    Raises:
        ConfigError: an option has a value that it cannot have.
        TypeError: *broker* is no broker of Dramatiq.
    """
    if not isinstance(broker, dramatiq.Broker):
        raise TypeError(f"install() takes a dramatiq.Broker, not {broker!r}")
    middleware = ContextMiddleware(fields=fields, completion_line=completion_line)
    uninstall(broker)
    broker.middleware.insert(0, middleware)


def uninstall(broker: Any) -> None:
    """Take away what `install(broker)` did; if that was not called, nothing."""
    broker.middleware[:] = [
        one for one in broker.middleware if not isinstance(one, ContextMiddleware)
    ]
