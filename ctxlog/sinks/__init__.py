"""
Where lines go: files, streams, the journal, stores.
"""

from __future__ import annotations

from ctxlog.sinks._addresses import sink
from ctxlog.sinks._fan import flush, stats
from ctxlog.sinks._fan import set_flush_timeout as set_flush_timeout
from ctxlog.sinks._file import File
from ctxlog.sinks._places import may_reach_console as may_reach_console
from ctxlog.sinks._places import places_of as places_of
from ctxlog.sinks._places import stream_of as stream_of
from ctxlog.sinks._places import writer_to as writer_to
from ctxlog.sinks._sink import Sink, Stats

__all__ = ["File", "Sink", "Stats", "flush", "sink", "stats"]
