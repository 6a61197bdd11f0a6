"""
What one line says, whichever logger has written it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast

from ctxlog.viewer.recognize._objects import objects
from ctxlog.viewer.recognize._shape import Shape, at, without
from ctxlog.viewer.recognize._tracebacks import as_text, beside, within
from ctxlog.viewer.recognize.keys import (
    CALLS,
    COMPLETIONS,
    DATADOGS,
    DURATION_PATHS,
    DURATIONS,
    HOMES,
    LEVELS,
    LOGGERS,
    MESSAGES,
    METHODS,
    OWN,
    PATHS,
    ROUTES,
    STACK_HEADS,
    STACKS,
    STATUSES,
    TIMES,
    TOTAL,
    USERS,
    Names,
)
from ctxlog.viewer.recognize.scales import level_number, number, seconds


class Record:
    """
    One line that is a JSON object, read as what it means.

    Attributes:
        members: The object, flattened where it is OpenTelemetry's.
        names: The user's own names.
    """

    __slots__ = ("_shape", "members", "names")

    def __init__(self, members: dict[str, Any], names: Names) -> None:
        self.members, self.names = members, names
        self._shape = Shape.of(members)

    @classmethod
    def read(cls, line: bytes, names: Names) -> Sequence[Record]:
        """
        Return what the object on *line* says; nothing if there is none. Never raises.

        That is one record, or all that a batch of OpenTelemetry's has.
        """
        start = line.find(b"{", 0, 400)
        if start < 0:
            return ()
        found = objects(line[start:] if start else line)
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

    def _first(self, paths: str) -> str | None:
        for path in self._shape.present(paths):
            found = self.get(path)
            if found is not None and not isinstance(found, (dict, list)):
                return str(found)
        return None

    @property
    def request(self) -> str | None:
        """The request's id; None if the line belongs to none."""
        for path in self._shape.present(self.names.id_paths):
            found = self.get(path)
            if isinstance(found, (str, int)) and not isinstance(found, bool):
                if found not in ("", "N/A"):  # ctxlog's word for no request
                    return str(found)
        return None

    @property
    def time(self) -> float | None:
        """Seconds since the epoch."""
        for path in self._shape.present(self.names.time or TIMES):
            found = seconds(self.get(path))
            if found is not None:
                return found
        return None

    @property
    def level(self) -> int:
        """The level on logging's scale; 0 if there is none."""
        for path in self._shape.present(LEVELS):
            found = at(self.members, path)
            number = level_number(found)
            if number:
                return number
            if path == "level" and type(found) is int:
                if "short_message" in self.members:  # GELF counts as syslog does
                    return (50, 50, 50, 40, 30, 25, 20, 10)[min(max(found, 0), 7)]
                return max(found - 10, 5)  # pino and Bunyan: 30 is info
        return 0

    @property
    def message(self) -> str:
        """The message; empty if there is none."""
        return self._first(MESSAGES) or ""

    @property
    def status(self) -> int | None:
        """The status of the response, on the lines that have one."""
        for path in self._shape.present(STATUSES):
            found = self.get(path)
            if type(found) is int and 100 <= found <= 599:
                return found
            if isinstance(found, str) and re.fullmatch(r"[1-5]\d\d", found):
                return int(found)
        return None

    @property
    def path(self) -> str | None:
        """The path of the request."""
        return self._first(PATHS)

    @property
    def route(self) -> str | None:
        """The route of the request, or the name of the task."""
        found = self._first(ROUTES)
        if found is None and "controller" in self.members:  # as lograge has it
            controller = self.members["controller"]
            action = self.members.get("action")
            if isinstance(controller, str) and isinstance(action, str):
                return f"{controller}#{action}"
        return found

    @property
    def method(self) -> str | None:
        """The method of the request."""
        return self._first(METHODS)

    @property
    def user(self) -> str | None:
        """The user of the request."""
        return self._first(USERS)

    @property
    def is_call(self) -> bool:
        """Whether it is about a call of another service, not about the request."""
        return self._first(LOGGERS) == CALLS

    @property
    def users(self) -> Sequence[str]:
        """All that names who asked: mostly an id and a name."""
        found = [self.get(path) for path in self._shape.present(USERS)]
        return [str(one) for one in found if one and not isinstance(one, (dict, list))]

    @property
    def took(self) -> float | None:
        """How many seconds what it speaks of took; None if it does not say."""
        for path in self._shape.present(DURATION_PATHS):
            found = self.get(path)
            if path == "duration" and DATADOGS not in self.members:
                continue
            if isinstance(found, str) and re.fullmatch(r"\d+(\.\d+)?s", found):
                found = float(found[:-1])  # Google Cloud's
            if isinstance(found, (int, float)) and not isinstance(found, bool):
                if 0 <= found < 1e18:
                    return found * DURATIONS[path]
        return None

    @property
    def totals(self) -> dict[str, tuple[float, float]]:
        """What was timed until then: how often, and how many milliseconds, by name."""
        return _totals(self.members)

    @property
    def is_completion(self) -> bool:
        """Whether it says how a request or a task ended."""
        return self._first(LOGGERS) in COMPLETIONS

    @property
    def is_buffered(self) -> bool:
        """Whether it waited in a buffer before it was written."""
        found = self._of_requests("buffered")
        return found is True or found == "true"

    @property
    def dropped_lines(self) -> int:
        """How many lines of its request, before it, had no room in the buffer."""
        return max(int(number(self._of_requests("dropped lines")) or 0), 0)

    @property
    def sample_rate(self) -> float:
        """How many requests its request stands for: 1 unless that is of a sample."""
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
        """When what it speaks of began, and its time; None if it has no time."""
        time = self.time
        return None if time is None else (time - (self.took or 0.0), time)

    @property
    def fields(self) -> dict[str, Any]:
        """The fields besides its time, level, request, message and traceback."""
        request, ids = self.request, self.names.ids
        found: dict[str, Any] = {}
        for name, paths in self._shape.others(self.names):
            value = self.members[name]
            for path in paths:
                # An id that is not the request's, such as the trace's, is shown.
                if path not in ids or str(at(self.members, path)) == request:
                    value = without(value, path[len(name) + 1 :])
            extra = value.get("extra") if isinstance(value, dict) else None
            if name == "record" and isinstance(extra, dict):  # loguru's
                value = {"logger": value.get("name") or {}, **extra}
            elif f"{name}." not in HOMES or not isinstance(value, dict):
                value = {name: value}
            for inner, said in value.items():
                own = inner in OWN or (inner in ids and str(said) == request)
                if not own and said != {}:
                    found.setdefault(inner, said)
        if found.get("event") == self.message:  # structlog's message; ECS has others
            del found["event"]
        stack = self.stack
        if stack:
            for name in list(found):
                if name.partition(".")[0] in STACK_HEADS:
                    found[name] = beside(found[name], stack)
                    if found[name] in ("", [], {}):
                        del found[name]
        return found

    @property
    def stack(self) -> str:
        """The traceback; empty if there is none."""
        for path in self._shape.present(STACKS):
            shown = as_text(self.get(path))
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
        return (self.status or 0) >= 500 and not self.is_call


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
