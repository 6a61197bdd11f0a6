"""
Which lines of a request are kept: buffering, sampling, a level of its own, floods.
"""

from __future__ import annotations

from ctxlog.retention._asked import asked as asked
from ctxlog.retention._held import Held as Held
from ctxlog.retention._held import are_immutable as are_immutable
from ctxlog.retention._held import as_formatted as as_formatted
from ctxlog.retention._held import frozen as frozen
from ctxlog.retention._held import hold_event as hold_event
from ctxlog.retention._held import hold_plain as hold_plain
from ctxlog.retention._held import size_of as size_of
from ctxlog.retention._levels import flush_buffer, set_level
from ctxlog.retention._levels import keep as keep
from ctxlog.retention._levels import set_store_level as set_store_level
from ctxlog.retention._limit import LineLimit as LineLimit
from ctxlog.retention._lines import DROP as DROP
from ctxlog.retention._lines import HOLD as HOLD
from ctxlog.retention._lines import WRITE as WRITE
from ctxlog.retention._lines import RequestLines as RequestLines
from ctxlog.retention._process import install as install
from ctxlog.retention._process import settle as settle
from ctxlog.retention._process import uninstall as uninstall
from ctxlog.retention.options import Buffer, RateLimit, Sampling

__all__ = ["Buffer", "RateLimit", "Sampling", "flush_buffer", "set_level"]
