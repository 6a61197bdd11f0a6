"""
What an object says of something, wherever loggers keep it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ctxlog.viewer.recognize._shape import Place, Shape, at, inner
from ctxlog.viewer.recognize.keys import Names
from ctxlog.viewer.recognize.scales import number


class Said:
    """
    An object, and where it says what.

    Attributes:
        members: The object, flattened where it is OpenTelemetry's; of text, what its
            format has a name for.
        names: The user's own names.
    """

    __slots__ = ("_shape", "members", "names")

    def __init__(self, members: dict[str, Any], names: Names) -> None:
        self.members, self.names = members, names
        self._shape = Shape.of(members)

    def get(self, path: str) -> Any:
        """Return the value at a path, wherever loggers keep it; None if none."""
        found = self.members.get(path)  # where it mostly is
        if found is not None:
            return found
        for full in self._shape.possible(path):
            found = at(self.members, full)
            if found is not None:
                return found
        spans = self.members.get("spans")
        if isinstance(spans, list):
            for span in reversed(spans):
                if isinstance(span, dict) and span.get(path) is not None:
                    return span[path]
        return None

    def _all(self, what: str) -> Sequence[tuple[Place, Any]]:
        """Return all that it says of something, with the places, the best first."""
        if self.names.own and (name := self.names.of(what)) is not None:
            found = self.get(name)
            return [] if found is None else [(name, found)]
        members = self.members
        places = self._shape.places(what, members)
        if not places:
            return ()
        found_at = [
            (place, members[place] if type(place) is str else inner(members, place))
            for place in places
        ]
        return [one for one in found_at if one[1] is not None]

    def _best(self, what: str) -> Any:
        """Return what stands where most have it; None if it must be looked for."""
        place = None if self.names.own else self._shape.best(what, self.members)
        return None if place is None else self.members[place]

    def _first(self, what: str) -> str | None:
        for _, found in self._all(what):
            if type(found) is str:
                return found
            if type(found) is list and found:
                found = found[0]  # the values of a header
            if not isinstance(found, (dict, list)):
                return str(found)
        return None

    def says(self, what: str) -> str | None:
        """Return what it says of one of the keys of `WORDS`; None if nothing."""
        return self._first(what)

    @property
    def is_bare(self) -> bool:
        """Whether it says nothing about how its request, or a call, was answered."""
        return not self.names.own and self._shape.is_bare(self.members)

    @property
    def asks(self) -> bool:
        """Whether it may say what was asked for: a path."""
        return self.names.own or self._shape.asks(self.members)

    def number(self, name: str) -> float | None:
        """Return a number at a path, wherever loggers keep it; None if none."""
        if not self._shape.may_have(name):  # as most do not
            return None
        found = self.get(name)
        return number(self.members.get(f"_{name}") if found is None else found)
