"""
What carries a request's fields to another process: headers, and one text. Core.

What goes out is an allow-list, since a store may hold secrets: the request's id, its
trace, and the fields that the application names. What comes in is trusted only after
validation: an id ends up in log lines, in response headers and in other people's
searches.
"""

from __future__ import annotations

import functools
import logging
import re
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from types import TracebackType
from typing import Any, Generic, TypeGuard, TypeVar, overload

from ctxlog._json import dumps, loads
from ctxlog._names import CAMEL, PLACEHOLDERS, Names, get_names
from ctxlog.carrier.ids import new_request_id
from ctxlog.carrier.spans import (
    TRACE_HEADERS,
    Trace,
    outgoing_trace,
    received_trace,
    trace_of,
)
from ctxlog.context import Store, run
from ctxlog.context.adapter import Entry, View, current_view
from ctxlog.errors import ConfigError
from ctxlog.line.redact import active
from ctxlog.line.schema import DEFAULT
from ctxlog.line.values import Walk, safe_str

__all__ = [
    "CarriedItem",
    "MAX_ID_LENGTH",
    "MAX_MESSAGE_BYTES",
    "MESSAGE_HEADER",
    "ReceivedStore",
    "adopt",
    "carry",
    "checked_fields",
    "extract",
    "inject",
    "is_possible_request_id",
    "is_safe_header_value",
    "is_valid_request_id",
    "pack",
    "settle",
    "unpack",
]

_T = TypeVar("_T")
_H = TypeVar("_H", bound=MutableMapping[str, str])

_log = logging.getLogger("ctxlog")

#: The most characters of an id that is taken from outside.
MAX_ID_LENGTH = 128

#: The header of task messages that holds what `pack()` returns.
MESSAGE_HEADER = "ctxlog"

#: The most bytes of what `pack()` returns, of what `unpack()` reads, and of a `baggage`
#: header, which has its limits from the recommendation.
MAX_MESSAGE_BYTES = 8192

_REQUEST_ID_HEADER = "X-Request-ID"
_ACCEPTED = ("x-request-id", "x-correlation-id")
_MAX_FIELDS = 64
_MAX_NAME = 128
_MAX_DEPTH = 8
_PARENT, _STATE = "traceparent", "tracestate"
_READ = frozenset({*_ACCEPTED, *TRACE_HEADERS, "baggage"})

#: The names in a task's message: the same whatever the processes at its ends call them.
_IN_MESSAGES = frozenset(
    {CAMEL.request_id, CAMEL.trace_id, CAMEL.span_id, CAMEL.parent_task_id}
    | {_PARENT, _STATE}
)


@functools.lru_cache(maxsize=8)
def _reserved(names: Names) -> frozenset[str]:
    """
    Return the names that nothing from outside may set.

    The line's own, and those with a meaning of their own here.
    """
    return frozenset(
        {*DEFAULT.spelled(names).own_keys, *_anyway(names), _PARENT, _STATE}
        | {"service", "environment", "task", "attempt"}
        | {names.task_id, names.parent_task_id}
    )


def _anyway(names: Names) -> tuple[str, ...]:
    """Return the names of the fields that go along without being asked for."""
    return names.request_id, names.trace_id, names.span_id


_VALID = re.compile(r"[A-Za-z0-9._~:/+=@-]{1,128}", re.ASCII)
_SAFE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,254}[\x21-\x7e])?", re.ASCII)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# What stands unquoted in a baggage header (W3C Baggage, section 3.3.1).
_BAGGAGE_SAFE = "!#$&'()*+-./:<=>?@[]^_`{|}~"


def is_valid_request_id(request_id: str) -> bool:
    """
    Whether an id from outside may be used as it is.

    1 to 128 characters of `A-Za-z0-9._~:/+=@-`: UUIDs, ULIDs, W3C and X-Ray trace ids,
    what nginx and Envoy make. No spaces, quotes or control characters, and not what
    stands for "no request" on lines (`N/A`). Never raises.
    """
    return _VALID.fullmatch(request_id) is not None and request_id not in PLACEHOLDERS


def is_possible_request_id(request_id: object) -> TypeGuard[str]:
    """
    Whether a value can be a request's id at all, which no `validator=` overrules.

    A text that is safe in a header and does not stand for "no request". Never raises.
    """
    return (
        isinstance(request_id, str)
        and request_id not in PLACEHOLDERS
        and is_safe_header_value(request_id)
    )


def is_safe_header_value(value: str) -> bool:
    """
    Whether a value may be written into a header and into a line at all.

    At most 256 printable ASCII characters: what no `validator=` can overrule, since a
    line break in a header splits the response. Never raises.
    """
    return _SAFE.fullmatch(value) is not None


