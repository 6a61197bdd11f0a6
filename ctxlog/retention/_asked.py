"""
What loggers must know before they make a line: whether it may be the request's to say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ctxlog.retention._policy import NEVER


class Limit(Protocol):
    """Leaves out lines that come too often."""

    def leaves_out(
        self, writer: object, logger: str, level: tuple[str, int], template: object
    ) -> bool:
        """
        Return whether a line is left out, and count it.

        Args:
            writer: What would write it.
            logger: The name of its logger.
            level: The name and the number of its level.
            template: Its message, before its arguments.
        """
        ...


class Asked:
    """
    What is asked for, by the configuration and by requests, in this process.

    Attributes:
        active: Whether any line may not simply be written.
        held: The lowest level that a buffer takes.
        floor: The lowest level that a request has asked for or a buffer takes.
        ceiling: The highest level that a request has asked for.
        limit: Leaves out lines that come too often; None where each is written.
        changed: Called when one of them has changed.
    """

    def __init__(self) -> None:
        self.active = False
        self.held: float = NEVER
        self.floor: float = NEVER
        self.ceiling: float = -NEVER
        self.limit: Limit | None = None
        self.changed: list[Callable[[], object]] = []

    def begin(
        self, active: bool, held: float = NEVER, limit: Limit | None = None
    ) -> None:
        """Begin anew: no request has a level of its own."""
        self.limit = limit
        self._set(active, held, held, -NEVER)

    def level(self, level: int) -> None:
        """Take note that a request has a level of its own. It stays for the process."""
        floor, ceiling = min(self.floor, level), max(self.ceiling, level)
        self._set(True, self.held, floor, ceiling)

    def _set(self, active: bool, held: float, floor: float, ceiling: float) -> None:
        new = (active, held, floor, ceiling)
        if new != (self.active, self.held, self.floor, self.ceiling):
            self.active, self.held, self.floor, self.ceiling = new
            for call in list(self.changed):
                call()


asked = Asked()
