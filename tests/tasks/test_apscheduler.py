"""
APScheduler: schedulers of a process of its own, with every executor that it brings.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from tests.helpers import need, run_python

need("apscheduler")
adapter = need("ctxlog.tasks.apscheduler")

BACKGROUND = """
import logging, threading
from datetime import datetime, timedelta, timezone
import ctxlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.executors.pool import ProcessPoolExecutor, ThreadPoolExecutor
from ctxlog.tasks import apscheduler
from ctxlog.tasks.processes import Initializer

log = logging.getLogger("shop")
ended = threading.Semaphore(0)


def clean_up(n):
    log.info("cleaning %s", n)
    ctxlog.count("rows", 3)


def fails():
    raise ValueError("broken")


if __name__ == "__main__":
    ctxlog.configure(format="json")
    apscheduler.install()
    executors = {"default": EXECUTOR}
    # Of jobs that are five minutes late at most none is missed, however slow the
    # machine; the one of 2020 is.
    scheduler = BackgroundScheduler(
        executors=executors,
        timezone=timezone.utc,
        job_defaults={"misfire_grace_time": 300},
    )
    scheduler.add_listener(lambda event: ended.release(), 2**12 | 2**13 | 2**14)
    with ctxlog.scope(made="here"):
        ctxlog.run({"requestID": "req-A"}, scheduler.start)
        for n in range(3):
            scheduler.add_job(clean_up, args=(n,), id=f"job-{n}", name="clean up")
        scheduler.add_job(fails, id="bad", name="bad")
        scheduler.add_job(clean_up, args=("late",), id="late", name="late",
            next_run_time=datetime(2020, 1, 1, tzinfo=timezone.utc))
        scheduler.add_job(clean_up, args=("due",), id="due", name="due",
            next_run_time=datetime.now(timezone.utc) - timedelta(seconds=60))
    for _ in range(6):
        assert ended.acquire(timeout=30)
    scheduler.shutdown()
    apscheduler.uninstall()
"""

ASYNCIO = """
import asyncio, logging
import ctxlog
from datetime import timezone
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from ctxlog.tasks import apscheduler

log = logging.getLogger("shop")


async def main():
    ended = asyncio.Semaphore(0)
    scheduler = AsyncIOScheduler(
        timezone=timezone.utc, job_defaults={"misfire_grace_time": 300}
    )
    loop = asyncio.get_running_loop()
    scheduler.add_listener(lambda e: loop.call_soon_threadsafe(ended.release), 2**12)

    async def coroutine(n):
        await asyncio.sleep(0)
        log.info("cleaning %s", n)

    ctxlog.run({"requestID": "req-A"}, scheduler.start)
    for n in range(3):
        scheduler.add_job(coroutine, args=(n,), id=f"job-{n}", name="clean up")
    scheduler.add_job(log.info, args=("in a thread",), id="thread", name="thread")
    for _ in range(4):
        await asyncio.wait_for(ended.acquire(), 30)
    scheduler.shutdown()


ctxlog.configure(format="json")
apscheduler.install()
asyncio.run(main())
"""


def events(source: str, folder: Path) -> list[dict[str, Any]]:
    """The lines of a program."""
    (folder / "program.py").write_text(source, encoding="utf-8")
    printed = run_python("program.py", cwd=folder).stdout
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


#: A pool of processes spawns them: each configures logging itself.
SPAWNING = (
    "ProcessPoolExecutor(2, "
    "{'initializer': Initializer(ctxlog.configure, format='json')})"
)


@pytest.mark.parametrize("executor", ["ThreadPoolExecutor(2)", SPAWNING])
def test_pools(tmp_path: Path, executor: str) -> None:
    """Every run has an id of its own on all its lines, and one completion line."""
    found = events(BACKGROUND.replace("EXECUTOR", executor), tmp_path)
    ends = {e["taskID"]: e for e in found if e["logger"] == "ctxlog.task"}
    outcomes = {task: end["outcome"] for task, end in ends.items()}
    routes = {task: end["route"] for task, end in ends.items()}
    assert (routes["job-0"], routes["due"]) == ("clean up", "due")
    assert 60_000 <= ends["due"]["queueMs"] < 360_000
    assert 0 <= ends["job-0"]["queueMs"] < 300_000
    assert "queueMs" not in ends["late"]  # years are no time in a queue
    assert {end.get("rows") for end in ends.values()} == {3, None}
    assert outcomes == {
        "job-0": "succeeded",
        "job-1": "succeeded",
        "job-2": "succeeded",
        "bad": "failed",
        "late": "missed",
        "due": "succeeded",
    }
    assert ends["bad"]["error"] == "ValueError"
    assert len({end["requestID"] for end in ends.values()}) == 6
    assert "req-A" not in {end["requestID"] for end in ends.values()}
    for task, end in ends.items():
        own = [e for e in found if e.get("taskID") == task]
        assert {e["requestID"] for e in own} == {end["requestID"]}
        assert {e["logger"] for e in own} > {"ctxlog.task"}
    own = [e for e in found if e["logger"] == "apscheduler.scheduler"]
    assert {e["requestID"] for e in own} == {"N/A"}
    for number in range(3):
        (line,) = [e for e in found if e["message"] == f"cleaning {number}"]
        assert line["taskID"] == f"job-{number}"
        assert "made" not in line


def test_asyncio(tmp_path: Path) -> None:
    """Coroutine functions and plain ones have a store each."""
    found = events(ASYNCIO, tmp_path)
    ends = [e for e in found if e["logger"] == "ctxlog.task"]
    assert len({end["requestID"] for end in ends}) == len(ends) == 4
    lines = [e for e in found if e["logger"] == "shop"]
    assert {e["requestID"] for e in lines} == {end["requestID"] for end in ends}


def test_options_are_checked() -> None:
    """A wrong option is named, and changes nothing."""
    with pytest.raises(ctxlog.ConfigError, match="completion_line"):
        adapter.install(completion_line="yes")
    adapter.uninstall()
