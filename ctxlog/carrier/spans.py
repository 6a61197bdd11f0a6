"""
Traces: the headers that carry them, and the span that is active. Core.

After the W3C recommendation Trace Context (https://www.w3.org/TR/trace-context/). Where
a request has no `traceparent`, the headers of other tracing systems are read, but never
sent. Of OpenTelemetry only what the application has loaded itself is looked at.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from ctxlog._interrupts import is_interrupt
from ctxlog._names import Names, get_names
from ctxlog._patch import Patch
from ctxlog.context import Store, get_store
from ctxlog.context.adapter import add_source, remove_source

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
        span_id: 16 hexadecimal digits: who called; empty where a load balancer has
            begun the trace without a span.
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
        return _fields(get_names(), self.trace_id, self.span_id)

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


# Other systems' headers ---------------------------------------------------------

_HEX_64 = re.compile(r"[0-9a-f]{16}", re.ASCII)
_HEX_128 = re.compile(r"[0-9a-f]{32}", re.ASCII)
_DECIMAL = re.compile(r"[0-9]{1,20}", re.ASCII)
_B3 = re.compile(
    r"([0-9a-f]{16}|[0-9a-f]{32})-([0-9a-f]{16})(?:-([01d])(?:-[0-9a-f]{16})?)?",
    re.ASCII,
)
_XRAY_ROOT = re.compile(r"1-([0-9a-f]{8})-([0-9a-f]{24})", re.ASCII)
_CLOUD = re.compile(r"([0-9a-f]{32})(?:/([0-9]{1,20}))?(?:;o=([0-9]))?", re.ASCII)
_UPPER_HALF = "_dd.p.tid"

#: The most characters of such a header: Datadog's tags have up to 512.
_LONGEST = 1024

_Values = Callable[[str], Sequence[str]]


def _single(values: _Values, name: str) -> str:
    """The one value of a header in lower case; empty if there is none, or are two."""
    found = values(name)
    if len(found) != 1 or len(found[0]) > _LONGEST:
        return ""
    return found[0].strip(" \t").lower()


def _made(trace_id: str, span_id: str, sampled: bool) -> Trace | None:
    """Return the trace, if its ids are valid; all zeros mean none."""
    if not _TRACE_ID.fullmatch(trace_id):
        return None
    if not _SPAN_ID.fullmatch(span_id):
        span_id = ""
    return Trace(trace_id, span_id, _SAMPLED if sampled else 0)


def _decimal(text: str) -> str | None:
    """A decimal number of 64 bits as 16 hexadecimal digits."""
    if not _DECIMAL.fullmatch(text) or int(text) >= 1 << 64:
        return None
    return f"{int(text):016x}"


def _pairs(text: str, separator: str) -> dict[str, str]:
    """The members of a header, each a name and a value."""
    found: dict[str, str] = {}
    for member in text.split(separator):
        name, _, value = member.strip(" \t").partition("=")
        found[name] = value
    return found


def _b3_single(values: _Values) -> Trace | None:
    match = _B3.fullmatch(_single(values, "b3"))
    if match is None:  # also `0`: not sampled, and no ids
        return None
    trace_id, span_id, state = match.groups()
    return _made(trace_id.zfill(32), span_id, state in ("1", "d"))


def _b3_multiple(values: _Values) -> Trace | None:
    trace_id = _single(values, "x-b3-traceid")
    if not (_HEX_64.fullmatch(trace_id) or _HEX_128.fullmatch(trace_id)):
        return None
    sampled = _single(values, "x-b3-sampled") in ("1", "true")
    debug = _single(values, "x-b3-flags") == "1"
    return _made(trace_id.zfill(32), _single(values, "x-b3-spanid"), sampled or debug)


def _datadog(values: _Values) -> Trace | None:
    lower = _decimal(_single(values, "x-datadog-trace-id"))
    if lower is None:
        return None
    upper = _pairs(_single(values, "x-datadog-tags"), ",").get(_UPPER_HALF, "")
    if not _HEX_64.fullmatch(upper):
        upper = "0" * 16
    span_id = _decimal(_single(values, "x-datadog-parent-id")) or ""
    sampled = _single(values, "x-datadog-sampling-priority") in ("1", "2")
    return _made(upper + lower, span_id, sampled)


def _xray(values: _Values) -> Trace | None:
    members = _pairs(_single(values, "x-amzn-trace-id"), ";")
    match = _XRAY_ROOT.fullmatch(members.get("root", ""))
    if match is None:
        return None
    return _made(
        "".join(match.groups()),
        members.get("parent", ""),
        members.get("sampled") == "1",
    )


def _google_cloud(values: _Values) -> Trace | None:
    match = _CLOUD.fullmatch(_single(values, "x-cloud-trace-context"))
    if match is None:
        return None
    trace_id, span_id, options = match.groups()
    return _made(trace_id, _decimal(span_id or "") or "", options in ("1", "3"))


# Those of the application's own tracer first: a balancer's is there as well.
_OTHERS = (
    ("b3", _b3_single),
    ("x-b3-traceid", _b3_multiple),
    ("x-datadog-trace-id", _datadog),
    ("x-amzn-trace-id", _xray),
    ("x-cloud-trace-context", _google_cloud),
)

#: The headers that `received_trace` reads.
TRACE_HEADERS = (
    *("traceparent", "tracestate", "b3"),
    *("x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags"),
    *("x-datadog-trace-id", "x-datadog-parent-id", "x-datadog-sampling-priority"),
    *("x-datadog-tags", "x-amzn-trace-id", "x-cloud-trace-context"),
)


def received_trace(values: _Values) -> Trace | None:
    """
    Return the trace that came with a request, or None without a valid one.

    Never raises. Where there is a `traceparent`, only that is read, valid or not; else
    the first valid one of `b3`, `X-B3-TraceId` and its companions,
    `x-datadog-trace-id` and its companions, `X-Amzn-Trace-Id`, `X-Cloud-Trace-Context`.

    Args:
        values: Gives a header's values by its name in lower case.
    """
    parents = values("traceparent")
    if parents:
        return Trace.read(parents, values("tracestate"))
    for name, read in _OTHERS:
        if values(name):
            found = read(values)
            if found is not None:
                return found
    return None


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


def _fields(names: Names, trace_id: str, span_id: str) -> dict[str, object]:
    if not span_id:
        return {names.trace_id: trace_id}
    return {names.trace_id: trace_id, names.span_id: span_id}


_NO_FIELDS: dict[str, object] = {}
_last: tuple[object, Names | None, dict[str, object]] = (None, None, _NO_FIELDS)


def _active_span() -> tuple[Any, Any] | None:
    """OpenTelemetry's current span, and its context; None if there is none."""
    # Not imported for this: it is there if the application traces.
    otel: Any = sys.modules.get("opentelemetry.trace")
    get_current_span = getattr(otel, "get_current_span", None)
    if get_current_span is None:  # or it is just being loaded
        return None
    try:
        span = get_current_span()
        context = span.get_span_context()
        return (span, context) if context.is_valid else None
    except Exception as error:  # a third-party span; the line comes all the same
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
        fields = _ids(names, context)
        _last = (context, names, fields)
        see_span()
    return fields


