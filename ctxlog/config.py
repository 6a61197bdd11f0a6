"""
One call, or one dict, that configures logging. An edge: knows the adapters.
"""

from __future__ import annotations

import logging
import logging.config
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ctxlog import trace
from ctxlog._settings import (
    AUTO,
    CTXLOG,
    DEFAULT_SCHEMA,
    INFO,
    LINE_BYTES,
    MICROSECONDS,
    MISSING,
    NONE,
    TRUE,
    Settings,
    read_settings,
)
from ctxlog.console import wants_color
from ctxlog.context import server_store
from ctxlog.line import ACCESS_LOGGERS, COMPLETION_LOGGER
from ctxlog.loggers import stdlib
from ctxlog.redact import active, redactor, use
from ctxlog.schema import Schema

__all__ = [
    "AccessLineFilter",
    "CompletionLineFilter",
    "configure",
    "dict_config",
    "unconfigure",
]

#: The loggers that web servers and workers configure for themselves: brought into the
#: one stream.
_SERVER_LOGGERS = (
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
)


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


class _AccessEnabled:
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


# The dict -----------------------------------------------------------------------


def dict_config(
    *,
    level: str | int = INFO,
    format: str = AUTO,
    schema: str | Schema = DEFAULT_SCHEMA,
    stream: Any = None,
    service: str | None = NONE,
    environment: str | None = NONE,
    levels: Mapping[str, str | int] | None = NONE,
    static: Mapping[str, object] | None = None,
    redact: Any = NONE,
    access_lines: str = CTXLOG,
    missing_request_id: str | None = MISSING,
    timespec: str = MICROSECONDS,
    max_line_bytes: int = LINE_BYTES,
) -> dict[str, Any]:
    """
    Return what `configure()` does as a dict, for `logging.config.dictConfig`.

    Also for Django's `LOGGING` and uvicorn's `log_config`. It may be changed before
    use: handler, formatter and filter are called `ctxlog`. The options are those of
    `configure()` that speak of stdlib logging. Nothing is configured by the call.

    Raises:
        ConfigError: an option has a value that it cannot have.
    """
    options = dict(locals())
    return _as_dict(
        read_settings({**options, "loggers": "auto", "threads": True, "hooks": True})
    )


def _as_dict(settings: Settings) -> dict[str, Any]:
    loggers: dict[str, dict[str, Any]] = {
        name: {"handlers": [], "propagate": True} for name in _SERVER_LOGGERS
    }
    if settings.access_lines == "ctxlog":
        for name in ACCESS_LOGGERS:
            loggers[name]["filters"] = ["ctxlog_access_lines"]
    elif settings.access_lines == "server":
        loggers[COMPLETION_LOGGER] = {"filters": ["ctxlog_completion_lines"]}
    for name, level in settings.levels.items():
        loggers.setdefault(name, {})["level"] = level
    stream = "ext://sys.stdout" if settings.stream is None else settings.stream
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "ctxlog": {
                "()": "ctxlog.ContextFilter",
                "missing_request_id": settings.missing_request_id,
                "redact": settings.redact,
            },
            "ctxlog_access_lines": {"()": "ctxlog.config.AccessLineFilter"},
            "ctxlog_completion_lines": {"()": "ctxlog.config.CompletionLineFilter"},
        },
        "formatters": {"ctxlog": _formatter(settings)},
        "handlers": {
            "ctxlog": {
                "class": "ctxlog.LineHandler",
                "stream": stream,
                "formatter": "ctxlog",
            }
        },
        "loggers": loggers,
        "root": {"level": settings.level, "handlers": ["ctxlog"]},
    }


def _formatter(settings: Settings) -> dict[str, Any]:
    stream = sys.stdout if settings.stream is None else settings.stream
    terminal = _is_terminal(stream)
    if settings.format == "console" or settings.format == "auto" and terminal:
        return {
            "()": "ctxlog.ConsoleFormatter",
            "color": wants_color(terminal),
            "redact": settings.redact,
        }
    return {
        "()": "ctxlog.JsonFormatter",
        "schema": settings.schema,
        "service": settings.service,
        "environment": settings.environment,
        "static": settings.static,
        "redact": settings.redact,
        "missing_request_id": settings.missing_request_id,
        "timespec": settings.timespec,
        "max_line_bytes": settings.max_line_bytes,
    }


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # no such method; closed
        return False


# The call -----------------------------------------------------------------------


