"""
Least levels of single loggers, for libraries that have none. Private to `loggers/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Levels:
    """
    The least level of each logger, found by its dotted name as in `logging`.

    A level that was chosen for a single logger holds whatever a request asks for; that
    of all others is the request's to replace.

    Args:
        level: The least level of all other loggers.
        levels: Least levels of single loggers: name to level.

    Attributes:
        least: The lowest of all these levels.
        single: Whether any single logger has a level of its own.
    """

    def __init__(self, level: int, levels: Mapping[str, int] | None = None) -> None:
        self._level = level
        self._levels = dict(levels or {})
        self.least = min([level, *self._levels.values()])
        self.single = bool(levels)

    def makes(self, logger: object, level: int, lines: Any) -> bool:
        """
        Return whether an event is made: one that is written, or that may wait.

        Args:
            logger: The name of its logger, which may have none.
            level: Its level.
            lines: The `RequestLines` of its request; None without any.
        """
        own = self._chosen(logger)
        if own is not None:
            return level >= own
        made = level >= self._level
        if lines is not None:
            made = lines.wants(level, made)
        return made

    def writes(self, logger: object, level: int, lines: Any) -> bool:
        """
        Return whether an event is written in a request that keeps none for later.

        The arguments are those of `makes()`.
        """
        own = self._chosen(logger)
        if own is None:
            asked = None if lines is None else lines.level
            own = self._level if asked is None else asked
        return level >= own

    def _chosen(self, logger: object) -> int | None:
        """Return the level that was chosen for a single logger, else None."""
        name = logger if self.single and isinstance(logger, str) else ""
        while name:
            if name in self._levels:
                return self._levels[name]
            name = name.rpartition(".")[0]
        return None
