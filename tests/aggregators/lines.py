"""
Lines of all schemas, as stores get them.
"""

from __future__ import annotations

from typing import Any

import ctxlog
from ctxlog._names import CASES
from ctxlog.context.adapter import current_view
from ctxlog.line.encoder import LineEncoder
from ctxlog.line.event import Event
from ctxlog.line.vendors import SCHEMAS

SECOND = 1_795_858_237
#: The time of every line: a whole number of microseconds that a float can hold.
TIME = SECOND * 1_000_000_000 + 250_000_000


def line_of(
    schema: str = "default",
    message: str = "paid é",
    request_id: str | None = "req-A",
    case: str = "camel",
    **fields: Any,
) -> bytes:
    """Return a line of ctxlog's, its newline included."""
    encoder = LineEncoder(
        SCHEMAS[schema],
        static={"service": "shop", "environment": "production"},
        case=case,
    )
    bound = {} if request_id is None else {CASES[case].request_id: request_id}
    with ctxlog.scope(**bound):
        view = current_view()
    created = TIME / 1_000_000_000
    event = Event(created, "ERROR", 40, "shop.orders", message, view, fields)
    return encoder.encode(event)
