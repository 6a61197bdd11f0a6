"""
What a line says of what was asked for, and of the answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast

from ctxlog.viewer.recognize._messages import request_line
from ctxlog.viewer.recognize._said import Said
from ctxlog.viewer.recognize._shape import Place, inner
from ctxlog.viewer.recognize.keys import (
    CALLS,
    COMPLETIONS,
    TOTAL,
    plain,
    unit_of,
    usual_unit,
)
from ctxlog.viewer.recognize.scales import number
from ctxlog.viewer.recognize.times import duration, of_parts

_METHOD = re.compile(r"[A-Za-z][A-Za-z-]{1,19}")
_STATUS = re.compile(r"[1-5]\d\d")


class Asked(Said):
    """A line as far as it speaks of a request, a call or a task: status, path, time."""

    __slots__ = ()

    @property
    def status(self) -> int | None:
        """The status of the response, on the lines that have one."""
        for _, found in self._all("status"):
            if type(found) is int and 100 <= found <= 599:
                return found
            if isinstance(found, str) and _STATUS.fullmatch(found):
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
                # else it may be the method of a class that wrote the line
                return found if found.isupper() or self.path else None
        return self._request_line[0]

    @property
    def _request_line(self) -> tuple[str | None, str | None]:
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
            is_taken = texts[1] == "timetaken" and found % 1  # Azure's: of seconds
            return 1.0 if is_taken else unit
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
