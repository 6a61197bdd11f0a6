"""
The tasks; the worker is `celery -A tasks worker` in this folder.
"""

import logging
import os

from celery import Celery

import ctxlog
from ctxlog.tasks import celery

ctxlog.configure(format="json")
celery.install(fields=["user"], slow=10.0)
log = logging.getLogger("shop.tasks")

app = Celery("tasks", broker=os.environ.get("REDIS_URL", "redis://localhost:6379/0"))


@app.task
def charge(order: str) -> None:
    log.info("Charging order %s", order)
    send_receipt.delay(order)


@app.task
def send_receipt(order: str) -> None:
    with ctxlog.timed("receipt"):
        log.info("Sending the receipt of order %s", order)
