"""
One line per request: the middleware's or the server's. Private to `config`.
"""

from __future__ import annotations

import logging

from ctxlog.context.reporting import server_store


class AccessLineFilter(logging.Filter):
    """
    Drops a server's access line where ctxlog writes a completion line for the request.

    For the access loggers, so that there is one line per request, not two. A request
    that no middleware of ctxlog handles keeps the server's line.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether `record` is the only line about its request. Never raises."""
        return not _is_completed(record.name, record.levelno)


def _is_completed(name: str, level: int) -> bool:
    """Whether ctxlog writes the line about the request that is being served."""
    if name == "werkzeug" and level > logging.INFO:
        return False  # a crash report, in the logger of the access lines
    return getattr(server_store(), "completes", False)


class AccessEnabled:
    """
    The `isEnabledFor` of one access logger: not while ctxlog completes the request.

    As `AccessLineFilter`, but before the record is made: that takes longer than all
    that the middleware does. The filter stays for records which are made elsewhere.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._name = logger.name
        self._enabled = logger.isEnabledFor

    def __call__(self, level: int) -> bool:
        return not _is_completed(self._name, level) and self._enabled(level)

    @classmethod
    def add(cls, logger: logging.Logger) -> None:
        if not isinstance(logger.isEnabledFor, cls):
            vars(logger)["isEnabledFor"] = cls(logger)

    @classmethod
    def remove(cls, logger: logging.Logger) -> None:
        if isinstance(logger.isEnabledFor, cls):
            del vars(logger)["isEnabledFor"]


class CompletionLineFilter(logging.Filter):
    """
    Drops ctxlog's completion lines, where the server's access lines are wanted instead.

    For the logger `ctxlog.request`.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Drop `record`. Never raises."""
        return False
