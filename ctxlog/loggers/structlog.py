"""
structlog. Adapter: imports core, private modules of `loggers/` and structlog.

structlog runs its processors in the thread and the context of the log call, so the
renderer takes the active context. If structlog hands its events over to `logging`
(`ProcessorFormatter`), the record's stamp has the context.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ctxlog.context.adapter import current_view
from ctxlog.errors import requires
from ctxlog.line.writer import LineWriter, Writer
from ctxlog.loggers._events import level_of
from ctxlog.loggers._levels import Levels
from ctxlog.loggers._structlog_logger import FilteringLogger, make_logger, output
from ctxlog.loggers._structlog_renderer import (
    EventDict,
    JsonRenderer,
    merge_context,
    processors,
)
from ctxlog.loggers._structlog_renderer import bridge as bridge
from ctxlog.loggers._structlog_renderer import unbridge as unbridge
from ctxlog.loggers._structlog_setup import hide_callers as hide_callers
from ctxlog.loggers._structlog_setup import is_configured as is_configured
from ctxlog.loggers._structlog_setup import is_ours
from ctxlog.loggers._structlog_setup import outside as outside
from ctxlog.loggers._structlog_setup import show_callers as show_callers

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ctxlog.line.options import RendererOptions

with requires("structlog"):
    import structlog

__all__ = [
    "JsonRenderer",
    "configure",
    "merge_context",
    "processors",
    "unconfigure",
]


def _level_filter(levels: Levels) -> Any:
    def drop(logger: Any, method_name: str, event_dict: EventDict) -> EventDict:
        """Drop an event below the level of its logger, or of its request."""
        name, number = getattr(logger, "name", None), level_of(method_name)[1]
        if not levels.makes(name, number, current_view().lines):
            raise structlog.DropEvent
        return event_dict

    return drop


def configure(
    *between: Any,
    level: int = logging.INFO,
    levels: Mapping[str, int] | None = None,
    stream: Any = None,
    writer: Writer | None = None,
    **options: Unpack[RendererOptions],
) -> None:
    """
    Configure structlog to write the same lines as stdlib logging, to one stream.

    For the whole process, until `unconfigure()` brings back the configuration of
    before. A further call replaces the set-up, also for loggers in use. A logger that
    was used *before* the first call may keep its chain: structlog caches it.

    Args:
        between: Further processors, in their order.
        level: The least level that is logged.
        levels: Least levels of single loggers: name to level.
        stream: A stream for the lines; by default, `sys.stdout` at the time of each
            line.
        writer: Writes the lines instead of a writer for *stream*.
        options: The options of `JsonRenderer`.

    Raises:
        ConfigError: if an option is invalid.
    """
    chain = processors(*between, **options)
    filtered = Levels(level, levels)
    if filtered.single:
        chain.insert(0, _level_filter(filtered))
    if output.before is None:
        configured = structlog.is_configured()
        output.before = structlog.get_config() if configured else {}
    output.writer = writer or LineWriter(stream, chain[-1].encoder)
    output.renderer = chain[0] if len(chain) == 1 else None
    output.levels = filtered
    FilteringLogger.filter_at(filtered.least)
    # In place: cached loggers keep the list.
    output.processors[:] = chain
    structlog.configure(
        processors=output.processors,
        wrapper_class=FilteringLogger,
        logger_factory=make_logger,
        cache_logger_on_first_use=True,
    )
    bridge()
    show_callers()


def unconfigure() -> None:
    """Bring back the configuration of before `configure()`; without it, a no-op."""
    before, ours = output.before, is_ours()
    output.before = None
    if before is None:
        return
    unbridge()
    hide_callers()
    output.writer = LineWriter()
    if not ours:
        return  # the application has configured it since
    if before:
        structlog.configure(**before)
    else:
        structlog.reset_defaults()
