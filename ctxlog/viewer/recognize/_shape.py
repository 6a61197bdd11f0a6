"""
Where an object says what: worked out once for all objects with the same names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ctxlog.viewer.recognize.formats import Format, format_of
from ctxlog.viewer.recognize.keys import (
    AGAIN,
    BEGINS,
    ELAPSED,
    HOMES,
    MORE_HOMES,
    OF_REQUESTS,
    OWN,
    SPREAD,
    STACK_HEADS,
    WORDS,
    may_hold,
    plain,
    rank,
)

#: A member, or the names and indexes on the way to what stands in inner objects.
Place = str | tuple[str | int, ...]

# Objects within objects that are looked into, and members of a list.
_DEPTH = 5
_MOST_LISTED = 16
# What may be made up without end is forgotten sometimes.
_MOST = 4096


class Shape:
    """
    The names of an object's members and of those inside, and where it says what.

    Most lines of a file have the same few.

    Attributes:
        format: The format that the names of its members tell.
        may_begin: Whether the time may be when what took a while began.
        own: The members that are the time, the level, the message, or say again what
            others do.
        is_marked: Whether ctxlog says of it that it waited, or stands for others.
    """

    __slots__ = (
        "_asks",
        "_bare",
        "_best",
        "_outline",
        "_places",
        "_plain_fields",
        "format",
        "is_marked",
        "may_begin",
        "own",
    )

    def __init__(self, outline: _Outline) -> None:
        self._outline = outline
        self.format, self.own = outline.format, outline.own
        self.may_begin, self.is_marked = outline.may_begin, outline.is_marked
        self._places: dict[str, Sequence[Place]] = {}
        self._best: dict[str, str | None] = {}
        self._asks: bool | None = None
        self._bare: bool | None = None
        self._plain_fields: Sequence[str] | None = None

    @staticmethod
    def of(members: dict[str, Any]) -> Shape:
        """The shape of an object."""
        names = tuple(members)
        outline = _outlines.get(names)
        if outline is None:
            if len(_outlines) >= _MOST:
                _outlines.clear()
            outline = _outlines[names] = _Outline(names)
        form = tuple(
            [
                _form(value, _DEPTH) if type(value) in _NESTED else None
                for value in map(members.__getitem__, outline.holders)
            ]
        )
        shape = outline.shapes.get(form)
        if shape is None:
            if len(outline.shapes) >= _MOST:
                outline.shapes.clear()
            shape = outline.shapes[form] = Shape(outline)
        return shape

    def places(self, what: str, members: dict[str, Any]) -> Sequence[Place]:
        """
        Return where an object says something, the most telling place first.

        Args:
            what: One of the keys of `WORDS`, or `duration`.
            members: The object.
        """
        places = self._places.get(what)
        if places is None:
            places = self._places[what] = self._outline.sorted(what, members)
        return places

    def best(self, what: str, members: dict[str, Any]) -> str | None:
        """Return the member that says something before all others; None if unclear."""
        try:
            return self._best[what]
        except KeyError:
            places = self.places(what, members)
            best = places[0] if places and isinstance(places[0], str) else None
            if what == "level" and best not in OWN:
                best = None  # not any word, such as of a status, is a level
            self._best[what] = best
            return best

    def is_bare(self, members: dict[str, Any]) -> bool:
        """Whether such an object says nothing about how its request was answered."""
        if self._bare is None:
            self._bare = "controller" not in members and not any(
                self.places(what, members) for what in _OF_ANSWERS
            )
        return self._bare

    def asks(self, members: dict[str, Any]) -> bool:
        """Whether such an object may say what was asked for: a path."""
        if self._asks is None:
            self._asks = any(
                self.places(what, members) for what in ("path", "request line")
            )
        return self._asks

    def plain_fields(self, members: dict[str, Any]) -> Sequence[str]:
        """
        Return the members that are fields, where nothing is to be taken out of them.

        Nothing, too, if that must be looked at. The id is that of `best()`.
        """
        known = self._plain_fields
        if known is None:
            known = self._plain_fields = self._find_plain_fields(members)
        return known

    def _find_plain_fields(self, members: dict[str, Any]) -> Sequence[str]:
        if self.best("id", members) is None:
            return ()
        return self.fields(members) or ()

    def fields(self, members: dict[str, Any]) -> Sequence[str] | None:
        """
        Return the members that are fields, though one may have the id within it.

        None if more than that is to be taken out of them, or put elsewhere.
        """
        own, request = self.own, self.best("id", members)
        if len(self.places("id", members)) != 1:
            return None
        for what in ("time", "level", "message"):
            places = self.places(what, members)
            if places and places[0] not in own:
                return None
        if self.places("traceback", members) or not members.keys().isdisjoint(_ODD):
            return None
        names = [name for name in members if name not in own and name != request]
        return None if any(plain(name) in SPREAD for name in names) else tuple(names)

    def possible(self, path: str) -> Sequence[str]:
        """Where a path may stand that is written as it is: mostly nowhere."""
        return self._outline.possible(path)

    def may_have(self, name: str) -> bool:
        """Whether something of a name may stand where loggers keep it."""
        known = self._outline.had.get(name)
        if known is None:
            known = self._outline.may_have(name)
        return known

    def of_requests(self, what: str) -> str | None:
        """Return where what ctxlog says of a request's lines is; None if nowhere."""
        return self._outline.of_requests(what)


