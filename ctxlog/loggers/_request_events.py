"""
Events of structlog and loguru whose request decides about them. Private to `loggers/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ctxlog.line.event import Encoder, Event, Plain
from ctxlog.line.writer import Writer
from ctxlog.retention import (
    DROP,
    HOLD,
    RequestLines,
    asked,
    hold_event,
    hold_plain,
)


def is_made(level: int, usual: bool, lines: object) -> bool:
    """
    Return whether an event is made, for the active request.

    Args:
        level: Its level.
        usual: Whether it is made where no request has a say.
        lines: What becomes of the lines of the request.
    """
    return lines.wants(level, usual) if isinstance(lines, RequestLines) else usual


def admitted(
    event: Plain | Event,
    usual: bool,
    encoder: Encoder,
    writer: Writer,
    template: object = None,
) -> Mapping[Any, Any] | None:
    """
    Return the fields of an event to write; None if it waits, or is dropped.

    Args:
        event: The event, or the arguments of a plain one.
        usual: Whether it is written where no request has a say.
        encoder: Makes its line.
        writer: Writes it.
        template: Its message, before its arguments, if that is another.
    """
    level, logger, message, view, fields = event[2:7]
    lines = view.lines
    if isinstance(lines, RequestLines):
        usual = lines.is_usual(level, usual)
        verdict = lines.verdict(logger, level, usual, view)
        if verdict is DROP:
            return None
        if verdict is HOLD:
            hold: Any = hold_event if isinstance(event, Event) else hold_plain
            if lines.hold(usual, *hold(event, encoder, writer)):
                return None
    elif not usual:
        return None
    limit = asked.limit
    if limit is not None and limit.leaves_out(
        writer, logger, level, message if template is None else template
    ):
        return None
    marks = lines.marks(writer) if isinstance(lines, RequestLines) else None
    return fields if marks is None else {**fields, **marks}
