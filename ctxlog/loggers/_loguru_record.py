"""
loguru's records: how they are stamped and read. Private to `loggers/`.
"""

from __future__ import annotations

import copy
import functools
import logging
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from types import FrameType
from typing import Any

from ctxlog._json import FLAT_TYPES
from ctxlog._names import REPORTING_LOGGERS, get_names
from ctxlog.context.adapter import View, current_view, error_view
from ctxlog.errors import requires
from ctxlog.line.event import Caller, Encoder, Event, ExceptionParts, Plain
from ctxlog.line.redactor import get_redactor
from ctxlog.line.values import safe_str
from ctxlog.loggers._callers import (
    beyond_loggers,
    caller_of,
    is_ours,
    known_caller,
    passed_on,
)
from ctxlog.loggers._pickles import Packed, plain
from ctxlog.loggers._record import Stamp, plain_fields, read

with requires("loguru"):
    from loguru import logger

Record = dict[str, Any]
#: What has a say in an event: it returns the fields to write, or None.
Admit = Callable[[Plain | Event], "Mapping[Any, Any] | None"]

# loguru has no public way to ask for its levels.
_core: Any = logger._core  # type: ignore[attr-defined]


class Extra(dict[Any, Any]):
    """
    A record's `extra` with the context's fields in it, and with the record's stamp.

    loguru hands one record to all sinks, and some show all keys of it. So the stamp is
    an attribute here.

    Attributes:
        stamp: The stamp, as on a record of stdlib logging.
        shown: The context's fields, as they were put here.
        own: The other fields; their names, after a pickle.
        touched: Whether it was changed since, by another patcher.
        line: The finished line, if the record goes through a queue; else not set.
    """

    __slots__ = ("line", "own", "shown", "stamp", "touched")

    stamp: View | Stamp | dict[str, Any] | None
    shown: dict[str, Any]
    own: Any
    touched: bool
    line: bytes | None

    def __copy__(self) -> dict[Any, Any]:
        return dict(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[Any, Any]:
        return copy.deepcopy(dict(self), memo)

    def __reduce__(self) -> tuple[Any, ...]:
        # A value that does not pickle arrives as a line would show it.
        items = []
        for name, value in self.items():
            if type(value) not in FLAT_TYPES:
                value = Packed(value, plain(value))
            items.append((name, value))
        line = getattr(self, "line", None)
        return make_extra, (items, self.stamp, tuple(self.own), line)


def _touching(change: Any) -> Any:
    """Return a method that changes a dict, and notes that it did."""

    @functools.wraps(change)
    def touch(self: Extra, *args: Any, **named: Any) -> Any:
        self.touched = True
        return change(self, *args, **named)

    return touch


for _change in (
    *(dict.__setitem__, dict.__delitem__, dict.__ior__, dict.clear, dict.pop),
    *(dict.popitem, dict.setdefault, dict.update),
):
    setattr(Extra, _change.__name__, _touching(_change))


def make_extra(
    items: Any, stamp: Any, own: Iterable[Any], line: bytes | None = None
) -> Extra:
    """Return what a pickle of an `Extra` holds, or a dict with a line."""
    extra = Extra(items)
    extra.stamp, extra.own, extra.line, extra.touched = stamp, own, line, True
    extra.shown = {name: value for name, value in extra.items() if name not in own}
    return extra


# Stamping -----------------------------------------------------------------------


def patcher(record: Any) -> Any:
    """
    Stamp a record with the context, for `logger.configure(patcher=patcher)`.

    The context's fields are put into `extra`, so that every sink can show them (with
    the format `{extra[requestID]} {message}`); fields of the logger and of the call
    stay. The request's id is always there, under the chosen name, `N/A` outside of any
    request. The context's secrets are redacted; the call's fields stay as they are.

    `logger.configure(patcher=...)` replaces the previous patcher. To keep it, pass it
    on: `logger.configure(patcher=patcher(mine))`; `install()` keeps it.

    Args:
        record: loguru's record; or another patcher, to return one that does both.
    """
    if callable(record):
        return Chained(record)
    stamp = current_view() if record["exception"] is None else _stamp(record)
    own = record["extra"]
    name = record["name"]
    if type(name) is str and name[:7] == "ctxlog.":
        handed = _handed_on()
        if handed is None:
            _show_caller(record)
        else:
            record["name"] = handed.name
            own = {**read(handed).fields, **own}
    shown = _shown(stamp if isinstance(stamp, View) else stamp.view)
    record["extra"] = extra = Extra(shown)
    _update(extra, own)
    extra.stamp, extra.shown, extra.own, extra.touched = stamp, shown, own, False
    return None


_update = dict.update


def _stamp(record: Record) -> View | Stamp:
    if record["exception"] is None:
        return current_view()
    error = record["exception"].value
    reporting = record["name"] in REPORTING_LOGGERS
    return Stamp(error_view(error, reporting=reporting), error)


def _handed_on() -> logging.LogRecord | None:
    """
    Return the record of a line of ctxlog's own that `logging` has handed to loguru.

    The `InterceptHandler` of loguru's documentation hands on the text of a record only.
    A completion line needs its fields, and the name of its logger.
    """
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_name == "emit":
            handed = _record_in(frame)
            if handed is not None:
                return handed
        frame = frame.f_back
    return None


def template_in_call() -> object:
    """
    Return the message of the log call under way, before its arguments; None if unknown.

    A record has it formatted only, and each value would make another message.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not _logs:
        frame = frame.f_back
    return None if frame is None else frame.f_locals.get("message")


_logs: Any = getattr(type(logger), "_log").__code__  # noqa: B009 (not in its stubs)


def _record_in(frame: FrameType) -> logging.LogRecord | None:
    for handed in list(frame.f_locals.values()):
        if isinstance(handed, logging.LogRecord):
            return handed
    return None


def _show_caller(record: Record) -> None:
    """Show the caller of a log call that ctxlog has passed on."""
    frame = passed_on(record["file"].path, record["line"], "depth", 0)
    if frame is None:
        return
    path = frame.f_code.co_filename
    name = os.path.basename(path)
    record["name"] = frame.f_globals.get("__name__")
    record["function"], record["line"] = frame.f_code.co_name, frame.f_lineno
    record["file"] = type(record["file"])(name, path)
    record["module"] = os.path.splitext(name)[0]


class Chained:
    """Calls the previous patcher, then ours."""

    def __init__(self, previous: Callable[[Record], object]) -> None:
        self.previous = previous

    def __call__(self, record: Record) -> None:
        self.previous(record)
        patcher(record)


def _shown(view: View) -> dict[str, Any]:
    """Return the fields of a view for `extra`. Made once."""
    if view.encoded is None:
        view.encoded = {}
    hiding, names = get_redactor(), get_names()
    seen, known = view.encoded.get(hiding) or (None, {})
    if seen is not names:
        known = {**plain_fields(view)}
        key, request_id = names.request_id, names.id_of(view.fields)
        if not isinstance(request_id, str):
            known[key] = "N/A" if request_id is None else safe_str(known[key])
        view.encoded[hiding] = names, known
    return known


# Reading ------------------------------------------------------------------------


def encoded(
    encoder: Encoder,
    record: Record,
    created: float,
    admit: Admit | None = None,
) -> bytes | None:
    """
    Return the line of a record; None if it waits, or is dropped. Never raises.

    Args:
        encoder: Makes the line.
        record: The record.
        created: When it was logged, in seconds since the epoch.
        admit: Called with the event; returns the fields to write, or None.
    """
    extra, level = record["extra"], record["level"]
    stamp, own = None, extra
    if type(extra) is Extra:
        stamp, own = extra.stamp, _own(extra) if extra.touched else extra.own
    error: ExceptionParts | BaseException | None = None
    if type(stamp) is View:
        view = stamp
    else:
        view, error = _stamped(record, stamp)
    name = level.name
    if name[:6] == "Level ":
        name = _name_of(level)
    source, message = record["name"] or "root", record["message"]
    if admit is not None:
        known = (created, name, level.no, source, message, view, own)
        admitted = admit(known if error is None else Event(*known, error))
        if admitted is None:
            return None
        own = admitted
    if error is None:
        line = encoder.encode_plain(created, name, level.no, source, message, view, own)
        if line is not None:
            return line
    caller = _caller(record) if encoder.caller else None
    plain = (created, name, level.no, source, message, view, own)
    if error is None:
        return encoder.encode_at(caller, plain)
    return encoder.encode(Event(*plain, error, caller=caller))


def _stamped(
    record: Record, stamp: Any
) -> tuple[View, ExceptionParts | BaseException | None]:
    """Return the context and the exception of a record that may have no stamp."""
    if stamp is None:
        stamp = _stamp(record)
    elif isinstance(stamp, dict):  # it was pickled
        stamp = Stamp.revived(stamp)
    return (stamp, None) if isinstance(stamp, View) else (stamp.view, stamp.error)


def _caller(record: Record) -> Caller | None:
    """Return the caller of a record; None of a line of ctxlog's own."""
    if is_ours(record["name"]):
        return None
    frame = beyond_loggers(sys._getframe(1))
    if frame is not None and frame.f_code.co_name == "emit":
        # It may not be the caller that `depth` counts to, as with `stacklevel`.
        handed = _record_in(frame)
        if handed is not None:
            return caller_of(handed)
    path = getattr(record["file"], "path", None)
    return known_caller((path, record["line"], record["function"]))


def _name_of(level: Any) -> str:
    """Return the name of a level that a log call has given by its number."""
    name = str(logging.getLevelName(level.no))
    if not name.startswith("Level "):
        return name
    # loguru may have several of that number; the application's comes last.
    named = [one.name for one in list(_core.levels.values()) if one.no == level.no]
    return str(named[-1]) if named else name


_MISSING = object()


def _own(extra: Extra) -> dict[Any, Any]:
    """Return the fields in `extra` that the patcher did not put there."""
    shown = extra.shown
    own = {}
    for name in extra.own:
        if name in extra:
            own[name] = extra[name]
    for name, value in extra.items():  # another patcher may have come later
        if name not in own and shown.get(name, _MISSING) is not value:
            own[name] = value
    return own