class _Outline:
    """
    The names of an object's members, without those inside.

    Attributes:
        format: The format that these names tell.
        may_begin: Whether the time may be when what took a while began.
        own: The members that are the time, the level, the message, or say again what
            others do.
        is_marked: Whether ctxlog says of it that it waited, or stands for others.
        holders: The members of which the names inside matter.
        shapes: The shapes of objects with these members, by their forms inside.
        had: Of some names whether something of that name may stand somewhere.
    """

    def __init__(self, members: tuple[str, ...]) -> None:
        self._members = members
        self.format: Format = format_of(members)
        self._elapsed: Sequence[str] = ()
        if not _LOGGERS.isdisjoint(members):
            self._elapsed = ELAPSED if _is_ctxlogs(members) else ELAPSED[1:]
        again = [name for name, other in AGAIN if other in members]
        self.may_begin = self.format.begins or any(
            plain(one) in BEGINS for one in members
        )
        self.own = frozenset((*OWN, *self._elapsed, *again))
        self.holders = [
            name
            for name in members
            if any(self._may_hold(what, [name]) for what in (*WORDS, "duration"))
        ]
        self.shapes: dict[object, Shape] = {}
        self.had: dict[str, bool] = {}
        self._possible: dict[str, Sequence[str]] = {}
        self._of_requests: dict[str, str | None] = {}
        self.is_marked = any(self.of_requests(what) for what in OF_REQUESTS)

    def _may_hold(self, what: str, names: Sequence[str]) -> bool:
        if may_hold(what, _parts(names)):
            return True
        begin = ".".join(names) + "."
        return any(path.startswith(begin) for path in self.format.places(what))

    def sorted(self, what: str, members: dict[str, Any]) -> Sequence[Place]:
        """Return where an object says something, the most telling place first."""
        own = self.format.places(what)
        found = []
        for number, path in enumerate(self._paths(what, members, ())):
            names = [step for step in path if isinstance(step, str)]
            written = ".".join(names)
            telling: int | None
            order: tuple[int, ...]
            if written in own:
                telling = own.index(written) - len(own)
            elif what == "duration" and written in self._elapsed:
                continue
            else:
                telling = rank(what, _parts(names))
            if telling is not None:
                # The last one of a list, such as of spans, is the nearest.
                listed = [-step for step in path if isinstance(step, int)]
                order = (telling, len(path))
                if what in ("time", "level"):  # that of the line before an event's
                    order = (min(telling, 0), len(path), telling)
                found.append((order, listed, number, path))
        return [path if len(path) > 1 else str(path[0]) for *_, path in sorted(found)]

    def _paths(
        self, what: str, members: Any, above: tuple[str | int, ...]
    ) -> Iterator[tuple[str | int, ...]]:
        """Yield the ways to all that may say something."""
        inner: Any = members.items()
        for name, value in inner:
            path = (*above, name)
            yield path
            if type(value) not in _NESTED or len(path) >= _DEPTH:
                continue
            if not self._may_hold(what, [step for step in path if type(step) is str]):
                continue
            if type(value) is dict:
                yield from self._paths(what, value, path)
                continue
            for index, one in list(enumerate(value))[-_MOST_LISTED:]:
                if type(one) is dict:
                    yield from self._paths(what, one, (*path, index))

    def possible(self, path: str) -> Sequence[str]:
        """Where a path may stand that is written as it is: mostly nowhere."""
        possible = self._possible.get(path)
        if possible is None:
            if len(self._possible) >= _MOST:
                self._possible.clear()
            full = (home + path for home in (*HOMES, *MORE_HOMES))
            possible = tuple(one for one in full if _begins_in(self._members, one))
            self._possible[path] = possible
        return possible

    def may_have(self, name: str) -> bool:
        """Whether something of a name may stand where loggers keep it."""
        if len(self.had) >= _MOST:
            self.had.clear()
        members = self._members
        self.had[name] = (
            name in members
            or f"_{name}" in members
            or "spans" in members
            or bool(self.possible(name))
        )
        return self.had[name]

    def _may_have(self, path: str) -> bool:
        return any(_begins_in(self._members, home + path) for home in HOMES)

    def of_requests(self, what: str) -> str | None:
        """Return where what ctxlog says of a request's lines is; None if nowhere."""
        known = self._of_requests
        if what not in known:
            found = (
                path
                for path, elapsed in OF_REQUESTS[what]
                if self._may_have(path) and self._may_have(elapsed)
            )
            known[what] = next(found, None)
        return known[what]


