"""
waitress's line about a client that went away, which comes after the end of its request.

Without the id the one line that says why a response was cut off is found by no request.
A filter of its logger is enough; nothing of waitress is replaced.
"""

from __future__ import annotations

import logging

from ctxlog._stamps import set_stamp
from ctxlog.context.adapter import current_view, within
from ctxlog.context.reporting import served_store
from ctxlog.servers._request import RequestStore

__all__ = ["install", "uninstall"]

_LOGGER = "waitress"
_WORDS = "Client disconnected while serving "


class _DisconnectFilter(logging.Filter):
    """Stamps the line with the request that this thread has served right before."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Stamp the line; drop no record."""
        text = record.msg  # other records have any object there
        if isinstance(text, str) and text.startswith(_WORDS):
            # Only waitress's task keeps the store alive now. A request that waitress
            # answered by itself has none, and most likely another path than the last.
            store = served_store()
            if isinstance(store, RequestStore) and text == _WORDS + store.path:
                set_stamp(record, within(store, current_view))
        return True


_filter = _DisconnectFilter()


def install() -> None:
    """
    Stamp "Client disconnected while serving" with the request that waitress served.

    Calling it again is a no-op; it lasts until `uninstall()`. `configure(hooks=True)`,
    the default, calls it where waitress is imported.
    """
    logging.getLogger(_LOGGER).addFilter(_filter)


def uninstall() -> None:
    """Undo `install()`. Without it, a no-op."""
    logging.getLogger(_LOGGER).removeFilter(_filter)
