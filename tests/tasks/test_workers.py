"""
Workers of every library, started from the command line, with real brokers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from tests.helpers import need
from tests.tasks import brokers
from tests.tasks.common import Shop, shop
from tests.tasks.libraries import LIBRARIES


@pytest.fixture(scope="module", params=LIBRARIES)
def running_shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    """A worker of each library in turn."""
    library = LIBRARIES[request.param]
    need(library.module)
    broker = request.getfixturevalue(library.broker)
    folder = tmp_path_factory.mktemp(library.module)
    with shop(library, folder, broker) as running:
        yield running


def test_fifty_at_once(running_shop: Shop) -> None:
    """Every line of every task has the id of who sent it."""
    running_shop.check_at_once()


def test_the_workers_own_lines(running_shop: Shop) -> None:
    """The worker's own lines about a task are stamped."""
    running_shop.check_own_lines()


def test_a_failure(running_shop: Shop) -> None:
    """It is reported with its request, and the outcome says so."""
    running_shop.check_failure()


def test_a_retry(running_shop: Shop) -> None:
    """It is another attempt of the same task."""
    if not running_shop.library.retries:
        pytest.skip("this library does not retry")
    running_shop.check_retry()


def test_a_task_that_sends_a_task(running_shop: Shop) -> None:
    """It is the other's parent."""
    running_shop.check_parent()


def test_tasks_of_nobody(running_shop: Shop) -> None:
    """They have ids of their own, and nothing of who was there before."""
    running_shop.check_nobody()


#: For a worker beside that of the other tests, which would take its tasks.
OWN_BROKERS = {"redis": brokers.valkey, "nats": brokers.nats}


@pytest.mark.parametrize("name", LIBRARIES)
def test_the_rules_of_the_application(name: str, tmp_path: Path) -> None:
    """Its fields, its wish for no line, and slow tasks as warnings."""
    library = LIBRARIES[name]
    need(library.module)
    with (
        OWN_BROKERS[library.broker]() as broker,
        shop(library, tmp_path, broker, RULES="1") as running,
    ):
        running.check_rules()


@pytest.mark.parametrize("name", ["dramatiq", "huey, threads", "rq"])
def test_a_worker_may_spell_its_names_otherwise(name: str, tmp_path: Path) -> None:
    """A worker finds what a sender of another spelling has put into a message."""
    library = LIBRARIES[name]
    need(library.module)
    chosen = {"CTXLOG_CASE": "snake", "CTXLOG_REQUEST_ID_KEY": "rid"}
    with (
        OWN_BROKERS[library.broker]() as broker,
        shop(library, tmp_path, broker, **chosen) as running,
    ):
        running.send("await send({'requestID': 'req-S'}, 'parent', 'child')")
        ends = running.worker.until(lambda e: e["logger"] == "ctxlog.task", 2)
    parent, child = sorted(ends, key=lambda e: "parent_task_id" in e)
    assert child["parent_task_id"] == parent["task_id"] != child["task_id"]
    assert {end["rid"] for end in ends} == {"req-S"}
    assert all(end["duration_ms"] > 0 for end in ends)
    every = {key for event in running.worker.events() for key in event}
    assert every.isdisjoint(("requestID", "taskID", "parentTaskID", "durationMs"))


@pytest.mark.parametrize(
    ("library", "what"),
    [
        ("dramatiq", "a dramatiq.Broker"),
        ("faststream", "a broker of FastStream"),
        ("huey", "a huey.Huey"),
        ("taskiq", "a taskiq.AsyncBroker"),
    ],
)
def test_what_is_no_broker_is_refused(library: str, what: str) -> None:
    """The error says what `install()` takes, and what it was given."""
    need(library)
    adapter = import_module(f"ctxlog.tasks.{library}")
    with pytest.raises(TypeError, match=re.escape(f"install() takes {what}, not 5")):
        adapter.install(5)
