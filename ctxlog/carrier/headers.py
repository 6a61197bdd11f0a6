"""The headers of HTTP calls: `X-Request-ID`, the trace, the rate, `baggage`."""

from __future__ import annotations

import logging
import re
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any, TypeVar

from ctxlog._json import dumps
from ctxlog._names import get_names
from ctxlog.carrier.fields import (
    MAX_FIELDS,
    PARENT,
    STATE,
    checked_fields,
    has_control_characters,
    outgoing_id,
    plain_fields,
)
from ctxlog.carrier.ids import is_valid_request_id
from ctxlog.carrier.rates import RATE_HEADER, outgoing_rate, received_rate
from ctxlog.carrier.spans import outgoing_trace
from ctxlog.carrier.trace_context import TRACE_HEADERS, Trace, received_trace
from ctxlog.context.adapter import View, current_view

_H = TypeVar("_H", bound=MutableMapping[str, str])

_log = logging.getLogger("ctxlog")

_REQUEST_ID_HEADER = "X-Request-ID"
_ACCEPTED = ("x-request-id", "x-correlation-id")
_BAGGAGE = "baggage"
_RATE = RATE_HEADER.lower()
_READ = frozenset({*_ACCEPTED, *TRACE_HEADERS, _RATE, _BAGGAGE})

# The limit of W3C Baggage, its names, and what stands unquoted in it (section 3.3.1).
_MAX_BAGGAGE_BYTES = 8192
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}", re.ASCII)
_BAGGAGE_SAFE = "!#$&'()*+-./:<=>?@[]^_`{|}~"


def inject(headers: _H, *, fields: Iterable[str] = ()) -> _H:
    """
    Add the active context to the headers of an outgoing HTTP call; return them.

    `X-Request-ID`; `traceparent` and `tracestate` (W3C Trace Context) of
    OpenTelemetry's current span or of the trace that came in, with a span id of its
    own; `X-Sample-Rate` once it is decided that a request is kept, where requests are
    sampled; `baggage` (W3C Baggage) for *fields*. A header that is there already stays
    as it is; `baggage` is added to. Outside of any context nothing is added.

    Args:
        headers: Any mutable mapping of names to values.
        fields: The names of further fields to send, redacted, as texts: the receiver
            can read them. One that does not fit is left out, and a warning is logged.

    Raises:
        ConfigError: if *fields* are not names of fields.
    """
    names = checked_fields(fields)
    known = {name.lower(): name for name in headers}
    view = current_view()
    request_id = outgoing_id(view)
    if request_id is not None and _REQUEST_ID_HEADER.lower() not in known:
        headers[_REQUEST_ID_HEADER] = request_id
    if PARENT not in known:
        trace = outgoing_trace()
        if trace is not None:
            headers[PARENT] = trace.parent
            if trace.state and STATE not in known:
                headers[STATE] = trace.state
    if view.lines is not None and _RATE not in known:
        rate = outgoing_rate(view)
        if rate is not None:
            headers[RATE_HEADER] = str(rate)
    if names:
        before = known.get(_BAGGAGE)
        baggage = _baggage(view, names, None if before is None else headers[before])
        if baggage:
            headers[before or _BAGGAGE] = baggage
    return headers


def _baggage(view: View, names: tuple[str, ...], before: str | None) -> str:
    members = [before] if before else []
    taken = {name for name, _ in _members(members)}
    size = len(before or "")
    for name, value in plain_fields(view, names, _MAX_BAGGAGE_BYTES).items():
        text = value if isinstance(value, str) else dumps(value).decode()
        member = f"{name}={urllib.parse.quote(text, safe=_BAGGAGE_SAFE)}"
        longer = size + len(member) + 1
        if not _TOKEN.fullmatch(name):
            _log.warning("the field %r is not sent: no name for baggage", name)
        elif longer > _MAX_BAGGAGE_BYTES or len(members) >= MAX_FIELDS:
            _log.warning("the field %r is not sent: baggage would be too long", name)
        elif name not in taken:
            members.append(member)
            size = longer
    return ",".join(members)


def _members(values: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the names and values of the valid members of `baggage` headers."""
    for value in values:
        for member in value.split(","):
            name, equals, text = member.partition(";")[0].partition("=")
            name = name.strip(" \t")
            if equals and _TOKEN.fullmatch(name):
                yield name, urllib.parse.unquote(text.strip(" \t"))


def extract(headers: object, *, fields: Iterable[str] = ()) -> dict[str, object]:
    """
    Return the fields that came with the headers of an HTTP call.

    `requestID` from `X-Request-ID`, else `X-Correlation-ID`; `traceID` and `spanID`
    from `traceparent`, else from the header of another tracing system (B3, Datadog,
    AWS X-Ray, Google Cloud); of `baggage`, which any client can send, only *fields*.
    Invalid values and headers of any other type are left out. `X-Sample-Rate` is no
    field: adapters of servers read it.

    Args:
        headers: A mapping of names to values, or pairs of them, as texts or bytes.
            Names are compared without regard to case.
        fields: The names of fields to take from `baggage`, as texts.

    Raises:
        ConfigError: if *fields* are not names of fields.
    """
    return extracted(headers, fields=fields)[0]


def extracted(
    headers: object, *, fields: Iterable[str] = ()
) -> tuple[dict[str, object], Trace | None, float | None]:
    """Return what `extract()` does, the trace, and how many requests it stands for."""
    names = checked_fields(fields)
    values = _by_name(headers)
    found: dict[str, object] = {}
    for header in _ACCEPTED:
        if header in values:
            # A proxy may have added a second value: then none of them is used.
            (first, *others) = {value.strip(" \t") for value in values[header]}
            if not others and is_valid_request_id(first):
                found[get_names().request_id] = first
            break
    trace = received_trace(values)
    if trace is not None:
        found.update(trace.fields)
    baggage = values.get(_BAGGAGE, [])
    if names and sum(map(len, baggage)) <= _MAX_BAGGAGE_BYTES:
        found.update(
            (name, text)
            for name, text in _members(baggage)
            if name in names and not has_control_characters(text)
        )
    return found, trace, received_rate(values.get(_RATE, ()))


def _by_name(headers: Any) -> dict[str, list[str]]:
    """Return the values of the headers that are read, by their names in lower case."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    found: dict[str, list[str]] = {}
    if isinstance(pairs, (str, bytes)) or not isinstance(pairs, Iterable):
        return found
    for pair in pairs:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            continue
        name, value = map(_text, pair)
        if name is not None and value is not None and name.lower() in _READ:
            found.setdefault(name.lower(), []).append(value)
    return found


def _text(value: object) -> str | None:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if isinstance(value, str) else None
