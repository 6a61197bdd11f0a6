"""
Records: their stamps, and how they are read. Private to `loggers/`.

A stamp is the context in which the record was made. From then on the record may wait in
a queue, be pickled or be written by another thread.
"""

from __future__ import annotations

import copyreg
import logging
import math
import re
import sys
from collections.abc import Mapping
from itertools import islice
from typing import Any, NamedTuple

from ctxlog._interrupts import is_interrupt
from ctxlog._names import (
    REPORTING_LOGGERS,
    SERVER_LOGGERS,
    SERVERS_OWN_LOGGERS,
    Names,
    get_names,
)
from ctxlog._stamps import get_stamp, with_stamp
from ctxlog.context.adapter import View, current_view, error_view
from ctxlog.context.reporting import server_view
from ctxlog.line.event import Encoder, Event, ExceptionParts
from ctxlog.line.redact import Redactor
from ctxlog.line.redactor import get_redactor
from ctxlog.line.values import Walk, safe_str, type_name
from ctxlog.loggers._callers import call_stack, caller_of
from ctxlog.loggers._events import KEYS, error_in, error_of, is_true, take_apart
from ctxlog.loggers._messages import Problems, formatted, unformatted

STANDARD = frozenset(
    logging.LogRecord("", 0, "", 0, "", (), None).__dict__.keys()
    | {"message", "asctime", "taskName"}
    # uvicorn's message with ANSI escapes; structlog's own marks on a record.
    | {"color_message", "_from_structlog", "_record", "_logger", "_name"}
)


# Stamping -----------------------------------------------------------------------


class Stamp(NamedTuple):
    """
    The stamp of a record that needs more than the context's view. It never changes.

    The stock `QueueHandler.prepare` merges the stacks into the message, and makes text
    of a message that is a dict: the stamp keeps both.

    Attributes:
        view: The context.
        error: The exception.
        stack_info: The stack.
        names: The attributes that `ContextFilter` set: they are not the log call's own.
        event: The message that is a dict.
    """

    view: View
    error: ExceptionParts | BaseException | None = None
    stack_info: str | None = None
    names: frozenset[str] = frozenset()
    event: dict[Any, Any] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        error = self.error
        if isinstance(error, BaseException):
            error = ExceptionParts.of(error)
        return _plain_stamp(
            self.view,
            error=error and error._asdict(),
            stack_info=self.stack_info,
            names=sorted(self.names),
        )

    @classmethod
    def revived(cls, plain: Mapping[str, Any]) -> Stamp:
        """Return the stamp that a pickle or a deep copy has as plain values."""
        error = plain.get("error")
        return cls(
            View(plain["fields"], plain["started"], plain["late"]),
            error and ExceptionParts(**error),
            plain.get("stack_info"),
            frozenset(plain.get("names", ())),
        )


def _plain_stamp(view: View, **more: object) -> tuple[Any, ...]:
    # A pickle may go over a network: it has builtin types only, redacted.
    walk = Walk(get_redactor(), 262_144, 262_144)
    fields = walk.named(list(view.fields.items()))
    plain = {"fields": fields, "started": view.started, "late": view.late, **more}
    return dict, (list(plain.items()),)


copyreg.pickle(View, _plain_stamp)


def stamp(record: logging.LogRecord) -> View | Stamp:
    """Return a stamp for *record* from the active context."""
    event = record.msg if type(record.msg) is dict else None
    if not record.exc_info and record.stack_info is None and event is None:
        if not is_servers(record.name):
            return current_view()
        return Stamp(_servers_view(record.name))
    error, stack_info = error_of(record.exc_info), record.stack_info
    if event is not None:
        error = error or error_in(event)
        if stack_info is None and is_true(event.get("stack_info")):
            stack_info = call_stack()
    view = error_view(error, reporting=record.name in REPORTING_LOGGERS)
    if view.empty and is_servers(record.name):
        view = _servers_view(record.name)
    return Stamp(view, error, stack_info, event=event)


def _servers_view(name: object) -> View:
    return server_view(late=name not in SERVERS_OWN_LOGGERS)


_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def is_servers(name: object) -> bool:
    """Return whether a logger is a server's, or Django's, which reports requests."""
    return name in SERVER_LOGGERS or str(name).startswith(("django.", "gunicorn."))


def stamp_of(record: logging.LogRecord) -> View | Stamp:
    """Return the stamp of *record*, or one from the active context."""
    found = get_stamp(record)
    if isinstance(found, (View, Stamp)):
        return found
    if isinstance(found, dict):  # it was pickled
        return Stamp.revived(found)
    return stamp(record)


def view_of(record: logging.LogRecord) -> View:
    """Return the context of *record*."""
    found = stamp_of(record)
    return found if isinstance(found, View) else found.view


def template_of(record: logging.LogRecord) -> object:
    """Return the message of *record* before its arguments."""
    template = record.msg
    if isinstance(template, dict):  # structlog's event
        return template.get("event", "")
    args = record.args
    if template == "%s" and isinstance(args, tuple) and len(args) == 1:
        return args[0]  # handed on by another logger, or a message without a template
    return template


