"""
What one line says, whichever logger has written it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from ctxlog.viewer.recognize._asked import Asked
from ctxlog.viewer.recognize._levels import level_of
from ctxlog.viewer.recognize._messages import filled, placed, spoken
from ctxlog.viewer.recognize._objects import objects, simple
from ctxlog.viewer.recognize._shape import Place, name_of, without
from ctxlog.viewer.recognize._tracebacks import as_text, beside, within
from ctxlog.viewer.recognize.keys import (
    BEGINS,
    NO_ID,
    OWN,
    SPREAD,
    STACK_HEADS,
    Names,
    plain,
)
from ctxlog.viewer.recognize.scales import level_number, number
from ctxlog.viewer.recognize.text import read as read_text
from ctxlog.viewer.recognize.text import wrapped
from ctxlog.viewer.recognize.times import of_parts, seconds

_MAY_BE_NO_ID = frozenset({"", "N", "-", "n", "0"})
_NOT_AT_THE_END = frozenset({"", "\n"})
_TRACE = re.compile(r"projects/[^/]+/traces/.+")


class Record(Asked):
    """One line that is a JSON object, or says as much, read as what it means."""

    __slots__ = ()

    @classmethod
    def read(cls, line: bytes, names: Names) -> Sequence[Record]:
        """
        Return what *line* says; nothing if it is no entry. Never raises.

        That is one record, or all that a batch of OpenTelemetry's has.
        """
        if line[:1] == b"{":
            members = None if names.of_file else simple(line)
            if members is not None:
                return (cls(members, names),)
            found = objects(line, lambda text: wrapped(text, names))
        else:
            found = read_text(line, names)
        if names.of_file:
            for members in found:
                if cls(members, names).says("service") is None:
                    members["service"] = names.of_file
        return [cls(members, names) for members in found]

    @property
    def request(self) -> str | None:
        """The request's id; None if the line belongs to none."""
        found = self._best("id")
        if type(found) is str and found[:1] not in _MAY_BE_NO_ID:
            return found
        for _, found in self._all("id"):
            if type(found) is list and found:
                found = found[0]  # the values of a header
            if type(found) is str:
                if found[:1] not in _MAY_BE_NO_ID or not NO_ID.fullmatch(found):
                    return found
            elif type(found) is int:
                return str(found)
        trace = self.members.get("trace")  # Google's, where no request has a name
        if type(trace) is str and _TRACE.fullmatch(trace):
            return trace
        return None

    @property
    def trace(self) -> str | None:
        """The id of the trace that it is part of; None if it says none."""
        found = self._first("trace")
        if found is None or not found.strip("0-"):  # as some tracers write no trace
            return None
        # Google's is a path: `projects/shop/traces/4bf9`.
        return found.rpartition("/")[2]

    @property
    def time(self) -> float | None:
        """Seconds since the epoch."""
        found = seconds(self._best("time"))
        return found if found is not None else self._time[1]

    @property
    def _time(self) -> tuple[Place, float | None]:
        for place, found in self._all("time"):
            time = seconds(found)
            if time is not None:
                return place, time
        day, clock = self.members.get("date"), self.members.get("time")
        if isinstance(day, str) and isinstance(clock, str):
            return "time", seconds(f"{day} {clock}")
        return "", of_parts(self.members)  # Google's

    @property
    def level(self) -> int:
        """The level on logging's scale; 0 if there is none."""
        best = self._best("level")
        return best and level_number(best) or self._level[1]

    @property
    def level_word(self) -> str:
        """The level as it is written; empty if there is none."""
        return self._level[2]

    @property
    def _level(self) -> tuple[Place, int, str]:
        form, unknown = self._shape.format, ""
        for place, found in self._all("level"):
            level: int | None
            if place in OWN and (level := level_number(found)):  # as most write it
                return place, level, found
            level = level_of(found, name_of(place), form.scale)
            if level:
                return place, level, str(found)
            if level is not None and not unknown:
                unknown = str(found)
        return "", 0 if unknown else form.level, unknown

    @property
    def message(self) -> str:
        """
        The message; empty if there is none.

        That of an access log, which has none, is what was asked for and the answer;
        that of a line that only has an error is this one.
        """
        found = self._best("message")
        if (
            type(found) is not str
            or found[-1:] in _NOT_AT_THE_END
            or self._shape.format.template
        ):
            _, found = self._message
        if found:
            return found
        asked = (self.method, self.path)
        if None in asked:
            errors = (said for _, said in self._all("error") if type(said) is str)
            return next(filter(None, errors), "")
        return " ".join(filter(None, (*map(str, asked), str(self.status or ""))))

    @property
    def _message(self) -> tuple[Place, str]:
        form, object_at = self._shape.format, ""
        for place, found in self._all("message"):
            if type(found) is not str:
                if type(found) is list and found and type(found[0]) is str:
                    found = spoken(found)
                elif isinstance(found, (dict, list)):
                    if place in OWN and found and type(place) is str:
                        object_at = place
                    continue
                else:
                    found = str(found)
            if place == "log":  # as Docker has it
                found = found.rstrip("\r\n")
            if not found:
                continue
            if form.template == "names" and place == form.places("message")[-1]:
                found = filled(found, self.members)
            elif form.template == "arguments" and "{}" in found:
                found = placed(found, self.members.get("arguments"))
            return place, found
        if object_at:  # as some log an object alone
            return object_at, json.dumps(self.members[object_at], ensure_ascii=False)
        return "", ""

    @property
    def is_marked(self) -> bool:
        """Whether it may have waited in a buffer, or stand for other requests."""
        return self._shape.is_marked

    @property
    def is_buffered(self) -> bool:
        """Whether it waited in a buffer before it was written."""
        if not self.is_marked:
            return False
        found = self._of_requests("buffered")
        return found is True or found == "true"

    @property
    def dropped_lines(self) -> int:
        """How many lines of its request, before it, had no room in the buffer."""
        if not self.is_marked:
            return 0
        return max(int(number(self._of_requests("dropped lines")) or 0), 0)

    @property
    def sample_rate(self) -> float:
        """How many requests its request stands for: 1 unless that is of a sample."""
        if not self.is_marked:
            return 1.0
        return max(number(self._of_requests("sample rate")) or 1.0, 1.0)

    def _of_requests(self, what: str) -> Any:
        path = self._shape.of_requests(what)
        return None if path is None else self.get(path)

    @property
    def span(self) -> tuple[float, float] | None:
        """When what it speaks of began, and when it ended; None if it has no time."""
        time = self.time
        if time is None:
            return None
        took = self.took or 0.0
        if took and self._shape.may_begin:
            if self._shape.format.begins or plain(name_of(self._time[0])) in BEGINS:
                return time, time + took
        return time - took, time

    @property
    def fields(self) -> dict[str, Any]:
        """The fields besides its time, level, request, message and traceback."""
        members = self.members
        if not self.names.own:
            names = self._shape.plain_fields(members)
            request = self._best("id") if names else None
            if type(request) is str and request[:1] not in _MAY_BE_NO_ID:
                return {name: members[name] for name in names if members[name] != {}}
        found: dict[str, Any] = {}
        for name, value in self._rest().items():
            if name == "record" and _is_logurus(self.members[name]):
                value = {"logger": value.get("name") or {}, **value.get("extra", {})}
            elif not isinstance(value, dict) or plain(name) not in SPREAD:
                if value != {}:
                    found[name] = value
                continue
            for inner_name, said in value.items():
                if said != {}:
                    taken = inner_name in found
                    found[f"{name}.{inner_name}" if taken else inner_name] = said
        stack = self.stack
        if stack:
            for name in list(found):
                head, said = name.partition(".")[0], found[name]
                if head in STACK_HEADS:
                    found[name] = beside(said, stack)
                    if found[name] in ("", [], {}):
                        del found[name]
                elif type(said) is dict and not STACK_HEADS.isdisjoint(said):
                    left = {
                        key: beside(one, stack) if key in STACK_HEADS else one
                        for key, one in said.items()
                    }
                    found[name] = {key: one for key, one in left.items() if one != {}}
        return found

    def _rest(self) -> dict[str, Any]:
        """Return the members without what has a place of its own."""
        request, own = self.request, self._shape.own
        rest = {name: said for name, said in self.members.items() if name not in own}
        gone = [place for place, found in self._all("id") if _is(found, request)]
        for what, used in _OF_LINES:
            places = self._shape.places(what, self.members)
            if self.names.own or (places and places[0] not in own):
                gone.append(used(self)[0])
        for place in gone:
            if isinstance(place, str) and place in rest:
                del rest[place]
            else:
                parts = place.split(".") if isinstance(place, str) else place
                if parts[0] in rest:
                    rest = without(rest, parts)
        return rest

    @property
    def stack(self) -> str:
        """The traceback; empty if there is none."""
        for _, found in self._all("traceback"):
            shown = as_text(found)
            if shown:
                return shown
        if "text" in self.members and self.get("record.exception"):  # loguru's
            return within(str(self.members["text"]))
        return ""

    @property
    def failed(self) -> bool:
        """Whether this line makes its request one that failed."""
        return self.level >= 40 or self.says_failed

    @property
    def says_failed(self) -> bool:
        """Whether its status says so, not only that of a call of another service."""
        return not self.is_bare and (self.status or 0) >= 500 and not self.is_call


# What is found, by what is asked for: where, and what it is.
_OF_LINES: Sequence[tuple[str, Callable[[Record], tuple[Any, ...]]]] = (
    ("time", lambda record: record._time),
    ("level", lambda record: record._level),
    ("message", lambda record: record._message),
)


def _is(found: object, request: str | None) -> bool:
    if type(found) is list and found:
        found = found[0]
    return str(found) == request


def _is_logurus(record: object) -> bool:
    return isinstance(record, dict) and isinstance(record.get("extra"), dict)
