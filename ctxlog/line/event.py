"""
The event: what every logger's adapter hands to an encoder, whichever logger it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from ctxlog._interrupts import is_interrupt
from ctxlog.context.adapter import View
from ctxlog.line._tracebacks import format_exception
from ctxlog.line.values import MAX_READING, reading, safe_str, type_name


class ExceptionParts(NamedTuple):
    """An exception as a line shows it: three texts."""

    type: str
    message: str
    stack: str

    @classmethod
    def of(cls, error: BaseException) -> ExceptionParts:
        """Take an exception apart. Raises nothing but what interrupts it."""
        within, depth = reading.reader, reading.depth
        if depth >= MAX_READING:
            return cls(type_name(error), "<logged by what is being logged>", "")
        try:
            reading.reader, reading.depth = error, depth + 1
            return cls(type_name(error), safe_str(error), cls._stack(error))
        finally:
            reading.reader, reading.depth = within, depth

    @staticmethod
    def _stack(error: BaseException) -> str:
        try:
            stack = format_exception(error, safe_str)
        except Exception as failure:
            # The attributes of a third-party exception may raise anything. The line
            # keeps the exception's type and text.
            if is_interrupt(failure):
                raise
            stack = f"<traceback unreadable: {type_name(failure)}>"
        return stack.rstrip("\n")


class Event(NamedTuple):
    """
    One log event. An adapter makes it once; nothing below reads the record again.

    Attributes:
        created: When it happened, in seconds since the epoch.
        level: The level's name.
        levelno: The level's number, on the scale of `logging`.
        logger: The logger's name.
        message: The message, formatted.
        view: The context that it was logged in.
        fields: The fields of the log call, of the highest precedence.
        error: The exception that it reports.
        stack_info: The stack that it shows.
        problems: What had to be replaced before the event was made.
    """

    created: float
    level: str
    levelno: int
    logger: str
    message: str
    view: View
    fields: Mapping[Any, Any] = MappingProxyType({})
    error: ExceptionParts | BaseException | None = None
    stack_info: str | None = None
    problems: tuple[str, ...] = ()


class Encoder:
    """Turns events into bytes. The base of all encoders."""

    def encode_plain(
        self,
        created: float,
        level: str,
        levelno: int,
        logger: str,
        message: str,
        view: View,
        fields: Mapping[Any, Any],
    ) -> bytes | None:
        """
        Return the bytes of a usual event, or None to be given the `Event` instead.

        The short way past `encode`, without an event: for calls without an exception,
        a stack or problems. Where it returns bytes, they are those of `encode`. Never
        raises.
        """
        return None

    def encode(self, event: Event) -> bytes:
        """Return the bytes of an event. Never raises."""
        raise NotImplementedError
