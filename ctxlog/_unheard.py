"""
Warn once of completion lines that no handler takes. Core: standard library only.
"""

from __future__ import annotations

import logging

_log = logging.getLogger("ctxlog")
_looked_at: set[str] = set()


def warn_if_unheard(logger: logging.Logger) -> None:
    """
    Warn, once for each logger, that its lines reach no handler.

    If the application has handlers for single loggers and none for the root logger,
    lines of INFO are lost without a trace. `logging` writes the warning to standard
    error.
    """
    if logger.name in _looked_at:
        return
    _looked_at.add(logger.name)
    if logging.raiseExceptions and not logger.hasHandlers():
        _log.warning(
            "the logger %r has no handler, so its lines are lost: give it one, or the "
            "root logger, or call ctxlog.configure()",
            logger.name,
        )
