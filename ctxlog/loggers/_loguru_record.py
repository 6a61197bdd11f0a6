"""
loguru's records: how they are stamped and read. Private to `loggers/`.
"""

from __future__ import annotations

import copy
import logging
import os
import sys
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

from ctxlog._json import FLAT_TYPES
from ctxlog._names import REPORTING_LOGGERS, get_names
from ctxlog.context.adapter import View, current_view, error_view
from ctxlog.errors import requires
from ctxlog.line.event import Encoder, Event, ExceptionParts
from ctxlog.line.redactor import get_redactor
from ctxlog.line.values import safe_str
from ctxlog.loggers._callers import passed_on
from ctxlog.loggers._pickles import Packed, plain
from ctxlog.loggers._record import Stamp, plain_fields, read

with requires("loguru"):
    from loguru import logger

Record = dict[str, Any]

# loguru has no public way to ask for its levels.
_core: Any = logger._core  # type: ignore[attr-defined]


class Extra(dict[Any, Any]):
    """
    A record's `extra` with the context's fields in it, and with the record's stamp.

    loguru hands one record to all sinks, and some show everything that is in it: so
    the stamp is an attribute here, and no key of the record.

    Attributes:
        stamp: What the record took from its context, as on a record of stdlib logging.
        shown: The context's fields, as they were put here.
        own: The names of the fields that are not the context's.
        line: The finished line of a record on its way through a queue; else not set.
    """

    __slots__ = ("line", "own", "shown", "stamp")

    stamp: View | Stamp | dict[str, Any] | None
    shown: dict[str, Any]
    own: Iterable[Any]
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


def make_extra(
    items: Any, stamp: Any, own: Iterable[Any], line: bytes | None = None
) -> Extra:
    extra = Extra(items)
    extra.stamp, extra.shown, extra.own, extra.line = stamp, {}, own, line
    return extra


# Stamping -----------------------------------------------------------------------


def patcher(record: Any) -> Any:
    """
    Stamp a record with the context, for `logger.configure(patcher=patcher)`.

    The context's fields are put into `extra`, so that every sink can show them (with
    the format `{extra[requestID]} {message}`); what is bound to the logger or given in
    the call stays. The request's id is always there, under the name that was chosen for
    it, `N/A` outside of any request. The context's secrets are redacted; what the call
    brings is as loguru has it.

    `configure(patcher=...)` replaces a patcher that is there. To keep it, give it:
    `logger.configure(patcher=patcher(mine))`; `install()` keeps it by itself.

    Args:
        record: loguru's record; or another patcher, to return one that does both.
    """
    if callable(record):
        return Chained(record)
    exception = record["exception"]
    stamp: View | Stamp
    if exception is None:
        stamp = view = current_view()
    else:
        error = exception.value
        reporting = record["name"] in REPORTING_LOGGERS
        view = error_view(error, reporting=reporting)
        stamp = Stamp(view, error)
    own = record["extra"]
    name = record["name"]
    if type(name) is str and name[:7] == "ctxlog.":
        handed = _handed_on()
        if handed is None:
            _show_caller(record)
        else:
            record["name"] = handed.name
            own = {**read(handed).fields, **own}
    shown = _shown(view)
    record["extra"] = extra = Extra(shown)
    extra.update(own)
    extra.stamp, extra.shown, extra.own = stamp, shown, own
    return None


def _handed_on() -> logging.LogRecord | None:
    """
    Return the record of a line of ctxlog's own that `logging` has handed to loguru.

    The handler of loguru's documentation, `InterceptHandler`, hands on the text of a
    record; a completion line without its fields says little. The line gets the name
    of the logger, too, in place of a module's.
    """
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_name == "emit":
            for handed in list(frame.f_locals.values()):
                if isinstance(handed, logging.LogRecord):
                    return handed
        frame = frame.f_back
    return None


def _show_caller(record: Record) -> None:
    """Show where a log call stands that ctxlog has passed on, as `run` does."""
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
    """Two patchers: the one that was there, then ours."""

    def __init__(self, previous: Callable[[Record], object]) -> None:
        self.previous = previous

    def __call__(self, record: Record) -> None:
        self.previous(record)
        patcher(record)


def _shown(view: View) -> dict[str, Any]:
    """What `extra` gets of a view: made once for it."""
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


def encoded(encoder: Encoder, record: Record, created: float) -> bytes:
    """Return the line of a record."""
    error: ExceptionParts | BaseException | None = None
    own = extra = record["extra"]
    stamp = extra.stamp if type(extra) is Extra else None
    if isinstance(stamp, View):
        view = stamp
        own = _own(extra)
    elif stamp is None:
        view, error = _unstamped(record)
    elif isinstance(stamp, Stamp):
        view, error = stamp.view, stamp.error
        own = _own(extra)
    else:  # it was pickled
        revived = Stamp.revived(stamp)
        view, error = revived.view, revived.error
        own = {name: extra[name] for name in extra.own if name in extra}
    level = record["level"]
    name = level.name
    if name[:6] == "Level ":
        name = _name_of(level)
    source, message = record["name"] or "root", record["message"]
    if error is None:
        line = encoder.encode_plain(created, name, level.no, source, message, view, own)
        if line is not None:
            return line
    return encoder.encode(
        Event(created, name, level.no, source, message, view, own, error)
    )


def _name_of(level: Any) -> str:
    """Return the name of a level that was given by its number, which has a name."""
    name = str(logging.getLevelName(level.no))
    if not name.startswith("Level "):
        return name
    # The application's, where loguru has one with that number, too.
    named = [one.name for one in list(_core.levels.values()) if one.no == level.no]
    return str(named[-1]) if named else name


_MISSING = object()


def _own(extra: Extra) -> dict[Any, Any]:
    """Return what is in `extra` besides what the patcher put there."""
    shown = extra.shown
    own = {}
    for name in extra.own:
        if name in extra:
            own[name] = extra[name]
    for name, value in extra.items():  # another patcher may have come later
        if name not in own and shown.get(name, _MISSING) is not value:
            own[name] = value
    return own


def _unstamped(record: Record) -> tuple[View, BaseException | None]:
    exception = record["exception"]
    if exception is None:
        return current_view(), None
    reporting = record["name"] in REPORTING_LOGGERS
    return error_view(exception.value, reporting=reporting), exception.value
