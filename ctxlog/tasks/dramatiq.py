"""
Dramatiq actors. Adapter: imports Dramatiq and core.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ctxlog._kept import Kept
from ctxlog.carrier.messages import MESSAGE_HEADER, unpack
from ctxlog.errors import requires
from ctxlog.tasks._task import (
    FAILED,
    RETRIED,
    SUCCEEDED,
    SendingOptions,
    Task,
    TaskOptions,
    latest,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

with requires("dramatiq"):
    import dramatiq
    from dramatiq.middleware import Retries

__all__ = ["ContextMiddleware", "install", "uninstall"]

_RUNNING = "_ctxlog_task"


class ContextMiddleware(dramatiq.Middleware):
    """
    Let messages carry the context, and give each one a store and a completion line.

    For the processes that send messages and for the workers. A message is sent with
    the id and the trace of the request that sends it, in the option `ctxlog`; it is
    processed in a fresh store with that `requestID`, or a new one if no request has
    sent it, and with `taskID`, `task`, `attempt` and `parentTaskID`. It has to be the
    first of the broker's middleware, as `install()` puts it, so that the lines of the
    others are in the store.

    Args:
        options: The options of all adapters of tasks, see `TaskOptions`.

    Raises:
        ConfigError: if an option is invalid.
    """

    def __init__(self, **options: Unpack[SendingOptions]) -> None:
        self._options = TaskOptions(**options)

    def before_enqueue(self, broker: Any, message: Any, delay: Any) -> None:
        """Let a message carry the context."""
        due = time.time() + (delay or 0) / 1000
        # The worker that passes on a delayed message removes this option.
        due = latest(due, _seconds(message.options.get("eta"))) or due
        self._options.stamp(message.options, message.message_id, due)

    def before_process_message(self, broker: Any, message: Any) -> None:
        """Open the message's store."""
        retries = message.options.get("retries")
        store = unpack(message.options.get(MESSAGE_HEADER))
        if store.due is None:
            store.due = _seconds(message.message_timestamp)
        running = self._options.task(
            store,
            message.actor_name,
            message.message_id,
            attempt=retries + 1 if isinstance(retries, int) else 1,
            request=lambda: message,
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
        """Close the store after all other middleware, which may send a retry."""
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
            running.__exit__(None, error, None)


def _seconds(milliseconds: object) -> float | None:
    return milliseconds / 1000 if isinstance(milliseconds, (int, float)) else None


def install(broker: Any, **options: Unpack[SendingOptions]) -> None:
    """
    Put a `ContextMiddleware` before all other middleware of a broker.

    Call it where the broker is made: the processes that send messages and the workers
    need it. It lasts until `uninstall(broker)`; calling it again replaces the options.

    Args:
        broker: The `dramatiq.Broker`.
        options: The options of all adapters of tasks, see `TaskOptions`.

    Raises:
        ConfigError: if an option is invalid.
        TypeError: if *broker* is no broker of Dramatiq.
    """
    if not isinstance(broker, dramatiq.Broker):
        raise TypeError(f"install() takes a dramatiq.Broker, not {broker!r}")
    middleware = ContextMiddleware(**options)
    uninstall(broker)
    broker.middleware.insert(0, middleware)


def _is_installed(broker: object) -> bool | None:
    """Return whether a broker of Dramatiq has the adapter; None for other objects."""
    if not isinstance(broker, dramatiq.Broker):
        return None
    return any(isinstance(one, ContextMiddleware) for one in broker.middleware)


def uninstall(broker: Any) -> None:
    """Undo `install(broker)`; without it, a no-op."""
    broker.middleware[:] = [
        one for one in broker.middleware if not isinstance(one, ContextMiddleware)
    ]
