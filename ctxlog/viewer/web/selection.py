"""
Which requests are listed: the options of `ctxlog show`, as an address has them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timezone, tzinfo

from ctxlog.viewer.group.summary import Row
from ctxlog.viewer.query import criteria
from ctxlog.viewer.query.criteria import Criterion
from ctxlog.viewer.query.naming import is_named
from ctxlog.viewer.query.needles import Matches, text_needle


def _by_trace(text: str) -> Criterion:
    """Return whether a line's trace begins with a text."""
    return Criterion(
        lambda record, _: (record.trace or "").startswith(text),
        Matches([text_needle(text)]),
    )


#: What lines must be read for; the rest is known of every request.
_OF_LINES: Mapping[str, Callable[[str], Criterion]] = {
    "level": criteria.by_level,
    "status": criteria.by_status,
    "path": criteria.by_path,
    "route": criteria.by_route,
    "user": criteria.by_user,
    "field": criteria.by_field,
    "grep": criteria.by_grep,
    "trace": _by_trace,
}
#: What else must hold for a line outside of requests.
_OF_OTHERS: Mapping[str, Callable[[str], Criterion]] = {
    "errors": lambda _: criteria.failing,
}
_OF_TIMES = {"since": criteria.by_since, "until": criteria.by_until}


@dataclass(frozen=True)
class Wish:
    """
    Something that must hold for a line.

    Attributes:
        name: The option's name.
        text: Its value.
        zone: The time zone of a time that names none; None for that of the system.
    """

    name: str
    text: str
    zone: tzinfo | None = timezone.utc

    def criterion(self) -> Criterion:
        """Return the criterion of `ctxlog show`."""
        if self.name in _OF_TIMES:
            return _OF_TIMES[self.name](self.text, self.zone)
        return (_OF_LINES.get(self.name) or _OF_OTHERS[self.name])(self.text)


#: What holds for the lines outside of requests that are listed unasked.
ERRORS = (Wish("errors", "1"),)


class Selection:
    """
    What is chosen; all of it must hold.

    Args:
        given: The values of the options, by their names; empty ones count as not given.
        zone: The time zone of times that name none; None for that of the system.

    Attributes:
        wishes: What must hold for lines of a request.
        errors: Whether only requests that failed are meant.
        slow: How many seconds they take at least; None if any.
        request: A part of their ids; empty if any.
        outside: What must hold for a line outside of requests, beside its time; empty
            if none is meant.

    Raises:
        ValueError: if a value cannot be read.
    """

    def __init__(
        self, given: Mapping[str, str], zone: tzinfo | None = timezone.utc
    ) -> None:
        def text(name: str) -> str:
            return given.get(name, "").strip()

        self._given, self._zone = given, zone
        try:
            self.wishes = [Wish(name, text(name)) for name in _OF_LINES if text(name)]
            for wish in self.wishes:
                wish.criterion()
            self.slow = criteria.duration(text("slow")) if text("slow") else None
            since, until = text("since"), text("until")
            self.since = criteria.by_since(since, zone).since if since else None
            self.until = criteria.by_until(until, zone).until if until else None
        except argparse.ArgumentTypeError as error:
            raise ValueError(str(error)) from None
        self.errors = text("errors") not in ("", "0")
        self.request = text("request")
        self.outside: tuple[Wish, ...] = ()
        if not self.request and self.slow is None:
            chosen = (*self.wishes, *(ERRORS if self.errors else ())) or ERRORS
            # Who asks for a user or a path means requests.
            if any(wish.criterion().outside for wish in chosen):
                self.outside = chosen
        times = [Wish(name, text(name), zone) for name in _OF_TIMES if text(name)]
        #: The same, and what must hold for its time.
        self.outside_within = (*self.outside, *times)

    @property
    def of_trace(self) -> Selection:
        """The same where the part of an id is how a trace begins."""
        given = {**self._given, "request": "", "trace": self.request}
        return Selection(given, self._zone)

    def names(self, row: Row) -> bool:
        """Return whether the part of an id is one of a request's."""
        return is_named(row.id, f"*{self.request}*")

    def holds(self, row: Row) -> bool:
        """Return whether what needs no line and no time holds for a request."""
        return (
            (row.failed or not self.errors)
            and (self.slow is None or row.extent.seconds >= self.slow)
            and (not self.request or self.names(row))
        )

    def is_within(self, row: Row) -> bool:
        """Return whether a request lies within the time that is chosen."""
        start, end = row.extent.start, row.extent.end
        if self.since is not None and (end is None or end < self.since):
            return False
        return self.until is None or (start is not None and start <= self.until)
