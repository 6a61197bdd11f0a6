"""
APScheduler jobs (version 3). Adapter: imports APScheduler and core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ctxlog._patch import Patch
from ctxlog.carrier.messages import unpack
from ctxlog.context.adapter import Carried
from ctxlog.errors import MissingDependencyError
from ctxlog.tasks._task import FAILED, SUCCEEDED, Task, TaskOptions

try:
    from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MISSED
    from apscheduler.executors import asyncio, base, debug, pool
    from apscheduler.schedulers.asyncio import AsyncIOScheduler
    from apscheduler.schedulers.background import BackgroundScheduler
except ModuleNotFoundError as error:
    if error.name != "apscheduler":
        raise
    raise MissingDependencyError("apscheduler", "apscheduler") from None

__all__ = ["install", "run_coroutine_job", "run_job", "uninstall"]

_options = TaskOptions()

# The executors that come without further libraries; each has names of its own for the
# two functions.
_EXECUTORS = (asyncio, debug, pool)


def install(*, completion_line: bool = True) -> None:
    """
    Give every run of a job a store and a completion line, for the whole process.

    A job is asked for by nobody: each run has a `requestID` of its own, with `taskID`
    (the job's id) and `task` (its name). The executor's own lines about the job have
    them, too. Threads, asyncio and process pools are covered; the processes of a pool
    are spawned, so that they configure logging themselves. A scheduler that is started
    in a request does not stay in it. It lasts until `uninstall()`; a second time
    replaces the options.

    Args:
        completion_line: Whether to log a line when a run has ended, from the logger
            `ctxlog.task`.

    Raises:
        ConfigError: an option has a value that it cannot have.
    """
    global _options
    _options = TaskOptions(completion_line=completion_line)
    _replace("run_job", base.run_job, run_job)
    _replace("run_coroutine_job", base.run_coroutine_job, run_coroutine_job)
    for patch in _STARTS:
        patch.install()


def uninstall() -> None:
    """Undo `install()`; without one, nothing."""
    _replace("run_job", run_job, base.run_job)
    _replace("run_coroutine_job", run_coroutine_job, base.run_coroutine_job)
    for patch in _STARTS:
        patch.uninstall()


def _start(previous: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    # Its thread, or its timers, would keep the context for ever.
    return Carried.nothing().run(previous, *args, **kwargs)


_STARTS = (
    Patch(AsyncIOScheduler, "start", _start),
    Patch(BackgroundScheduler, "start", _start),
)


def _replace(name: str, there: Any, new: Any) -> None:
    for executor in _EXECUTORS:
        if getattr(executor, name, None) is there:
            setattr(executor, name, new)


def run_job(job: Any, *args: Any, **kwargs: Any) -> Any:
    """Run a job in a store, for an executor; in a process of a pool, too."""
    running = _task(job)
    with running:
        events = base.run_job(job, *args, **kwargs)
        _note(running, events)
    return events


async def run_coroutine_job(job: Any, *args: Any, **kwargs: Any) -> Any:
    """Run a job that is a coroutine function in a store, for an executor."""
    running = _task(job)
    with running:
        events = await base.run_coroutine_job(job, *args, **kwargs)
        _note(running, events)
    return events


def _task(job: Any) -> Task:
    return Task(
        unpack(None),
        name=str(job.name),
        task_id=str(job.id),
        completion_line=_options.completion_line,
    )


def _note(running: Task, events: Iterable[Any]) -> None:
    """Keep what became of the job: its exceptions go no further than that."""
    running.outcome = SUCCEEDED
    for event in events:
        if event.code == EVENT_JOB_ERROR:
            running.outcome = FAILED
            running.details["error"] = type(event.exception).__name__
        elif event.code == EVENT_JOB_MISSED and running.outcome == SUCCEEDED:
            running.outcome = "missed"
