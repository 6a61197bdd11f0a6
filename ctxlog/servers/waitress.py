"""
waitress's word on a client that went away, which comes after the end of its request.
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
        """Drops nothing."""
        text = record.msg  # another's may be anything, and raise when it is read
        if isinstance(text, str) and text.startswith(_WORDS):
            # Nobody but waitress's task keeps it alive now. One that waitress answered
            # by itself has none, and most likely not the path of the one before.
            store = served_store()
            if isinstance(store, RequestStore) and text == _WORDS + store.path:
                set_stamp(record, within(store, current_view))
        return True


_filter = _DisconnectFilter()


def install() -> None:
    """
    Stamp "Client disconnected while serving" with the request that waitress served.

    Doing it twice changes nothing; it lasts until `uninstall()`.
    """
    logging.getLogger(_LOGGER).addFilter(_filter)


def uninstall() -> None:
    """Undo `install()`. Without one nothing happens."""
    logging.getLogger(_LOGGER).removeFilter(_filter)
