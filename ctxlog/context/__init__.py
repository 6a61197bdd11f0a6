"""
The store of a request, and how it travels. Imports the standard library only.

`ctxlog.context.adapter` is the interface for authors of adapters.
"""

from ctxlog.context._api import (
    bind,
    detached,
    fields,
    get_store,
    run,
    scope,
    unbind,
)
from ctxlog.context._storage import AsyncLocalStorage, Snapshot, wrap
from ctxlog.context._store import Store
from ctxlog.context._totals import count, timed

__all__ = [
    "AsyncLocalStorage",
    "Snapshot",
    "Store",
    "bind",
    "count",
    "detached",
    "fields",
    "get_store",
    "run",
    "scope",
    "timed",
    "unbind",
    "wrap",
]
