"""
The event: what every logger's adapter hands to an encoder, whichever logger it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from ctxlog._interrupts import is_interrupt
from ctxlog._names import Names
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


class Caller(NamedTuple):
    """
    Where in the code an event was logged.

    Attributes:
        path: The file, as Python knows it.
        line: The line there.
        function: The name of the function; None where it is not known.
    """

    path: str
    line: int
    function: str | None = None

    @property
    def file(self) -> str:
        """The name of the file; its path may have come from another system."""
        return self.path.replace("\\", "/").rpartition("/")[2]


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
        problems: The replacements made before the event.
        caller: Where it was logged, for an encoder that asks for it.
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
    caller: Caller | None = None

    def divided(
        self, names: Names
    ) -> tuple[str, object, Mapping[Any, Any], dict[Any, Any]]:
        """
        Return the name and the value of the line's request id, and all other fields.

        Args:
            names: The name of the id, and those of the context's fields.

        Returns:
            The name; the value, None without an id; the fields of the call; those of
            the context.
        """
        own, context, key = self.fields, self.view.fields, names.request_id
        known: dict[Any, Any] = {}
        try:
            known = own = dict(own)
        except Exception as error:
            # A third-party mapping may raise anything: it is reported where it is read.
            if is_interrupt(error):
                raise
        merged = {**context, **{k: v for k, v in known.items() if v is not None}}
        name = names.id_name(merged)
        request_id = merged.get(name)
        if known:
            own = {k: v for k, v in known.items() if k not in (key, name)}
        others = {k: v for k, v in context.items() if k not in (key, name)}
        # A processor may have put the id of the context into the call, too.
        again = names.id_name(context)
        if (
            name == key
            and again in others
            and safe_str(others[again]) == safe_str(request_id)
        ):
            del others[again]
        return name, request_id, own, dict(names.respelled(others))


#: The arguments of `Encoder.encode_plain`, which are the first parts of an `Event`.
Plain: TypeAlias = tuple[float, str, int, str, str, View, Mapping[Any, Any]]


class Encoder:
    """
    Turns events into bytes. The base of all encoders.

    Attributes:
        caller: Whether it asks for the caller of an event, which takes time to find.
        takes_all: Whether it takes every event, whatever becomes of the lines of its
            request: another logger that is handed the event asks, or none should.
    """

    caller = False
    takes_all = False

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

    def encode_at(self, caller: Caller | None, plain: Plain) -> bytes:
        """
        Return the bytes of an event that `encode_plain` has refused. Never raises.

        Args:
            caller: Where it was logged, if the encoder asks for it.
            plain: The arguments of `encode_plain`.
        """
        return self.encode(Event(*plain, caller=caller))

    def prepare(self, view: View) -> int | None:
        """
        Encode a context now, for lines that are encoded later.

        Returns:
            How many bytes the view keeps for that; None if the encoder reads the values
            of a context whenever it encodes a line.
        """
        return None

    def encode(self, event: Event) -> bytes:
        """Return the bytes of an event. Never raises."""
        raise NotImplementedError
