"""
Huey tasks. Adapter: imports Huey and core.
"""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

from ctxlog._names import get_names
from ctxlog._patch import Patch
from ctxlog.carrier.messages import MAX_MESSAGE_BYTES, pack, unpack
from ctxlog.context.adapter import current_view
from ctxlog.errors import MissingDependencyError
from ctxlog.tasks._task import FAILED, RETRIED, SUCCEEDED, Task, TaskOptions

try:
    from huey import signals
    from huey.api import Huey
except ModuleNotFoundError as error:
    if error.name != "huey":
        raise
    raise MissingDependencyError("huey", "huey") from None

__all__ = ["install", "uninstall"]

_MESSAGE = "_ctxlog_message"
_INSTALLED = "_ctxlog_installed"
_STARTUP = "ctxlog"
# What stands between a serialized task and the text that it carries. A pickle says
# itself where it ends, so a worker without ctxlog reads the task all the same.
_MARK = b"\nctxlog:"

_ENDS = {
    "COMPLETE": SUCCEEDED,
    "ERROR": FAILED,
    "RETRYING": RETRIED,
    "TIMEOUT": FAILED,
    "CANCELED": "cancelled",
    "EXPIRED": "expired",
    "INTERRUPTED": "cancelled",
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


def install(
    huey: Any, *, fields: Iterable[str] = (), completion_line: bool = True
) -> None:
    """
    Let tasks carry the context, and give each one a store and a completion line.

    Call it where the `Huey` is made, so that both who enqueues tasks and the consumer
    do. A task is enqueued with the id and the trace of the request that does so, behind
    its serialized form; it runs in a fresh store with that `requestID`, or a new one
    where nobody asked for it, and with `taskID`, `task`, `attempt` and `parentTaskID`.
    Huey's own lines about the task have them, too. It lasts until `uninstall(huey)`; a
    second time replaces the options.

    Args:
        huey: The `huey.Huey`.
        fields: The names of further fields to send along, redacted.
        completion_line: Whether to log a line when a task has ended, from the logger
            `ctxlog.task`.

    Raises:
        ConfigError: an option has a value that it cannot have.
        TypeError: *huey* is no `Huey`.
    """
    if not isinstance(huey, Huey):
        raise TypeError(f"install() takes a huey.Huey, not {huey!r}")
    options = TaskOptions(fields=fields, completion_line=completion_line)
    uninstall(huey)
    patches = (
        Patch(huey, "serialize_task", functools.partial(_serialize_task, options)),
        Patch(huey, "deserialize_task", _deserialize_task),
        Patch(huey, "execute", functools.partial(_execute, options)),
    )
    for patch in patches:
        patch.install()
    setattr(huey, _INSTALLED, patches)
    huey.signal()(_note)
    huey.on_startup(_STARTUP)(_leave_logging_alone)


def uninstall(huey: Any) -> None:
    """Take away what `install(huey)` did; if that was not called, nothing."""
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
    options: TaskOptions,
    previous: Callable[..., Any],
    task: Any,
    *args: Any,
    **kwargs: Any,
) -> Any:
    running = _task(options, task)
    with running:
        token = _executing.set(running)
        try:
            return previous(task, *args, **kwargs)
        finally:
            _executing.reset(token)


def _message(options: TaskOptions, task: Any) -> str:
    known = getattr(task, _MESSAGE, None)
    # The consumer's scheduler passes on what was delayed, in no context.
    if known is not None and current_view().empty:
        return str(known)
    return pack(fields=options.fields, task_id=task.id)


def _taken_apart(data: bytes) -> tuple[bytes, str | None]:
    payload, mark, text = data.rpartition(_MARK)
    if mark and len(text) <= MAX_MESSAGE_BYTES:
        try:
            if isinstance(json.loads(text), dict):
                return payload, text.decode()
        except (ValueError, RecursionError):
            pass
    return data, None  # the mark, if there is one, happens to be a part of the task


def _task(options: TaskOptions, task: Any) -> Task:
    # In immediate mode there was no message: it runs where it was called.
    message = getattr(task, _MESSAGE, None) or _message(options, task)
    return Task(
        unpack(message),
        name=task.name,
        task_id=task.id,
        attempt=(task.default_retries or 0) - (task.retries or 0) + 1,
        completion_line=options.completion_line,
    )


def _note(signal: str, task: Any, error: BaseException | None = None) -> None:
    """Keep what Huey says of the task."""
    running = _executing.get()
    if running is None or running.store.get(get_names().task_id) != task.id:
        return
    if signal == signals.SIGNAL_SCHEDULED and running.outcome is None:
        # It has come before its time, and is only put aside.
        running.completion_line = False
    if signal in _OUTCOMES:
        running.outcome = _OUTCOMES[signal]
    if error is not None:
        running.details["error"] = type(error).__name__


def _leave_logging_alone() -> None:
    """
    Take the consumer's own handler away where ctxlog writes the lines.

    `huey_consumer` adds it after the application has configured logging.
    """
    root = logging.getLogger()
    if any(type(one).__module__.startswith("ctxlog.") for one in root.handlers):
        for handler in root.handlers[:]:
            if type(handler) is logging.StreamHandler:
                root.removeHandler(handler)
