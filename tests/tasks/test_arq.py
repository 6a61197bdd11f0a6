"""
arq: a worker started from the command line, with a real broker.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import stack_rows
from tests.helpers import need
from tests.patches import judge
from tests.stack_rows import Program
from tests.tasks.common import Shop, shop
from tests.tasks.libraries import ARQ

need("arq")


@pytest.fixture(scope="module")
def running_shop(
    redis: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    """A worker."""
    with shop(ARQ, tmp_path_factory.mktemp("arq"), redis) as running:
        yield running


def test_fifty_at_once(running_shop: Shop) -> None:
    """Every line of every job has the id of who sent it."""
    running_shop.check_at_once()


def test_the_workers_own_lines(running_shop: Shop) -> None:
    """The worker's own lines about a job are stamped."""
    running_shop.check_own_lines()


def test_a_failure(running_shop: Shop) -> None:
    """It is reported with its request, and the outcome says so."""
    running_shop.check_failure()


def test_a_retry(running_shop: Shop) -> None:
    """It is another attempt of the same job."""
    running_shop.check_retry()


def test_a_job_that_sends_a_job(running_shop: Shop) -> None:
    """It is the other's parent."""
    running_shop.check_parent()


def test_jobs_of_nobody(running_shop: Shop) -> None:
    """They have ids of their own, and nothing of who was there before."""
    running_shop.check_nobody()


def test_a_job_that_runs_out_of_its_time(running_shop: Shop) -> None:
    """It is a failure."""
    running_shop.send("await send({'requestID': 'req-slow'}, 'slow', 'x')")
    (end,) = running_shop.ended("slow", requestID="req-slow")
    assert (end["outcome"], end["error"]) == ("failed", "TimeoutError")


def test_a_job_that_is_aborted(running_shop: Shop) -> None:
    """It is cancelled."""
    running_shop.send(
        "sent = asyncio.ensure_future(send({'requestID': 'req-A'}, 'abort', 'x'))",
        "await asyncio.wait([sent], timeout=20)",
    )
    (end,) = running_shop.ended("endless", requestID="req-A")
    assert end["outcome"] == "cancelled"


def test_the_rules_of_the_application(redis: str, tmp_path: Path) -> None:
    """Its fields, its wish for no line, and slow jobs as warnings."""
    database = redis.rpartition("/")[0] + "/2"
    with shop(ARQ, tmp_path, database, RULES="1") as running:
        running.check_rules()


def test_the_time_in_the_queue(running_shop: Shop) -> None:
    """It begins when the job was due; that of a further attempt is not known."""
    running_shop.send(
        "await send({'requestID': 'req-due'}, 'waited', 'x')",
        "await send({'requestID': 'req-due'}, 'flaky', 'x')",
    )
    (end,) = running_shop.ended("charge", requestID="req-due")
    assert 600_000 <= end["queueMs"] < 900_000
    first, second = running_shop.ended("flaky", 2, requestID="req-due")
    assert ("queueMs" in first, "queueMs" in second) == (True, False)


def test_a_deferred_job(running_shop: Shop) -> None:
    """It has the id of who sent it."""
    running_shop.send("await send({'requestID': 'req-later'}, 'later', 'x')")
    running_shop.ended("charge", requestID="req-later")


@pytest.mark.parametrize(
    "program", stack_rows.programs("tests/tasks/test_arq.py"), ids=str
)
def test_readme_row(program: Program, redis: str, tmp_path: Path) -> None:
    """The code for a queue of 'Pick your stack' stamps the line of a job."""
    # A database of its own: the worker of the other tests would take its job.
    database = redis.rpartition("/")[0] + "/1"
    stack_rows.check(program, tmp_path, BROKER=database)


def test_each_patch_in_company() -> None:
    """
    Each one looks as what it replaces, and nothing is left behind, in every order.
    """
    from ctxlog.tasks.arq import _PATCHES

    for patch in _PATCHES:
        judge(patch)
