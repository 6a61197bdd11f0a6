"""
What one `configure()` does to the process, and undoes. Private to `config`.
"""

from __future__ import annotations

import logging
import sys
import weakref
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from ctxlog import _trackers
from ctxlog._imports import ImportHook
from ctxlog._names import ACCESS_LOGGERS, COMPLETION_LOGGER, Names, get_names, set_names
from ctxlog.carrier import spans
from ctxlog.config._access import (
    AccessEnabled,
    AccessLineFilter,
    CompletionLineFilter,
)
from ctxlog.config._handlers import Mute, console_of
from ctxlog.config._outside import about_handler
from ctxlog.config._settings import Settings, formatter_of
from ctxlog.config._sharing import NoWriter, RecordEncoder
from ctxlog.line.redactor import get_redactor, set_redactor
from ctxlog.loggers import stdlib

#: The loggers that web servers, frameworks and workers configure for themselves:
#: brought into the one stream.
SERVER_LOGGERS = (
    "uvicorn",
    "uvicorn.error",
    "uvicorn.access",
    "uvicorn.asgi",
    "gunicorn",
    "gunicorn.error",
    "gunicorn.access",
    "hypercorn",
    "hypercorn.error",
    "hypercorn.access",
    "granian",
    "granian.access",
    "_granian",
    "daphne",
    "werkzeug",
    "django",
    "django.server",
    "litestar",
    "aiohttp.access",
    "waitress",
    "tornado",
    "tornado.access",
    "tornado.application",
    "tornado.general",
    "sanic.root",
    "sanic.error",
    "sanic.access",
    "sanic.server",
    "sanic.websockets",
    "celery",
    "celery.task",
    "celery.redirected",
    "rq.worker",
    "dramatiq",
    "huey",
    "taskiq",
    "arq",
    "apscheduler",
    "faststream",
    "faststream.access.confluent",
    "faststream.access.kafka",
    "faststream.access.nats",
    "faststream.access.rabbit",
    "faststream.access.redis",
    # Trackers and tracers, which give their own loggers a handler.
    "ddtrace",
    "elasticapm",
    "newrelic",
    "sentry_sdk.errors",
)

_log = logging.getLogger("ctxlog")

#: What is done for a module as soon as the process has imported it: the adapter, and
#: the setting that asks for it.
_AT_IMPORT = {
    "gevent": ("ctxlog.runtime.gevent", "threads"),
    "granian": ("ctxlog.servers.granian", "hooks"),
    "hypercorn.logging": ("ctxlog.servers.hypercorn", "only_completion_lines"),
    "trio": ("ctxlog.runtime.trio", "hooks"),
    "uvloop": ("ctxlog.runtime.uvloop", "hooks"),
    "waitress": ("ctxlog.servers.waitress", "hooks"),
    "werkzeug.debug": ("ctxlog.servers.werkzeug", "hooks"),
}

#: The adapters of logging libraries: their functions that begin and end it.
_LIBRARIES = {
    "structlog": ("configure", "unconfigure"),
    "loguru": ("install", "uninstall"),
}


