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
    asked,
    hold_event,
    hold_plain,
)


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
        usual: Whether it is written in a request that keeps none for later.
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
    kind = message if template is None else template
    further = last_fields(lines, writer, logger, (level, levelno), kind)
    if not further:
        return None if further is None else fields
    return {**fields, **further}


def last_fields(
    lines: Any, writer: Writer, logger: str, level: tuple[str, int], template: object
) -> Mapping[str, object] | None:
    """
    Return further fields of a line that is about to be written; None if it is not.

    Args:
        lines: The `RequestLines` of its request; None without any.
        writer: Writes it.
        logger: The name of its logger.
        level: The name and the number of its level.
        template: Its message, before its arguments.
    """
    limit = asked.limit
    if limit is not None and limit.leaves_out(writer, logger, level, template):
        return None
    marks = None if lines is None else lines.marks(writer)
    return _NONE if marks is None else marks


_NONE: Mapping[str, object] = {}
