"""
Lines that are built part by part: with a key that comes twice, or too long as they are.

Slower than with what is known of the context, and right whatever clashes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ctxlog._interrupts import is_interrupt
from ctxlog._json import dumps
from ctxlog._names import COMPLETION_LOGGER
from ctxlog.line._layout import Layout
from ctxlog.line._shape import Shape
from ctxlog.line.event import Event
from ctxlog.line.values import safe_str

#: The least that `max_line_bytes` may be.
LEAST_LINE = 1024

# The length of each text of the shortest line.
_SHORT = 16


class Fitter:
    """
    Builds lines of ever fewer bytes until one fits, which the first mostly does.

    Args:
        shape: The plan of the schema.
        layout: The bytes around the parts.
        static: The fields of every line.
        missing_request_id: The id outside of any request.
    """

    def __init__(
        self,
        shape: Shape,
        layout: Layout,
        static: Mapping[str, object],
        missing_request_id: str | None,
    ) -> None:
        self._shape = shape
        self._layout = layout
        self._static = static
        self._missing = missing_request_id

    def line(
        self, event: Event, problems: tuple[str, ...], length: int | None = None
    ) -> bytes:
        """
        Return the line of an event.

        Args:
            event: The event, of a finite time.
            problems: The replacements made, in words.
            length: How long the whole line is, if it is known to be too long.
        """
        limit = self._shape.limit
        if length is None:
            line = self._within(event, problems, limit, limit)
            if len(line) <= limit:
                return line
            length = len(line)
        what = f"line of {length} bytes cut to fit max_line_bytes={limit}"
        room = limit - limit // 8
        while room > 64:
            line = self._within(event, (what, *problems), room // 3, room)
            if len(line) <= limit:
                return line
            # Where a schema takes more bytes for a value than JSON does.
            room = min(room * limit // len(line), room // 2)
        return self.shortest(event, what)

    def shortest(self, event: Event, what: str) -> bytes:
        """Return a line that always fits: the message and the id, both cut short."""
        shape, layout = self._shape, self._layout
        walk = shape.walk(_SHORT, 1)
        request_id = shape.names.id_of(event.view.fields)
        if request_id is None:
            request_id = self._missing
        shown = None if request_id is None else walk.text(safe_str(request_id))
        return layout.shortest_line(
            micros_of(event.created),
            self._level(event, walk.text(safe_str(event.level))),
            layout.head(shown, {}),
            dumps(shape.message(event.message, walk)),
            layout.logger(walk.text(safe_str(event.logger))) + layout.constants,
            self._id_in_body(shown),
            layout.joined({shape.schema.log_error: what}),
        )

    def _within(
        self, event: Event, problems: tuple[str, ...], max_text: int, room: int
    ) -> bytes:
        """Return the line with texts and values that are cut to size."""
        shape, layout = self._shape, self._layout
        walk = shape.walk(max_text, room)
        # In the order of what matters most where there is not enough room.
        text = dumps(shape.message(event.message, walk))
        logger = layout.logger(walk.text(safe_str(event.logger)))
        level = self._level(event, walk.text(safe_str(event.level)))
        tail = shape.tail(event.error, event.stack_info, walk)
        if event.caller is not None:
            tail = {**shape.caller(event.caller, walk), **tail}
        name, request_id, fields, others = event.divided(shape.names)
        shown = self._missing
        if request_id is not None:
            shown, found = shape.request_id(request_id, max_text)
            problems += found
        static = {k: v for k, v in self._static.items() if k != name}
        if shape.placing:  # what is one field is replaced as one
            raw = _names_in(fields)
            others = {k: v for k, v in others.items() if k not in raw}
            static = {k: v for k, v in static.items() if k not in {*raw, *others}}
        trace, context = layout.traced(others)
        if layout.has_resource:
            static = {}
        statics = shape.members(static, walk)
        body = shape.members(context, walk, context=True)
        completion = shape.placing and event.logger == COMPLETION_LOGGER
        own = shape.members(fields, walk, completion=completion)
        statics = {k: v for k, v in statics.items() if k not in own and k not in body}
        body = {k: v for k, v in body.items() if k not in own}
        report = shape.report(
            (*problems, *walk.problems), max(max_text, LEAST_LINE // 4)
        )
        return layout.line(
            micros_of(event.created),
            event.view,
            level,
            layout.head(shown, trace),
            text,
            logger + layout.constants + layout.joined(statics),
            self._id_in_body(shown) + layout.joined(body),
            layout.joined(own),
            layout.joined(tail) + layout.joined(report),
        )

    def _level(self, event: Event, level: str) -> bytes:
        return self._layout.level(self._shape.level(level, event.levelno))

    def _id_in_body(self, shown: str | None) -> bytes:
        if shown is None or not self._layout.id_in_body:
            return b""
        return self._layout.joined({self._shape.schema.request_id: shown})


def _names_in(fields: Mapping[Any, Any]) -> set[Any]:
    try:
        return set(fields)
    except Exception as error:
        # A third-party mapping may raise anything: `Shape.members` reports it.
        if is_interrupt(error):
            raise
        return set()


def micros_of(seconds: float) -> int:
    """Return a time in microseconds."""
    second = math.floor(seconds)
    return second * 1_000_000 + int((seconds - second) * 1_000_000 + 0.5)
