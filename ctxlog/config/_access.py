"""
One line per request: the middleware's or the server's. Private to `config`.

`configure()` switches an access logger off while ctxlog completes the request:
making a record that is dropped takes longer than all that the middleware does.
`dict_config()` cannot replace a method; a dict can have filters only.
"""

from __future__ import annotations

import logging

from ctxlog.context.reporting import server_store

#: A level above all others, for the logger of completion lines that are not wanted.
NEVER = logging.CRITICAL + 1


def _is_completed(name: str, level: int) -> bool:
    """Return whether ctxlog writes the line about the current request."""
    if name == "werkzeug" and level > logging.INFO:
        return False  # a crash report, in the logger of the access lines
    return getattr(server_store(), "completes", False)


class AccessLineFilter(logging.Filter):
    """
    Drop a server's access line if ctxlog writes a completion line for the request.

    For access loggers. A request that no middleware of ctxlog handles keeps the
    server's line.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether `record` is the only line about its request. Never raises."""
        return not _is_completed(record.name, record.levelno)


class AccessEnabled:
    """The `isEnabledFor` of an access logger: False while ctxlog has a line for it."""

    def __init__(self, logger: logging.Logger) -> None:
        self._name = logger.name
        self._enabled = logger.isEnabledFor

    def __call__(self, level: int) -> bool:
        return not _is_completed(self._name, level) and self._enabled(level)

    @classmethod
    def add(cls, logger: logging.Logger) -> None:
        """Put it on `logger`; again, a no-op."""
        if not isinstance(logger.isEnabledFor, cls):
            # In a dict of its own. A name among those that all loggers share would make
            # the lookup of the method slower on each of them.
            own = {**vars(logger), "isEnabledFor": cls(logger)}
            object.__setattr__(logger, "__dict__", own)

    @classmethod
    def remove(cls, logger: logging.Logger) -> None:
        """Take it off; without `add()`, a no-op."""
        if isinstance(logger.isEnabledFor, cls):
            del vars(logger)["isEnabledFor"]
