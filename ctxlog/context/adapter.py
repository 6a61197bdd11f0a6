"""
The interface for authors of adapters: servers, queues, event loops, loggers.

An adapter opens a store where its library begins a request (`Entry`), gives the context
to what the library starts (`Carried`, `lent`), and keeps it from what belongs to no
request (`withheld`).
"""

from ctxlog.context._api import (
    Carried,
    Entry,
    View,
    add_source,
    current_view,
    error_view,
    lent,
    lent_from,
    remove_source,
    served_store,
    server_store,
    server_view,
    store_view,
    withheld,
    within,
)
from ctxlog.context._bodies import apart, continued, decorated

__all__ = [
    "Carried",
    "Entry",
    "View",
    "add_source",
    "apart",
    "continued",
    "current_view",
    "decorated",
    "error_view",
    "lent",
    "lent_from",
    "remove_source",
    "served_store",
    "server_store",
    "server_view",
    "store_view",
    "withheld",
    "within",
]
