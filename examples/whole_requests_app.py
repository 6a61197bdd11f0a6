"""
A FastAPI application that writes everything about some requests, little about others.

DEBUG for those that fail or are slow, 5 % of the others, and all of one that has the
secret in `X-Debug-Token`. Of a line that comes too often, only the first ones. Three
loggers have their lines in it. Run it with
`DEBUG_TOKEN=... uvicorn --app-dir examples whole_requests_app:app`, and a secret of 16
characters or more.
"""

import logging
import os

import structlog
from fastapi import FastAPI, HTTPException
from loguru import logger as discounts

import ctxlog
from ctxlog.servers.asgi import install

ctxlog.configure(
    format="json",
    buffer=ctxlog.Buffer(level="DEBUG", flush_slower_than=1.0),
    sampling=ctxlog.Sampling(rate=0.05, keep_slower_than=1.0),
    limit=ctxlog.RateLimit(first=3, per_second=1),
)
orders = logging.getLogger("shop.orders")
prices = structlog.get_logger("shop.prices")

app = FastAPI()
install(
    app,
    debug_header="X-Debug-Token",
    debug_token=os.environ["DEBUG_TOKEN"],
)


@app.get("/orders/{number}")
async def order(number: int) -> dict[str, float]:
    orders.debug("looking for order %d", number)
    prices.debug("price found", price=12.5)
    discounts.debug("discount of {} %", 10)
    if number == 13:
        raise HTTPException(503, "the card reader is away")
    orders.info("order %d is paid", number)
    return {"total": 11.25}


@app.post("/import/{rows}")
async def import_rows(rows: int) -> None:
    for row in range(rows):
        orders.warning("row %d has no price", row)
