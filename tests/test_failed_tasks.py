"""
What the end of a task, or of a call of `@ctxlog.entry`, decides about its lines.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import ctxlog
from ctxlog.carrier import unpack
from ctxlog.tasks._task import RETRIED, Task, TaskOptions
from tests.helpers import LogEnvironment

LOG = logging.getLogger("tests.app")


@pytest.fixture
def written(log_env: LogEnvironment) -> Iterator[LogEnvironment]:
    """
    All that is logged from INFO on, and the buffered lines that a failure lets go: no
    line does, since none is at CRITICAL.
    """
    ctxlog.configure(
        format="json",
        stream=log_env.stream,
        buffer=ctxlog.Buffer(flush_level="CRITICAL"),
    )
    yield log_env
    ctxlog.unconfigure()


def work(error: BaseException | None = None) -> None:
    LOG.debug("details")
    if error is not None:
        raise error


def task(**options: Any) -> Task:
    return TaskOptions(**options).task(unpack(None), "shop.charge", "t-1")


def details(written: LogEnvironment) -> list[dict[str, Any]]:
    """
    The lines that waited, and were let go.
    """
    return [one for one in written.load_all() if one["message"] == "details"]


ENDS = [
    (None, False),
    (ValueError("broken"), True),
    (SystemExit(1), True),
    (SystemExit(0), False),
    (asyncio.CancelledError(), False),
    (KeyboardInterrupt(), False),
]


@pytest.mark.parametrize("completes", [True, False])
@pytest.mark.parametrize(("error", "expected"), ENDS)
def test_a_task_that_fails(
    written: LogEnvironment,
    error: BaseException | None,
    expected: bool,
    completes: bool,
) -> None:
    """
    With a completion line or without; one that is stopped has not failed.
    """
    with contextlib.suppress(BaseException), task(completion_line=completes):
        work(error)
    assert bool(details(written)) is expected
    completions = [one for one in written.load_all() if one["logger"] == "ctxlog.task"]
    assert len(completions) == completes


@pytest.mark.parametrize("completes", [True, False])
@pytest.mark.parametrize(("error", "expected"), ENDS)
def test_a_call_of_an_entry_that_fails(
    written: LogEnvironment,
    error: BaseException | None,
    expected: bool,
    completes: bool,
) -> None:
    """
    The same.
    """
    entered = ctxlog.entry(completion_line=completes)(work)
    with contextlib.suppress(BaseException):
        entered(error)
    assert bool(details(written)) is expected


def test_a_body_that_fails(written: LogEnvironment) -> None:
    """
    Of a coroutine and of a generator: its end is the call's.
    """

    @ctxlog.entry
    async def coroutine() -> None:
        work()
        await asyncio.sleep(0)
        raise ValueError("broken")

    @ctxlog.entry
    def generator() -> Iterator[int]:
        work()
        yield 1
        raise ValueError("broken")

    calls: list[Callable[[], object]] = [
        lambda: asyncio.run(coroutine()),
        lambda: list(generator()),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="broken"):
            call()
        assert len(details(written)) == 1
        written.clear()


def test_an_attempt_that_is_tried_again_has_failed(written: LogEnvironment) -> None:
    """
    Though its library has caught the exception.
    """
    with task() as _:
        work()
    assert details(written) == []
    running = task()
    with running:
        work()
        running.outcome = RETRIED
    assert len(details(written)) == 1


def test_lines_come_before_the_completion_line(written: LogEnvironment) -> None:
    """
    With the task's fields, each with its own time.
    """
    with contextlib.suppress(ValueError), task():
        work(ValueError("broken"))
    waited, completion = written.load_all()
    assert (waited["message"], waited["buffered"]) == ("details", True)
    assert waited["timestamp"] < completion["timestamp"]
    assert waited["requestID"] == completion["requestID"]
    assert waited["task"] == "shop.charge"


def test_a_dropped_completion_line_decides_nothing(log_env: LogEnvironment) -> None:
    """
    Its level is no reason to keep what waits.
    """
    buffer = ctxlog.Buffer(flush_level="ERROR")
    ctxlog.configure(format="json", stream=log_env.stream, buffer=buffer)
    try:
        level: dict[str, Any] = {"completion_level": lambda completed: "ERROR"}
        with task(**level, completion=lambda completed: False):
            work()
        assert details(log_env) == []
        with task(**level):
            work()
        assert len(details(log_env)) == 1
    finally:
        ctxlog.unconfigure()
