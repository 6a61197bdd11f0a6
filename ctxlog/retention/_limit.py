"""
The limit on lines that come too often: of one writer, which all loggers share.
"""

from __future__ import annotations

import time

from ctxlog._names import COMPLETION_LOGGERS, SUPPRESSED
from ctxlog.context.adapter import View
from ctxlog.line.event import Encoder, Event
from ctxlog.line.values import type_name
from ctxlog.line.writer import Writer
from ctxlog.retention._floods import Floods
from ctxlog.retention.options import RateLimit

_NO_CONTEXT = View({}, None)


class LineLimit:
    """
    Leaves out lines that come too often, and writes how many.

    Completion lines are not limited.

    Args:
        limit: The limit.
        encoder: Makes the lines that say how many were left out.
        writer: Writes them. Only lines that this writer would write are limited.
    """

    def __init__(self, limit: RateLimit, encoder: Encoder, writer: Writer) -> None:
        self._floods = Floods(limit, self._say)
        self._encoder = encoder
        self._writer = writer
        # loguru has levels that `logging` has no name for.
        self._levels: dict[int, str] = {}

    def leaves_out(
        self, writer: object, logger: str, level: tuple[str, int], template: object
    ) -> bool:
        """Return whether a line is left out, and count it."""
        if writer is not self._writer or logger in COMPLETION_LOGGERS:
            return False
        name, number = level
        kind = template if type(template) is str else type_name(template)
        if self._floods.admits(logger, number, kind):
            return False
        self._levels[number] = name
        return True

    def close(self) -> None:
        """Say what was left out, and leave out nothing more."""
        self._floods.close()

    def _say(self, logger: str, level: int, template: str, suppressed: int) -> None:
        line = self._encoder.encode(
            Event(
                *(time.time(), self._levels[level], level, logger, template),
                *(_NO_CONTEXT, {SUPPRESSED: suppressed}),
            )
        )
        self._writer.write(line)
