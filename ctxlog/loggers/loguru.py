"""
loguru. Adapter: imports core, its siblings for records and levels, and loguru.

A record is stamped by a *patcher*, which loguru calls in the thread that logs; from
then on it may wait in a queue (`enqueue=True`) or go to another process.

loguru formats a message before any patcher or sink sees it: a wrong `{}` raises in the
log call, as it does without ctxlog.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from ctxlog.console import ConsoleEncoder
from ctxlog.context import View, current_view, error_view
from ctxlog.errors import MissingDependencyError
from ctxlog.line import REPORTING_LOGGERS, REQUEST_ID, ExceptionParts, LineEncoder
from ctxlog.loggers._levels import Levels
from ctxlog.loggers._record import STAMP, Stamp
from ctxlog.redact import active
from ctxlog.schema import Schema, find
from ctxlog.values import Walk, safe_str
from ctxlog.writer import LineWriter

try:
    from loguru import logger
except ModuleNotFoundError as error:
    if error.name != "loguru":
        raise
    raise MissingDependencyError("loguru", "loguru") from None

__all__ = ["JsonSink", "install", "is_configured", "patcher", "uninstall"]

_Record = dict[str, Any]
_Patcher = Callable[[_Record], None]

# loguru has no public way to ask for its patcher and its sinks.
_now = time.time
_core: Any = logger._core  # type: ignore[attr-defined]


# Where a record keeps the names of the fields that are not the context's.
_OWN = "_ctxlog_own"


# Stamping -----------------------------------------------------------------------


def patcher(record: Any) -> Any:
    """
    Stamp a record with the context, for `logger.configure(patcher=patcher)`.

    The context's fields are put into `extra`, so that every sink can show them (with
    the format `{extra[requestID]} {message}`); what is bound to the logger or given in
    the call stays. `requestID` is always there, `N/A` outside of any request. The
    context's secrets are redacted; what the call brings is as loguru has it.

    `configure(patcher=...)` replaces a patcher that is there. To keep it, give it:
    `logger.configure(patcher=patcher(mine))`; `install()` keeps it by itself.

    Args:
        record: loguru's record; or another patcher, to return one that does both.
    """
    if callable(record):
        return _Chained(record)
    exception = record["exception"]
    if exception is None:
        view = current_view()
        record[STAMP] = view
    else:
        error = exception.value
        reporting = record["name"] in REPORTING_LOGGERS
        stamp = Stamp(error_view(error, reporting=reporting))
        stamp.error = error
        record[STAMP] = stamp
        view = stamp.view
    own = record["extra"]
    record[_OWN] = tuple(own)
    record["extra"] = {**_shown(view), **own}
    return None


class _Chained:
    """Two patchers: the one that was there, then ours."""

    def __init__(self, previous: Callable[[_Record], object]) -> None:
        self.previous = previous

    def __call__(self, record: _Record) -> None:
        self.previous(record)
        patcher(record)


def _shown(view: View) -> dict[str, Any]:
    """What `extra` gets of a view: made once for it."""
    if view.encoded is None:
        view.encoded = {}
    hiding = active()
    known: dict[str, Any] | None = view.encoded.get(hiding)
    if known is None:
        walk = Walk(hiding, 262_144, 131_072)
        known = walk.named(view.fields.items())
        request_id = view.fields.get(REQUEST_ID)
        if not isinstance(request_id, str):
            request_id = "N/A" if request_id is None else safe_str(known[REQUEST_ID])
            known[REQUEST_ID] = request_id
        view.encoded[hiding] = known
    return known


# Writing ------------------------------------------------------------------------


class JsonSink:
    """
    A sink that writes ctxlog's JSON lines, for `logger.add(JsonSink(), format="")`.

    The line is the same as that of a record of stdlib logging. The context is the
    stamp's that the `patcher` left on the record, else the active one. `install()` does
    both. Never raises.

    Args:
        stream: Where the lines go: `sys.stdout` as it is now unless given.
        schema: Name of a schema, or one.
        encoder: Turns the event into the line, in place of an encoder of *schema*.
        writer: Writes the lines, in place of one for *stream*.
        levels: Least levels of single loggers: name to level.
        options: Those of `ctxlog.line.LineEncoder`.

    Raises:
        ConfigError: an option has a value that it cannot have.
    """

    def __init__(
        self,
        stream: Any = None,
        *,
        schema: str | Schema = "default",
        encoder: LineEncoder | ConsoleEncoder | None = None,
        writer: LineWriter | None = None,
        levels: Levels | None = None,
        **options: Any,
    ) -> None:
        self._encoder = encoder or LineEncoder(find(schema), **options)
        self._writer = writer or LineWriter(stream)
        self._levels = levels or None

    def __repr__(self) -> str:
        return f"<JsonSink {getattr(self._writer.stream, 'name', '')}>"

    def write(self, message: Any) -> None:
        """Write the line of a message, as loguru calls it. Never raises."""
        record = message.record
        self._write(record, record["time"].timestamp())

    def take(self, record: Any) -> bool:
        """
        Write the line of a record; always False. Never raises.

        As the `filter` of a sink it spares all that loguru would do to show the record:
        copies, formats and renders the exception, only for us to pass it over.
        """
        # Its time is this one, and takes long to read off.
        self._write(record, _now())
        return False

    def _write(self, record: Any, created: float) -> None:
        level = record["level"]
        name = record["name"]
        if self._levels is not None and level.no < self._levels.of(name):
            return
        stamp = record.get(STAMP)
        error: ExceptionParts | BaseException | None = None
        own = record["extra"]
        if type(stamp) is View:
            view = stamp
            own = _own(own, view, record[_OWN])
        elif stamp is None:
            view, error = _unstamped(record)
        elif isinstance(stamp, Stamp):
            view, error = stamp.view, stamp.error
            own = _own(own, view, record[_OWN])
        else:  # it was pickled
            revived = Stamp.revived(stamp)
            view, error = revived.view, revived.error
            own = {name: own[name] for name in record[_OWN] if name in own}
        self._writer.write(
            self._encoder.encode(
                created,
                level.name,
                level.no,
                name or "root",
                record["message"],
                view,
                own,
                error,
            )
        )


_MISSING = object()


def _own(extra: dict[str, Any], view: View, names: tuple[str, ...]) -> dict[str, Any]:
    """Return what is in `extra` besides what the patcher put there."""
    shown = _shown(view)
    own = {}
    for name in names:
        if name in extra:
            own[name] = extra[name]
    for name, value in extra.items():  # another patcher may have come later
        if name not in own and shown.get(name, _MISSING) is not value:
            own[name] = value
    return own


def _unstamped(record: _Record) -> tuple[View, BaseException | None]:
    exception = record["exception"]
    if exception is None:
        return current_view(), None
    reporting = record["name"] in REPORTING_LOGGERS
    return error_view(exception.value, reporting=reporting), exception.value


# A whole set-up -----------------------------------------------------------------

_sink_id: int | None = None
_patcher_before: _Patcher | None = None

# The number of the sink that loguru comes with, and whether `install()` took it away.
_default_id = 0
_took_default = False


def install(
    stream: Any = None,
    *,
    level: int | str = "INFO",
    levels: Mapping[str, int] | None = None,
    enqueue: bool = False,
    context: Any = None,
    writer: LineWriter | None = None,
    **options: Any,
) -> None:
    """
    Let loguru write stamped lines, the same as those of stdlib logging.

    For the whole process, until `uninstall()`. loguru's default sink, which would write
    every event a second time, as text, is removed; sinks of the application stay and
    find the context's fields in `extra`; a patcher that is there is kept. A further
    call replaces the one before.

    Args:
        stream: Where the lines go: `sys.stdout` as it is now unless given.
        level: The least level that is logged: one of loguru's names, or a number.
        levels: Least levels of single loggers (modules): name to level.
        enqueue: Whether another thread writes; also for child processes.
        context: How those are started, as `logger.add()` takes it: `spawn`, ...
        writer: Writes the lines, in place of one for *stream*.
        options: Those of `JsonSink`.

    Raises:
        ConfigError: an option has a value that it cannot have.
        ValueError: loguru has no such level.
    """
    global _sink_id, _patcher_before, _took_default
    number = level if isinstance(level, int) else logger.level(level).no
    least = Levels(number, levels)
    sink = JsonSink(stream, writer=writer, levels=least, **options)
    uninstall()
    if _default_id in _core.handlers:
        _took_default = True
        logger.remove(_default_id)
    _sink_id = logger.add(
        sink,
        level=least.least,
        format=_no_text,
        filter=None if enqueue else sink.take,
        enqueue=enqueue,
        context=context,
        colorize=False,
        backtrace=False,
        diagnose=False,
    )
    _patcher_before = _core.patcher
    chained = patcher if _patcher_before is None else patcher(_patcher_before)
    logger.configure(patcher=chained)


def _no_text(record: Any) -> str:
    return ""


def uninstall() -> None:
    """Give loguru back what it had before `install()`; without one, nothing."""
    global _sink_id, _patcher_before, _took_default, _default_id
    if _sink_id is None:
        return
    if _sink_id in _core.handlers:
        logger.remove(_sink_id)
    current = _core.patcher
    if current is patcher or isinstance(current, _Chained):
        with _core.lock:
            _core.patcher = _patcher_before
    if _took_default and sys.stderr is not None:
        _default_id = logger.add(sys.stderr)
    _sink_id, _patcher_before, _took_default = None, None, False


def is_configured() -> bool:
    """Whether the application has configured loguru by itself: sinks or a patcher."""
    if _sink_id is not None:
        return False
    return set(_core.handlers) != {_default_id} or _core.patcher is not None
