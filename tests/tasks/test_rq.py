"""
RQ: what its jobs can do besides being enqueued, with real workers and a real broker.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers import need
from tests.tasks.common import Shop, shop
from tests.tasks.libraries import HEAD, Library

need("ctxlog.tasks.rq")

SHOP = (
    HEAD
    + """
import signal
from datetime import datetime, timedelta, timezone
from redis import Redis
from rq import Callback, Queue, Repeat, Retry, get_current_job
from ctxlog.tasks import rq

rq.install()
queue = Queue(connection=Redis.from_url(os.environ["BROKER"]))


def charge(token):
    log.info("charging %s", token)


def forgetful(token):
    log.info("trying %s", token)
    get_current_job().meta = {"own": token}
    if ctxlog.fields()["attempt"] < 3:
        raise ConnectionError("gone")


def again(token):
    log.info("trying %s", token)
    return Retry(max=1) if ctxlog.fields()["attempt"] < 2 else None


def dies(token):
    log.info("dying %s", token)
    os.kill(os.getpid(), signal.SIGKILL)


def fails(token):
    raise ValueError(token)


def succeeded(job, connection, result):
    log.info("succeeded %s", job.args[0])


def failed(job, connection, kind, error, traceback):
    log.info("failed %s", job.args[0])


def send(name, token):
    job = f"shop.{name}"
    if name == "later":
        queue.enqueue_in(timedelta(0), charge, token)
    elif name == "depends":
        queue.enqueue(charge, token, depends_on=queue.enqueue(charge, token))
    elif name == "repeats":
        queue.enqueue(charge, token, repeat=Repeat(times=2, interval=0))
    elif name == "calls back":
        queue.enqueue(charge, token, on_success=Callback(succeeded))
        queue.enqueue(fails, token, on_failure=Callback(failed))
    elif name == "waited":
        job = queue.create_job(charge, args=(token,))
        job.enqueued_at = datetime.now(timezone.utc) - timedelta(minutes=10)
        job.save()
        queue.push_job_id(job.id)
    elif name == "keeps meta":
        queue.enqueue(charge, token, meta={"own": token})
    elif name == "forgetful":
        queue.enqueue(job, token, retry=Retry(max=3))
    else:
        queue.enqueue(job, token)
"""
)

WORKER = Library(
    "rq",
    SHOP,
    ("rq", "worker", "-u", "BROKER", "-c", "shop", "--with-scheduler"),
    "*** Listening on",
)


@pytest.fixture(scope="module")
def running_shop(
    redis: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    """A worker that schedules, too."""
    with shop(WORKER, tmp_path_factory.mktemp("rq"), redis) as running:
        yield running


@pytest.mark.parametrize(
    ("name", "count"), [("later", 1), ("depends", 2), ("keeps meta", 1)]
)
def test_every_way_of_enqueueing(running_shop: Shop, name: str, count: int) -> None:
    """A scheduled job, a dependent one and one with a meta of its own are stamped."""
    request_id = f"req-{name.replace(' ', '-')}"
    running_shop.send(f"await send({{'requestID': {request_id!r}}}, {name!r}, 'x')")
    found = running_shop.ended("charge", count, requestID=request_id)
    assert len({end["taskID"] for end in found}) == count


def test_the_time_in_the_queue(running_shop: Shop) -> None:
    """It begins when the job has come into the queue."""
    running_shop.send("await send({'requestID': 'req-due'}, 'waited', 'x')")
    (end,) = running_shop.ended("charge", requestID="req-due")
    assert 600_000 <= end["queueMs"] < 900_000


def test_a_job_that_repeats(running_shop: Shop) -> None:
    """It succeeds each time, at the first attempt."""
    running_shop.send("await send({'requestID': 'req-repeat'}, 'repeats', 'x')")
    found = running_shop.ended("charge", 3, requestID="req-repeat")
    assert {(end["attempt"], end["outcome"]) for end in found} == {(1, "succeeded")}


def test_a_job_that_replaces_its_meta(running_shop: Shop) -> None:
    """Its further attempts are counted, and are of the same request."""
    running_shop.send("await send({'requestID': 'req-meta'}, 'forgetful', 'x')")
    found = running_shop.ended("forgetful", 3, requestID="req-meta")
    assert [(end["attempt"], end["outcome"]) for end in found] == [
        (1, "retried"),
        (2, "retried"),
        (3, "succeeded"),
    ]


def test_a_job_that_returns_a_retry(running_shop: Shop) -> None:
    """It has another attempt, too."""
    running_shop.send("await send({'requestID': 'req-again'}, 'again', 'x')")
    found = running_shop.ended("again", 2, requestID="req-again")
    assert [(end["attempt"], end["outcome"]) for end in found] == [
        (1, "retried"),
        (2, "succeeded"),
    ]


def test_callbacks(running_shop: Shop) -> None:
    """They are a part of their job."""
    running_shop.send("await send({'requestID': 'req-call'}, 'calls back', 'y')")
    for text in ("succeeded y", "failed y"):
        (line,) = running_shop.worker.until(
            lambda event, text=text: event["message"] == text  # type: ignore[misc]
        )
        assert line["requestID"] == "req-call"


def test_a_work_horse_that_is_killed(running_shop: Shop) -> None:
    """The worker writes the one completion line of its job."""
    running_shop.send("await send({'requestID': 'req-dies'}, 'dies', 'x')")
    (end,) = running_shop.ended("dies", requestID="req-dies")
    assert (end["outcome"], end["error"]) == ("failed", "WorkHorseTerminated")
    assert end["durationMs"] > 0
    assert 0 <= end["queueMs"] < 60_000
    assert {line["requestID"] for line in running_shop.lines_of(end["taskID"])} == {
        "req-dies"
    }