class _Configuration:
    """What one `configure()` does: once, again after a server's dictConfig, undone."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.handler = stdlib.LineHandler(settings.stream)
        # None means the default names here, not those of an earlier configure().
        self._redactor = redactor(settings.redact is None or settings.redact)
        description = {**_formatter(settings), "redact": self._redactor}
        make = getattr(stdlib, description.pop("()").rpartition(".")[2])
        self._formatter = make(**description)
        self.handler.setFormatter(self._formatter)
        self._access_filter = AccessLineFilter()
        self._completion_filter = CompletionLineFilter()
        self._server_filter = _ServerFilter(self)
        self._before: dict[str, tuple[Any, ...]] = {}
        self._undo: list[Callable[[], object]] = []
        named = settings.loggers
        self._stdlib = named is None or "stdlib" in named
        # Imported before anything is changed: an import may fail.
        self._structlog = _adapter("structlog", named)
        self._loguru = _adapter("loguru", named)
        self._runtime = list(_runtime_adapters(settings))

    def begin(self) -> None:
        """Apply it for the first time."""
        self._redactor_before = active()
        use(self._redactor)
        if self._stdlib:
            self._factory_before = logging.getLogRecordFactory()
            stdlib.install_record_factory()
            self.apply()
        # One writer and one encoder for all: one stream, one shape of line.
        shared: dict[str, Any] = {
            "level": self.settings.level,
            "levels": self.settings.levels,
            "writer": self.handler.writer,
            "encoder": self._formatter.encoder,
        }
        if self._structlog is not None:
            self._structlog.configure(**shared)
            self._undo.append(self._structlog.unconfigure)
        if self._loguru is not None:
            self._loguru.install(**shared)
            self._undo.append(self._loguru.uninstall)
        for runtime in self._runtime:
            runtime.install()
            self._undo.append(runtime.uninstall)

    def apply(self) -> None:
        """Bring all lines into the one stream; what is so already stays."""
        if not self._stdlib:
            return
        root = logging.getLogger()
        self._keep(root)
        self._drop_console_handlers(root)
        if self.handler not in root.handlers:
            root.addHandler(self.handler)
        root.setLevel(self.settings.level)
        for name in _SERVER_LOGGERS:
            logger = logging.getLogger(name)
            self._keep(logger)
            self._bring_in(logger)
            logger.disabled = False
            logger.addFilter(self._server_filter)
        if self.settings.access_lines == "ctxlog":
            for name in ACCESS_LOGGERS:
                logger = logging.getLogger(name)
                logger.addFilter(self._access_filter)
                _AccessEnabled.add(logger)
        elif self.settings.access_lines == "server":
            logger = logging.getLogger(COMPLETION_LOGGER)
            self._keep(logger)
            logger.addFilter(self._completion_filter)
        for name, level in self.settings.levels.items():
            logger = logging.getLogger(name)
            self._keep(logger)
            logger.setLevel(level)

    def undo(self) -> None:
        """Give every logger back what it had."""
        for undo in reversed(self._undo):
            undo()
        for name, (handlers, level, propagate, disabled) in self._before.items():
            logger = logging.getLogger(name)
            logger.removeHandler(self.handler)
            for handler in handlers:
                logger.addHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate
            logger.disabled = disabled
            logger.removeFilter(self._access_filter)
            logger.removeFilter(self._completion_filter)
            logger.removeFilter(self._server_filter)
            _AccessEnabled.remove(logger)
        use(self._redactor_before)
        if self._stdlib and logging.getLogRecordFactory() is not self._factory_before:
            stdlib.uninstall_record_factory()

    def _keep(self, logger: logging.Logger) -> None:
        if logger.name not in self._before:
            state = (logger.level, logger.propagate, logger.disabled)
            self._before[logger.name] = (list(logger.handlers), *state)

    def _bring_in(self, logger: logging.Logger) -> None:
        self._drop_console_handlers(logger)
        logger.propagate = True

    def bring_in(self, record: logging.LogRecord) -> None:
        """Do so with the logger of `record`, whatever a server has done to it."""
        logger = logging.getLogger(record.name)
        if logger.handlers or not logger.propagate:
            self._bring_in(logger)

    def _drop_console_handlers(self, logger: logging.Logger) -> None:
        # They would write every line a second time, as text. Files, pytest's and
        # other libraries' handlers stay.
        for handler in logger.handlers[:]:
            if handler is not self.handler and _is_console(handler):
                logger.removeHandler(handler)


class _ServerFilter(logging.Filter):
    """
    Brings a server's logger in again, with the first line that it logs.

    Servers give their loggers handlers when they start, after the application's call
    and without dictConfig (hypercorn). They leave filters alone.
    """

    def __init__(self, configuration: _Configuration) -> None:
        super().__init__()
        self._configuration = configuration

    def filter(self, record: logging.LogRecord) -> bool:
        self._configuration.bring_in(record)
        return True


def _is_console(handler: logging.Handler) -> bool:
    streams = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    if not isinstance(handler, (logging.StreamHandler, stdlib.LineHandler)):
        return False
    return any(handler.stream is stream for stream in streams if stream is not None)


def _adapter(name: str, named: tuple[str, ...] | None) -> Any:
    """Return the adapter of a logging library that is to be configured, else None."""
    if named is not None:
        return import_module(f"ctxlog.loggers.{name}") if name in named else None
    if find_spec(name) is None:
        return None
    adapter = import_module(f"ctxlog.loggers.{name}")
    return None if adapter.is_configured() else adapter


def _runtime_adapters(settings: Settings) -> Iterator[Any]:
    """Yield what carries the context, and reports crashes, where Python itself does."""
    if settings.threads:
        yield import_module("ctxlog.runtime.threads")
        # Never imported uninvited; gunicorn's worker has it by now.
        if "gevent" in sys.modules:
            yield import_module("ctxlog.runtime.gevent")
    if trace.is_available():
        yield trace
    if settings.hooks:
        yield import_module("ctxlog.runtime.hooks")
        # Servers import it only after the application.
        if find_spec("uvloop") is not None:
            yield import_module("ctxlog.runtime.uvloop")
        # Whoever runs on these has imported them.
        if "trio" in sys.modules:
            yield import_module("ctxlog.runtime.trio")
        if "granian" in sys.modules:
            yield import_module("ctxlog.servers.granian")
        if "waitress" in sys.modules:
            yield import_module("ctxlog.servers.waitress")


_configuration: _Configuration | None = None


def configure(
    *,
    level: str | int = INFO,
    format: str = AUTO,
    schema: str | Schema = DEFAULT_SCHEMA,
    stream: Any = None,
    service: str | None = NONE,
    environment: str | None = NONE,
    levels: Mapping[str, str | int] | None = NONE,
    static: Mapping[str, object] | None = None,
    redact: Any = NONE,
    loggers: str | list[str] = AUTO,
    threads: bool = TRUE,
    hooks: bool = TRUE,
    access_lines: str = CTXLOG,
    missing_request_id: str | None = MISSING,
    timespec: str = MICROSECONDS,
    max_line_bytes: int = LINE_BYTES,
) -> None:
    """
    Configure logging for the whole process: one stream, one line per event.

    Records are stamped where they are made. Handlers that write to the console are
    replaced by one that writes lines; all others (files, pytest's, other libraries')
    stay. The loggers of web servers and workers come into the same stream, also if
    the server configures logging later. The call comes once, where the program starts;
    a further one replaces it. It lasts until `ctxlog.config.unconfigure()`.

    An option that is left out may be given as an environment variable: `CTXLOG_LEVEL`,
    `CTXLOG_FORMAT`, ..., its name in capitals. `service` is also read from
    `OTEL_SERVICE_NAME` and `DD_SERVICE`, `environment` from `DD_ENV`.

    Args:
        level: The least level that is logged: a name or a number.
        format: `json`, `console` (text), or `auto`: text on a terminal, else JSON.
        schema: Which key names the lines use: a name, or a `Schema`.
        stream: Where the lines go: `sys.stdout` as it is now unless given.
        service: Field `service` of every line.
        environment: Field `environment` of every line.
        levels: Least levels of single loggers: name to level.
        static: Further fields of every line.
        redact: What to hide: None for the default names, False for nothing, names of
            fields that are added to the default ones, or a `Redactor`.
        loggers: Which logging libraries: a list of `stdlib`, `structlog`, `loguru`; or
            `auto` for stdlib and whichever of the others is installed and has not been
            configured by the application.
        threads: Whether threads and executors carry the context.
        hooks: Whether uncaught exceptions are logged, and what loops and servers report
            late is given to its request.
        access_lines: Which line each request gets: `ctxlog` for the completion line
            of the middleware (the server's own where there is no middleware),
            `server` for the server's, `both`.
        missing_request_id: `requestID` outside of any request; None leaves it out.
        timespec: Precision of timestamps: `seconds`, `milliseconds`, `microseconds`.
        max_line_bytes: The most bytes a line may have, its newline included.

    Raises:
        ConfigError: an option, or a variable, has a value that it cannot have. Nothing
            has been changed.
    """
    global _configuration
    configuration = _Configuration(read_settings(dict(locals())))
    if _configuration is not None:
        _configuration.undo()
    _configuration = configuration
    configuration.begin()
    _survive_dict_config()


def unconfigure() -> None:
    """Undo `configure()`: loggers, record factory and hooks are as before it."""
    global _configuration
    if _configuration is None:
        return
    _configuration.undo()
    _configuration = None
    installed: Any = logging.config.dictConfigClass
    if getattr(installed, "applies_ctxlog", False):
        logging.config.dictConfigClass = installed.__base__


def _survive_dict_config() -> None:
    # Servers call dictConfig when they start, after the application's own call
    # (uvicorn does inside uvicorn.run); dictConfigClass is the documented place.
    below: Any = logging.config.dictConfigClass
    if getattr(below, "applies_ctxlog", False):
        return

    class ApplyingConfigurator(below):  # type: ignore[misc]
        applies_ctxlog = True

        def configure(self) -> None:
            try:
                super().configure()
            finally:  # a wrong dict has removed the handlers all the same
                if _configuration is not None:
                    _configuration.apply()

    logging.config.dictConfigClass = ApplyingConfigurator
