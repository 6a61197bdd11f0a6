"""
Where the names of each logger stand in an object.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ctxlog.viewer.recognize.keys import (
    AGAIN,
    ELAPSED,
    HOMES,
    LOGGERS,
    MESSAGES,
    OF_REQUESTS,
    OWN,
    TIMES,
    Names,
)


class Shape:
    """
    The names of an object's members, and which paths may stand in such an object.

    Most lines of a file have the same few.
    """

    __slots__ = ("_members", "_of_requests", "_others", "_own", "_possible", "_present")

    def __init__(self, members: tuple[str, ...]) -> None:
        self._members = members
        self._own = OWN
        if ELAPSED in members and _is_ctxlogs(members):
            self._own = OWN | {ELAPSED}
        self._possible: dict[str, Sequence[str]] = {}
        self._present: dict[str, Sequence[str]] = {}
        self._of_requests: dict[str, str | None] = {}
        self._others: dict[Names, Sequence[tuple[str, Sequence[str]]]] = {}

    @staticmethod
    def of(members: dict[str, Any]) -> Shape:
        """The shape of an object."""
        key = tuple(members)
        shape = _shapes.get(key)
        if shape is None:
            if len(_shapes) >= _MOST_SHAPES:  # keys may be made up without end
                _shapes.clear()
            shape = _shapes[key] = Shape(key)
        return shape

    def possible(self, path: str) -> Sequence[str]:
        """Where a path may stand: mostly nowhere."""
        possible = self._possible.get(path)
        if possible is None:
            full = (home + path for home in HOMES)
            possible = tuple(one for one in full if _begins_in(self._members, one))
            self._possible[path] = possible
        return possible

    def present(self, paths: str) -> Sequence[str]:
        """The paths that exist, of several that may."""
        present = self._present.get(paths)
        if present is None:
            everywhere = "spans" in self._members
            hidden = self._own - OWN
            present = tuple(
                path
                for path in paths.split()
                if (everywhere or self.possible(path)) and path not in hidden
            )
            self._present[paths] = present
        return present

    def of_requests(self, what: str) -> str | None:
        """Return where what ctxlog says of a request's lines is; None if nowhere."""
        known = self._of_requests
        if what not in known:
            found = (
                path
                for path, elapsed in OF_REQUESTS[what]
                if self.possible(path) and self.possible(elapsed)
            )
            known[what] = next(found, None)
        return known[what]

    def others(self, names: Names) -> Sequence[tuple[str, Sequence[str]]]:
        """
        The members with more than a time, a level or a message.

        Each with the paths in it under which one of these stands, or the request's id.
        """
        others = self._others.get(names)
        if others is None:
            known = {*self._own, *names.ids, names.time or ""}
            again = {name for name, other in AGAIN if other in self._members}
            others = self._others[names] = [
                (name, [path for path in known if path.startswith(f"{name}.")])
                for name in self._members
                if name not in self._own and name not in again and name != names.time
            ]
        return others


def _is_ctxlogs(members: Sequence[str]) -> bool:
    """Whether an object begins as ctxlog's lines do: the time, a message, a logger."""
    if "timeUnixNano" in members:
        return "logger.name" in members
    times, messages = TIMES.split(), MESSAGES.split()
    loggers, head = LOGGERS.split(), members[:8]
    return head[0] in times and any(
        one in messages and other in loggers
        for one, other in zip(head, head[1:], strict=False)
    )


_MOST_SHAPES = 4096
_shapes: dict[tuple[str, ...], Shape] = {}


def _begins_in(members: Sequence[str], path: str) -> bool:
    """Whether a path, or one of its beginnings, is a member."""
    if path in members:
        return True
    parts = path.split(".")
    return any(".".join(parts[:end]) in members for end in range(1, len(parts)))


def at(members: dict[str, Any], path: str) -> Any:
    """Return what stands at a path; None if nothing does."""
    if path in members:
        return members[path]
    head, dot, rest = path.partition(".")
    while dot:
        inner = members.get(head)
        if isinstance(inner, dict):
            found = at(inner, rest)
            if found is not None:
                return found
        more, dot, rest = rest.partition(".")
        head = f"{head}.{more}"
    return None


def without(members: Any, path: str) -> Any:
    """Return members without what stands at a path, or is empty without that."""
    if not isinstance(members, dict):
        return members
    head, _, rest = path.partition(".")
    left = without(members.get(head), rest) if rest else {}
    kept = {name: value for name, value in members.items() if name != head}
    return {**kept, head: left} if left not in ({}, None) else kept