_NESTED = frozenset({dict, list})
_outlines: dict[tuple[str, ...], _Outline] = {}
#: What only lines say that are about how a request was answered, or about a call.
_OF_ANSWERS = ("status", "route", "duration")
#: Members of which fields are made in a way of their own, or which hold a traceback.
_ODD = frozenset({"record", "text"}) | STACK_HEADS


def _parts(names: Sequence[str]) -> list[str]:
    return [part for name in names for part in name.split(".")]


def _form(value: Any, depth: int) -> object:
    """Return the names of a value's members, and of those inside."""
    if type(value) is dict:
        if depth == 0:
            return ()
        for one in value.values():
            if type(one) in _NESTED:
                break
        else:
            return tuple(value)
        return tuple(
            [
                (name, _form(one, depth - 1)) if type(one) in _NESTED else name
                for name, one in value.items()
            ]
        )
    if type(value) is list:
        some = value[-_MOST_LISTED:] if depth else []
        return len(value), tuple([_form(one, depth - 1) for one in some])
    return None


def _is_ctxlogs(members: Sequence[str]) -> bool:
    """Whether an object begins as ctxlog's lines do: the time, a message, a logger."""
    if "timeUnixNano" in members:
        return "logger.name" in members
    head = members[:8]
    if not head or plain(head[0]) not in ("timestamp", "time", "ts"):
        return False
    return any(
        one in _MESSAGES and other in _LOGGERS
        for one, other in zip(head, head[1:], strict=False)
    )


# As ctxlog's schemas name them.
_MESSAGES = frozenset("message msg event short_message body.stringValue".split())
_LOGGERS = frozenset("logger log.logger logger_name logger.name _logger".split())


def _begins_in(members: Sequence[str], path: str) -> bool:
    """Whether a path, or one of its beginnings, is a member."""
    if path in members:
        return True
    parts = path.split(".")
    return any(".".join(parts[:end]) in members for end in range(1, len(parts)))


def name_of(place: Place) -> str:
    """Return the last name on the way to a place."""
    if isinstance(place, str):
        return place.rpartition(".")[2]
    return str(place[-1])


def inner(members: dict[str, Any], place: Sequence[str | int]) -> Any:
    """Return what stands at a place in inner objects of an object of this shape."""
    found: Any = members
    for step in place:
        found = found[step]
    return found


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


def without(members: Any, path: Sequence[str | int]) -> Any:
    """Return members without what stands at a path, or is empty without that."""
    if not path:
        return {}
    head, rest = path[0], path[1:]
    if isinstance(members, list) and isinstance(head, int):
        left = without(members[head], rest)
        kept = [one for index, one in enumerate(members) if index != head]
        if left not in _EMPTY:
            kept.insert(head, left)
        return kept
    if not isinstance(members, dict):
        return members
    left = without(members.get(str(head)), rest) if rest else {}
    return {
        name: left if name == head else value
        for name, value in members.items()
        if name != head or left not in _EMPTY
    }


_EMPTY: tuple[object, ...] = ({}, [], None)
