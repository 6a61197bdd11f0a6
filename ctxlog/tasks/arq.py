"""
arq jobs. Adapter: imports arq and core.
"""

from __future__ import annotations

import asyncio
import dataclasses
import pickle
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ctxlog._patch import Patch
from ctxlog.carrier.messages import MESSAGE_HEADER, unpack
from ctxlog.errors import requires
from ctxlog.tasks._task import (
    CANCELLED,
    FAILED,
    RETRIED,
    SUCCEEDED,
    SendingOptions,
    Task,
    TaskOptions,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

with requires("arq"):
    import arq.connections  # pyright: ignore[reportMissingImports]
    import arq.worker  # pyright: ignore[reportMissingImports]

__all__ = ["install", "uninstall"]

_options = TaskOptions()


def install(**options: Unpack[SendingOptions]) -> None:
    """
    Let jobs carry the context, and give each one a store and a completion line.

    For the whole process, since arq has no hook for it: call it where jobs are
    enqueued, and in the module of the worker's settings. A job is enqueued with the id
    and the trace of the request that does so, as a further member of the job that a
    worker without ctxlog ignores; it runs in a fresh store with that `requestID`, or a
    new one if no request has sent it (a cron job), and with `taskID`, `task`, `attempt`
    and `parentTaskID`. arq's own lines about the job have the id, too. It lasts until
    `uninstall()`; calling it again replaces the options.

    Args:
        options: The options of all adapters of tasks, see `TaskOptions`.

    Raises:
        ConfigError: if an option is invalid.
    """
    global _options
    _options = TaskOptions(**options)
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


def _serialize(
    previous: Callable[..., Any], *args: Any, serializer: Any = None, **kwargs: Any
) -> Any:
    def with_context(job: dict[str, Any]) -> Any:
        return (serializer or pickle.dumps)({**job, MESSAGE_HEADER: _options.pack()})

    return previous(*args, serializer=with_context, **kwargs)


# The worker ---------------------------------------------------------------------


class _Job:
    """A job that the worker runs, and how it ends."""

    def __init__(self, worker: Any, job_id: str) -> None:
        self._worker = worker
        self._job_id = job_id
        self._error: BaseException | None = None
        self.task: Task | None = None
        self.aborted = False

    def begin(self, message: object, name: str) -> None:
        """Open the job's store, until `end()`."""
        self.task = _options.task(unpack(message), name, self._job_id)
        self.task.__enter__()

    def failed(self, error: BaseException) -> None:
        """Note an exception of the job's function."""
        self._error = error
        self.aborted = self._job_id in self._worker.aborting_tasks

    def finish(self, *, again: bool) -> None:
        """Note the worker's decision about a job whose function has run."""
        if self.task is None:
            return
        if again:
            self.task.outcome = RETRIED
        elif self._error is None:
            self.task.outcome = SUCCEEDED
        elif not isinstance(self._error, asyncio.CancelledError):
            self.task.outcome = FAILED
        elif self.aborted:
            self.task.outcome = CANCELLED
        else:  # arq cancels a function that exceeds its time limit
            self.task.outcome = FAILED
            self.task.details["error"] = "TimeoutError"

    def end(self) -> None:
        """Close the job's store."""
        if self.task is not None:
            error, self._error = self._error, None
            self.task.__exit__(None, error, None)


_current: ContextVar[_Job | None] = ContextVar("ctxlog.arq", default=None)


async def _run_job(
    previous: Callable[..., Any], worker: Any, job_id: str, *args: Any, **kwargs: Any
) -> Any:
    for name, function in worker.functions.items():
        if not isinstance(function.coroutine, _Watched):
            watched = _Watched(function.coroutine)
            worker.functions[name] = dataclasses.replace(function, coroutine=watched)
    job = _Job(worker, job_id)
    token = _current.set(job)
    try:
        return await previous(worker, job_id, *args, **kwargs)
    finally:
        job.end()
        _current.reset(token)


def _deserialize(
    previous: Callable[..., Any], *args: Any, deserializer: Any = None, **kwargs: Any
) -> Any:
    message: object = None

    def with_context(data: bytes) -> Any:
        nonlocal message
        job = (deserializer or pickle.loads)(data)
        if isinstance(job, dict):
            message = job.get(MESSAGE_HEADER)
        return job

    result = previous(*args, deserializer=with_context, **kwargs)
    job = _current.get()
    if job is not None and job.task is None:
        job.begin(message, str(result[0]))
    return result


class _Watched:
    """A job's function, which reports its attempt and its exception."""

    def __init__(self, coroutine: Callable[..., Any]) -> None:
        self._coroutine = coroutine

    async def __call__(self, context: dict[Any, Any], *args: Any, **kwargs: Any) -> Any:
        job = _current.get()
        if job is None or job.task is None:
            return await self._coroutine(context, *args, **kwargs)
        job.task.read_request = lambda: context
        job.task.store["attempt"] = context["job_try"]
        # Of a further attempt arq knows only when the first one was due.
        job.task.note_due(context["score"] / 1000 if context["job_try"] == 1 else None)
        try:
            return await self._coroutine(context, *args, **kwargs)
        except BaseException as error:
            job.failed(error)
            raise


async def _finish_job(
    previous: Callable[..., Any],
    worker: Any,
    job_id: str,
    finish: bool,
    *args: Any,
    **kwargs: Any,
) -> Any:
    job = _current.get()
    if job is not None:
        job.finish(again=not finish)
    return await previous(worker, job_id, finish, *args, **kwargs)


async def _finish_failed_job(
    previous: Callable[..., Any], worker: Any, *args: Any, **kwargs: Any
) -> Any:
    job = _current.get()
    if job is not None and job.task is not None:
        job.task.outcome = CANCELLED if job.aborted else FAILED
    return await previous(worker, *args, **kwargs)


def _serialize_result(previous: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    job = _current.get()
    # A job that was aborted before it began differs from a failed one in this only.
    if job is not None and isinstance(kwargs.get("result"), asyncio.CancelledError):
        job.aborted = True
    return previous(*args, **kwargs)


_PATCHES = (
    Patch(arq.connections, "serialize_job", _serialize),
    Patch(arq.worker, "deserialize_job_raw", _deserialize),
    Patch(arq.worker, "serialize_result", _serialize_result),
    Patch(arq.worker.Worker, "run_job", _run_job),
    Patch(arq.worker.Worker, "finish_job", _finish_job),
    Patch(arq.worker.Worker, "finish_failed_job", _finish_failed_job),
)
