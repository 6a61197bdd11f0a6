"""
How lines look: in which colors and times, how wide, and without which fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ctxlog.viewer.show.times import UTC, Clock


@dataclass(frozen=True)
class Look:
    """
    How lines look.

    Attributes:
        color: Whether text has colors.
        clock: Writes times.
        hidden: Names of fields that are left out, or patterns such as `k8s.*`.
        width: How many columns the terminal has; None if lines are not wrapped.
    """

    color: bool = False
    clock: Clock = UTC
    hidden: Sequence[str] = ()
    width: int | None = None

    def hides(self, field: str) -> bool:
        """Return whether a field is left out."""
        return any(fnmatchcase(field, pattern) for pattern in self.hidden)