def checked_fields(fields: object) -> tuple[str, ...]:
    """
    Return the names of fields to carry, the value of an option `fields`.

    Raises:
        ConfigError: they are not names, or one of them is set by ctxlog itself.
    """
    allowed = "a list of names of fields, without those that ctxlog sets itself"
    if not isinstance(fields, Iterable) or isinstance(fields, (str, bytes)):
        raise ConfigError("fields", fields, allowed)
    names, anyway = list(fields), _anyway(get_names())
    for name in names:
        if not _is_name(name) and name not in anyway:
            raise ConfigError("fields", name, allowed)
    return tuple(dict.fromkeys(name for name in names if name not in anyway))


def _is_name(name: object) -> bool:
    return (
        isinstance(name, str)
        and 0 < len(name) <= _MAX_NAME
        and name not in _reserved(get_names())
        and not _CONTROL.search(name)
    )


class ReceivedStore(Store):
    """
    The store of what another process has sent.

    Attributes:
        trace: The trace that came with it, to be carried on; None without one.
        span_rank: What `trace.see_span()` has found so far.
    """

    __slots__ = ("span_rank", "trace")

    def __init__(self, fields: Mapping[str, object] = {}, /) -> None:
        super().__init__(fields)
        self.trace: Trace | None = None
        self.span_rank = 0

    def enter_trace(self, trace: Trace | None) -> None:
        """Take the trace that came in, if there is one: `traceID` and `spanID`."""
        self.trace = trace
        if trace is not None:
            self.update(trace.fields)

    def receive(self, headers: object, *, fields: Iterable[str] = ()) -> None:
        """Take what `extract()` finds in headers, and the trace to be carried on."""
        found, self.trace = _extracted(headers, checked_fields(fields))
        self.update(found)


# Headers ------------------------------------------------------------------------


def inject(headers: _H, *, fields: Iterable[str] = ()) -> _H:
    """
    Add the active context to the headers of an outgoing HTTP call; return them.

    `X-Request-ID`; `traceparent` and `tracestate` (W3C Trace Context) of
    OpenTelemetry's current span or of the trace that came in, with a span id of its
    own; `baggage` (W3C Baggage) for *fields*. A header that is there already stays as
    it is; `baggage` is added to. Outside of any context nothing is added.

    Args:
        headers: Any mutable mapping of names to values.
        fields: The names of further fields to send, redacted, as texts: whoever gets
            the call can read them. One that does not fit is left out, and a warning
            is logged.

    Raises:
        ConfigError: *fields* are not names of fields.
    """
    names = checked_fields(fields)
    known = {name.lower(): name for name in headers}
    view = current_view()
    request_id = _sendable_id(view)
    if request_id is not None and "x-request-id" not in known:
        headers[_REQUEST_ID_HEADER] = request_id
    if _PARENT not in known:
        trace = outgoing_trace()
        if trace is not None:
            headers[_PARENT] = trace.parent
            if trace.state and _STATE not in known:
                headers[_STATE] = trace.state
    if names:
        before = known.get("baggage")
        baggage = _baggage(view, names, None if before is None else headers[before])
        if baggage:
            headers[before or "baggage"] = baggage
    return headers


def _sendable_id(view: View) -> str | None:
    request_id = get_names().id_of(view.fields)
    if request_id is None:
        return None
    text = request_id if isinstance(request_id, str) else str(request_id)
    return text if is_possible_request_id(text) else None


def _baggage(view: View, names: tuple[str, ...], before: str | None) -> str:
    members = [before] if before else []
    taken = {name for name, _ in _members(members)}
    size = len(before or "")
    for name, value in _plain(view, names).items():
        text = value if isinstance(value, str) else dumps(value).decode()
        member = f"{name}={urllib.parse.quote(text, safe=_BAGGAGE_SAFE)}"
        size += len(member) + 1
        if not _TOKEN.fullmatch(name):
            _log.warning("the field %r is not sent: no name for baggage", name)
        elif size > MAX_MESSAGE_BYTES or len(members) >= _MAX_FIELDS:
            _log.warning("the field %r is not sent: baggage would be too long", name)
            size -= len(member) + 1
        elif name not in taken:
            members.append(member)
    return ",".join(members)


