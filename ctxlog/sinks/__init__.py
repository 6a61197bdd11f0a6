"""
Where lines go: files, streams, the journal, stores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ctxlog.sinks._addresses import sink
from ctxlog.sinks._background import Background
from ctxlog.sinks._fan import flush, stats
from ctxlog.sinks._fan import set_flush_timeout as set_flush_timeout
from ctxlog.sinks._file import File
from ctxlog.sinks._places import may_reach_console as may_reach_console
from ctxlog.sinks._places import places_of as places_of
from ctxlog.sinks._places import stream_of as stream_of
from ctxlog.sinks._places import writer_to as writer_to
from ctxlog.sinks._sink import Sink, Stats

if TYPE_CHECKING:
    from ctxlog.sinks._journal import Journal
    from ctxlog.sinks._ship import Ship
    from ctxlog.sinks._syslog import Syslog

__all__ = [
    "Background",
    "File",
    "Journal",
    "Ship",
    "Sink",
    "Stats",
    "Syslog",
    "flush",
    "sink",
    "stats",
]


if not TYPE_CHECKING:  # a checker would take every misspelt name for one of these

    def __getattr__(name: str) -> Any:
        # What knows of stores is imported by those that have one.
        if name == "Ship":
            from ctxlog.sinks._ship import Ship

            return Ship
        if name == "Journal":
            from ctxlog.sinks._journal import Journal

            return Journal
        if name == "Syslog":
            from ctxlog.sinks._syslog import Syslog

            return Syslog
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
