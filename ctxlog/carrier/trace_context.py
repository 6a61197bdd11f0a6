"""
The headers that carry a trace: W3C Trace Context, and those of other tracing systems.

After the W3C recommendation Trace Context (https://www.w3.org/TR/trace-context/). The
headers of other systems are read where a request has no `traceparent`, but never sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ctxlog._names import get_names
from ctxlog.carrier.ids import new_span_id

_SAMPLED = 1
_MAX_MEMBERS = 32
# A later version may have more after the flags, behind a dash.
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
    A position in a trace, as it goes from one process to the next.

    Attributes:
        trace_id: 32 hexadecimal digits, the same in all processes.
        span_id: 16 hexadecimal digits: the caller's span; empty where a load balancer
            has begun the trace without a span.
        flags: The trace flags; bit 0 says that the caller records the trace.
        state: The value of `tracestate`; empty without one.
        decided: Whether the caller says if it records the trace: a load balancer's
            header may leave that open.
    """

    trace_id: str
    span_id: str
    flags: int = 0
    state: str = ""
    decided: bool = True

    @classmethod
    def read(cls, parents: Iterable[str], states: Iterable[str] = ()) -> Trace | None:
        """
        Return the trace of W3C headers, or None without a valid one. Never raises.

        As the recommendation says: two `traceparent` headers are invalid, a later
        version is read as far as it is known, and an invalid `tracestate` is dropped
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
        version, trace_id, span_id, digits, more = match.groups()
        flags = int(digits, 16)
        if version != "00":
            flags &= _SAMPLED
        elif more is not None:
            return None
        return cls(trace_id, span_id, flags, _state(states))

    @property
    def parent(self) -> str:
        """The value of `traceparent`."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"

    @property
    def sampled(self) -> bool | None:
        """Whether the caller records the trace; None if it does not say."""
        return bool(self.flags & _SAMPLED) if self.decided else None

    @property
    def fields(self) -> dict[str, object]:
        """The fields of lines: `traceID` and `spanID`."""
        names = get_names()
        fields: dict[str, object] = {names.trace_id: self.trace_id}
        if self.span_id:
            fields[names.span_id] = self.span_id
        return fields

    def child(self) -> Trace:
        """Return the trace with a new span id: every call has an id of its own."""
        return self._replace(span_id=new_span_id())


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
    Return the trace of ids that the application has bound, or None if they are invalid.

    Args:
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits; a new id unless given.
    """
    if not isinstance(trace_id, str) or not _TRACE_ID.fullmatch(trace_id):
        return None
    if not isinstance(span_id, str) or not _SPAN_ID.fullmatch(span_id):
        span_id = new_span_id()
    return Trace(trace_id, span_id, decided=False)


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

# What headers say about recording, in words of B3 and X-Ray, in Datadog's and Google's.
_WORDS = {"1": True, "d": True, "true": True, "0": False, "false": False}
_PRIORITIES = {"1": True, "2": True, "0": False, "-1": False}
_OPTIONS = {"1": True, "3": True, "0": False, "2": False}

#: The most characters of such a header: Datadog's tags have up to 512.
_LONGEST = 1024

_Values = Mapping[str, Sequence[str]]


def _single(values: _Values, name: str) -> str:
    """Return the value of a header in lower case; empty unless there is exactly one."""
    found = values.get(name, ())
    if len(found) != 1 or len(found[0]) > _LONGEST:
        return ""
    return found[0].strip(" \t").lower()


def _made(trace_id: str, span_id: str, sampled: bool | None) -> Trace | None:
    """
    Return the trace if its ids are valid; an id of zeros is treated as missing.

    Args:
        trace_id: The id of the trace.
        span_id: The id of the span.
        sampled: Whether the caller records the trace; None if it does not say.
    """
    if not _TRACE_ID.fullmatch(trace_id):
        return None
    if not _SPAN_ID.fullmatch(span_id):
        span_id = ""
    flags = _SAMPLED if sampled else 0
    return Trace(trace_id, span_id, flags, decided=sampled is not None)


def _hex_of(text: str) -> str:
    """Return a decimal number of 64 bits as 16 hexadecimal digits; empty if invalid."""
    if not _DECIMAL.fullmatch(text) or int(text) >= 1 << 64:
        return ""
    return f"{int(text):016x}"


def _pairs(text: str, separator: str) -> dict[str, str]:
    """Return the members of a header, each a name and a value."""
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
    return _made(trace_id.zfill(32), span_id, _WORDS.get(state))


def _b3_multiple(values: _Values) -> Trace | None:
    trace_id = _single(values, "x-b3-traceid")
    if not (_HEX_64.fullmatch(trace_id) or _HEX_128.fullmatch(trace_id)):
        return None
    sampled = _WORDS.get(_single(values, "x-b3-sampled"))
    if _single(values, "x-b3-flags") == "1":
        sampled = True  # the caller debugs
    return _made(trace_id.zfill(32), _single(values, "x-b3-spanid"), sampled)


def _datadog(values: _Values) -> Trace | None:
    lower = _hex_of(_single(values, "x-datadog-trace-id"))
    upper = _pairs(_single(values, "x-datadog-tags"), ",").get(_UPPER_HALF, "")
    if not _HEX_64.fullmatch(upper):
        upper = "0" * 16
    span_id = _hex_of(_single(values, "x-datadog-parent-id"))
    priority = _single(values, "x-datadog-sampling-priority")
    return _made(upper + lower, span_id, _PRIORITIES.get(priority))


def _xray(values: _Values) -> Trace | None:
    members = _pairs(_single(values, "x-amzn-trace-id"), ";")
    match = _XRAY_ROOT.fullmatch(members.get("root", ""))
    if match is None:
        return None
    return _made(
        "".join(match.groups()),
        members.get("parent", ""),
        _WORDS.get(members.get("sampled", "")),
    )


def _google_cloud(values: _Values) -> Trace | None:
    match = _CLOUD.fullmatch(_single(values, "x-cloud-trace-context"))
    if match is None:
        return None
    trace_id, span_id, options = match.groups()
    return _made(trace_id, _hex_of(span_id or ""), _OPTIONS.get(options))


# A tracer's headers come before a load balancer's, which are there as well.
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

    Never raises. If there is a `traceparent`, only that is read, valid or not; else the
    first valid one of `b3`, `X-B3-TraceId` and its companions, `x-datadog-trace-id` and
    its companions, `X-Amzn-Trace-Id`, `X-Cloud-Trace-Context`.

    Args:
        values: The values of headers, by their names in lower case.
    """
    parents = values.get("traceparent")
    if parents:
        return Trace.read(parents, values.get("tracestate", ()))
    for name, read in _OTHERS:
        if values.get(name):
            found = read(values)
            if found is not None:
                return found
    return None
