"""
Error trackers, which make an event of every record in level ERROR. Core.

Of those only Sentry does so without being asked for it. Its integrations report the
exception of a request, of a task or of the program by themselves, so ctxlog's own line
about the end of it would be a second event. Only what the application has loaded itself
is looked at.
"""

from __future__ import annotations

import sys
from typing import Any

from ctxlog._names import COMPLETION_LOGGER

_SENTRY = "sentry_sdk.integrations.logging"
_LOGGERS = (COMPLETION_LOGGER, "ctxlog.task", "ctxlog.crash")

#: What has been ignored so far, and by which module; the application may change it.
_done: Any = None
_ignored: list[str] = []


def install() -> None:
    """
    Let Sentry make no events of the lines that say how something ended.

    By its function `ignore_logger()`, so that neither events nor breadcrumbs are made
    of them; Sentry's own logs have them. Calling it again is a no-op, so what the
    application changes by `unignore_logger()` stays. It lasts until `uninstall()`.
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
