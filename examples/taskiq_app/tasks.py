"""
The tasks; the worker is `taskiq worker tasks:broker` in this folder.
"""

import logging
import os

from taskiq_redis import ListQueueBroker

import ctxlog
from ctxlog.tasks.taskiq import install

ctxlog.configure(format="json")
log = logging.getLogger("shop.tasks")

broker = ListQueueBroker(os.environ.get("REDIS_URL", "redis://localhost:6379/0"))
install(broker, fields=["user"])


@broker.task
async def charge(order: str) -> None:
    log.info("Charging order %s", order)
    await send_receipt.kiq(order)


@broker.task
def send_receipt(order: str) -> None:
    with ctxlog.timed("receipt"):
        log.info("Sending the receipt of order %s", order)
