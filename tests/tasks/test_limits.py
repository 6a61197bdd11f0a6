"""
Time limits of task libraries end a task that does nothing but log.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers import need
from tests.tasks.common import shop
from tests.tasks.libraries import HEAD, Library

COUNT = 3

TALKS = (
    HEAD
    + """
class Order:
    def __str__(self):
        return str(sum(range(20000)))


def talk():
    while True:
        log.info("charging %s", Order(), extra={"order": Order()})

"""
)

RQ = (
    TALKS
    + """
from redis import Redis
from rq import Queue
from ctxlog.tasks import rq

rq.install()
queue = Queue(connection=Redis.from_url(os.environ["BROKER"]))


def send(name, token):
    queue.enqueue("shop.talk", job_timeout=1)
"""
)

CELERY = (
    TALKS
    + """
from celery import Celery
import ctxlog.tasks.celery

app = Celery("shop", broker=os.environ["BROKER"])
app.conf.worker_hijack_root_logger = False
ctxlog.tasks.celery.install(app)
limited = app.task(soft_time_limit=1, name="shop.talk")(talk)


def send(name, token):
    limited.delay()
"""
)

WORKERS = {
    "rq": (
        Library("rq", RQ, ("rq", "worker", "-u", "BROKER", "-c", "shop"), "Listening"),
        "JobTimeoutException",
    ),
    "rq, SimpleWorker": (
        Library(
            "rq",
            RQ,
            ("rq", "worker", "-u", "BROKER", "-c", "shop", "-w", "rq.SimpleWorker"),
            "Listening",
        ),
        "JobTimeoutException",
    ),
    "celery": (
        Library(
            "celery",
            CELERY,
            ("celery", "-A", "shop", "worker", "-c", "2", "--without-mingle"),
            " ready.",
        ),
        "SoftTimeLimitExceeded",
    ),
}


@pytest.mark.parametrize("name", WORKERS)
def test_a_task_that_only_logs_ends_in_time(
    name: str, redis: str, tmp_path: Path
) -> None:
    """
    The limit is raised in the middle of a log call, nearly always.
    """
    library, error = WORKERS[name]
    need(f"ctxlog.tasks.{library.module}")
    with shop(library, tmp_path, redis) as running:
        running.send(
            f"for number in range({COUNT}):",
            "    await send({'requestID': f'req-{number}'}, 'talk', '')",
        )
        found = running.ended("talk", COUNT)
    assert {end["requestID"] for end in found} == {f"req-{n}" for n in range(COUNT)}
    assert {(end["outcome"], end["error"]) for end in found} == {("failed", error)}
