"""
The store of a request, and how it travels. Imports the standard library only.

`ctxlog.context.adapter` has what authors of adapters need beside it.
"""

from ctxlog.context._api import (
    AsyncLocalStorage,
    Snapshot,
    Store,
    bind,
    detached,
    fields,
    get_store,
    run,
    scope,
    unbind,
    wrap,
)

__all__ = [
    "AsyncLocalStorage",
    "Snapshot",
    "Store",
    "bind",
    "detached",
    "fields",
    "get_store",
    "run",
    "scope",
    "unbind",
    "wrap",
]
