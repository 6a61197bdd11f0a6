"""
What one line says, whichever logger has written it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, cast

from ctxlog.viewer.recognize._levels import level_of
from ctxlog.viewer.recognize._messages import filled, placed, request_line
from ctxlog.viewer.recognize._objects import objects, simple
from ctxlog.viewer.recognize._shape import Place, Shape, at, inner, name_of, without
from ctxlog.viewer.recognize._tracebacks import as_text, beside, within
from ctxlog.viewer.recognize.keys import (
    BEGINS,
    CALLS,
    COMPLETIONS,
    NO_ID,
    OWN,
    SPREAD,
    STACK_HEADS,
    TOTAL,
    Names,
    plain,
    unit_of,
    usual_unit,
)
from ctxlog.viewer.recognize.scales import level_number, number
from ctxlog.viewer.recognize.text import read as read_text
from ctxlog.viewer.recognize.times import duration, of_parts, seconds

_MAY_BE_NO_ID = frozenset({"", "N", "-", "n", "0"})
_NOT_AT_THE_END = frozenset({"", "\n"})
_TRACE = re.compile(r"projects/[^/]+/traces/.+")
_METHOD = re.compile(r"[A-Za-z][A-Za-z-]{1,19}")


class Record:
    """
    One line that is a JSON object, or says as much as text, read as what it means.

    Attributes:
        members: The object, flattened where it is OpenTelemetry's; of text, what its
            format has a name for.
        names: The user's own names.
    """

    __slots__ = ("_shape", "members", "names")

    def __init__(self, members: dict[str, Any], names: Names) -> None:
        self.members, self.names = members, names
        self._shape = Shape.of(members)

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
            found = objects(line, lambda text: read_text(text, names))
        else:
            found = read_text(line, names)
        if names.of_file:
            for members in found:
                if cls(members, names).says("service") is None:
                    members["service"] = names.of_file
        return [cls(members, names) for members in found]

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
        return "", None

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

        That of an access log, which has none, is what was asked for and the answer.
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
            return ""
        return " ".join(filter(None, (*map(str, asked), str(self.status or ""))))

    @property
    def _message(self) -> tuple[Place, str]:
        form = self._shape.format
        for place, found in self._all("message"):
            if type(found) is not str:
                if isinstance(found, (dict, list)):
                    continue
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
        return "", ""

    @property
    def status(self) -> int | None:
        """The status of the response, on the lines that have one."""
        for _, found in self._all("status"):
            if type(found) is int and 100 <= found <= 599:
                return found
            if isinstance(found, str) and re.fullmatch(r"[1-5]\d\d", found):
                return int(found)
        return None

    @property
    def path(self) -> str | None:
        """The path of the request."""
        return self._first("path") or self._request_line[1]

    @property
    def route(self) -> str | None:
        """The route of the request, or the name of the task."""
        found = self._first("route")
        if found is None and "controller" in self.members:  # as lograge has it
            controller = self.members["controller"]
            action = self.members.get("action")
            if isinstance(controller, str) and isinstance(action, str):
                return f"{controller}#{action}"
        return found

    @property
    def method(self) -> str | None:
        """The method of the request."""
        for _, found in self._all("method"):
            if type(found) is str and _METHOD.fullmatch(found):
                return found
        return self._request_line[0]

    @property
    def _request_line(self) -> tuple[str, str] | tuple[None, None]:
        for _, found in self._all("request line"):
            if type(found) is str and (both := request_line(found)):
                return both
        return None, None

    @property
    def user(self) -> str | None:
        """The user of the request."""
        members = self.members
        for place in self._shape.places("user", members):
            found = members[place] if type(place) is str else inner(members, place)
            if found and found != "-" and type(found) not in (dict, list):
                return str(found)
        return None

    @property
    def users(self) -> Sequence[str]:
        """All that names who asked: mostly an id and a name."""
        found = [one for _, one in self._all("user")]
        return [
            str(one)
            for one in found
            if one and one != "-" and not isinstance(one, (dict, list))
        ]

    @property
    def is_call(self) -> bool:
        """Whether it is about a call of another service, not about the request."""
        return self._first("logger") == CALLS

    @property
    def took(self) -> float | None:
        """How many seconds what it speaks of took; None if it does not say."""
        if self.is_bare:
            return None
        for place, found in self._all("duration"):
            taken = None
            if isinstance(found, str):
                taken, found = duration(found), number(found)
            elif isinstance(found, dict):
                taken = of_parts(found)
            if taken is not None:
                return taken
            if isinstance(found, (int, float)) and not isinstance(found, bool):
                unit = self._unit(place, found) if 0 <= found < 1e18 else None
                if unit is not None:
                    return found * unit
        return None

    def _unit(self, place: Place, found: float) -> float | None:
        """
        Return the unit of a duration: that of its name, else of its format.

        Else None, unless no other than nanoseconds or seconds are likely.
        """
        name = place if isinstance(place, str) else ".".join(map(str, place))
        written = name.rpartition(".")[2]
        texts = (plain(name), plain(written))
        unit = unit_of(texts[0], written) or unit_of(texts[1], written)
        unit = unit or self._shape.format.unit
        if unit:
            return unit
        if type(found) is int and found >= 1e6:  # 17 minutes in milliseconds
            return 1e-9
        unit = usual_unit(texts[0]) or usual_unit(texts[1])
        if unit:
            return unit
        return 1.0 if 0 < found < 1 else None

    @property
    def totals(self) -> dict[str, tuple[float, float]]:
        """What was timed until then: how often, and how many milliseconds, by name."""
        return _totals(self.members)

    @property
    def is_completion(self) -> bool:
        """Whether it says how a request or a task ended."""
        return self._first("logger") in COMPLETIONS

    @property
    def is_whole(self) -> bool:
        """Whether it says of itself all about a request, as lines of access logs do."""
        if self.status is None or self.is_call:
            return False
        return self.path is not None and self.method is not None

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

    def number(self, name: str) -> float | None:
        """Return a number at a path, wherever loggers keep it; None if none."""
        found = self.get(name)
        return number(self.members.get(f"_{name}") if found is None else found)

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
                if name.partition(".")[0] in STACK_HEADS:
                    found[name] = beside(found[name], stack)
                    if found[name] in ("", [], {}):
                        del found[name]
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


def _totals(members: dict[str, Any]) -> dict[str, tuple[float, float]]:
    found: dict[str, tuple[float, float]] = {}
    for key, value in members.items():
        total = None
        if type(value) is dict:
            if value.keys() == TOTAL:
                total = (number(value["count"]), number(value["ms"]))
        elif key.endswith(".ms"):  # taken apart: by GELF, by a store
            key = key[:-3]
            total = (number(members.get(f"{key}.count")), number(value))
        if total is not None and None not in total:
            key = key.removeprefix("_").removeprefix("fields.")
            found[key] = cast("tuple[float, float]", total)
    return found
