"""
The lines of requests that ran at the same time, and what is asked of them.
"""

from __future__ import annotations

from typing import Any

from ctxlog._names import CASES
from ctxlog.context.adapter import View
from ctxlog.line.encoder import LineEncoder
from ctxlog.line.event import Event, ExceptionParts
from ctxlog.line.vendors import SCHEMAS

BEGIN = 1_795_858_237.25


def lines_of(schema: str, requests: int = 30) -> list[bytes]:
    """Return the lines of requests that ran at the same time."""
    encoder = LineEncoder(SCHEMAS[schema], static={"service": "shop"})
    key = CASES["camel"].request_id
    events: list[Event] = []
    for number in range(requests):
        user = {"id": f"u-{number % 7}", "name": ("alice", "bob", "carol")[number % 3]}
        bound = {key: f'req-{number:03} "\\', "user": user}
        if number % 4:  # else nothing matched
            bound["route"] = ("/orders/{id}", "^orders/(?P<pk>[0-9]+)$")[number % 2]
        view = View(dict(bound), 0)
        begin = BEGIN + number / 1000
        fields: dict[str, Any] = {"items": number, "odd": 'quo"te \\ \u2028 é'}
        events.append(
            Event(begin, "INFO", 20, "shop.orders", "order received", view, fields)
        )
        status = 200
        if number % 5 == 3:
            status, error = 503, ExceptionParts("ValueError", "no", "Traceback ...")
            fields = {"order": f"o-{number}", "code": 402}
            message = "payment refused"
            events.append(
                Event(begin + 2, "ERROR", 40, "shop", message, view, fields, error)
            )
        if number % 5 == 4:
            status = 404
            events.append(
                Event(begin + 3, "WARNING", 30, "shop", "slow database", view, {})
            )
        fields = {"method": "GET", "path": f"/orders/{number}", "status": status}
        fields["durationMs"] = 4000.5
        fields["db"] = {"count": number, "ms": number * 1.5}
        if number % 2:
            fields["http"] = {"count": 1, "ms": 20.25}
        message = f"GET /orders/{number} {status}"
        events.append(
            Event(begin + 4, "INFO", 20, "ctxlog.request", message, view, fields)
        )
    events.sort(key=lambda event: event.created)
    return [encoder.encode(event) for event in events]


QUESTIONS: list[tuple[str, ...]] = [
    ("show",),
    ("show", "-r", 'req-007 "'),
    ("show", "-r", "req-007", "--json"),
    ("show", "-r", "req-02"),
    ("show", "-r", ""),
    ("show", "--user", "alice"),
    ("show", "--user", "u-3"),
    ("show", "--user", "alice", "--user", "u-3"),
    ("show", "--status", "404"),
    ("show", "--status", "5xx", "--lines"),
    ("show", "--status", "418"),
    ("show", "--level", "warning"),
    ("show", "--level", "info", "--user", "bob"),
    ("show", "--errors"),
    ("show", "--since", "2026-11-28T09:30:41.260Z"),
    ("show", "--since", "2026-11-28T09:30:41.265Z", "--errors"),
    ("show", "--until", "2026-11-28T09:30:37.260Z"),
    ("show", "--since", "2026-11-29T00:00:00Z"),
    ("show", "--slow", "4s", "--status", "404"),
    ("show", "-g", "payment refused"),
    ("show", "-g", "payment (refused|accepted)", "--user", "bob"),
    ("show", "--route", "/orders/{id}"),
    ("show", "--route", "^orders/(?P<pk>[0-9]+)$", "--errors"),
    ("show", "--field", "route=/orders/{id}", "--user", "bob"),
    ("show", "--path", "/orders/7"),
    ("show", "--path", "/orders/1*"),
    ("show", "--path", "*/2?"),
    ("show", "--field", "order=o-13"),
    ("show", "--field", "code=402", "--format", "{message}"),
    ("show", "--field", "message=slow database"),
    ("top", "--sort", "start"),
    ("top", "--by", "status"),
    ("top", "--by", "route", "--sort", "db"),
    ("top", "--sort", "db.count"),
    ("timeline", "-r", "req-013"),
]
