"""
Three loggers in one program, one line from each: configured once, the same JSON.

Run it with `python examples/three_loggers.py`; needs the extras structlog and loguru.
"""

import logging

import structlog
from loguru import logger as from_loguru

import ctxlog

ctxlog.configure(format="json", static={"version": "1.4"})

from_stdlib = logging.getLogger("shop.users")
from_structlog = structlog.get_logger("shop.orders")


def handle(user: str) -> None:
    ctxlog.bind(user=user)
    from_stdlib.info("Fetching details for user %s", user, extra={"rows": 3})
    from_structlog.info("Fetching orders of user %s", user, rows=3)
    from_loguru.info("Fetching prices for user {}", user, rows=3)
    try:
        raise LookupError("no such order")
    except LookupError:
        from_structlog.bind(order="o-7").exception("Order not found")


ctxlog.run({"requestID": "req-A"}, handle, "alice")
