"""
What loggers must know before they make a line: whether it may be the request's to say.
"""

from __future__ import annotations

from collections.abc import Callable

from ctxlog.retention._policy import NEVER


class Asked:
    """
    What is asked for, by the configuration and by requests, in this process.

    Attributes:
        active: Whether any line may not simply be written.
        floor: The lowest level that a request may ask for or a buffer takes.
        ceiling: The highest level that a request has asked for.
        changed: Called when one of them has changed.
    """

    def __init__(self) -> None:
        self.active = False
        self.floor: float = NEVER
        self.ceiling: float = -NEVER
        self.changed: list[Callable[[], object]] = []

    def begin(self, active: bool, floor: float) -> None:
        """Begin anew: no request has a level of its own."""
        self._set(active, floor, -NEVER)

    def level(self, level: int) -> None:
        """Take note that a request has a level of its own. It stays for the process."""
        self._set(True, min(self.floor, level), max(self.ceiling, level))

    def _set(self, active: bool, floor: float, ceiling: float) -> None:
        new = (active, floor, ceiling)
        if new != (self.active, self.floor, self.ceiling):
            self.active, self.floor, self.ceiling = new
            for call in list(self.changed):
                call()


asked = Asked()