def plain_fields(
    view: View, hiding: Redactor | None = None, names: Names | None = None
) -> dict[str, Any]:
    """
    Return a view's fields, plain and redacted, for programs that show them. Made once.

    Args:
        view: The view; it keeps the result.
        hiding: The redactor; by default, the process's.
        names: The spelling of ctxlog's own names; by default, the process's.
    """
    if view.encoded is None:
        view.encoded = {}
    hiding, names = hiding or get_redactor(), names or get_names()
    known: dict[str, Any] | None = view.encoded.get((plain_fields, hiding, names))
    if known is None:
        walk = Walk(hiding, 262_144, 262_144)
        known = walk.named(list(names.applied(view.fields).items()))
        view.encoded[plain_fields, hiding, names] = known
    return known


def message_of(record: logging.LogRecord) -> tuple[str, Problems]:
    """Return the formatted message, and what was wrong with it. Never raises."""
    if type(record) is ContextRecord:
        return formatted(record.msg, record.args)
    try:
        # Records of another class may have formats of their own (`{}`).
        return record.getMessage(), ()
    except Exception as error:
        # Their format, or a third-party __str__, may raise anything.
        if is_interrupt(error):
            raise
        return unformatted(record.msg, record.args, error)


class CallSite:
    """
    A line of code that logs, through one logger and at one level.

    Attributes:
        attributes: The attributes that all its records share.
        added: The names of the attributes last added to a record, mostly the same ones
            at a call site. They are looked up, not trusted.
    """

    __slots__ = ("added", "attributes")

    def __init__(self, attributes: dict[str, Any]) -> None:
        self.attributes = attributes
        self.added: tuple[str, ...] = ()


class ContextRecord(logging.LogRecord):
    """
    A `LogRecord` whose message can always be formatted.

    The record factory makes these: a wrong format string costs no handler its line.
    """

    # Slots, beside the attributes that other libraries read and copy.
    __slots__ = ("_ctxlog_call_site", "_ctxlog_stamp")

    _ctxlog_call_site: CallSite
    _ctxlog_stamp: object

    def getMessage(self) -> str:
        """Return the message, with the arguments if they do not fit. Never raises."""
        return formatted(self.msg, self.args)[0]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__

    def __reduce_ex__(self, protocol: Any) -> Any:
        return with_stamp(super().__reduce_ex__(protocol), get_stamp(self))


HAS_TASK_NAMES = sys.version_info >= (3, 12)

#: The attributes of a stock record, in their order. A later Python may have more.
ATTRIBUTES = (
    *("name", "msg", "args", "levelname", "levelno", "pathname", "filename", "module"),
    *("exc_info", "exc_text", "stack_info", "lineno", "funcName", "created", "msecs"),
    *("relativeCreated", "thread", "threadName", "processName", "process"),
    *(("taskName",) if HAS_TASK_NAMES else ()),
)


# Reading ------------------------------------------------------------------------


def read(record: logging.LogRecord) -> Event:
    """Take *record* apart. May raise whatever fields of a broken record raise."""
    stamped = stamp_of(record)
    if isinstance(stamped, View):
        stamped = Stamp(stamped)
    # Another library may add them to the record after it was stamped.
    error = error_of(record.exc_info) or stamped.error
    stack_info = record.stack_info or stamped.stack_info
    own = _own(record.__dict__, stamped.names)
    problems: Problems = ()
    message, slack = "", 60.0
    event = record.msg
    if not isinstance(event, dict):
        event = _queued(stamped.event, event)
    if event is None:
        message, problems = message_of(record)
        # structlog's `render_to_log_kwargs` makes attributes of an event.
        named = {name: own.pop(name) for name in _OF_PROCESSORS & own.keys()}
        if named:
            event, slack = {"event": message, **named}, 1.5
    elif not record.__dict__.keys() >= _OF_STRUCTLOG:
        # As in python-json-logger: a dict for a message is the event's fields.
        own, event = {**event, **own}, None
    if event is not None:
        parts = _taken(record, stamped.view, event, slack)
        message, problems = parts.message, problems + parts.problems
        own.update(parts.fields)
        error, stack_info = error or parts.error, stack_info or parts.stack_info
    if not record.exc_info and (error is not None or stack_info):
        error, message = _without_stacks(error, stack_info, message)
    if is_servers(record.name):
        message = _ANSI.sub("", message).rstrip("\n")  # werkzeug's, uvicorn's
        # The server's objects: Django's request shows the query string as text.
        own.pop("request", None)
        own.pop("websocket", None)
    if error is None and record.exc_text:
        error = ExceptionParts("", "", record.exc_text)
    return Event(
        *(record.created, record.levelname, record.levelno, record.name, message),
        *(stamped.view, own, error, stack_info, problems),
    )


# `ProcessorFormatter.wrap_for_formatter` sets these: the message is an event dict.
_OF_STRUCTLOG = {"_logger", "_name"}

# Attributes of a record that may be an event's keys.
_OF_PROCESSORS = KEYS & {
    *("exception", "level", "logger", "positional_args", "stack", "timestamp")
}

