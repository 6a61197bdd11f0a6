"""
Huey: what travels with a task, without a consumer, which `test_workers.py` has.
"""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import ctxlog
from ctxlog.testing import capture_lines
from tests.helpers import need

adapter = need("ctxlog.tasks.huey")
huey_package = need("huey")


class TextSerializer(huey_package.serializer.Serializer):  # type: ignore[misc]
    """Writes tasks as text."""

    def _serialize(self, data: Any) -> bytes:
        return json.dumps(data).encode()

    def _deserialize(self, data: bytes) -> Any:
        return huey_package.registry.Message(*json.loads(data))


def _huey(**options: Any) -> tuple[Any, Any]:
    huey = huey_package.MemoryHuey(**options)

    @huey.task()
    def charge(token: str) -> str:
        fields = ctxlog.fields()
        ctxlog.count("rows")
        return f"{token} {fields.get('requestID')}"

    return huey, charge


def _run(huey: Any) -> Any:
    result = huey.execute(huey.dequeue())
    return result


@pytest.mark.parametrize("serializer", [None, TextSerializer()])
@pytest.mark.parametrize(
    "token", ["x", "\nctxlog:", '\nctxlog:{"requestID":"other"}', "\nctxlog:nothing"]
)
def test_a_task_that_has_the_mark(serializer: Any, token: str) -> None:
    """Whatever is in a task, it arrives as it was, with its own request's id."""
    huey, charge = _huey(**({"serializer": serializer} if serializer else {}))
    adapter.install(huey)
    ctxlog.run({"requestID": "req-1"}, charge, token)
    assert _run(huey) == f"{token} req-1"


@pytest.mark.parametrize("token", ["x", "\nctxlog:", "\nctxlog:nothing"])
def test_a_task_that_was_sent_without_ctxlog(token: str) -> None:
    """It is read as it is, and gets an id of its own."""
    huey, charge = _huey()
    charge(token)
    adapter.install(huey)
    result = _run(huey)
    assert result.startswith(f"{token} ")
    assert len(result.rpartition(" ")[2]) == 32


def test_a_consumer_without_ctxlog_reads_the_task() -> None:
    """A pickled task says itself where it ends."""
    huey, charge = _huey()
    adapter.install(huey)
    ctxlog.run({"requestID": "req-1"}, charge, "x")
    adapter.uninstall(huey)
    assert _run(huey) == "x None"


def test_a_wrapper_of_somebody_else_stays() -> None:
    """A wrapper over ours stays when ours is taken off, and calls the original."""
    huey, charge = _huey()
    adapter.install(huey)
    ours = huey.execute
    calls = []

    def theirs(task: Any, *args: Any) -> Any:
        calls.append(task.name)
        return ours(task, *args)

    huey.execute = theirs
    adapter.uninstall(huey)
    charge("x")
    assert _run(huey) == "x None"
    assert calls == ["charge"]
    assert "serialize_task" not in vars(huey)


def test_a_wrapper_that_was_there_is_back() -> None:
    """An instance's own method is put back."""
    huey, _ = _huey()
    own = huey.execute
    huey.execute = own
    adapter.install(huey)
    adapter.install(huey)
    adapter.uninstall(huey)
    assert vars(huey)["execute"] is own


@pytest.mark.parametrize("utc", [True, False])
@pytest.mark.parametrize(
    ("delay", "start", "waited"),
    [(None, 7, 7), (-600, 7, 7), (600, 607, 7), (600, 600, 0)],
)
def test_the_time_in_the_queue(
    utc: bool,
    delay: int | None,
    start: int,
    waited: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It begins with the sending or, if that is later, at the eta."""
    huey, charge = _huey(utc=utc)
    adapter.install(huey)
    monkeypatch.setattr(time, "time", lambda: 1_764_000_000.0)
    ctxlog.run({"requestID": "req-1"}, charge, "x")
    task = huey.dequeue()
    if delay is not None:
        now = datetime.fromtimestamp(1_764_000_000, timezone.utc)
        now = now if utc else now.astimezone()
        task.eta = now.replace(tzinfo=None) + timedelta(seconds=delay)
    monkeypatch.setattr(time, "time", lambda: 1_764_000_000.0 + start)
    with capture_lines() as lines:
        huey.execute(task, datetime(2100, 1, 1))
    (end,) = [line for line in lines if line["logger"] == "ctxlog.task"]
    assert end["queueMs"] == waited * 1000


@pytest.mark.parametrize("eta", [datetime.min, datetime.max])
def test_an_eta_that_is_no_time(eta: datetime) -> None:
    """The task runs all the same."""
    huey, charge = _huey(utc=False)
    adapter.install(huey)
    ctxlog.run({"requestID": "req-1"}, charge, "x")
    task = huey.dequeue()
    task.eta = eta
    assert huey.execute(task, datetime.max) == "x req-1"


def test_a_task_that_is_run_in_place() -> None:
    """It was in no queue, and counts for itself."""
    huey, charge = _huey(immediate=True)
    adapter.install(huey)

    @ctxlog.entry("outer")
    def call() -> None:
        ctxlog.count("rows", 10)
        charge("x")

    with capture_lines() as lines:
        call()
    inner, outer = [line for line in lines if line["logger"] == "ctxlog.task"]
    assert (inner["route"], inner["rows"]) == ("charge", 1)
    assert (outer["route"], outer["rows"]) == ("outer", 10)
    assert "queueMs" not in inner


def test_a_delayed_task() -> None:
    """A task that the scheduler passes on later has the id of its sender."""
    huey, charge = _huey()
    adapter.install(huey)
    ctxlog.run({"requestID": "req-1"}, charge.schedule, ("x",), delay=-1)
    assert _run(huey) == "x req-1"
