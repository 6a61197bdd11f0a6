"""
Stores of lines: each is written to, and read from, as its API is published.
"""

from __future__ import annotations

from ctxlog.aggregators._address import Address as Address
from ctxlog.aggregators._question import Condition, Cursor, Operator, Question, Reader
from ctxlog.aggregators._readers import is_address, reader
from ctxlog.aggregators._receivers import receiver
from ctxlog.aggregators._store import DeniedError as DeniedError
from ctxlog.aggregators._store import (
    Receiver,
    RefusedError,
    UnavailableError,
)
from ctxlog.aggregators._store import UnreachableError as UnreachableError

__all__ = [
    "Condition",
    "Cursor",
    "Operator",
    "Question",
    "Reader",
    "Receiver",
    "RefusedError",
    "UnavailableError",
    "is_address",
    "reader",
    "receiver",
]