def _ids(names: Names, context: Any) -> dict[str, object]:
    return _fields(names, f"{context.trace_id:032x}", f"{context.span_id:016x}")


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
        names = get_names()
        ids = _ids(names, context)
    except Exception as error:  # a third-party span
        if is_interrupt(error):
            raise
        return
    # The request came with a trace: a span of another one is some part's own.
    came = seen.get(names.trace_id)
    if rank == _SOME and came not in (None, ids[names.trace_id]):
        return
    if rank > known:
        seen.span_rank = rank
        seen.update(ids)


def _attach(attach: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Make a span current, as OpenTelemetry does; the request's one is seen by it."""
    token = attach(*args, **kwargs)
    see_span()
    return token


def active_trace() -> Trace | None:
    """
    Return the trace of OpenTelemetry's current span, or None. Never raises.

    None as well where its API has not been loaded.
    """
    found = _active_span()
    if found is None:
        return None
    context = found[1]
    try:
        state = context.trace_state.to_header()
    except Exception as error:  # a third-party span
        if is_interrupt(error):
            raise
        state = ""
    flags = int(context.trace_flags) & 0xFF
    return Trace(f"{context.trace_id:032x}", f"{context.span_id:016x}", flags, state)


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

    They win over those that came with the request, whose own lines outside of any span
    have those of its span. `ctxlog.configure()` does it as soon as OpenTelemetry is
    imported, and so does a request or a task where it is loaded. Its function
    `opentelemetry.context.attach` is replaced by one that calls it and looks which span
    is current then. Calling it again is a no-op; it lasts until `uninstall()`.
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
    """Stamp no more of OpenTelemetry's spans; if that was not on, nothing."""
    global _installed, _patch
    _installed = False
    remove_source(_span_fields)
    patch, _patch = _patch, None
    if patch is not None:
        patch.uninstall()


def watch(store: Store | None = None) -> None:
    """
    Do what `install()` does if OpenTelemetry's API has been loaded by now.

    Args:
        store: The store of what begins now, whose span may be current already; the
            active one unless given.
    """
    if "opentelemetry.trace" in sys.modules:
        if _patch is None:
            install()
        see_span(store)
