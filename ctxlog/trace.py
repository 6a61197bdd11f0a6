"""
Traces: `traceparent` and `tracestate`, and the span that is active. Core.

After the W3C recommendation Trace Context (https://www.w3.org/TR/trace-context/). Of
OpenTelemetry only what the application has loaded itself is looked at.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any, NamedTuple

from ctxlog.context import add_source, get_store, remove_source

__all__ = [
    "SPAN_ID",
    "TRACE_ID",
    "Trace",
    "active_trace",
    "install",
    "is_available",
    "outgoing_trace",
    "trace_of",
    "uninstall",
    "watch",
]

#: The fields that name the trace, and the span within it.
TRACE_ID = "traceID"
SPAN_ID = "spanID"

_SAMPLED = 1
_MAX_MEMBERS = 32
# A version that is not known yet may have more after its flags, behind a dash.
_PARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})"
    r"-([0-9a-f]{2})(-.*)?",
    re.ASCII,
)
_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}", re.ASCII)
_SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}", re.ASCII)
_MEMBER = re.compile(
    r"([a-z0-9][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})"
    r"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]",
    re.ASCII,
)


class Trace(NamedTuple):
    """
    A place in a trace, as it goes from one process to the next.

    Attributes:
        trace_id: 32 hexadecimal digits, the same through all processes.
        span_id: 16 hexadecimal digits: who called.
        flags: The trace flags; bit 0 says that the caller records the trace.
        state: What tracing systems add, as it came; empty without any.
    """

    trace_id: str
    span_id: str
    flags: int = 0
    state: str = ""

    @classmethod
    def read(cls, parents: Iterable[str], states: Iterable[str] = ()) -> Trace | None:
        """
        Return the trace that came with headers, or None without a valid one.

        Never raises. As the recommendation has it: two `traceparent` are none, a later
        version is read as far as it is known, and a wrong `tracestate` is dropped
        while the trace goes on.

        Args:
            parents: The values of `traceparent`.
            states: The values of `tracestate`, in their order.
        """
        values = list(parents)
        if len(values) != 1:
            return None
        match = _PARENT.fullmatch(values[0].strip(" \t"))
        if match is None:
            return None
        version, trace_id, span_id, flags, more = match.groups()
        if version == "00":
            if more is not None:
                return None
            known = int(flags, 16)
        else:
            known = int(flags, 16) & _SAMPLED
        return cls(trace_id, span_id, known, _state(states))

    @property
    def parent(self) -> str:
        """The value of `traceparent`."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"

    @property
    def fields(self) -> dict[str, object]:
        """The fields of the lines."""
        return {TRACE_ID: self.trace_id, SPAN_ID: self.span_id}

    def child(self) -> Trace:
        """Return the trace with a new span id: every call has an id of its own."""
        return self._replace(span_id=_new_span_id())


def _new_span_id() -> str:
    # All zeros would mean none.
    return f"{int.from_bytes(os.urandom(8), 'big') or 1:016x}"


def _state(values: Iterable[str]) -> str:
    members = [member.strip(" \t") for value in values for member in value.split(",")]
    members = [member for member in members if member]
    if len(members) > _MAX_MEMBERS or not all(map(_MEMBER.fullmatch, members)):
        return ""
    if len({member.partition("=")[0] for member in members}) < len(members):
        return ""
    return ",".join(members)


def trace_of(trace_id: object, span_id: object = None) -> Trace | None:
    """
    Return the trace of fields that the application has bound, or None.

    Args:
        trace_id: 32 hexadecimal digits.
        span_id: 16 of them; a new one unless given.
    """
    if not isinstance(trace_id, str) or not _TRACE_ID.fullmatch(trace_id):
        return None
    if not isinstance(span_id, str) or not _SPAN_ID.fullmatch(span_id):
        span_id = _new_span_id()
    return Trace(trace_id, span_id)


_NO_FIELDS: dict[str, object] = {}
_last: tuple[object, dict[str, object]] = (None, _NO_FIELDS)


def _active_span() -> Any:
    """The context of OpenTelemetry's current span; None if there is none."""
    # Not imported for this: it is there if the application traces.
    otel: Any = sys.modules.get("opentelemetry.trace")
    get_current_span = getattr(otel, "get_current_span", None)
    if get_current_span is None:  # or it is just being loaded
        return None
    try:
        span = get_current_span().get_span_context()
        return span if span.is_valid else None
    except Exception:  # a foreign span; the line comes all the same
        return None


def _span_fields() -> dict[str, object]:
    global _last
    if "opentelemetry.trace" not in sys.modules:
        return _NO_FIELDS
    span = _active_span()
    if span is None:
        return _NO_FIELDS
    known, fields = _last
    if known is not span:
        trace_id, span_id = f"{span.trace_id:032x}", f"{span.span_id:016x}"
        fields = dict[str, object]({TRACE_ID: trace_id, SPAN_ID: span_id})
        _last = (span, fields)
    return fields


def active_trace() -> Trace | None:
    """
    Return the trace of OpenTelemetry's current span, or None. Never raises.

    None as well where its API has not been loaded.
    """
    span = _active_span()
    if span is None:
        return None
    try:
        state = span.trace_state.to_header()
    except Exception:  # a foreign span
        state = ""
    flags = int(span.trace_flags) & 0xFF
    return Trace(f"{span.trace_id:032x}", f"{span.span_id:016x}", flags, state)


def outgoing_trace() -> Trace | None:
    """
    Return the trace that an outgoing call belongs to, or None. Never raises.

    That of OpenTelemetry's current span; else the one that came with the request, or
    whose id the application has bound as `traceID`, with a span id of its own.
    """
    active = active_trace()
    if active is not None:
        return active
    store = get_store()
    if store is None:
        return None
    came = getattr(store, "trace", None)
    trace_id, span_id = store.get(TRACE_ID), store.get(SPAN_ID)
    if isinstance(came, Trace) and came.trace_id == trace_id:
        return came.child()
    return trace_of(trace_id, span_id)


_installed = False


def install() -> None:
    """
    Stamp the lines inside an OpenTelemetry span with `traceID` and `spanID`.

    They win over those that came with the request. `ctxlog.configure()` does it where
    OpenTelemetry is installed, and so does a request or a task where it is loaded.
    Twice is as once; it lasts until `uninstall()`.
    """
    global _installed
    if not _installed:
        _installed = True
        add_source(_span_fields)


def uninstall() -> None:
    """Stamp no more of OpenTelemetry's spans; if that was not on, nothing."""
    global _installed
    _installed = False
    remove_source(_span_fields)


def watch() -> None:
    """Do what `install()` does if OpenTelemetry's API has been loaded by now."""
    if not _installed and "opentelemetry.trace" in sys.modules:
        install()


def is_available() -> bool:
    """Whether OpenTelemetry's API is installed. Imports none of it."""
    try:
        return find_spec("opentelemetry.trace") is not None
    except ModuleNotFoundError:
        return False