class Configuration:
    """What one `configure()` does: once, again after a server's dictConfig, undone."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.handler = stdlib.LineHandler(settings.stream)
        # None means the default names here, not those of an earlier configure().
        self._redactor = get_redactor(settings.redact is None or settings.redact)
        description = {**formatter_of(settings), "redact": self._redactor}
        make = getattr(stdlib, description.pop("()").rpartition(".")[2])
        self._formatter = make(**description)
        self.handler.setFormatter(self._formatter)
        self._access_filter = AccessLineFilter()
        self._completion_filter = CompletionLineFilter()
        self._server_filter = _ServerFilter(self)
        self._before: dict[str, tuple[Any, ...]] = {}
        self._taken: list[logging.Handler] = []
        self._undo: list[Callable[[], object]] = []
        self._done: set[str] = set()
        self._adapters: dict[str, Any] = {}
        self._said: set[str] = set()
        self._known: weakref.WeakSet[logging.Handler] = weakref.WeakSet()
        named = settings.loggers
        self._stdlib = named is None or "stdlib" in named
        self._level, self._levels = settings.level, settings.levels
        # Imported before anything is changed: an import may fail.
        for library in _LIBRARIES:
            if library in sys.modules or library in (named or ()):
                import_module(f"ctxlog.loggers.{library}")
        self._hook = ImportHook(dict(self._at_import()))

    def begin(self) -> None:
        """Apply it for the first time."""
        self._redactor_before = get_redactor()
        set_redactor(self._redactor)
        self._names_before = get_names()
        set_names(Names.chosen(self.settings.case, self.settings.request_id_key))
        if self._stdlib:
            self._factory_before = logging.getLogRecordFactory()
            stdlib.install_record_factory()
            stdlib.watch_call_sites(self.check)
            self._undo.append(lambda: stdlib.watch_call_sites(None))
            self.apply()
            self._set_levels()
        if self.settings.threads:
            self._install("ctxlog.runtime.threads")
        if self.settings.hooks:
            self._install("ctxlog.runtime.hooks")
        self._undo.append(self._hook.uninstall)
        self._hook.install()
        self.look()

    # Libraries, as soon as they are there ----------------------------------------

    def _at_import(self) -> Iterator[tuple[str, Callable[[], object]]]:
        named = self.settings.loggers
        for library in _LIBRARIES:
            if named is None or library in named:
                yield library, self._guarded(library, self._take_over, library)
        for module, (adapter, option) in _AT_IMPORT.items():
            if getattr(self.settings, option):
                yield module, self._guarded(module, self._install, adapter)
        yield "opentelemetry.trace", self._guarded("opentelemetry", self._trace)
        yield (
            "sentry_sdk.integrations.logging",
            self._guarded("sentry_sdk", self._install, _trackers.__name__),
        )

    def _guarded(
        self, module: str, act: Callable[..., None], *args: Any
    ) -> Callable[[], None]:
        def callback() -> None:
            try:
                act(*args)
            except Exception as error:
                # A later release of the library may have moved what the adapter
                # needs: no reason for the application's import to fail.
                kind = type(error).__name__
                self._say([f"{module} could not be set up: {kind}: {error}"])

        return callback

    def _install(self, name: str) -> None:
        if name not in self._done:
            self._done.add(name)
            adapter = import_module(name)
            adapter.install()
            self._undo.append(adapter.uninstall)

    def _trace(self) -> None:
        if spans.__name__ not in self._done:
            self._done.add(spans.__name__)
            spans.install()
            self._undo.append(spans.uninstall)

    def _take_over(self, library: str) -> None:
        adapter = import_module(f"ctxlog.loggers.{library}")
        self._adapters[library] = adapter
        if self.settings.loggers is None and adapter.is_configured():
            # By the application: `look()` says so.
            if library == "structlog" and adapter.__name__ not in self._done:
                self._done.add(adapter.__name__)
                adapter.show_callers()
                adapter.bridge()
                self._undo += [adapter.hide_callers, adapter.unbridge]
            return
        begin, end = (getattr(adapter, name) for name in _LIBRARIES[library])
        begin(level=self._level, levels=self._levels, **self._output())
        if library not in self._done:
            self._done.add(library)
            self._undo.append(end)

    def _output(self) -> dict[str, Any]:
        if self.settings.share_handlers and self._stdlib:
            return {"writer": NoWriter(), "encoder": RecordEncoder()}
        # One writer and one encoder for all: one stream, one shape of line.
        return {"writer": self.handler.writer, "encoder": self._formatter.encoder}

    # The standard library's loggers ----------------------------------------------

    def apply(self) -> None:
        """Bring all lines into the one stream; what is so already stays."""
        if not self._stdlib:
            return
        root = logging.getLogger()
        self._keep(root)
        self._replace_consoles(root)
        if self.handler not in root.handlers:
            root.addHandler(self.handler)
        for name in SERVER_LOGGERS:
            logger = logging.getLogger(name)
            self._keep(logger)
            self._bring_in(logger)
            logger.disabled = False
            logger.addFilter(self._server_filter)
        if self.settings.access_lines == "ctxlog":
            for name in ACCESS_LOGGERS:
                logger = logging.getLogger(name)
                logger.addFilter(self._access_filter)
                AccessEnabled.add(logger)
        elif self.settings.access_lines == "server":
            logger = logging.getLogger(COMPLETION_LOGGER)
            self._keep(logger)
            logger.addFilter(self._completion_filter)
        if self.settings.replace_console_handlers == "all":
            for logger in _loggers():
                if logger.handlers:
                    self._keep(logger)
                    self._replace_own_consoles(logger)

    def _set_levels(self) -> None:
        logging.getLogger().setLevel(self._level)
        for name, level in self._levels.items():
            logger = logging.getLogger(name)
            self._keep(logger)
            logger.setLevel(level)

    def survive(self, configure: Callable[[], object], *, levels: bool) -> None:
        """
        Let another one configure logging, and apply this configuration again.

        Loggers that it disables only because it does not know them are enabled again.

        Args:
            configure: What configures logging.
            levels: Whether the levels that it sets stand. A server's whole set-up has
                levels beside; an incremental one is about levels.
        """
        if not self._stdlib:
            configure()
            return
        enabled = [logger for logger in _loggers() if not logger.disabled]
        known = [logging.getLogger(), *map(logging.getLogger, self._levels)]
        before = [(logger, logger.level) for logger in known]
        try:
            configure()
        finally:  # a wrong set-up has removed the handlers all the same
            if levels:
                self._follow_levels()
            else:
                for logger, level in before:
                    logger.setLevel(level)
            for logger in enabled:
                logger.disabled = False
            self.apply()
            self.look()

    def _follow_levels(self) -> None:
        """Let structlog and loguru have the levels that `logging` has been given."""
        level = logging.getLogger().level
        levels = {name: logging.getLogger(name).level for name in self._levels}
        if (level, levels) != (self._level, self._levels):
            self._level, self._levels = level, levels
            for library in _LIBRARIES:
                if library in self._done:
                    self._take_over(library)

    def undo(self) -> None:
        """Give every logger back what it had."""
        for undo in reversed(self._undo):
            undo()
        for name, (handlers, level, propagate, disabled) in self._before.items():
            logger = logging.getLogger(name)
            logger.removeHandler(self.handler)
            for handler in handlers:
                # What another library has taken away since stays away.
                if handler in self._taken:
                    logger.addHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate
            logger.disabled = disabled
            logger.removeFilter(self._access_filter)
            logger.removeFilter(self._completion_filter)
            logger.removeFilter(self._server_filter)
            AccessEnabled.remove(logger)
        set_redactor(self._redactor_before)
        set_names(self._names_before)
        if self._stdlib and logging.getLogRecordFactory() is not self._factory_before:
            stdlib.uninstall_record_factory()

    def _keep(self, logger: logging.Logger) -> None:
        if logger.name not in self._before:
            state = (logger.level, logger.propagate, logger.disabled)
            self._before[logger.name] = (list(logger.handlers), *state)

    def _bring_in(self, logger: logging.Logger) -> None:
        self._replace_consoles(logger)
        logger.propagate = True

    def bring_in(self, record: logging.LogRecord) -> None:
        """Do so with the logger of `record`, whatever a server has done to it."""
        logger = logging.getLogger(record.name)
        if logger.handlers or not logger.propagate:
            self._bring_in(logger)

    def _replace_consoles(self, logger: logging.Logger) -> bool:
        """
        Take away what would write every line a second time, as text.

        Files, pytest's and other libraries' handlers stay. Returns whether anything
        was taken away.
        """
        replaced = False
        for handler in logger.handlers[:]:
            if handler is self.handler:
                continue
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
                self._undo.append(Mute(handler).undo)
        return replaced

    def _replace_own_consoles(self, logger: logging.Logger) -> None:
        # Where nothing is handed on to the root logger, ours takes its place.
        if self._replace_consoles(logger) and not logger.propagate:
            logger.addHandler(self.handler)

    # What stays outside ------------------------------------------------------------

    def look(self) -> None:
        """Say what is outside of this configuration, once each."""
        found = []
        if self._stdlib:
            for logger in [logging.getLogger(), *_loggers()]:
                found += [about_handler(logger, one) for one in self._others(logger)]
        self._say([*filter(None, found), *self._about_libraries()])

    def _about_libraries(self) -> Iterator[str]:
        # Of those that are imported wholly. A log call never imports: another thread
        # may be importing the library right now, and its adapter with it.
        for adapter in list(self._adapters.values()):
            sentence = adapter.outside()
            if sentence is not None:
                yield sentence

    def check(self, name: str) -> None:
        """
        Look at the handlers of one logger and of those above it again.

        Called for the first line of each place in the code: libraries add handlers at
        any time, applications configure structlog and loguru, and nothing else tells
        of it.
        """
        root = logging.getLogger()
        found = []
        if self.handler not in root.handlers:
            self.apply()
            found.append(
                "the root logger's handlers were replaced after configure(), as by "
                "basicConfig(force=True): ctxlog's is back"
            )
        logger: logging.Logger | None = _nearest(name)
        while logger is not None:
            for handler in self._others(logger):
                if handler in self._known:
                    continue
                if logger.name in SERVER_LOGGERS:
                    self._bring_in(logger)
                else:
                    found += self._take_late(logger, handler)
            logger = logger.parent if logger.propagate else None
        self._say([*found, *self._about_libraries()])

    def _take_late(self, logger: logging.Logger, handler: logging.Handler) -> list[str]:
        self._known.add(handler)
        everywhere = self.settings.replace_console_handlers == "all"
        if logger is logging.getLogger() or everywhere:
            self._keep(logger)
            self._replace_own_consoles(logger)
            if handler not in logger.handlers:
                return [
                    f"{type(handler).__name__} was added to logger {logger.name!r} "
                    "after configure(); it writes to the console, so it is taken away"
                ]
        sentence = about_handler(logger, handler)
        return [] if sentence is None else [sentence]

    def _others(self, logger: logging.Logger) -> list[logging.Handler]:
        return [one for one in logger.handlers if one is not self.handler]

    def _say(self, sentences: list[str]) -> None:
        """Warn of what was not said before, in one line of the stream."""
        new = [one for one in dict.fromkeys(sentences) if one not in self._said]
        if not new or not self.settings.warn:
            return
        self._said.update(new)
        _log.warning("outside of ctxlog: %s", "; ".join(new))


class _ServerFilter(logging.Filter):
    """
    Brings a server's logger in again, with the first line that it logs.

    Servers give their loggers handlers when they start, after the application's call
    and without dictConfig (hypercorn). They leave filters alone.
    """

    def __init__(self, configuration: Configuration) -> None:
        super().__init__()
        self._configuration = configuration

    def filter(self, record: logging.LogRecord) -> bool:
        self._configuration.bring_in(record)
        return True


def _loggers() -> list[logging.Logger]:
    """Return all loggers but the root one."""
    known = list(logging.Logger.manager.loggerDict.values())
    return [logger for logger in known if isinstance(logger, logging.Logger)]


def _nearest(name: str) -> logging.Logger:
    """Return the logger called `name`, or else the one above it, and make none."""
    known = logging.root.manager.loggerDict
    while 0 < len(name) <= 1024:  # a name from outside may be of dots only
        logger = known.get(name)
        if isinstance(logger, logging.Logger):
            return logger
        name = name.rpartition(".")[0]
    return logging.root
