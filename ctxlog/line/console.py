"""
The event as text for people: the counterpart of a line on a terminal.

Tracebacks are Python's own, colored line by line. The tracebacks of rich and structlog
show the values of variables, secrets among them, by default, and cannot be made from an
exception that came through a queue as text.
"""

from __future__ import annotations

import re
import time

from ctxlog._interrupts import is_interrupt
from ctxlog._json import dumps
from ctxlog._names import Names
from ctxlog.errors import ConfigError
from ctxlog.line.event import Encoder, Event, ExceptionParts
from ctxlog.line.redact import Redactor
from ctxlog.line.redactor import get_redactor
from ctxlog.line.values import Walk, safe_str, type_name
from ctxlog.terminal import ID_WIDTH, hue, paint, printable, short_id

_BOLD, _DIM, _RED, _GREEN, _YELLOW, _CYAN = "1", "2", "31", "32", "33", "36"

# The most that is shown of a message and of a field; the most that columns grow to.
_MESSAGE, _FIELD = 8192, 500
_LOGGER_WIDTH = 24

# Texts that need no quotes: it is clear where they end.
_BARE = re.compile(r'[^\s"=]+')

# The prefix of a traceback line in a group of exceptions, and the separator between
# two tracebacks.
_MARGIN = re.compile(r" *\| ")
_LINKS = ("During handling of", "The above exception was")


class ConsoleEncoder(Encoder):
    """
    Turns events into text: time, level, request, logger, message, fields; tracebacks.

    The columns of the request and of the logger grow with what was seen, so that lines
    stand below each other. A long id is shown by its begin and its end, in a color of
    its own, the same in every process; a long field by its begin. The time since the
    request began follows as `+12.3ms`, the caller as `orders.py:42`. Data cannot drive
    the terminal: control characters are escaped.

    Args:
        color: Whether to color.
        redactor: Decides which values to hide; by default, the process-wide redactor.
        datefmt: Shape of the time, local, as `time.strftime` takes it.
        request_id_key: The name of the request's id; the process's unless given.
        case: The spelling of ctxlog's own names; the process's unless given.
        caller: Show the file and the line where an event was logged.

    Raises:
        ConfigError: if an option is invalid.
    """

    def __init__(
        self,
        *,
        color: bool = False,
        redactor: Redactor | None = None,
        datefmt: str = "%H:%M:%S",
        request_id_key: str | None = None,
        case: str | None = None,
        caller: bool = False,
    ) -> None:
        if type(caller) is not bool:
            raise ConfigError("caller", caller, "True or False")
        self.caller = caller
        self.names = Names.chosen(case, request_id_key)
        self.redactor = redactor or get_redactor()
        self._color = color
        self._datefmt = datefmt
        self._id_width = 0
        self._logger_width = 0

    def encode(self, event: Event) -> bytes:
        """Return the text of one event; several lines with a traceback."""
        try:
            text = self._text(event)
        except Exception as failure:
            # A record that was unpickled may hold anything: the message is left.
            if is_interrupt(failure):
                raise
            what = f"record not readable: {type_name(failure)}"
            message = printable(safe_str(event.message))
            text = f"{message} {self.names.log_error}={what}"
        return f"{text}\n".encode("utf-8", "backslashreplace")

    def _text(self, event: Event) -> str:
        created, level, levelno, logger, message, view = event[:6]
        own, error, stack_info, problems, caller = event[6:]
        walk = Walk(self.redactor, 65_536, 65_536)
        # The call's own over the context's.
        _, found, own, others = event.divided(self.names)
        fields = walk.named({**others, **own}.items())
        request_id = "" if found is None else safe_str(walk.value(found))
        shown = _shortened(printable(walk.text(message)), _MESSAGE)
        stacks = self._stacks(walk, error, stack_info)
        problems = (*problems, *walk.problems)

        seconds = time.strftime(self._datefmt, time.localtime(created))
        parts = [
            self._paint(f"{seconds}.{int(created % 1 * 1000):03d}", _DIM),
            self._paint(printable(f"{safe_str(level):<8}"), _level_color(levelno)),
        ]
        short = printable(short_id(request_id))
        self._id_width = max(self._id_width, min(len(short), ID_WIDTH))
        if self._id_width:
            padding = " " * (self._id_width - len(short))
            parts.append((short and self._paint(short, hue(request_id))) + padding)
        name = f"{printable(safe_str(logger))}:"
        self._logger_width = max(self._logger_width, min(len(name), _LOGGER_WIDTH))
        parts.append(self._paint(f"{name:<{self._logger_width}}", _DIM))
        parts.append(self._paint(shown, _BOLD))
        parts += [self._field(name, value) for name, value in fields.items()]
        if problems:
            found = walk.text("; ".join(problems))
            parts.append(self._field(self.names.log_error, found, _YELLOW))
        if view.started is not None:
            parts.append(self._paint(_elapsed(created - view.started / 1e9), _DIM))
        if view.late:
            parts.append(self._paint("late", _YELLOW))
        if caller is not None:
            place = printable(walk.text(f"{caller.file}:{caller.line}"))
            parts.append(self._paint(place, _DIM))
        return "\n".join([" ".join(parts), *stacks])

    def _field(self, name: str, value: object, code: str = _CYAN) -> str:
        text = _shortened(printable(_inline(value)), _FIELD)
        return f"{self._paint(printable(name) + '=', code)}{text}"

    def _stacks(
        self,
        walk: Walk,
        error: ExceptionParts | BaseException | None,
        stack_info: str | None,
    ) -> list[str]:
        """Return the lines of the traceback and of the stack."""
        lines = []
        if error is not None:
            if isinstance(error, BaseException):
                error = ExceptionParts.of(error)
            lines += walk.text(error.stack).split("\n")
        if stack_info is not None:
            lines += walk.text(safe_str(stack_info)).split("\n")
        return [self._stack_line(printable(line)) for line in lines]

    def _stack_line(self, line: str) -> str:
        text = _MARGIN.sub("", line, count=1)
        if text.endswith("(most recent call last):"):
            return self._paint(line, _DIM)
        if text.startswith('  File "'):
            return self._paint(line, _CYAN)
        if text and not text[0].isspace() and not text.startswith(_LINKS):
            return self._paint(line, _RED)
        return line

    def _paint(self, text: str, code: str) -> str:
        return paint(text, code, self._color)


def _level_color(number: object) -> str:
    # A record that was made by hand may have anything there.
    if not isinstance(number, int) or number < 20:
        return _DIM
    if number < 30:
        return _GREEN
    if number < 40:
        return _YELLOW
    return _RED if number < 50 else f"{_BOLD};{_RED}"


def _shortened(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    return f"{text[:most]}\u2026 ({len(text)} characters)"


def _elapsed(seconds: float) -> str:
    # If the clock was set back, report 0 rather than a negative time.
    seconds = max(seconds, 0.0)
    return f"+{seconds * 1000:.1f}ms" if seconds < 10 else f"+{seconds:.1f}s"


def _inline(value: object) -> str:
    if not isinstance(value, str):
        return dumps(value).decode()
    if _BARE.fullmatch(value):
        return value
    quoted = value.replace('"', '\\"')
    return f'"{quoted}"'
