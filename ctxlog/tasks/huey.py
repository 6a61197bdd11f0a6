"""
Huey tasks. Adapter: imports Huey and core.
"""

from __future__ import annotations

import functools
import json
import logging
import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import timezone
from typing import TYPE_CHECKING, Any

from ctxlog._names import get_names
from ctxlog._patch import Patch
from ctxlog.carrier.messages import MAX_MESSAGE_BYTES, unpack
from ctxlog.context.adapter import current_view
from ctxlog.errors import requires
from ctxlog.tasks._task import (
    CANCELLED,
    FAILED,
    RETRIED,
    SUCCEEDED,
    SendingOptions,
    Task,
    TaskOptions,
    is_ours,
    latest,
    seconds_of,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

with requires("huey"):
    from huey import signals
    from huey.api import Huey

__all__ = ["install", "uninstall"]

_MESSAGE = "_ctxlog_message"
_INSTALLED = "_ctxlog_installed"
_STARTUP = "ctxlog"
# Separates a serialized task from the text that it carries. A pickle marks its own end,
# so a worker without ctxlog reads the task all the same.
_MARK = b"\nctxlog:"

_ENDS = {
    "COMPLETE": SUCCEEDED,
    "ERROR": FAILED,
    "RETRYING": RETRIED,
    "TIMEOUT": FAILED,
    "CANCELED": CANCELLED,
    "EXPIRED": "expired",
    "INTERRUPTED": CANCELLED,
    "LOCKED": "locked",
    "RATE_LIMITED": "rate-limited",
    "REVOKED": "revoked",
}
# Releases differ in the signals that they have.
_OUTCOMES = {
    getattr(signals, f"SIGNAL_{name}"): outcome
    for name, outcome in _ENDS.items()
    if hasattr(signals, f"SIGNAL_{name}")
}

_executing: ContextVar[Task | None] = ContextVar("ctxlog.huey", default=None)


def install(huey: Any, **options: Unpack[SendingOptions]) -> None:
    """
    Let tasks carry the context, and give each one a store and a completion line.

    Call it where the `Huey` is made: the processes that enqueue tasks and the consumer
    need it. A task is enqueued with the id and the trace of the request that does so,
    behind its serialized form; it runs in a fresh store with that `requestID`, or a new
    one if no request has sent it, and with `taskID`, `task`, `attempt` and
    `parentTaskID`. Huey's own lines about the task have them, too. It lasts until
    `uninstall(huey)`; calling it again replaces the options.

    Args:
        huey: The `huey.Huey`.
        options: The options of all adapters of tasks, see `TaskOptions`.

    Raises:
        ConfigError: if an option is invalid.
        TypeError: if *huey* is no `Huey`.
    """
    if not isinstance(huey, Huey):
        raise TypeError(f"install() takes a huey.Huey, not {huey!r}")
    task_options = TaskOptions(**options)
    uninstall(huey)
    patches = (
        Patch(huey, "serialize_task", functools.partial(_serialize_task, task_options)),
        Patch(huey, "deserialize_task", _deserialize_task),
        Patch(huey, "execute", functools.partial(_execute, huey, task_options)),
    )
    for patch in patches:
        patch.install()
    setattr(huey, _INSTALLED, patches)
    huey.signal()(_note)
    huey.on_startup(_STARTUP)(_leave_logging_alone)


def _is_installed(huey: object) -> bool | None:
    """Return whether a `Huey` has the adapter; None for other objects."""
    if not isinstance(huey, Huey):
        return None
    return _INSTALLED in vars(huey)


def uninstall(huey: Any) -> None:
    """Undo `install(huey)`; without it, a no-op."""
    patches = vars(huey).pop(_INSTALLED, None)
    if patches is None:
        return
    for patch in patches:
        patch.uninstall()
    huey.disconnect_signal(_note)
    huey.unregister_on_startup(_STARTUP)


def _serialize_task(
    options: TaskOptions, previous: Callable[[Any], bytes], task: Any
) -> bytes:
    return bytes(previous(task)) + _MARK + _message(options, task).encode()


def _deserialize_task(previous: Callable[[bytes], Any], data: bytes) -> Any:
    data, message = _taken_apart(data)
    task = previous(data)
    setattr(task, _MESSAGE, message)
    return task


def _execute(
    huey: Any,
    options: TaskOptions,
    previous: Callable[..., Any],
    task: Any,
    *args: Any,
    **kwargs: Any,
) -> Any:
    # In immediate mode there was no message: it runs where it was called.
    message = getattr(task, _MESSAGE, None)
    store = unpack(message or options.pack(task.id))
    if message is not None:
        store.due = latest(store.due, _eta(huey, task))
    attempt = (task.default_retries or 0) - (task.retries or 0) + 1
    running = options.task(store, task.name, task.id, attempt, request=lambda: task)
    with running:
        token = _executing.set(running)
        try:
            return previous(task, *args, **kwargs)
        finally:
            _executing.reset(token)


def _message(options: TaskOptions, task: Any) -> str:
    known = getattr(task, _MESSAGE, None)
    # The consumer's scheduler passes on delayed tasks, outside of any context.
    if known is not None and current_view().empty:
        return str(known)
    return options.pack(task.id, time.time())


def _eta(huey: Any, task: Any) -> float | None:
    """Return when a task is to be run, if that is later than its sending."""
    eta = task.eta
    if eta is None:
        return None
    if eta.tzinfo is None and huey.utc:
        eta = eta.replace(tzinfo=timezone.utc)
    return seconds_of(eta)


def _taken_apart(data: bytes) -> tuple[bytes, str | None]:
    payload, mark, text = data.rpartition(_MARK)
    if mark and len(text) <= MAX_MESSAGE_BYTES:
        try:
            if isinstance(json.loads(text), dict):
                return payload, text.decode()
        except (ValueError, RecursionError):
            pass
    return data, None  # a mark that is there is part of the task itself


def _note(signal: str, task: Any, error: BaseException | None = None) -> None:
    """Note how the task ended, as Huey's signal says."""
    running = _executing.get()
    if running is None or running.store.get(get_names().task_id) != task.id:
        return
    if signal == signals.SIGNAL_SCHEDULED and running.outcome is None:
        # It has come before its time, and is put back.
        running.completion_line = False
    if signal in _OUTCOMES:
        running.outcome = _OUTCOMES[signal]
    if error is not None:
        running.note_error(error)


def _leave_logging_alone() -> None:
    """
    Remove the consumer's own handler if ctxlog writes the lines.

    `huey_consumer` adds it after the application has configured logging.
    """
    root = logging.getLogger()
    if any(map(is_ours, root.handlers)):
        for handler in root.handlers[:]:
            if type(handler) is logging.StreamHandler and not is_ours(handler):
                root.removeHandler(handler)
