"""The messages of task queues: one text that holds the context of the sender."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from typing import Any

from ctxlog._json import dumps, loads
from ctxlog._names import CAMEL, get_names
from ctxlog.carrier.fields import (
    MAX_FIELDS,
    PARENT,
    STATE,
    checked_fields,
    is_field_name,
    outgoing_id,
    plain_fields,
)
from ctxlog.carrier.ids import (
    is_possible_request_id,
    is_safe_header_value,
    new_request_id,
)
from ctxlog.carrier.rates import checked_rate, outgoing_rate
from ctxlog.carrier.received import ReceivedStore
from ctxlog.carrier.spans import outgoing_trace
from ctxlog.carrier.trace_context import Trace, trace_of
from ctxlog.context import run
from ctxlog.context.adapter import current_view

_log = logging.getLogger("ctxlog")

#: The header of task messages that holds what `pack()` returns.
MESSAGE_HEADER = "ctxlog"

#: The most bytes of what `pack()` returns and of what `unpack()` reads.
MAX_MESSAGE_BYTES = 8192

_MAX_DEPTH = 8

# When a task was due, in milliseconds since the epoch. No field can have the name, so
# that a receiver which does not know the member leaves it out.
_DUE = "timestamp"
_MAX_DUE = 1e14  # beyond the year 5000

# The names in a message are the same whatever the processes at its ends call them.
_OWN = frozenset(
    {CAMEL.request_id, CAMEL.trace_id, CAMEL.span_id, CAMEL.parent_task_id}
    | {PARENT, STATE, CAMEL.sample_rate}
)


# The members in which two messages of one request may differ.
_OWN_TO_EACH = {_DUE: None, CAMEL.sample_rate: None}


def pack(
    *,
    fields: Iterable[str] = (),
    task_id: str | None = None,
    due: float | None = None,
) -> str:
    """
    Return the active context as the text for the header `ctxlog` of a task's message.

    A JSON object of at most 8,192 bytes: `requestID`, `traceparent` and `tracestate`,
    `sampleRate` once it is decided that a request is kept, where requests are sampled,
    `parentTaskID` inside a task, *fields*, and when the task is *due*. Outside of any
    context it has no id: the worker then knows that no request has sent the task.

    Args:
        fields: The names of further fields to send, redacted. One that does not fit
            is left out, and a warning is logged.
        task_id: The id of the task that is sent. A task that sends itself once more is
            a retry, whose parent is that of the first attempt.
        due: When the task is sent or, if that is later, is to be run, in seconds since
            the epoch: for messages that do not say it themselves. It is left out if it
            is no time.

    Raises:
        ConfigError: if *fields* are not names of fields.
    """
    names = checked_fields(fields)
    view = current_view()
    members: dict[str, Any] = {**_due_member(due)}
    request_id = outgoing_id(view)
    if request_id is not None:
        members[CAMEL.request_id] = request_id
    trace = outgoing_trace()
    if trace is not None:
        members[PARENT] = trace.parent
        if trace.state:
            members[STATE] = trace.state
    rate = outgoing_rate(view)
    if rate is not None:
        members[CAMEL.sample_rate] = rate
    own = get_names()
    parent = view.fields.get(own.task_id)
    if parent is not None and parent == task_id:
        parent = view.fields.get(own.parent_task_id)
    if isinstance(parent, str) and is_safe_header_value(parent):
        members[CAMEL.parent_task_id] = parent
    size = len(dumps(members))
    for name, value in plain_fields(view, names, MAX_MESSAGE_BYTES).items():
        size += len(dumps({name: value})) - 1
        if size > MAX_MESSAGE_BYTES or len(members) >= MAX_FIELDS:
            _log.warning(
                "the field %r is not sent: the message would be too long", name
            )
            break
        members[name] = value
    return dumps(members).decode()


def unpack(message: object) -> ReceivedStore:
    """
    Return a fresh store with what came in the header `ctxlog` of a task's message.

    Never raises. Invalid parts are left out: a text that is too long, of another type
    or no JSON object, nesting, too many fields, reserved names. Without an id the store
    gets a new one.

    Args:
        message: What `pack()` returned, or bytes of it; anything else is treated as
            missing.
    """
    members = _members_of(message)
    found: dict[str, object] = {}
    names = get_names()
    request_id = members.pop(CAMEL.id_name(members), None)
    usable = is_possible_request_id(request_id)
    found[names.request_id] = request_id if usable else new_request_id()
    parent = members.get(CAMEL.parent_task_id)
    if isinstance(parent, str) and is_safe_header_value(parent):
        found[names.parent_task_id] = parent
    for name, value in members.items():
        if name in _OWN or len(found) >= MAX_FIELDS:
            continue
        if is_field_name(name) and _is_flat(value, _MAX_DEPTH):
            found[name] = value
    store = ReceivedStore(found)
    store.enter_trace(_trace_of(members))
    store.enter_rate(checked_rate(members.get(CAMEL.sample_rate)))
    store.due = _due_of(members)
    return store


def settle(message: object, *, task_id: str | None) -> tuple[ReceivedStore, str]:
    """
    Unpack a message that another process is going to unpack as well. Never raises.

    For workers that receive in one process and run in another.

    Args:
        message: As for `unpack()`.
        task_id: The task's id.

    Returns:
        The store, and the message for the other process: it has the same id, also if
        the message came without one.
    """
    store = unpack(message)
    if task_id is not None:
        store[get_names().task_id] = task_id
    # Packed again, the message would name the receiver as the span's parent.
    if isinstance(message, str) and CAMEL.id_of(_members_of(message)) is not None:
        return store, message
    names = [name for name in store if is_field_name(name)]
    due = store.due
    return store, run(store, lambda: pack(fields=names, task_id=task_id, due=due))


def redated(message: object, due: float) -> object:
    """
    Return a message that a scheduler passes on when the task is due. Never raises.

    Args:
        message: What `pack()` returned. Anything else is returned as it is.
        due: As for `pack()`.
    """
    members = _members_of(message)
    if not members:
        return message
    members.pop(_DUE, None)
    return dumps({**members, **_due_member(due)}).decode()


def common_message(messages: Iterable[object]) -> object:
    """
    Return the one message that all of a batch are but for their times: the oldest.

    None if they differ, or if there is none. Never raises. Some may have been sent
    before it was decided whether their request is kept: the oldest that was not, if
    there is one, is the one.
    """
    known = [message for message in messages if message is not None]
    parts = [_members_of(message) for message in known]
    common = [{**part, **_OWN_TO_EACH} for part in parts]
    if not common or any(part != common[0] for part in common):
        return None
    ages = [
        (CAMEL.sample_rate not in part, _due_of(part) or math.inf) for part in parts
    ]
    return known[ages.index(min(ages))]


def _members_of(message: object) -> dict[str, Any]:
    if not isinstance(message, (str, bytes)) or len(message) > MAX_MESSAGE_BYTES:
        return {}
    try:
        members = loads(message)
    except (ValueError, RecursionError):
        return {}
    return members if isinstance(members, dict) else {}


def _due_member(due: float | None) -> dict[str, int]:
    # Not of infinity and the like, which a delay of the application's may lead to.
    if due is None or not 0 < due * 1000 < _MAX_DUE:
        return {}
    return {_DUE: round(due * 1000)}


def _due_of(members: Mapping[str, Any]) -> float | None:
    due = members.get(_DUE)
    if isinstance(due, bool) or not isinstance(due, (int, float)):
        return None
    return due / 1000 if 0 < due < _MAX_DUE else None


def _trace_of(members: Mapping[str, Any]) -> Trace | None:
    parent, state = members.get(PARENT), members.get(STATE, "")
    if isinstance(parent, str) and isinstance(state, str):
        return Trace.read([parent], [state])
    # A sender that is not ctxlog may know the ids only.
    return trace_of(members.get(CAMEL.trace_id), members.get(CAMEL.span_id))


def _is_flat(value: object, depth: int) -> bool:
    """Return whether at most *depth* containers are nested in each other in a value."""
    if not isinstance(value, (dict, list)):
        return True
    members = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(_is_flat(member, depth - 1) for member in members)
