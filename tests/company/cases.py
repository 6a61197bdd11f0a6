"""
The cases of the table: every library alone and all together, in both orders.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["LIBRARIES", "MODES", "PARTS", "WITHOUT", "Library", "expected_left"]


class Library(NamedTuple):
    """
    A row of the table.

    Attributes:
        name: The name in the table.
        vendors: Which are set up, after `vendors.py`.
        needs: Their distributions.
    """

    name: str
    vendors: tuple[str, ...]
    needs: tuple[str, ...]


_SINGLE = [
    Library("Sentry", ("sentry",), ("sentry-sdk",)),
    Library(
        "OpenTelemetry",
        ("opentelemetry",),
        ("opentelemetry-sdk", "opentelemetry-instrumentation-threading"),
    ),
    Library("Datadog", ("ddtrace",), ("ddtrace",)),
    Library("Elastic APM", ("elastic-apm",), ("elastic-apm",)),
    Library("New Relic", ("newrelic",), ("newrelic",)),
]

LIBRARIES = [
    *_SINGLE,
    Library(
        "all together",
        tuple(vendor for library in _SINGLE for vendor in library.vendors),
        tuple(name for library in _SINGLE for name in library.needs),
    ),
]

#: Each is compared with what the libraries do without ctxlog.
WITHOUT = "alone"
MODES = ["before", "after"]

#: Each case runs in a process of its own; the second text is its name in the table.
PARTS = {
    "runtime": "threads, executors, loops",
    "loggers": "loggers",
    "fastapi": "FastAPI",
    "flask": "Flask",
    "django": "Django",
    "celery": "Celery",
    "clients": "requests, httpx",
    "off_first": "ctxlog off first",
    "off_last": "ctxlog off last",
}


def expected_left(part: str, mode: str, vendors: tuple[str, ...]) -> set[str]:
    """
    What a library leaves behind beside what it leaves without ctxlog, by its own doing.
    """
    left = set()
    if "opentelemetry" in vendors and (part, mode) == ("off_last", "before"):
        # `uninstrument()` takes off what is on top only, and ctxlog's patch is.
        left |= {"Thread.start", "ThreadPoolExecutor.submit"}
    if "ddtrace" in vendors and part.startswith("off"):
        # It puts a processor into what structlog is configured with and reset to.
        left.add("structlog's configuration")
    return left
