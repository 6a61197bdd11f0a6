"""
Where lines go: files, streams, the journal, stores.
"""

from __future__ import annotations

from ctxlog.sinks._addresses import sink
from ctxlog.sinks._fan import flush, stats
from ctxlog.sinks._file import File
from ctxlog.sinks._sink import Sink, Stats

__all__ = ["File", "Sink", "Stats", "flush", "sink", "stats"]
