"""
Huey: what travels with a task, without a consumer, which `test_workers.py` has.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

import ctxlog
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


def test_a_delayed_task() -> None:
    """A task that the scheduler passes on later has the id of its sender."""
    huey, charge = _huey()
    adapter.install(huey)
    ctxlog.run({"requestID": "req-1"}, charge.schedule, ("x",), delay=-1)
    assert _run(huey) == "x req-1"
