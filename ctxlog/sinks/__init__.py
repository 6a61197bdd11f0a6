"""
Where lines go: files, streams, the journal, stores.
"""

from __future__ import annotations

from ctxlog.sinks._sink import Sink, Stats

__all__ = ["Sink", "Stats"]
