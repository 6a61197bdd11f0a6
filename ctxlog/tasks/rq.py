"""
RQ jobs. Adapter: imports RQ and core.
"""

from __future__ import annotations

import pickle
import pkgutil
import sys
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from ctxlog import _endings
from ctxlog._interrupts import add_interrupt
from ctxlog._patch import Patch
from ctxlog.carrier.messages import MESSAGE_HEADER, settle, unpack
from ctxlog.context.adapter import Entry, current_view
from ctxlog.errors import requires
from ctxlog.tasks._task import (
    CANCELLED,
    FAILED,
    RETRIED,
    SUCCEEDED,
    SendingOptions,
    Task,
    TaskOptions,
    seconds_of,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

with requires("rq"):
    import rq
    from rq import worker
    from rq.exceptions import DeserializationError
    from rq.job import JobStatus
    from rq.timeouts import BaseTimeoutException

__all__ = ["install", "uninstall"]

# The member of `job.meta` that counts the attempts that have failed.
_FAILED = f"{MESSAGE_HEADER}.failed"

_NOT_INSTALLED = _options = TaskOptions()
_installer = "__main__"


def install(**options: Unpack[SendingOptions]) -> None:
    """
    Let jobs carry the context, and give each one a store and a completion line.

    For the whole process: call it where jobs are enqueued, and in the worker's process
    (`rq worker -c settings`, where `settings.py` calls it). A job is enqueued with the
    id and the trace of the request that does so, under `ctxlog` in `job.meta`; it runs
    in a fresh store with that `requestID`, or a new one if no request has sent it, and
    with `taskID`, `task`, `attempt` and `parentTaskID`. The worker's own lines about
    the job have them, too. A `SpawnWorker` imports the module that has called this in
    each of its processes. It lasts until `uninstall()`; calling it again replaces the
    options.

    Args:
        options: The options of all adapters of tasks, see `TaskOptions`.

    Raises:
        ConfigError: if an option is invalid.
    """
    global _options, _installer
    _options = TaskOptions(**options)
    # Without signals (Windows, a worker in a thread) another thread raises it.
    add_interrupt(BaseTimeoutException)
    _installer = sys._getframe(1).f_globals.get("__name__", "__main__")
    for patch in _PATCHES:
        patch.install()


def _is_installed() -> bool:
    """Return whether `install()` has been called, and not undone."""
    return all(patch.installed for patch in _PATCHES)


def uninstall() -> None:
    """Undo `install()`; without it, a no-op."""
    for patch in _PATCHES:
        patch.uninstall()


# Enqueueing ---------------------------------------------------------------------


def _create_job(
    previous: Callable[..., Any], queue: Any, *args: Any, **kwargs: Any
) -> Any:
    job = previous(queue, *args, **kwargs)
    job.meta[MESSAGE_HEADER] = _options.pack(job.id)
    return job


def _enqueue_job(
    previous: Callable[..., Any], queue: Any, job: Any, *args: Any, **kwargs: Any
) -> Any:
    # Made by `Job.create()`; a job that is scheduled or retried has a header.
    if MESSAGE_HEADER not in job.meta and not current_view().empty:
        job.meta[MESSAGE_HEADER] = _options.pack(job.id)
    return previous(queue, job, *args, **kwargs)


# The worker ---------------------------------------------------------------------


class _Run(NamedTuple):
    """A job whose function runs."""

    task: Task
    attempt: int
    header: object


# The job that the worker has received and is about to log.
_arrived: ContextVar[Entry | None] = ContextVar("ctxlog.rq.arrived", default=None)
_running: ContextVar[_Run | None] = ContextVar("ctxlog.rq.running", default=None)
# The header of the job that goes to a work horse, in both processes.
_handed: ContextVar[object] = ContextVar("ctxlog.rq.handed", default=None)


def _entry(job: Any) -> Entry:
    # The work horse unpacks the header again.
    store, job.meta[MESSAGE_HEADER] = settle(
        job.meta.get(MESSAGE_HEADER), task_id=job.id
    )
    store["task"] = _name(job)
    return Entry(store)


def _name(job: Any) -> str:
    try:
        return str(job.func_name)
    except DeserializationError:  # the job will fail with the same
        return "unknown"


def _dequeue_any(previous: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    result = previous(*args, **kwargs)
    if result is not None:
        entry = _entry(result[0])
        entry.__enter__()
        _arrived.set(entry)
    return result


def _dequeue(previous: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return previous(*args, **kwargs)
    finally:
        entry = _arrived.get()
        _arrived.set(None)
        if entry is not None:
            entry.__exit__(None, None, None)


def _execute_job(
    previous: Callable[..., Any], worker: Any, job: Any, *args: Any, **kwargs: Any
) -> Any:
    # The worker watches the work horse meanwhile: its lines are about this job.
    with _entry(job):
        _handed.set(job.meta[MESSAGE_HEADER])
        return previous(worker, job, *args, **kwargs)


def _task(job: Any, attempt: int) -> Task:
    store = unpack(job.meta.get(MESSAGE_HEADER))
    # A job that was scheduled, or is retried, has come into the queue when it was due.
    store.due = _seconds(job.enqueued_at)
    return _options.task(store, _name(job), job.id, attempt, request=lambda: job)


def _seconds(moment: datetime | None) -> float | None:
    if moment is not None and moment.tzinfo is None:  # before RQ 2
        moment = moment.replace(tzinfo=timezone.utc)
    return seconds_of(moment)


def _attempt(job: Any) -> int:
    """Return the number of the attempt that runs or comes next."""
    failed = job.meta.get(_FAILED)
    return failed + 1 if isinstance(failed, int) else 1


def _perform_job(
    previous: Callable[..., Any], worker: Any, job: Any, *args: Any, **kwargs: Any
) -> Any:
    # A work horse that was spawned has read the job again, as it was sent.
    if _handed.get() is not None:
        job.meta[MESSAGE_HEADER] = _handed.get()
    attempt = _attempt(job)
    task = _task(job, attempt)
    try:
        with task:
            running = _Run(task, attempt, job.meta.get(MESSAGE_HEADER))
            token = _running.set(running)
            try:
                succeeded = previous(worker, job, *args, **kwargs)
            finally:
                _running.reset(token)
            if task.outcome is None:
                task.outcome = _outcome(job)
    finally:
        if worker.is_horse:
            _endings.end()  # the process ends by `os._exit`
    return succeeded


def _outcome(job: Any) -> str:
    """Return how a job ended that has not succeeded."""
    status = job.get_status(refresh=False)
    if status == JobStatus.STOPPED:  # by a command
        return CANCELLED
    return RETRIED if status in (JobStatus.QUEUED, JobStatus.SCHEDULED) else FAILED


# RQ counts no attempts of jobs that fail by an exception, but saves `meta` with the job
# that it enqueues again. The job's function may have replaced `meta`.


def _handle_success(
    previous: Callable[..., Any], worker: Any, job: Any, *args: Any, **kwargs: Any
) -> Any:
    running = _running.get()
    if running is not None:
        running.task.outcome = SUCCEEDED
        job.meta[MESSAGE_HEADER] = running.header
    job.meta.pop(_FAILED, None)  # a job that repeats begins with attempt 1
    return previous(worker, job, *args, **kwargs)


def _handle_failure(
    previous: Callable[..., Any], worker: Any, job: Any, *args: Any, **kwargs: Any
) -> Any:
    running = _running.get()
    if running is not None:
        job.meta[MESSAGE_HEADER] = running.header
        job.meta[_FAILED] = running.attempt
        return previous(worker, job, *args, **kwargs)
    # A work horse has died: the worker handles the failure, and logs no line.
    attempt = _attempt(job)
    job.meta[_FAILED] = attempt
    task = _task(job, attempt)
    with task:
        result = previous(worker, job, *args, **kwargs)
        task.outcome = _outcome(job)
        started = _seconds(job.started_at)
        task.note_due(None if started is None else _seconds(job.enqueued_at), started)
        if started is not None:
            task.duration = max(0, time.time() - started)
        if task.outcome != CANCELLED:
            task.details["error"] = "WorkHorseTerminated"
    return result


def _handle_exception(
    previous: Callable[..., Any], worker: Any, job: Any, *exc_info: Any
) -> Any:
    running = _running.get()
    if running is not None and len(exc_info) > 1:
        running.task.note_error(exc_info[1])
    return previous(worker, job, *exc_info)


# A process that is spawned ------------------------------------------------------


class _Installed:
    """A pickle that installs the adapter, as the application has, and loads another."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload

    def __reduce__(self) -> tuple[Any, ...]:
        given = _options.given.items()
        # Of those, the application's module has some that cannot be pickled.
        plain = {name: value for name, value in given if not callable(value)}
        return _load, (self._payload, _handed.get(), _installer, plain)


def _load(
    payload: bytes, header: object, installer: str, options: SendingOptions
) -> object:
    _handed.set(header)
    if installer != "__main__":
        pkgutil.resolve_name(installer)  # the application's module
    if _options is _NOT_INSTALLED:
        install(**options)
    return pickle.loads(payload)


def _dump_worker_config(previous: Callable[..., bytes], worker: Any) -> bytes:
    return pickle.dumps(_Installed(previous(worker)))


def _patches() -> Iterator[Patch]:
    for name, replacement in _OF_QUEUES.items():
        yield Patch(rq.Queue, name, replacement)
    # Releases differ in the classes that they have, and in which has a method.
    for name, replacement in _OF_WORKERS.items():
        owners = [one for one in worker.Worker.__mro__ if name in vars(one)]
        if owners:
            yield Patch(owners[-1], name, replacement)
    for kind in (worker.Worker, worker.SimpleWorker):
        yield Patch(kind, "execute_job", _execute_job)
    spawning = getattr(worker, "SpawnWorker", None)
    if hasattr(spawning, "_dump_worker_config"):
        yield Patch(spawning, "_dump_worker_config", _dump_worker_config)


_OF_QUEUES = {
    "create_job": _create_job,
    "enqueue_job": _enqueue_job,
    "dequeue_any": _dequeue_any,
}
_OF_WORKERS = {
    "dequeue_job_and_maintain_ttl": _dequeue,
    "perform_job": _perform_job,
    "handle_exception": _handle_exception,
    "handle_job_success": _handle_success,
    "handle_job_retry": _handle_failure,
    "handle_job_failure": _handle_failure,
}
_PATCHES = tuple(_patches())
