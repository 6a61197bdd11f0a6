"""
Error trackers, which make an event of every record in level ERROR. Core.

Only Sentry does so by default. Its integrations report the exception of a request, of a
task or of the program by themselves, so ctxlog's own line about its end would be a
second event. Sentry is never imported here.
"""

from __future__ import annotations

import sys
from typing import Any

from ctxlog._names import COMPLETION_LOGGERS

_SENTRY = "sentry_sdk.integrations.logging"
_LOGGERS = (*sorted(COMPLETION_LOGGERS), "ctxlog.crash")

#: The module that ignores loggers, and their names; the application may change them.
_done: Any = None
_ignored: list[str] = []


def install() -> None:
    """
    Let Sentry make no events of completion lines and crash lines.

    Its function `ignore_logger()` prevents events and breadcrumbs; Sentry's own logs
    have the lines. Calling it again is a no-op, so a change by `unignore_logger()`
    stays. It lasts until `uninstall()`.
    """
    global _done
    sentry: Any = sys.modules.get(_SENTRY)
    if sentry is None or sentry is _done or not hasattr(sentry, "ignore_logger"):
        return
    _done = sentry
    known = getattr(sentry, "_IGNORED_LOGGERS", ())
    for name in _LOGGERS:
        if name not in known:
            sentry.ignore_logger(name)
            _ignored.append(name)


def uninstall() -> None:
    """Let Sentry have those lines again. Without `install()`, a no-op."""
    global _done
    sentry, _done = _done, None
    # Older versions of Sentry's have no way back.
    unignore = getattr(sentry, "unignore_logger", None)
    while _ignored:
        name = _ignored.pop()
        if unignore is not None:
            unignore(name)


def watch() -> None:
    """Do what `install()` does if Sentry has been loaded by now."""
    if _done is None and _SENTRY in sys.modules:
        install()
