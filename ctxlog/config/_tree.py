"""
The loggers of `logging`, brought into one stream, and given back. Private to `config`.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Iterator

from ctxlog._names import (
    ACCESS_LOGGERS,
    COMPLETION_LOGGER,
    SELF_CONFIGURED_LOGGERS,
)
from ctxlog.config._access import NEVER, AccessEnabled
from ctxlog.config._handlers import Mute, console_of
from ctxlog.config._outside import about_handler
from ctxlog.config._settings import Settings
from ctxlog.sinks import may_reach_console


class LoggerTree:
    """
    The loggers of `logging`, with one handler on the root logger for all of them.

    Args:
        settings: The options of `configure()`.
        handler: The handler that writes the lines.
    """

    def __init__(self, settings: Settings, handler: logging.Handler) -> None:
        self.level, self.levels = settings.level, settings.levels
        self._settings = settings
        self._handler = handler
        self._on_console = any(map(may_reach_console, settings.to.places))
        self._before: dict[str, tuple[list[logging.Handler], int, bool, bool]] = {}
        self._taken: list[logging.Handler] = []
        self._muted: list[Mute] = []
        # Handlers that were looked at once.
        self._known: weakref.WeakSet[logging.Handler] = weakref.WeakSet()

    def apply(self) -> None:
        """Bring all loggers into the one stream; applying it again is a no-op."""
        root = logging.getLogger()
        self._keep(root)
        self._replace_consoles(root)
        if self._handler not in root.handlers:
            root.addHandler(self._handler)
        for name in SELF_CONFIGURED_LOGGERS:
            logger = logging.getLogger(name)
            self._keep(logger)
            self._bring_in(logger)
            logger.disabled = False
            logger.addFilter(self._bring_in_again)
        if self._settings.access_lines == "ctxlog":
            for name in ACCESS_LOGGERS:
                AccessEnabled.add(logging.getLogger(name))
        elif self._settings.access_lines == "server":
            self._set_level(COMPLETION_LOGGER, NEVER)
        if self._settings.replace_console_handlers == "all":
            for logger in _all_but_root():
                if logger.handlers:
                    self._keep(logger)
                    self._replace_own_consoles(logger)

    def set_levels(self) -> None:
        """Give the loggers the levels of the configuration."""
        for name, level in {"root": self.level, **self.levels}.items():
            self._set_level(name, level)

    def survive(self, configure: Callable[[], object], *, levels: bool) -> None:
        """
        Let another one configure logging, and apply this configuration again.

        Loggers that it disables only because it does not know them are enabled again.

        Args:
            configure: The function that configures logging.
            levels: Whether the levels that it sets stay, as of an incremental
                configuration; a server's whole set-up also has levels.
        """
        enabled = [logger for logger in _all_but_root() if not logger.disabled]
        known = [logging.getLogger(), *map(logging.getLogger, self.levels)]
        before = [(logger, logger.level) for logger in known]
        try:
            configure()
        finally:  # a wrong set-up has removed the handlers all the same
            if levels:
                self.level = logging.getLogger().level
                self.levels = {n: logging.getLogger(n).level for n in self.levels}
            else:
                for logger, level in before:
                    logger.setLevel(level)
            for logger in enabled:
                logger.disabled = False
            self.apply()

    def undo(self) -> None:
        """Give every logger back what it had."""
        for mute in reversed(self._muted):
            mute.undo()
        for name, (handlers, level, propagate, disabled) in self._before.items():
            logger = logging.getLogger(name)
            logger.removeHandler(self._handler)
            for handler in handlers:
                # A handler that another library has removed since stays removed.
                if handler in self._taken:
                    logger.addHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate
            logger.disabled = disabled
            logger.removeFilter(self._bring_in_again)
            AccessEnabled.remove(logger)

    def _keep(self, logger: logging.Logger) -> None:
        if logger.name not in self._before:
            state = (logger.level, logger.propagate, logger.disabled)
            self._before[logger.name] = (list(logger.handlers), *state)

    def _set_level(self, name: str, level: int) -> None:
        logger = logging.getLogger(name)
        self._keep(logger)
        logger.setLevel(level)

    def _bring_in(self, logger: logging.Logger) -> None:
        self._replace_consoles(logger)
        logger.propagate = True

    def _bring_in_again(self, record: logging.LogRecord) -> bool:
        # A filter of servers' loggers, which get handlers when the server starts, after
        # the application's call and without dictConfig (hypercorn). Filters stay.
        logger = logging.getLogger(record.name)
        if logger.handlers or not logger.propagate:
            self._bring_in(logger)
        return True

    def _replace_consoles(self, logger: logging.Logger) -> bool:
        """
        Remove the handlers that would write every line a second time, as text.

        Files, pytest's and other libraries' handlers stay. Return whether a handler
        was removed.
        """
        replaced = False
        for handler in self._others(logger):
            self._known.add(handler)
            console = console_of(handler)
            if console is None or not console.sure:
                continue
            replaced = True
            if console.wholly:
                if handler not in self._taken:
                    self._taken.append(handler)
                logger.removeHandler(handler)
            else:
                self._muted.append(Mute(handler))
        return replaced

    def _replace_own_consoles(self, logger: logging.Logger) -> None:
        # Of a logger that hands nothing on to the root logger, ours takes the place.
        if self._replace_consoles(logger) and not logger.propagate:
            logger.addHandler(self._handler)

    def _others(self, logger: logging.Logger) -> list[logging.Handler]:
        return [one for one in logger.handlers if one is not self._handler]

    # Handlers beside ctxlog's ---------------------------------------------------------

    def outside(self) -> Iterator[str]:
        """Yield a sentence about each handler that writes to the console as well."""
        for logger in [logging.getLogger(), *_all_but_root()]:
            for handler in self._others(logger):
                sentence = about_handler(logger, handler, self._on_console)
                if sentence is not None:
                    yield sentence

    def check(self, name: str) -> Iterator[str]:
        """
        Look at the handlers of a logger and of those above it again.

        Yield a sentence about each that has come since: libraries add handlers at any
        time, without a notice.
        """
        if self._handler not in logging.getLogger().handlers:
            self.apply()
            yield (
                "the root logger's handlers were replaced after configure(), as by "
                "basicConfig(force=True): ctxlog's is back"
            )
        logger: logging.Logger | None = _nearest(name)
        while logger is not None:
            for handler in self._others(logger):
                if handler in self._known:
                    continue
                if logger.name in SELF_CONFIGURED_LOGGERS:
                    self._bring_in(logger)
                else:
                    yield from self._take_late(logger, handler)
            logger = logger.parent if logger.propagate else None

    def _take_late(
        self, logger: logging.Logger, handler: logging.Handler
    ) -> Iterator[str]:
        self._known.add(handler)
        everywhere = self._settings.replace_console_handlers == "all"
        if logger is logging.getLogger() or everywhere:
            self._keep(logger)
            self._replace_own_consoles(logger)
        sentence = about_handler(logger, handler, self._on_console)
        if handler not in logger.handlers:
            yield (
                f"{type(handler).__name__} was added to logger {logger.name!r} "
                "after configure(); it writes to the console, so it is taken away"
            )
        elif sentence is not None:
            yield sentence


def _all_but_root() -> list[logging.Logger]:
    known = list(logging.Logger.manager.loggerDict.values())
    return [logger for logger in known if isinstance(logger, logging.Logger)]


def _nearest(name: str) -> logging.Logger:
    """Return the logger of that name, or else the one above it; make none."""
    known = logging.root.manager.loggerDict
    while 0 < len(name) <= 1024:  # a name from outside may be of dots only
        logger = known.get(name)
        if isinstance(logger, logging.Logger):
            return logger
        name = name.rpartition(".")[0]
    return logging.root
