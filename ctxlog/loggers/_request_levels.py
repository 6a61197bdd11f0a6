"""
Which lines of `logging` are made: by the level of the logger, or by the request.

A logger answers `isEnabledFor()` from a cache, as a stock one does. Only for levels
between those that requests have asked for the answer depends on the active store.
Private to `loggers/`.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any, Protocol

from ctxlog._names import LIBRARY_LEVELS
from ctxlog.context.adapter import get_current
from ctxlog.retention import RequestLines, asked

# What the cache of a logger has for levels that are the request's to answer: for those
# that are enabled unless it asks for less, and for those that are not.
_USUALLY, _RATHER_NOT = "usually", "rather not"

#: The loggers whose levels `configure(levels=...)` has set.
chosen: Collection[str] = frozenset()


class Watcher(Protocol):
    """Sees lines whatever becomes of them."""

    def takes(self, level: int) -> bool:
        """Return whether lines of a level are made for it."""
        ...

    def give(self, record: logging.LogRecord) -> None:
        """Take a record that the loggers hand to no handler but ours, or to none."""


#: The one of this process.
watcher: Watcher | None = None


def watch(by: Watcher | None) -> None:
    """Have all lines seen that are made, or would be if a request asked for them."""
    global watcher
    watcher = by
    forget_answers()


def choose_levels(names: Collection[str]) -> None:
    """Take note of the loggers whose levels the application has chosen by name."""
    global chosen
    chosen = names
    forget_answers()


def is_enabled_for(self: logging.Logger, level: int) -> bool:
    """Return whether a line of a level is made, for the active request."""
    # What costs most is first: a level that is disabled. Then the store is looked up as
    # `current_view()` does, without further calls.
    try:
        answer = self._cache[level]  # type: ignore[attr-defined]
    except KeyError:
        answer = _answer(self, level)
    if not answer:
        return False
    if answer is not True:
        frame = get_current()
        lines: Any = None if frame is None else frame.source._view.lines
        if lines is None:
            if answer is _RATHER_NOT:
                return False
        elif not lines.wants(level, answer is _USUALLY):
            return False
    return not self.disabled


def is_usual(logger: logging.Logger, level: int, lines: RequestLines) -> bool:
    """Return whether a line is written in a request that keeps none for later."""
    usual = _is_usual(logger, level)
    if lines.level is None or _has_own_level(logger):
        return usual
    return level >= lines.level


def _is_usual(logger: logging.Logger, level: int) -> bool:
    """Return whether a logger writes lines of a level, whatever a request asks for."""
    answer: object = logger._cache.get(level)  # type: ignore[attr-defined]
    if answer is True or answer is _USUALLY:
        return True
    return answer is not _RATHER_NOT and level >= logger.getEffectiveLevel()


def _answer(logger: logging.Logger, level: int) -> bool | str:
    """Return, and keep, whether a level is enabled, or that the request says so."""
    answer: bool | str = False
    usual = level >= logger.getEffectiveLevel()
    if logger.manager.disable < level:
        answer = usual
        if not _has_own_level(logger):
            if usual and level < asked.ceiling:
                answer = _USUALLY
            elif not usual and level >= asked.floor:
                answer = _RATHER_NOT
    if watcher is not None:
        return watcher.takes(level) or answer
    # `logging` empties the cache when a level changes.
    logger._cache[level] = answer  # type: ignore[attr-defined]
    return answer


def _has_own_level(logger: logging.Logger) -> bool:
    """Return whether somebody has chosen the level of a logger in particular."""
    above: logging.Logger | None = logger
    while above is not None and not above.level:
        above = above.parent
    if above is None or above.parent is None:
        return False
    return above.name in chosen or LIBRARY_LEVELS.get(above.name) != above.level


def forget_answers() -> None:
    """Have all loggers ask again."""
    logging.root.manager._clear_cache()  # type: ignore[attr-defined]


def logger_of(name: object) -> logging.Logger:
    """Return the logger of a record's name, or else the one above it; make none."""
    known = logging.root.manager.loggerDict
    text = name if type(name) is str and len(name) <= 1024 else ""
    while text:
        logger = known.get(text)
        if isinstance(logger, logging.Logger):
            return logger
        text = text.rpartition(".")[0]
    return logging.root
