"""
Events of structlog and loguru whose request decides about them. Private to `loggers/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ctxlog.context.adapter import View
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
        event: The event, or the parts of a plain one, whose fields are copied.
        usual: Whether it is written where no request has a say.
        encoder: Makes its line.
        writer: Writes it.
        template: Its message, before its arguments, if that is another.
    """
    more = (usual, encoder, writer, template)
    if isinstance(event, Event):
        return admitted_plain(*event[:7], *more, whole=event)
    return admitted_plain(*event[:6], {**event[6]}, *more)


def admitted_plain(
    created: float,
    level: str,
    levelno: int,
    logger: str,
    message: str,
    view: View,
    fields: Mapping[Any, Any],
    usual: bool,
    encoder: Encoder,
    writer: Writer,
    template: object = None,
    whole: Event | None = None,
) -> Mapping[Any, Any] | None:
    """
    Return the same of an event that is given by its parts, or as a whole.

    Nobody else has the dict of its fields.
    """
    lines: Any = view.lines
    if lines is not None:
        own = lines.level
        if own is not None:
            usual = levelno >= own
        verdict = lines.verdict(logger, levelno, usual, view)
        if verdict is DROP:
            return None
        if verdict is HOLD:
            if whole is None:
                event = (created, level, levelno, logger, message, view, fields)
                size, line = hold_plain(*event, encoder, writer)
            else:
                size, line = hold_event(whole, encoder, writer)
            if lines.hold(usual, size, line):
                return None
    elif not usual:
        return None
    limit = asked.limit
    if limit is not None:
        kind = message if template is None else template
        if limit.leaves_out(writer, logger, (level, levelno), kind):
            return None
    marks = None if lines is None else lines.marks(writer)
    return fields if marks is None else {**fields, **marks}
