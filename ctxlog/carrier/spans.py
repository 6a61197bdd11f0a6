"""
The span that is active, and the trace that an outgoing call belongs to.

Only OpenTelemetry's API is asked, and only if the application has imported it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from ctxlog._interrupts import is_interrupt
from ctxlog._names import Names, get_names
from ctxlog._patch import Patch
from ctxlog.carrier.trace_context import Trace, trace_of
from ctxlog.context import Store, get_store
from ctxlog.context.adapter import add_source, remove_source

_NO_FIELDS: dict[str, object] = {}
_last: tuple[object, Names | None, dict[str, object]] = (None, None, _NO_FIELDS)


def _active_span() -> tuple[Any, Any] | None:
    """Return OpenTelemetry's current span and its context; None if there is none."""
    otel: Any = sys.modules.get("opentelemetry.trace")
    get_current_span = getattr(otel, "get_current_span", None)
    if get_current_span is None:  # also while it is being imported
        return None
    try:
        span = get_current_span()
        context = span.get_span_context()
        return (span, context) if context.is_valid else None
    except Exception as error:
        # A span of another SDK may raise anything; its line is written without ids.
        if is_interrupt(error):
            raise
        return None


def _span_fields() -> dict[str, object]:
    global _last
    if "opentelemetry.trace" not in sys.modules:
        return _NO_FIELDS
    found = _active_span()
    if found is None:
        return _NO_FIELDS
    context = found[1]
    names = get_names()
    known, named, fields = _last
    if known is not context or named is not names:
        fields = _trace(context).fields
        _last = (context, names, fields)
        see_span()
    return fields


def _trace(context: Any, flags: int = 0, state: str = "") -> Trace:
    return Trace(f"{context.trace_id:032x}", f"{context.span_id:016x}", flags, state)


# How well a span fits to be that of a request.
_UNSEEN, _SOME, _SERVERS = range(3)
_RANKS = {"SERVER": _SERVERS, "CONSUMER": _SERVERS, "CLIENT": 0, "PRODUCER": 0}


def see_span(store: Store | None = None) -> None:
    """
    Keep the ids of OpenTelemetry's current span if it is the request's. Never raises.

    A request's span is the first one that is current within it, that of a server or a
    consumer before any other, and never that of a call which it makes. The request's
    lines have it where no span is current: a tracer inside of the middleware has ended
    its span when the completion line and the crash report are written.

    Args:
        store: The request's store; the active one unless given.
    """
    seen: Any = get_store() if store is None else store
    known = getattr(seen, "span_rank", _SERVERS)  # only received stores look for one
    if known == _SERVERS or seen.closed:
        return
    found = _active_span()
    if found is None:
        return
    span, context = found
    try:
        if context.is_remote or getattr(span, "end_time", None) is not None:
            return
        rank = _RANKS.get(getattr(getattr(span, "kind", None), "name", ""), _SOME)
        trace = _trace(context)
    except Exception as error:
        # A span of another SDK may raise anything; the store keeps the ids it has.
        if is_interrupt(error):
            raise
        return
    # The request came with a trace: a span of another one is some library's own.
    if rank == _SOME and seen.get(get_names().trace_id) not in (None, trace.trace_id):
        return
    if rank > known:
        seen.span_rank = rank
        seen.update(trace.fields)


def _attach(attach: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Make a span current, as OpenTelemetry does, and show it to the request."""
    token = attach(*args, **kwargs)
    see_span()
    return token


def active_trace() -> Trace | None:
    """
    Return the trace of OpenTelemetry's current span, or None. Never raises.

    None as well if its API has not been imported.
    """
    found = _active_span()
    if found is None:
        return None
    context = found[1]
    try:
        state = context.trace_state.to_header()
    except Exception as error:
        # A span of another SDK may raise anything; the call goes without its state.
        if is_interrupt(error):
            raise
        state = ""
    return _trace(context, int(context.trace_flags) & 0xFF, state)


def outgoing_trace() -> Trace | None:
    """
    Return the trace that an outgoing call belongs to, or None. Never raises.

    It is that of OpenTelemetry's current span; else the one that came with the request,
    or whose id the application has bound as `traceID`, with a span id of its own.
    """
    active = active_trace()
    if active is not None:
        return active
    store = get_store()
    if store is None:
        return None
    came = getattr(store, "trace", None)
    names = get_names()
    trace_id, span_id = store.get(names.trace_id), store.get(names.span_id)
    if isinstance(came, Trace) and came.trace_id == trace_id:
        return came.child()
    return trace_of(trace_id, span_id)


_installed = False
_patch: Patch | None = None


def install() -> None:
    """
    Stamp the lines inside an OpenTelemetry span with `traceID` and `spanID`.

    They take precedence over the ids that came with the request, whose lines outside
    of any span have those of its own span. `ctxlog.configure()` calls this as soon as
    OpenTelemetry is imported, and so does a request or a task. The function
    `opentelemetry.context.attach` is replaced by one that calls it and looks which span
    is current then. Calling this again is a no-op; it lasts until `uninstall()`.
    """
    global _installed, _patch
    if not _installed:
        _installed = True
        add_source(_span_fields)
    context = sys.modules.get("opentelemetry.context")
    if _patch is None and hasattr(context, "attach"):
        _patch = Patch(context, "attach", _attach)
        _patch.install()


def uninstall() -> None:
    """Undo `install()`; without it, a no-op."""
    global _installed, _patch
    _installed = False
    remove_source(_span_fields)
    patch, _patch = _patch, None
    if patch is not None:
        patch.uninstall()


def watch(store: Store | None = None) -> None:
    """
    Do what `install()` does if OpenTelemetry's API has been imported by now.

    Args:
        store: The store of what begins now, whose span may be current already; the
            active one unless given.
    """
    if "opentelemetry.trace" in sys.modules:
        if _patch is None:
            install()
        see_span(store)
