"""
The active span of Datadog's tracer, for the line about a request's end.

ddtrace puts the ids of its active span on every log record by itself. Its middleware
stands inside ctxlog's, so its span has ended when the completion line is written. Only
a ddtrace that the application has imported is asked.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ctxlog._interrupts import is_interrupt


def _tracer() -> Any:
    return getattr(sys.modules.get("ddtrace.trace"), "tracer", None)


def active_span() -> Any:
    """Return the context of ddtrace's active span, None without one. Never raises."""
    tracer = _tracer()
    if tracer is None:
        return None
    try:
        return tracer.current_trace_context()
    except Exception as error:
        # Another release of ddtrace may raise anything; the line goes without its ids.
        if is_interrupt(error):
            raise
        return None


@contextmanager
def lent_span(context: Any) -> Iterator[None]:
    """
    Have a span active again for one block, where none is.

    Args:
        context: The result of `active_span()` while the span was active.
    """
    tracer = _tracer()
    if tracer is None or active_span() is not None:
        yield
        return
    tracer.context_provider.activate(context)
    try:
        yield
    finally:
        tracer.context_provider.activate(None)
