"""
Sentences about handlers outside of a configuration. Private to `config`.
"""

from __future__ import annotations

import logging

from ctxlog.config._handlers import console_of, writes_lines

#: Loggers in which a handler reports on itself: with a handler of the root logger, it
#: would call itself.
_OF_HANDLERS = frozenset({"opentelemetry.instrumentation.logging.handler.internal"})


def about_handler(
    logger: logging.Logger, handler: logging.Handler, on_console: bool
) -> str | None:
    """
    Return a sentence about a handler beside ctxlog's, with the remedy, or None.

    Args:
        logger: A logger.
        handler: A handler of it.
        on_console: Whether ctxlog's lines may come out on the console.
    """
    console = console_of(handler)
    if console is None or logger.name in _OF_HANDLERS:
        return None
    name = type(handler).__name__
    what = "the root logger" if logger.name == "root" else f"logger {logger.name!r}"
    again = "its lines come out a second time"
    if not on_console and _reaches_root(logger):
        return None  # nothing comes out twice in one place
    if not console.sure:
        return (
            f"{what} keeps a {name}: if the listener of its queue writes to the "
            f"console, {again}; let the listener write to files only"
        )
    if not _reaches_root(logger):
        if writes_lines(handler):
            return None
        again = "its lines are text without the request's fields"
    return (
        f"{what} keeps a console handler: {again} ({name}); remove the handler, or "
        "pass configure(replace_console_handlers='all')"
    )


def _reaches_root(logger: logging.Logger) -> bool:
    above: logging.Logger | None = logger
    while above is not None and above.propagate:
        above = above.parent
    return above is None or above.parent is None
