"""
What the process is configured as, for code that examines it: `ctxlog doctor`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from logging.handlers import MemoryHandler, QueueHandler

from ctxlog import config
from ctxlog.config._handlers import Console as Console
from ctxlog.config._handlers import console_of as console_of
from ctxlog.config._handlers import inner_handlers
from ctxlog.config._options import ConfigureOptions
from ctxlog.config._settings import Settings as Settings
from ctxlog.config._settings import read_settings


def settings() -> Settings | None:
    """Return the options of the `configure()` that lasts; None without one."""
    now = config._configuration
    return None if now is None else now.settings


def defaults() -> Settings:
    """
    Return the options that `configure()` without any would have here.

    Raises:
        ConfigError: if a variable of the environment is invalid.
    """
    return read_settings({}, ConfigureOptions)


def set_up() -> list[str]:
    """Return the names of the adapters that `configure()` has installed."""
    now = config._configuration
    return [] if now is None else now.set_up


def take_late_handlers() -> None:
    """
    Treat handlers that came after `configure()` as the next log call would.

    Nothing is written about them.
    """
    now = config._configuration
    if now is not None:
        for name in ["root", *logging.root.manager.loggerDict]:
            now.look_at(name)


def leaves(
    handler: logging.Handler, later: bool = False, depth: int = 4
) -> Iterator[tuple[logging.Handler, bool]]:
    """
    Yield the handlers that write what a handler is given: itself, or those within it.

    With each comes whether it writes later, in a context that is not the log call's,
    as the listener of a queue does.

    Args:
        handler: The handler.
        later: Whether it is itself called later.
        depth: The most handlers within handlers that are looked through.
    """
    waits = isinstance(handler, (QueueHandler, MemoryHandler))
    inner = list(inner_handlers(handler)) if depth else []
    if not inner and not waits:
        yield handler, later
    for one in inner:
        yield from leaves(one, later or waits, depth - 1)
