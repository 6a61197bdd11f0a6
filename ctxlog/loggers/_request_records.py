"""
How loggers of any class ask the active request, and the way of lines below the level.

Private to `loggers/`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from typing import Any

from ctxlog._patch import Patch
from ctxlog.loggers import _request_levels
from ctxlog.loggers._handler import LineHandler
from ctxlog.loggers._record import view_of
from ctxlog.loggers._request_levels import forget_answers, is_enabled_for, is_usual
from ctxlog.retention import DROP, RequestLines, asked


def _enabled(below: Any, logger: logging.Logger, level: int) -> bool:
    return is_enabled_for(logger, level)


def _handle(below: Any, logger: logging.Logger, record: logging.LogRecord) -> None:
    """
    Let a record decide about its request, where it was logged; then hand it on.

    A record below the level comes to ctxlog's handlers only: the files, trackers and
    exporters beside them are as if the buffer did not exist.
    """
    view = view_of(record)
    lines = view.lines
    if not isinstance(lines, RequestLines):
        below(logger, record)
        return
    level = record.levelno
    usual = is_usual(logger, level, lines)
    verdict = lines.verdict(record.name, level, usual, view)
    if usual:
        below(logger, record)
        return
    watcher = _request_levels.watcher
    if (verdict is not DROP or watcher is not None) and not logger.disabled:
        passed: Any = logger.filter(record)
        if isinstance(passed, logging.LogRecord):  # Python 3.12 and later
            record = passed
        if passed and watcher is not None:
            watcher.give(record)
        if passed and verdict is not DROP:
            for handler in _handlers(logger):
                if level >= handler.level:
                    handler.handle(record)


def _handlers(logger: logging.Logger) -> Iterator[logging.Handler]:
    """Yield the handlers of a logger, and of those above it, that write our lines."""
    above: logging.Logger | None = logger
    while above is not None:
        yield from filter(_writes_lines, above.handlers)
        above = above.parent if above.propagate else None


def _writes_lines(handler: logging.Handler) -> bool:
    # Not imported for this: an application with such a handler has imported it.
    handlers: Any = sys.modules.get("logging.handlers")
    if handlers is not None and isinstance(handler, handlers.QueueHandler):
        # Of a queue whose listener is known, as `dictConfig` makes one.
        listener = getattr(handler, "listener", None)
        found = getattr(listener, "handlers", ())
        return bool(found) and all(isinstance(one, LineHandler) for one in found)
    return isinstance(handler, LineHandler)


_PATCHES = [
    Patch(logging.Logger, "isEnabledFor", _enabled),
    Patch(logging.Logger, "handle", _handle),
]

# The methods of these patches, while they are on.
_ours: list[object] = []


def is_ours(method: object) -> bool:
    """Return whether a method of `logging.Logger` is one of this module."""
    return any(one is method for one in _ours)


def follow() -> None:
    """Let loggers of any class ask the active request, as long as one may answer."""
    _ours.clear()
    for patch in _PATCHES:
        if asked.active:
            patch.install()
            _ours.append(vars(logging.Logger)[patch.name])
        else:
            patch.uninstall()
    forget_answers()
