"""
Least levels of single loggers, for libraries that have none. Private to `loggers/`.
"""

from __future__ import annotations

from collections.abc import Mapping


class Levels:
    """
    The least level of each logger, found by its dotted name as in `logging`.

    Args:
        level: The least level of all other loggers.
        levels: Least levels of single loggers: name to level.

    Attributes:
        least: The lowest of all these levels.
    """

    def __init__(self, level: int, levels: Mapping[str, int] | None = None) -> None:
        self._level = level
        self._levels = dict(levels or {})
        self.least = min([level, *self._levels.values()])

    def __bool__(self) -> bool:
        """Return whether any single logger has a level of its own."""
        return bool(self._levels)

    def of(self, logger: object) -> int:
        """Return the least level of a logger, which may have no name."""
        own = self.chosen(logger)
        return self._level if own is None else own

    def chosen(self, logger: object) -> int | None:
        """Return the level of a logger that has one of its own, else None."""
        name = logger if isinstance(logger, str) else ""
        while name and self._levels:
            if name in self._levels:
                return self._levels[name]
            name = name.rpartition(".")[0]
        return None
