"""
Stores of lines: each is written to, and read from, as its API is published.
"""

from __future__ import annotations

from ctxlog.aggregators._store import Receiver, RefusedError, UnavailableError

__all__ = ["Receiver", "RefusedError", "UnavailableError"]
