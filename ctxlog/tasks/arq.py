"""
arq jobs. Adapter: imports arq and core.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import pickle
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

from ctxlog._patch import Patch
from ctxlog.carrier.messages import MESSAGE_HEADER, pack, unpack
from ctxlog.errors import MissingDependencyError
from ctxlog.tasks._task import (
    CANCELLED,
    FAILED,
    RETRIED,
    SUCCEEDED,
    Task,
    TaskOptions,
)

try:
    import arq.connections  # pyright: ignore[reportMissingImports]
    import arq.worker  # pyright: ignore[reportMissingImports]
except ModuleNotFoundError as error:
    if error.name != "arq":
        raise
    raise MissingDependencyError("arq", "arq") from None

__all__ = ["install", "uninstall"]

_options = TaskOptions()


def install(*, fields: Iterable[str] = (), completion_line: bool = True) -> None:
    """
    Let jobs carry the context, and give each one a store and a completion line.

    For the whole process, since arq has no place for it: call it where jobs are
    enqueued, and in the module of the worker's settings. A job is enqueued with the id
    and the trace of the request that does so, as a further member of the job that a
    worker without ctxlog passes over; it runs in a fresh store with that `requestID`,
    or a new one where nobody asked for it (a cron job), and with `taskID`, `task`,
    `attempt` and `parentTaskID`. arq's own lines about the job have them, too. It lasts
    until `uninstall()`; a second time replaces the options.

    Args:
        fields: The names of further fields to send along, redacted.
        completion_line: Whether to log a line when a job has ended, from the logger
            `ctxlog.task`.

    Raises:
        ConfigError: an option has a value that it cannot have.
    """
    global _options
    _options = TaskOptions(fields=fields, completion_line=completion_line)
    for patch in _PATCHES:
        patch.install()


def uninstall() -> None:
    """Undo `install()`; without one, nothing."""
    for patch in _PATCHES:
        patch.uninstall()


# Who enqueues -------------------------------------------------------------------


def _serialize(
    previous: Callable[..., Any], *args: Any, serializer: Any = None, **kwargs: Any
) -> Any:
    def with_context(job: dict[str, Any]) -> Any:
        carried = {**job, MESSAGE_HEADER: pack(fields=_options.fields)}
        return (serializer or pickle.dumps)(carried)

    return previous(*args, serializer=with_context, **kwargs)


# The worker ---------------------------------------------------------------------


class _Job:
    """A job that the worker runs."""

    def __init__(self, worker: Any, job_id: str) -> None:
        self._worker = worker
        self.job_id = job_id
        self.task: Task | None = None
        self.error: BaseException | None = None
        self.aborted = False

    def failed(self, error: BaseException) -> None:
        """Note what its function has raised."""
        self.error = error
        self.aborted = self.job_id in self._worker.aborting_tasks

    def begin(self, message: object, name: str) -> None:
        """Open its store, for the rest of what the worker does with it."""
        self.task = Task(
            unpack(message),
            name=name,
            task_id=self.job_id,
            completion_line=_options.completion_line,
        )
        self.task.__enter__()

    def finish(self, *, again: bool) -> None:
        """Note what the worker makes of it."""
        if self.task is None:
            return
        if again:
            self.task.outcome = RETRIED
        elif self.error is None:
            self.task.outcome = SUCCEEDED
        elif isinstance(self.error, asyncio.CancelledError) and self.aborted:
            self.task.outcome = CANCELLED
        else:
            self.task.outcome = FAILED
            if isinstance(self.error, asyncio.CancelledError):  # by arq's time limit
                self.task.details["error"] = "TimeoutError"

    def end(self) -> None:
        """Close it."""
        if self.task is not None:
            error = self.error
            self.error = None
            self.task.__exit__(None if error is None else type(error), error, None)


_current: ContextVar[_Job | None] = ContextVar("ctxlog.arq", default=None)


async def _run_job(
    previous: Callable[..., Any], worker: Any, job_id: str, *args: Any, **kwargs: Any
) -> Any:
    _prepare(worker)
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


def _prepare(worker: Any) -> None:
    """Be told by a worker of each attempt, and of what its functions raise."""
    if isinstance(worker.on_job_start, _Starting):
        return
    worker.on_job_start = _Starting(worker.on_job_start)
    worker.functions = {
        name: dataclasses.replace(function, coroutine=_watched(function.coroutine))
        for name, function in worker.functions.items()
    }


class _Starting:
    """The worker's hook for jobs that start, with ours before it."""

    def __init__(self, hook: Callable[..., Any] | None) -> None:
        self._hook = hook

    async def __call__(self, context: dict[Any, Any]) -> None:
        job = _current.get()
        if job is not None and job.task is not None:
            job.task.store["attempt"] = context["job_try"]
        if self._hook is not None:
            await self._hook(context)


def _watched(coroutine: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(coroutine)
    async def watched(*args: Any, **kwargs: Any) -> Any:
        try:
            return await coroutine(*args, **kwargs)
        except BaseException as error:
            job = _current.get()
            if job is not None:
                job.failed(error)
            raise

    return watched


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
    # A job that was aborted before it began has nothing else to tell it by.
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
