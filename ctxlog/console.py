"""
The event as text for people. Core.

The counterpart of `ctxlog.line` on a terminal: the same events, taken by the same call.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from ctxlog._json import dumps
from ctxlog.context import View
from ctxlog.line import REQUEST_ID, ExceptionParts
from ctxlog.redact import Redactor, active
from ctxlog.values import Walk, safe_str, type_name

__all__ = ["ConsoleEncoder"]

_LEVELS = {
    logging.DEBUG: "2",
    logging.INFO: "32",
    logging.WARNING: "33",
    logging.ERROR: "31",
    logging.CRITICAL: "1;31",
}
_HUES = ("34", "35", "36", "94", "95", "96", "92", "93")


class ConsoleEncoder:
    """
    Turns events into text: time, level, request, logger, message, fields; tracebacks.

    What is in the data cannot drive the terminal: control characters are escaped.

    Args:
        color: Whether to colour the level and the request's id.
        redactor: What to hide; the process's unless given.
        datefmt: Shape of the time, local, as `time.strftime` takes it.
    """

    def __init__(
        self,
        *,
        color: bool = False,
        redactor: Redactor | None = None,
        datefmt: str = "%H:%M:%S",
    ) -> None:
        self.redactor = active() if redactor is None else redactor
        self._color = color
        self._datefmt = datefmt

    def encode(
        self,
        created: float,
        level: str,
        levelno: int,
        logger: str,
        message: str,
        view: View,
        own: Any = None,
        error: ExceptionParts | BaseException | None = None,
        stack_info: str | None = None,
        problems: tuple[str, ...] = (),
    ) -> bytes:
        """
        Return the text of one event; several lines with a traceback. Never raises.

        The arguments are those of `LineEncoder.encode`.
        """
        try:
            text = self._text(
                *(created, level, levelno, logger, message, view),
                *(own or {}, error, stack_info, problems),
            )
        except Exception as failure:  # a record that was unpickled may hold anything
            what = f"record not readable: {type_name(failure)}"
            text = f"{_printable(safe_str(message))} logError={what}"
        return f"{text}\n".encode("utf-8", "backslashreplace")

    def _text(
        self,
        created: float,
        level: str,
        levelno: int,
        logger: str,
        message: str,
        view: View,
        own: Any,
        error: ExceptionParts | BaseException | None,
        stack_info: str | None,
        problems: tuple[str, ...],
    ) -> str:
        walk = Walk(self.redactor, 8192, 4096)
        # The call's own over the context's.
        fields = walk.named({**view.fields, **own}.items())
        request_id = safe_str(fields.pop(REQUEST_ID, None) or "")
        shown = walk.text(message)
        problems = (*problems, *walk.problems)
        if problems:
            fields["logError"] = walk.text("; ".join(problems))
        seconds = time.strftime(self._datefmt, time.localtime(created))
        padded = _printable(f"{safe_str(level):<8}")
        parts = [
            f"{seconds}.{int(created % 1 * 1000):03d}",
            self._paint(padded, _LEVELS.get(levelno, "36")),
        ]
        if request_id:
            parts.append(self._paint(_printable(request_id[:8]), _hue(request_id)))
        parts.append(f"{_printable(safe_str(logger))}: {_printable(shown)}")
        parts += [
            f"{_printable(k)}={_printable(_inline(v))}" for k, v in fields.items()
        ]
        stacks = []
        if error is not None:
            if isinstance(error, BaseException):
                error = ExceptionParts.of(error)
            stacks.append(error.stack)
        if stack_info is not None:
            stacks.append(safe_str(stack_info))
        lines = [line for stack in stacks for line in walk.text(stack).split("\n")]
        return "\n".join([" ".join(parts), *map(_printable, lines)])

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._color else text


def _hue(request_id: str) -> str:
    """The colour of a request, the same for all its lines."""
    return _HUES[sum(request_id.encode("utf-8", "replace")) % len(_HUES)]


def _inline(value: object) -> str:
    return value if isinstance(value, str) else dumps(value).decode()


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )
