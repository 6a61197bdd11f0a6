"""
The examples with a web application and a worker, as their users run them.
"""

from __future__ import annotations

import urllib.request

import pytest

from tests.helpers import ROOT, free_port
from tests.tasks.worker import running

WORKERS = {
    "celery_app": (("celery", "-A", "tasks", "worker", "-c", "2"), " ready."),
    "taskiq_app": (("taskiq", "worker", "tasks:broker", "-w", "1"), "Listening"),
}


@pytest.mark.parametrize("name", WORKERS)
def test_the_tasks_of_a_request_have_its_id(name: str, redis: str) -> None:
    """The web application's lines, the task's and those of the task that it sends."""
    folder = ROOT / "examples" / name
    command, ready = WORKERS[name]
    port = free_port()
    web = ("uvicorn", "app:app", "--port", str(port))
    with (
        running(command, folder, REDIS_URL=redis) as worker,
        running(web, folder, REDIS_URL=redis) as server,
    ):
        worker.until_text(ready)
        server.until_text("Uvicorn running")
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/orders/7",
            method="POST",
            headers={"X-Request-ID": "req-A"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            assert response.headers["X-Request-ID"] == "req-A"
        charge, receipt = worker.until(lambda e: e["logger"] == "ctxlog.task", 2)
        (taken,) = server.until(lambda e: e["message"] == "Taking order 7")
        own = [e for e in worker.events() if e["logger"] == "shop.tasks"]
    assert taken["requestID"] == "req-A"
    assert [(e["message"], e["requestID"]) for e in own] == [
        ("Charging order 7", "req-A"),
        ("Sending the receipt of order 7", "req-A"),
    ]
    assert all(e["user"] == {"id": "user-123"} for e in own)
    ends = {e["taskID"]: e for e in (charge, receipt)}
    assert ends[own[1]["taskID"]]["parentTaskID"] == own[0]["taskID"]
    assert ends[own[1]["taskID"]]["receipt"]["count"] == 1
    assert all(e["route"] == e["task"] and e["queueMs"] >= 0 for e in ends.values())