#: Names that are no mere fields of a log call.
RESERVED = STANDARD | _OF_PROCESSORS


def _taken(
    record: logging.LogRecord, view: View, event: dict[str, Any], slack: float
) -> Event:
    """Take structlog's event apart; values that the record has, too, are no fields."""
    created: Any = record.created
    if not isinstance(created, (int, float)):
        created = math.nan  # a record that was unpickled may hold anything
    known = Event(created, str(record.levelname), record.levelno, record.name, "", view)
    parts = take_apart(event, known, slack)
    own = dict(parts.fields)
    if parts.logger != record.name:
        own["logger"] = parts.logger
    if parts.levelno != record.levelno:
        own["level"] = event["level"]
    return parts._replace(fields=own)


def _queued(event: dict[Any, Any] | None, message: Any) -> dict[Any, Any] | None:
    """Return the event if the stock `QueueHandler` has made text of it, else None."""
    if event is None or not isinstance(message, str):
        return None
    return event if message.startswith(safe_str(event)) else None


# How many attributes a record has as the factory makes it, and the last one.
_AS_MADE, _LAST = len(ATTRIBUTES), ATTRIBUTES[-1]


def _own(attributes: dict[str, Any], set_by_filter: frozenset[str]) -> dict[str, Any]:
    """Return the log call's own fields: all attributes that are not standard."""
    return {
        name: value
        # A copy: another thread's handler may be setting attributes.
        for name, value in list(attributes.items())
        if name not in STANDARD and name not in set_by_filter
    }


def _own_as_made(
    record: ContextRecord, attributes: dict[str, Any]
) -> dict[str, Any] | None:
    """
    Return the same for a record of the factory, by looking at its end only.

    Return None if it may have attributes that are no fields.
    """
    count = len(attributes) - _AS_MADE
    own: dict[str, Any] = {}
    if not count:
        return own
    site = record._ctxlog_call_site
    if len(site.added) == count:
        # Most likely the same as last time: then all of them are there.
        for name in site.added:
            if name not in attributes:
                break
            own[name] = attributes[name]
        else:
            return own
    # Together with the last one before them, unless an attribute was removed.
    *backwards, last = islice(reversed(attributes), count + 1)
    if last != _LAST or not STANDARD.isdisjoint(backwards):
        return _own(attributes, frozenset())  # another formatter has added some
    if not _OF_PROCESSORS.isdisjoint(backwards):
        return None
    site.added = tuple(reversed(backwards))
    return {name: attributes[name] for name in site.added}


def _without_stacks(
    error: ExceptionParts | BaseException | None, stack_info: str | None, message: str
) -> tuple[ExceptionParts | None, str]:
    """Take the stacks out of the message: the stock `QueueHandler` puts them there."""
    if isinstance(error, BaseException):
        error = ExceptionParts.of(error)
    for stack in (error and error.stack, stack_info):
        if stack:
            # Without its last line: a broken exception may be shown otherwise.
            frames = stack.rpartition("\n")[0] or stack
            message = message.partition(f"\n{frames}")[0]
    return error, message


def encoded(encoder: Encoder, record: logging.LogRecord) -> bytes:
    """Return the line of *record*. Never raises."""
    if type(record) is ContextRecord:
        attributes = record.__dict__
        try:
            view = record._ctxlog_stamp
            message = attributes["msg"]
            if (
                type(view) is View
                and type(message) is str
                and not (attributes["exc_info"] or attributes["exc_text"])
                and attributes["stack_info"] is None
            ):
                # As the factory made it, but for the fields at its end.
                args = attributes["args"]
                own = _own_as_made(record, attributes)
                if own is not None:
                    plain = (
                        attributes["created"],
                        attributes["levelname"],
                        attributes["levelno"],
                        attributes["name"],
                        message % args if args else message,
                        view,
                        own,
                    )
                    line = encoder.encode_plain(*plain)
                    if line is None:
                        caller = caller_of(record) if encoder.caller else None
                        line = encoder.encode_at(caller, plain)
                    return line
        except Exception as error:
            # A __str__ that raises, a wrong format, an attribute that is gone: the
            # event says what was wrong.
            if is_interrupt(error):
                raise
    return encoder.encode(event_of(record, encoder.caller))


def event_of(
    record: logging.LogRecord, has_caller: bool, problems: Problems = ()
) -> Event:
    """
    Take any record apart. Never raises.

    Args:
        record: The record.
        has_caller: Whether to look for the caller.
        problems: Replacements made before, in words.
    """
    try:
        event = read(record)
    except Exception as error:
        # A record that was unpickled may hold anything: the line has its message.
        if is_interrupt(error):
            raise
        problems = (f"record not readable: {type_name(error)}", *problems)
        event = Event(
            *(record.created, record.levelname, record.levelno, record.name),
            *(safe_str(record.msg), current_view()),
        )
    if has_caller:
        event = event._replace(caller=caller_of(record))
    if problems:
        event = event._replace(problems=(*event.problems, *problems))
    return event
