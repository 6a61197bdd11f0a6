"""
What is declared about a format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Format:
    """
    A format of log lines: what the general rules of `keys.py` do not know of it.

    Most formats need nothing but a name and a sample.

    Attributes:
        name: Its name, as its users call it.
        sample: A line of it, made after its documentation; or several.
        known_by: The names, with spaces between them, that an object of this format
            has. Needed only where what follows is said.
        found: Paths, with spaces between them, by what stands there: for names that
            mean something in this format only. They come before all others.
        scale: The scale of its levels where they are numbers, one of `SCALES`.
        level: The level of a line that says none, on logging's scale.
        unit: The unit of durations that say none, in seconds.
        template: How its messages are filled: from the members that they `names`, or
            from its `arguments` in turn; empty if they are whole.
        begins: Whether the time is when what took a while began, not when it ended.
    """

    name: str
    sample: str = ""
    known_by: str = ""
    found: Mapping[str, str] = field(default_factory=dict)
    scale: str = ""
    level: int = 0
    unit: float = 0.0
    template: str = ""
    begins: bool = False

    def places(self, what: str) -> tuple[str, ...]:
        """Return the paths at which it says something, besides the usual ones."""
        return tuple(self.found.get(what, "").split())
