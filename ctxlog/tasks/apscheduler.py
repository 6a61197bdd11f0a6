"""
APScheduler jobs (version 3). Adapter: imports APScheduler and core.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ctxlog._patch import Patch
from ctxlog.carrier.messages import unpack
from ctxlog.context.adapter import Carried
from ctxlog.errors import requires
from ctxlog.tasks._task import (
    FAILED,
    SUCCEEDED,
    LineOptions,
    Task,
    TaskOptions,
    seconds_of,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

with requires("apscheduler"):
    from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MISSED
    from apscheduler.executors import asyncio, debug, pool
    from apscheduler.schedulers.asyncio import AsyncIOScheduler
    from apscheduler.schedulers.background import BackgroundScheduler

__all__ = ["install", "uninstall"]


def install(**options: Unpack[LineOptions]) -> None:
    """
    Give every run of a job a store and a completion line, for the whole process.

    No request has sent a job: each run has a `requestID` of its own, with `taskID`
    (the job's id) and `task` (its name). The executor's own lines about the job have
    them, too. Threads, asyncio and process pools are covered; the processes of a pool
    are spawned, so that they configure logging themselves. A scheduler that is started
    in a request does not stay in it. It lasts until `uninstall()`; calling it again
    replaces the options.

    Args:
        options: The options of all adapters of tasks but *fields*, see
            `TaskOptions`.

    Raises:
        ConfigError: if an option is invalid.
    """
    task_options = TaskOptions(**options)
    uninstall()
    for executor, name, run in _RUNS:
        previous = getattr(executor, name)
        setattr(executor, name, functools.partial(run, previous, task_options))
    for patch in _STARTS:
        patch.install()


def _is_installed() -> bool:
    """Return whether `install()` has been called, and not undone."""
    return all(patch.installed for patch in _STARTS)


def uninstall() -> None:
    """Undo `install()`; without it, a no-op."""
    for executor, name, run in _RUNS:
        found = getattr(executor, name)
        # Another library that has replaced it since builds on ours.
        if isinstance(found, functools.partial) and found.func is run:
            setattr(executor, name, found.args[0])
    for patch in _STARTS:
        patch.uninstall()


def _run_job(
    previous: Callable[..., Any], options: TaskOptions, job: Any, *args: Any
) -> Any:
    running = _task(options, job, *args)
    with running:
        events = previous(job, *args)
        _note(running, events)
    return events


async def _run_coroutine_job(
    previous: Callable[..., Any], options: TaskOptions, job: Any, *args: Any
) -> Any:
    running = _task(options, job, *args)
    with running:
        events = await previous(job, *args)
        _note(running, events)
    return events


def _task(options: TaskOptions, job: Any, _: Any, run_times: Any, *__: Any) -> Task:
    store = unpack(None)
    # Runs that were missed are made up for in one.
    store.due = seconds_of(run_times[0])
    return options.task(store, str(job.name), str(job.id), request=lambda: job)


def _note(running: Task, events: Iterable[Any]) -> None:
    """Note how a job ended: the executor has caught its exceptions."""
    running.outcome = SUCCEEDED
    for event in events:
        if event.code == EVENT_JOB_ERROR:
            running.outcome = FAILED
            running.note_error(event.exception)
        elif event.code == EVENT_JOB_MISSED and running.outcome == SUCCEEDED:
            running.outcome = "missed"


# The functions of the executors that need no further library. A partial of a function
# of this module, and no `Patch`, since a pool sends it to its processes, pickled.
_RUNS = (
    (asyncio, "run_job", _run_job),
    (asyncio, "run_coroutine_job", _run_coroutine_job),
    (debug, "run_job", _run_job),
    (pool, "run_job", _run_job),
)


def _start(previous: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    # Its thread, or its timers, would keep the context of the request.
    return Carried.nothing().run(previous, *args, **kwargs)


_STARTS = (
    Patch(AsyncIOScheduler, "start", _start),
    Patch(BackgroundScheduler, "start", _start),
)
