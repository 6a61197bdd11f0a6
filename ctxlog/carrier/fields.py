"""
The fields that leave a process, and those that may come in.

The fields that go out are an allow-list, since a store may hold secrets: the request's
id, its trace, and the fields that the application names. The fields that come in are
validated: they end up in log lines, in response headers and in other people's searches.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import Any, TypeGuard

from ctxlog._names import Names, get_names
from ctxlog.carrier.ids import is_possible_request_id
from ctxlog.context.adapter import View
from ctxlog.errors import ConfigError
from ctxlog.line.redactor import get_redactor
from ctxlog.line.values import Walk
from ctxlog.line.vendors import DEFAULT

#: The W3C header, and the member of a task's message, that holds the trace.
PARENT = "traceparent"
#: The same for the trace's state.
STATE = "tracestate"

#: The most fields of a message or of a `baggage` header.
MAX_FIELDS = 64

_MAX_NAME = 128
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@functools.lru_cache(maxsize=8)
def _reserved(names: Names) -> frozenset[str]:
    """Return the names that no process may set for another one."""
    return frozenset(
        {*DEFAULT.spelled(names).own_keys, *_always_sent(names), PARENT, STATE}
        | {"service", "environment", "task", "attempt"}
        | {names.task_id, names.parent_task_id}
    )


def _always_sent(names: Names) -> tuple[str, ...]:
    """Return the names of the fields that go along without being asked for."""
    return names.request_id, names.trace_id, names.span_id


def checked_fields(fields: object) -> tuple[str, ...]:
    """
    Return the names of fields to carry, the value of an option `fields`.

    Raises:
        ConfigError: if they are not names, or one of them is set by ctxlog itself.
    """
    allowed = "a list of names of fields, without those that ctxlog sets itself"
    if not isinstance(fields, Iterable) or isinstance(fields, (str, bytes)):
        raise ConfigError("fields", fields, allowed)
    names, always = list(fields), _always_sent(get_names())
    for name in names:
        if not is_field_name(name) and name not in always:
            raise ConfigError("fields", name, allowed)
    return tuple(dict.fromkeys(name for name in names if name not in always))


def is_field_name(name: object) -> TypeGuard[str]:
    """Return whether a value is a name that another process may set."""
    return (
        isinstance(name, str)
        and 0 < len(name) <= _MAX_NAME
        and name not in _reserved(get_names())
        and not has_control_characters(name)
    )


def has_control_characters(text: str) -> bool:
    """Return whether a text has control characters or lone surrogates."""
    return _CONTROL.search(text) is not None


def outgoing_id(view: View) -> str | None:
    """Return the request's id as it may be sent, or None."""
    request_id = get_names().id_of(view.fields)
    if request_id is None:
        return None
    text = request_id if isinstance(request_id, str) else str(request_id)
    return text if is_possible_request_id(text) else None


def plain_fields(view: View, names: Iterable[str], max_length: int) -> dict[str, Any]:
    """Return the fields of these names, redacted and as JSON types."""
    found = [(name, view.fields[name]) for name in names if name in view.fields]
    return Walk(get_redactor(), max_length, max_length).named(found)
