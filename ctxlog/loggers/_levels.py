"""
Least levels of single loggers, for libraries that have none. Private to `loggers/`.
"""

from __future__ import annotations

from collections.abc import Mapping


class Levels:
    """
    The least level of each logger; as in `logging`, by the parts of its dotted name.

    Args:
        level: That of all others.
        levels: Those of single loggers: name to level.
    """

    def __init__(self, level: int, levels: Mapping[str, int] | None = None) -> None:
        self._level = level
        self._levels = dict(levels or {})
        #: Below this nothing is logged, whoever asks.
        self.least = min([level, *self._levels.values()])

    def __bool__(self) -> bool:
        """Whether there are any of single loggers."""
        return bool(self._levels)

    def of(self, logger: object) -> int:
        """Return the least level of a logger; without a name, that of all others."""
        name = logger if isinstance(logger, str) else ""
        while name:
            if name in self._levels:
                return self._levels[name]
            name = name.rpartition(".")[0]
        return self._level
