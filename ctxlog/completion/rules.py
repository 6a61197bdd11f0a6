"""
The options of all adapters that say what becomes of a completion line.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypedDict

from ctxlog._ask import Complaints, ask
from ctxlog._levels import A_LEVEL, level_number
from ctxlog.completion.completed import Completed
from ctxlog.errors import ConfigError, check_seconds

#: Returns further fields of the line, None or True for none, or False for no line.
Completion: TypeAlias = Callable[[Completed], Mapping[str, object] | bool | None]

#: Returns the level of the line, as a number or a name; None for the usual one.
CompletionLevel: TypeAlias = Callable[[Completed], int | str | None]


class CompletionOptions(TypedDict, total=False):
    """The keyword arguments of every adapter that writes completion lines."""

    completion: Completion | None
    completion_level: CompletionLevel | None
    slow: float | None


class CompletionRules:
    """
    What the application wants of its completion lines, checked.

    Args:
        completion: Called with what has ended; returns further fields, None for none,
            or False for no line. If it raises, the line goes without its fields.
        completion_level: Called with the same; returns the line's level as a number or
            a name, or None for the usual one.
        slow: From this duration on, in seconds, the line says `slow` and is at least a
            warning.

    Raises:
        ConfigError: if an option is invalid.
    """

    __slots__ = ("_asks", "_complaints", "_completion", "_level", "_slow")

    def __init__(
        self,
        *,
        completion: Completion | None = None,
        completion_level: CompletionLevel | None = None,
        slow: float | None = None,
    ) -> None:
        for name, option in (
            ("completion", completion),
            ("completion_level", completion_level),
        ):
            if option is not None and not callable(option):
                raise ConfigError(name, option, "a callable")
        if slow is not None:
            check_seconds("slow", slow, "a number of seconds")
        self._completion = completion
        self._level = completion_level
        self._slow = slow
        self._complaints = Complaints()
        self._asks = completion is not None or completion_level is not None

    def judge(
        self, usual: int, duration: float, completed: Callable[[], Completed]
    ) -> tuple[int, bool, Completed | None]:
        """
        Return the line's level, whether what has ended was slow, and what has ended.

        Args:
            usual: The level without the application's rules.
            duration: How long it took, in seconds.
            completed: Returns what has ended, where a callable is asked; else it is
                not called, and None returned.
        """
        slow = self._slow is not None and duration >= self._slow
        level = max(usual, logging.WARNING) if slow else usual
        if not self._asks:
            return level, slow, None
        found = completed()
        return self._level_of(found, level), slow, found

    def _level_of(self, completed: Completed, usual: int) -> int:
        choose = self._level
        if choose is None:
            return usual
        level = ask("completion_level failed", None, lambda: choose(completed))
        if level is None:
            return usual
        number = level_number(level)
        if number is None:
            self._complaints.returned("completion_level", level, A_LEVEL)
            return usual
        return number

    def fields(self, completed: Completed) -> dict[str, object] | None:
        """Return further fields that the application wants; None for no line."""
        choose = self._completion
        if choose is None:
            return {}

        def chosen() -> object:
            found: Any = choose(completed)
            # Read here: a mapping of the application's raises anything.
            return {**found} if isinstance(found, Mapping) else found

        found = ask("completion failed", None, chosen)
        if isinstance(found, dict):
            return found
        if found is False:
            return None
        if found is not None and found is not True:
            allowed = "a mapping of fields, None or False"
            self._complaints.returned("completion", found, allowed)
        return {}