def _members(values: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield names and values of what is right in `baggage` headers."""
    for value in values:
        for member in value.split(","):
            name, equals, text = member.partition(";")[0].partition("=")
            name = name.strip(" \t")
            if equals and _TOKEN.fullmatch(name):
                yield name, urllib.parse.unquote(text.strip(" \t"))


def _plain(view: View, names: Iterable[str]) -> dict[str, Any]:
    """The fields of some names that there are, redacted and plain."""
    found = [(name, view.fields[name]) for name in names if name in view.fields]
    return Walk(active(), MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES).named(found)


def extract(headers: object, *, fields: Iterable[str] = ()) -> dict[str, object]:
    """
    Return the fields that came with the headers of an HTTP call.

    `requestID` from `X-Request-ID`, else `X-Correlation-ID`; `traceID` and `spanID`
    from `traceparent`, else from the header of another tracing system (B3, Datadog,
    AWS X-Ray, Google Cloud); of `baggage` what *fields* names, since anybody can send
    it. What is not valid is left out, so are wrong headers of any kind.

    Args:
        headers: A mapping of names to values, or pairs of them, as texts or bytes.
            Names are compared without regard to case.
        fields: The names of fields to take from `baggage`, as texts.

    Raises:
        ConfigError: *fields* are not names of fields.
    """
    return _extracted(headers, checked_fields(fields))[0]


def _extracted(
    headers: object, names: tuple[str, ...]
) -> tuple[dict[str, object], Trace | None]:
    values = _by_name(headers, _READ)
    found: dict[str, object] = {}
    for header in _ACCEPTED:
        if header in values:
            # Twice with different values: somebody on the way added one.
            (first, *others) = {value.strip(" \t") for value in values[header]}
            if not others and is_valid_request_id(first):
                found[get_names().request_id] = first
            break
    trace = received_trace(lambda name: values.get(name, []))
    if trace is not None:
        found.update(trace.fields)
    baggage = values.get("baggage", [])
    if names and sum(map(len, baggage)) <= MAX_MESSAGE_BYTES:
        found.update(
            (name, text)
            for name, text in _members(baggage)
            if name in names and not _CONTROL.search(text)
        )
    return found, trace


def _by_name(headers: Any, wanted: frozenset[str]) -> dict[str, list[str]]:
    """The values of the wanted headers, by their names in lower case."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    found: dict[str, list[str]] = {}
    if isinstance(pairs, (str, bytes)) or not isinstance(pairs, Iterable):
        return found
    for pair in pairs:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            continue
        name, value = map(_text, pair)
        if name is not None and value is not None and name.lower() in wanted:
            found.setdefault(name.lower(), []).append(value)
    return found


def _text(value: object) -> str | None:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if isinstance(value, str) else None


# Task messages ------------------------------------------------------------------


def pack(*, fields: Iterable[str] = (), task_id: str | None = None) -> str:
    """
    Return the active context as the text for the header `ctxlog` of a task's message.

    A JSON object of at most `MAX_MESSAGE_BYTES`: `requestID`, `traceparent` and
    `tracestate`, `parentTaskID` inside a task, and *fields*. Outside of any context it
    is empty, so that the worker knows that nobody asked for the task.

    Args:
        fields: The names of further fields to send, redacted. One that does not fit
            is left out, and a warning is logged.
        task_id: The id of the task that is sent. A task that sends itself once more is
            a retry, whose parent is that of the first attempt.

    Raises:
        ConfigError: *fields* are not names of fields.
    """
    names = checked_fields(fields)
    view = current_view()
    members: dict[str, Any] = {}
    request_id = _sendable_id(view)
    if request_id is not None:
        members[CAMEL.request_id] = request_id
    trace = outgoing_trace()
    if trace is not None:
        members[_PARENT] = trace.parent
        if trace.state:
            members[_STATE] = trace.state
    own = get_names()
    parent = view.fields.get(own.task_id)
    if parent is not None and parent == task_id:
        parent = view.fields.get(own.parent_task_id)
    if isinstance(parent, str) and is_safe_header_value(parent):
        members[CAMEL.parent_task_id] = parent
    size = len(dumps(members))
    for name, value in _plain(view, names).items():
        size += len(dumps({name: value})) - 1
        if size > MAX_MESSAGE_BYTES or len(members) >= _MAX_FIELDS:
            _log.warning(
                "the field %r is not sent: the message would be too long", name
            )
            break
        members[name] = value
    return dumps(members).decode()


def unpack(message: object) -> ReceivedStore:
    """
    Return a fresh store with what came in the header `ctxlog` of a task's message.

    Never raises. What is not valid is left out: a text that is too long, of another
    type or no JSON object, nesting, too many fields, reserved names. Without an id the
    store gets a new one.

    Args:
        message: What `pack()` returned, or bytes of it; anything else is as none.
    """
    members = _message_members(message)
    found: dict[str, object] = {}
    names = get_names()
    request_id = members.pop(CAMEL.id_name(members), None)
    usable = is_possible_request_id(request_id)
    found[names.request_id] = request_id if usable else new_request_id()
    parent = members.get(CAMEL.parent_task_id)
    if isinstance(parent, str) and is_safe_header_value(parent):
        found[names.parent_task_id] = parent
    for name, value in members.items():
        if name in _IN_MESSAGES:
            continue
        if len(found) < _MAX_FIELDS and _is_name(name) and _is_flat(value, _MAX_DEPTH):
            found[name] = value
    store = ReceivedStore(found)
    store.enter_trace(_message_trace(members))
    return store


def settle(message: object, *, task_id: str | None) -> tuple[ReceivedStore, str]:
    """
    Unpack a message that somebody else is going to unpack as well.

    Returns the store, and the text for the other, who finds the same id in it also if
    the message came without one. For workers that receive in one process and run in
    another. Never raises.

    Args:
        message: As for `unpack()`.
        task_id: The task's id.
    """
    store = unpack(message)
    if task_id is not None:
        store[get_names().task_id] = task_id
    # Made anew, it would name the one who received it as the span's parent.
    sent = CAMEL.id_of(_message_members(message))
    if isinstance(message, str) and sent is not None:
        return store, message
    names = [name for name in store if _is_name(name)]
    return store, run(store, lambda: pack(fields=names, task_id=task_id))


def _message_members(message: object) -> dict[str, Any]:
    if not isinstance(message, (str, bytes)) or len(message) > MAX_MESSAGE_BYTES:
        return {}
    try:
        members = loads(message)
    except (ValueError, RecursionError):
        return {}
    return members if isinstance(members, dict) else {}


def _message_trace(members: Mapping[str, Any]) -> Trace | None:
    parent, state = members.get(_PARENT), members.get(_STATE, "")
    if isinstance(parent, str) and isinstance(state, str):
        return Trace.read([parent], [state])
    # From a sender that knows the id only.
    return trace_of(members.get(CAMEL.trace_id), members.get(CAMEL.span_id))


def _is_flat(value: object, depth: int) -> bool:
    """Whether there are at most `depth` containers within each other in a value."""
    if not isinstance(value, (dict, list)):
        return True
    members = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(_is_flat(member, depth - 1) for member in members)


# Items of queues ----------------------------------------------------------------


class CarriedItem(Generic[_T]):
    """
    An item with the context that it was made in; what `carry()` returns.

    It can be pickled: then the fields become plain and redacted.

    Attributes:
        item: The item itself.
    """

    __slots__ = ("_fields", "_trace", "item")

    def __init__(
        self, item: _T, fields: Mapping[str, object], trace: Trace | None
    ) -> None:
        self.item = item
        self._fields = fields
        self._trace = trace

    def __repr__(self) -> str:
        return f"<CarriedItem {self.item!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        fields = Walk(active(), 262_144, 262_144).named(self._fields.items())
        return CarriedItem, (self.item, fields, self._trace)

    def store(self) -> ReceivedStore:
        """Return a fresh store with the fields; with a new id if there was none."""
        store = ReceivedStore(self._fields)
        names = get_names()
        request_id = names.id_of(store)
        if request_id is None or safe_str(request_id) in PLACEHOLDERS:
            store[names.request_id] = new_request_id()
        store.enter_trace(self._trace)
        return store


def carry(item: _T, /) -> CarriedItem[_T]:
    """
    Return `item` with the active context, to be put into a queue.

    For workers of the same application that run since before the request: threads,
    tasks and processes that take items from a `queue.Queue`, `asyncio.Queue`,
    `multiprocessing.Queue` or pool. All fields of the store and the scopes go along as
    they are now. The other end is `adopt()`. Never raises.
    """
    return CarriedItem(item, current_view().fields, outgoing_trace())


class adopt(Generic[_T]):
    """
    Handle what came out of a queue in the context that it was put in with.

    ::

        with ctxlog.adopt(queue.get()) as item:
            ...

    Inside, a fresh store with the fields of the request is active, whatever was active
    before; it is closed at the end. An item that was not carried gets a fresh store
    with a new request id. Leaving never raises.

    Args:
        carried: What `carry()` returned, or any other item.
    """

    __slots__ = ("_entries", "_item", "_store")

    @overload
    def __init__(self, carried: CarriedItem[_T], /) -> None: ...
    @overload
    def __init__(self, carried: _T, /) -> None: ...
    def __init__(self, carried: Any, /) -> None:
        self._item: _T
        self._store: Callable[[], Store]
        if isinstance(carried, CarriedItem):
            self._item, self._store = carried.item, carried.store
        else:
            self._item, self._store = carried, _new_store
        self._entries: list[Entry] = []

    def __enter__(self) -> _T:
        entry = Entry(self._store())
        self._entries.append(entry)
        entry.__enter__()
        return self._item

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._entries.pop().__exit__(kind, error, traceback)


def _new_store() -> Store:
    return ReceivedStore({get_names().request_id: new_request_id()})
