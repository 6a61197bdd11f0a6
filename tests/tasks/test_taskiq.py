"""
taskiq: what its messages say of their time, without a worker.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

import ctxlog
from ctxlog.carrier import unpack
from ctxlog.testing import capture_lines
from tests.helpers import need

taskiq = need("taskiq")
adapter = need("ctxlog.tasks.taskiq")

NOW = 1_764_000_600.0


@pytest.fixture(autouse=True)
def _moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the clock shows."""
    monkeypatch.setattr(time, "time", lambda: NOW)


def _message(**labels: object) -> Any:
    return taskiq.TaskiqMessage(
        task_id="t-1", task_name="charge", labels=labels, args=[], kwargs={}
    )


@pytest.mark.parametrize(
    ("labels", "later"),
    [({}, 0), ({"delay": 5}, 5), ({"delay": "2.5"}, 2.5)]
    + [({"delay": delay}, 0) for delay in ("soon", None, -5, [1])]
    + [({"delay": delay}, None) for delay in ("inf", 1e300)],
)
def test_a_message_says_when_it_is_due(
    labels: dict[str, Any], later: float | None
) -> None:
    """When it is sent, or at the end of its delay; sending never fails for it."""
    message = adapter.ContextMiddleware().pre_send(_message(**labels))
    due = None if later is None else NOW + later
    assert unpack(message.labels["ctxlog"]).due == due


def test_a_message_that_a_scheduler_sends_later() -> None:
    """It is of the request that has scheduled it, and due now."""
    scheduled = '{"requestID":"req-A","timestamp":1764000000000}'
    message = adapter.ContextMiddleware().pre_send(_message(ctxlog=scheduled))
    store = unpack(message.labels["ctxlog"])
    assert (store["requestID"], store.due) == ("req-A", NOW)


def test_the_time_in_the_queue() -> None:
    """It begins when the message was due; the application gets message and labels."""
    seen: list[Any] = []
    middleware = adapter.ContextMiddleware(completion=seen.append)
    message = _message(ctxlog='{"timestamp":1764000000000}', tenant="t1")
    result = taskiq.TaskiqResult(is_err=False, return_value=None, execution_time=0)
    with capture_lines() as lines:
        middleware.pre_execute(message)
        ctxlog.count("rows", 3)
        middleware.post_execute(message, result)
    assert (lines[0]["queueMs"], lines[0]["rows"]) == (600_000, 3)
    assert (seen[0].request, seen[0].headers["tenant"]) == (message, "t1")
