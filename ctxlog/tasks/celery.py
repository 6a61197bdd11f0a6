"""
Celery tasks. Adapter: imports Celery and core.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Iterable, MutableMapping
from typing import TYPE_CHECKING, Any

from ctxlog import _endings
from ctxlog._kept import Kept
from ctxlog._patch import Patch
from ctxlog.carrier.messages import MESSAGE_HEADER, settle, unpack
from ctxlog.carrier.received import ReceivedStore
from ctxlog.context import detached, get_store, run
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

with requires("celery"):
    from celery import signals
    from celery.app import trace
    from celery.app.task import Context
    from celery.app.task import Task as CeleryTask
    from celery.exceptions import Ignore, Reject, Retry, WorkerLostError
    from celery.utils.imports import symbol_by_name
    from celery.utils.time import maybe_iso8601, maybe_make_aware
    from celery.worker.consumer import consumer
    from celery.worker.request import Request

__all__ = ["install", "uninstall"]

_OUTCOMES = {
    "SUCCESS": SUCCEEDED,
    "FAILURE": FAILED,
    "RETRY": RETRIED,
    "REJECTED": "rejected",
    "IGNORED": "ignored",
}

_options = TaskOptions()
#: Whether this is a process of the prefork pool, which the worker watches over.
_watched = False


def install(app: Any = None, **options: Unpack[SendingOptions]) -> None:
    """
    Let tasks carry the context, and give each one a store and a completion line.

    For the whole process: call it where the Celery application is made, since the
    processes that send tasks and the workers need it. A task is sent with the id and
    the trace of the request that sends it, in the message header `ctxlog`; it runs in a
    fresh store with that `requestID`, or a new one if no request has sent it, and with
    `taskID`, `task`, `attempt` and `parentTaskID`. Celery's own lines about the task
    have them, too, and so have the lines of receivers of its signals. If ctxlog writes
    the lines, the worker leaves logging alone. It lasts until `uninstall()`; calling it
    again replaces the options.

    Args:
        app: The Celery application; not used, as the adapter serves all of them.
        options: The options of all adapters of tasks, see `TaskOptions`.

    Raises:
        ConfigError: if an option is invalid.
    """
    global _options
    _options = TaskOptions(**options)
    for signal, receiver in _RECEIVERS:
        signal.connect(receiver, weak=False, dispatch_uid=f"ctxlog.{receiver.__name__}")
    for patch in _PATCHES:
        patch.install()


def _is_installed() -> bool:
    """Return whether `install()` has been called, and not undone."""
    return all(patch.installed for patch in _PATCHES)


def uninstall() -> None:
    """Undo `install()` for workers that start later; without it, a no-op."""
    for signal, receiver in _RECEIVERS:
        signal.disconnect(receiver, dispatch_uid=f"ctxlog.{receiver.__name__}")
    signals.setup_logging.disconnect(
        _leave_logging_alone, dispatch_uid="ctxlog.setup_logging"
    )
    for patch in _PATCHES:
        patch.uninstall()


# Sending ------------------------------------------------------------------------


def _publish(
    headers: MutableMapping[str, Any] | None = None, body: Any = None, **_: Any
) -> None:
    if headers is None:
        return
    # A retry, and the next task of a chain, has the header of the task before.
    headers[MESSAGE_HEADER] = _options.pack(_task_id(headers, body), time.time())


def _task_id(headers: MutableMapping[str, Any], body: Any) -> Any:
    # The first protocol has the id in the body.
    return headers.get("id") or (body.get("id") if isinstance(body, dict) else None)


# The worker's consumer ----------------------------------------------------------


def _start_strategy(
    start: Callable[..., Any], task: Any, app: Any, consumer: Any, **kwargs: Any
) -> Callable[..., Any]:
    """Receive the messages of a task, each in the context that it carries."""
    start_timer = getattr(consumer.timer, "ensure_started", None)
    if start_timer is not None:
        # Its thread would start with the first delayed task, and stay in its context.
        with detached():
            start_timer()
    task.Request = _request_class(symbol_by_name(task.Request))
    handle = start(task, app, consumer, **kwargs)

    def receive(message: Any, body: Any, *args: Any, **kwargs: Any) -> Any:
        store = _received(message, body)
        store["task"] = task.name
        return run(store, handle, message, body, *args, **kwargs)

    return receive


def _received(message: Any, body: Any) -> ReceivedStore:
    headers = message.headers
    if not isinstance(headers, dict):
        headers = message.headers = {}
    # The process that runs the task unpacks the header again.
    store, headers[MESSAGE_HEADER] = settle(
        headers.get(MESSAGE_HEADER), task_id=_task_id(headers, body)
    )
    return store


def _report(
    report: Callable[..., Any], consumer: Any, body: Any, message: Any, *error: Any
) -> Any:
    """Report a message that no task can be run for, in the context that it carries."""
    return run(_received(message, body), report, consumer, body, message, *error)


def _report_undecoded(
    report: Callable[..., Any], consumer: Any, message: Any, error: Any
) -> Any:
    return run(_received(message, None), report, consumer, message, error)


class _ContextRequest(Request):  # type: ignore[misc]
    """
    A task as the worker's consumer knows it, whose lines about it are the task's.

    A mixin over the application's own class of requests. The consumer completes a task
    whose process has died.
    """

    def __init__(self, message: Any, *args: Any, **kwargs: Any) -> None:
        # The store of `receive()`.
        self._ctxlog_store = Kept(get_store())
        self._ctxlog_ended = False
        super().__init__(message, *args, **kwargs)
        # The first protocol makes the headers of the body alone.
        self._request_dict[MESSAGE_HEADER] = message.headers.get(MESSAGE_HEADER)

    def _in_store(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        store = self._ctxlog_store.take()
        if store is None:
            return fn(*args, **kwargs)
        return run(store, fn, *args, **kwargs)

    def _complete(self, outcome: str, **details: object) -> None:
        store: Any = self._ctxlog_store.take()
        if store is None or self._ctxlog_ended:
            return
        self._ctxlog_ended = True
        members = self._request_dict
        task = _options.task(
            *(store, self._type, self.id, _attempt(members)),
            request=lambda: self,
            headers=lambda: _headers(members),
        )
        started = self.time_start
        task.note_due(
            None if started is None else latest(store.due, seconds_of(self.eta)),
            started,
        )
        task.outcome = outcome
        task.duration = 0 if started is None else max(0, time.time() - started)
        task.details.update(details)
        task.done(None)

    def on_accepted(self, *args: Any, **kwargs: Any) -> Any:
        """Log that the pool has taken the task."""
        return self._in_store(super().on_accepted, *args, **kwargs)

    def on_timeout(self, soft: bool, timeout: Any) -> Any:
        """Log that the task has exceeded a time limit; a hard one kills its process."""
        done = self._in_store(super().on_timeout, soft, timeout)
        if not soft:
            self._complete(FAILED, error="TimeLimitExceeded")
        return done

    def on_failure(self, exc_info: Any, *args: Any, **kwargs: Any) -> Any:
        """Log that the task has failed, or that its process has died."""
        done = self._in_store(super().on_failure, exc_info, *args, **kwargs)
        error = exc_info.exception
        error = error.exc if isinstance(error, trace.ExceptionWithTraceback) else error
        if isinstance(error, (WorkerLostError, SystemExit, KeyboardInterrupt)):
            self._complete(FAILED, error=type(error).__name__)
        return done

    def revoked(self) -> Any:
        """Return whether the task has been revoked, and log it."""
        return self._in_store(super().revoked)

    def cancel(self, *args: Any, **kwargs: Any) -> Any:
        """Stop the task, which is going to be received again."""
        done = self._in_store(super().cancel, *args, **kwargs)
        if self.time_start:
            self._complete(CANCELLED)
        return done

    def _announce_revoked(self, reason: str, *args: Any, **kwargs: Any) -> Any:
        done = self._in_store(super()._announce_revoked, reason, *args, **kwargs)
        self._complete("revoked", reason=reason)
        return done


def _request_class(own: Any) -> Any:
    if issubclass(_ContextRequest, own):
        return _ContextRequest
    if issubclass(own, _ContextRequest):
        return own
    return type(own.__name__, (_ContextRequest, own), {"__module__": own.__module__})


# The task -----------------------------------------------------------------------


def _build_tracer(
    build: Callable[..., Any], name: str, task: Any, *args: Any, **kwargs: Any
) -> Callable[..., Any]:
    """
    Run everything that Celery does around a task's function in the task's store.

    Signals would leave out the lines of their other receivers.
    """
    run_task = build(name, task, *args, **kwargs)

    @functools.wraps(run_task)
    def traced(uuid: str, args: Any, kwargs: Any, request: Any = None) -> Any:
        members = request or {}
        message = members.get(MESSAGE_HEADER)
        if members.get("is_eager"):
            # There was no message: it runs where it was called.
            message = _options.pack(uuid)
        store = unpack(message)
        store.due = latest(store.due, _eta(members, task))
        running = _options.task(
            *(store, name, uuid, _attempt(members)),
            request=lambda: Context(
                members, args=args, called_directly=False, kwargs=kwargs
            ),
            headers=lambda: _headers(members),
        )
        with running:
            try:
                result = run_task(uuid, args, kwargs, request)
            except (Retry, Reject, Ignore) as error:
                _note(running, _STATES[type(error)], error)
                raise
            except BaseException as error:
                # The process ends: its worker logs the completion line.
                if _watched and not isinstance(error, Exception):
                    running.completion_line = False
                raise
            if result.info is not None:
                _note(running, result.info.state, result.info.retval)
            return result

    return traced


_STATES = {Retry: "RETRY", Reject: "REJECTED", Ignore: "IGNORED"}


def _note(running: Task, state: str, error: Any) -> None:
    running.outcome = _OUTCOMES.get(state, state)
    cause = (error.exc or error) if isinstance(error, Retry) else error
    if isinstance(cause, BaseException):
        running.note_error(cause)


def _attempt(request: Any) -> int:
    return (request.get("retries") or 0) + 1


def _eta(request: Any, task: Any) -> float | None:
    """Return when a task is to be run, if its message says it."""
    try:
        eta = maybe_iso8601(request.get("eta"))
    except ValueError:
        return None
    return seconds_of(maybe_make_aware(eta, task.app.timezone) if eta else None)


def _headers(request: Any) -> Iterable[tuple[Any, Any]]:
    """Return the headers of a task's message that are not Celery's own."""
    return (Context(request).headers or {}).items()


def _enter_pool(**_: Any) -> None:
    """Leave the context in a process of the pool: it may be forked for a task."""
    global _watched
    _watched = True
    detached().__enter__()


def _leave_pool(**_: Any) -> None:
    _endings.end()  # the process ends by `os._exit`


# Logging ------------------------------------------------------------------------


def _import_modules(**_: Any) -> None:
    # The application has been imported by now, and the worker is about to configure
    # logging, which it does unless this signal has a receiver.
    if any(map(is_ours, logging.getLogger().handlers)):
        signals.setup_logging.connect(
            _leave_logging_alone, weak=False, dispatch_uid="ctxlog.setup_logging"
        )


def _leave_logging_alone(**_: Any) -> None:
    """Answer Celery's question whether the application configures logging."""


def _redirect_output(conf: Any = None, instance: Any = None, **_: Any) -> None:
    # Celery redirects output only if it configures logging.
    if conf is None or not conf.worker_redirect_stdouts or instance is None:
        return
    if any(map(is_ours, logging.getLogger().handlers)):
        instance.app.log.redirect_stdouts(conf.worker_redirect_stdouts_level)


_RECEIVERS: tuple[tuple[Any, Callable[..., None]], ...] = (
    (signals.before_task_publish, _publish),
    (signals.worker_process_init, _enter_pool),
    (signals.worker_process_shutdown, _leave_pool),
    (signals.import_modules, _import_modules),
    (signals.celeryd_after_setup, _redirect_output),
)

_PATCHES = (
    Patch(trace, "build_tracer", _build_tracer),
    Patch(consumer, "build_tracer", _build_tracer),
    Patch(consumer.Consumer, "on_unknown_task", _report),
    Patch(consumer.Consumer, "on_unknown_message", _report),
    Patch(consumer.Consumer, "on_invalid_task", _report),
    Patch(consumer.Consumer, "on_decode_error", _report_undecoded),
    Patch(CeleryTask, "start_strategy", _start_strategy),
)
