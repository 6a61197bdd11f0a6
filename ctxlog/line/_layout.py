"""
The bytes of a line around its parts, and their order: one JSON object.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ctxlog._interrupts import is_interrupt
from ctxlog._json import dumps
from ctxlog.context.adapter import View
from ctxlog.line._schema import Schema

#: The timestamp's precisions: how many digits follow the second.
DIGITS = {"seconds": 0, "milliseconds": 3, "microseconds": 6}


#: The last second whose microseconds since the epoch are exact as a float: in 2255.
EXACT = 2**53 // 1_000_000 - 1


class Layout:
    """
    How the parts of a line become its bytes.

    Args:
        schema: The names of the keys.
        timespec: Precision of the timestamp.
        constants: The members of every line that the schema asks for.
        static: The static fields, as members.

    Attributes:
        opening: The bytes before the time.
        shortest: The same without the parts that may be long.
        ending: The bytes after the digits of the time.
        end: The end of the line.
        constants: The constants, encoded.
        statics: What follows the logger on every line.
        elapsed: What precedes the time since the store was made.
        elapsed_end: What follows it.
        late: The mark of a late line.
        digits: How many digits of a second's fraction the time has.
        second: The second of the last line, and the line's start in it.
        id_in_body: Whether the request's id stands among the fields.
        has_resource: Whether static fields are part of the opening.
        trace_ids: Fields that stand apart from the others: their keys and lengths.
    """

    end = b"}\n"
    elapsed_end = b""
    has_resource = False
    trace_ids: Mapping[str, tuple[str, int]] = MappingProxyType({})

    def __init__(
        self,
        schema: Schema,
        timespec: str,
        constants: Mapping[str, Any],
        static: Mapping[str, Any],
    ) -> None:
        quote = b"" if schema.seconds else b'"'
        self.schema = schema
        self.digits = DIGITS[timespec]
        self.opening = self.shortest = b'{"%s":%s' % (quoted(schema.timestamp), quote)
        self.ending = b"," if schema.seconds else b'Z",'
        self.constants = self.joined(constants)
        self.statics = self.constants + self.joined(static)
        self.elapsed = b',"%s":' % quoted(schema.elapsed)
        self.late = self.joined({schema.late: "true" if schema.scalars else True})
        self.second = math.nan, b""  # unlike every time
        self.id_in_body = schema.message_first
        self._id_key = b'"%s":' % quoted(schema.request_id)
        self._message_key = b'"%s":' % quoted(schema.message)
        self._point = b"." if self.digits else b""

    def joined(self, members: Mapping[str, Any]) -> bytes:
        """Return members, each with a comma before it."""
        return b"," + dumps(members)[1:-1] if members else b""

    def level(self, members: Mapping[str, Any]) -> bytes:
        """Return the end of the time, and what the line says of the level."""
        return self.ending + dumps(members)[1:-1] + b","

    def head(self, request_id: str | None, trace: Mapping[str, str]) -> bytes:
        """Return what precedes the message: the id, if there is one."""
        if request_id is None or self.id_in_body:
            return self._message_key
        return self._id_key + dumps(request_id) + b"," + self._message_key

    def logger(self, name: str) -> bytes:
        """Return what names the logger."""
        return self.joined({self.schema.logger: name})

    def traced(
        self, fields: Mapping[Any, Any]
    ) -> tuple[dict[str, str], Mapping[Any, Any]]:
        """Divide fields in the ids of a trace that precede the message, and others."""
        return {}, fields

    def line(
        self,
        micros: int,
        view: View,
        level: bytes,
        head: bytes,
        text: bytes,
        logger: bytes,
        body: bytes,
        own: bytes,
        tail: bytes,
    ) -> bytes:
        """
        Return the line of an event, given its parts.

        Args:
            micros: Its time, in microseconds.
            view: Its context, for the time since the store was made.
            level: From the timestamp's end to the level.
            head: From the request's id to the message's key.
            text: The message.
            logger: The logger and the static fields.
            body: The fields of the context.
            own: The fields of the call.
            tail: The exception, the stack and the report of problems.
        """
        started = view.started
        since = b"" if started is None else self._since(started, view.late, micros)
        start = self.time(micros)
        return b"".join(
            (start, level, head, text, logger, body, since, own, tail, self.end)
        )

    def shortest_line(self, micros: int, *parts: bytes) -> bytes:
        """Return the line of some parts, without what may be long in its opening."""
        start = self.shortest + self.time(micros)[len(self.opening) :]
        return b"".join((start, *parts, self.end))

    def time(self, micros: int) -> bytes:
        """Return the line's start, up to the digits of the time."""
        second, fraction = divmod(micros, 1_000_000)
        known, start = self.second
        if second != known:
            start = self.start_of(second)
        return start + (b"%06d" % fraction)[: self.digits]

    def turn_to(self, created: float) -> tuple[float, bytes]:
        """Return the second of a time, and the line's start in it."""
        second = math.floor(created)
        return float(second), self.start_of(second)

    def start_of(self, second: int) -> bytes:
        """Return the line's start in a second since the epoch."""
        try:
            if self.schema.seconds:
                shown = str(max(second, 0))
            else:
                shown = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        except (OverflowError, ValueError, OSError) as error:
            if is_interrupt(error):
                raise
            shown = "1970-01-01T00:00:00"  # a record with a broken `created`
        start = self.opening + shown.encode() + self._point
        if 0 < second <= EXACT:
            self.second = float(second), start
        return start

    def _since(self, started: int, late: bool, micros: int) -> bytes:
        lasted = dumps(max(micros - started // 1000, 0) / 1000)
        elapsed = self.elapsed + lasted + self.elapsed_end
        return elapsed + self.late if late else elapsed


def quoted(key: str) -> bytes:
    """Return a key as it stands between quotation marks."""
    return dumps(key)[1:-1]
