"""
One call, or one dict, that configures logging. An edge: knows the adapters.
"""

from __future__ import annotations

import logging
import logging.config
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ctxlog.context import server_store
from ctxlog.errors import ConfigError
from ctxlog.line import ACCESS_LOGGERS, LineEncoder
from ctxlog.loggers import stdlib
from ctxlog.redact import active, redactor, use
from ctxlog.schema import Schema, find

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
    "celery",
    "celery.task",
    "celery.redirected",
)

#: Where ctxlog itself writes a line per request.
_COMPLETION_LOGGER = "ctxlog.request"

_FORMATS = ("auto", "json", "console")
_ACCESS_LINES = ("ctxlog", "server", "both")
_LOGGERS = ("stdlib", "structlog", "loguru")


class _LeftOut(str):
    """A default that the environment may replace; equal to the text that it is."""

    __slots__ = ()


class AccessLineFilter(logging.Filter):
    """
    Drops a server's access line where ctxlog writes a completion line for the request.

    For the access loggers, so that there is one line per request, not two. A request
    that no middleware of ctxlog handles keeps the server's line.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether `record` is the only line about its request. Never raises."""
        if record.name == "werkzeug" and record.levelno > logging.INFO:
            return True  # a crash report, in the logger of the access lines
        return not getattr(server_store(), "completes", False)


class CompletionLineFilter(logging.Filter):
    """
    Drops ctxlog's completion lines, where the server's access lines are wanted instead.

    For the logger `ctxlog.request`.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Drop `record`. Never raises."""
        return False


@dataclass(frozen=True)
class _Settings:
    """The options of `configure()`, checked."""

    level: int
    format: str
    schema: Schema
    stream: Any
    service: str | None
    environment: str | None
    levels: dict[str, int]
    static: dict[str, object]
    redact: object
    loggers: tuple[str, ...]
    threads: bool
    hooks: bool
    access_lines: str
    missing_request_id: str | None
    timespec: str
    max_line_bytes: int


_ENVIRONMENT = {
    "level": ("CTXLOG_LEVEL",),
    "format": ("CTXLOG_FORMAT",),
    "schema": ("CTXLOG_SCHEMA",),
    "service": ("CTXLOG_SERVICE", "OTEL_SERVICE_NAME", "DD_SERVICE"),
    "environment": ("CTXLOG_ENVIRONMENT", "DD_ENV"),
    "levels": ("CTXLOG_LEVELS",),
    "redact": ("CTXLOG_REDACT",),
    "loggers": ("CTXLOG_LOGGERS",),
    "threads": ("CTXLOG_THREADS",),
    "hooks": ("CTXLOG_HOOKS",),
    "access_lines": ("CTXLOG_ACCESS_LINES",),
    "missing_request_id": ("CTXLOG_MISSING_REQUEST_ID",),
    "timespec": ("CTXLOG_TIMESPEC",),
    "max_line_bytes": ("CTXLOG_MAX_LINE_BYTES",),
}

_WORDS = {"1": True, "true": True, "yes": True, "on": True}
_WORDS.update({"0": False, "false": False, "no": False, "off": False})


def _words(option: str, text: str) -> bool:
    if text.lower() not in _WORDS:
        raise ConfigError(option, text, ", ".join(_WORDS))
    return _WORDS[text.lower()]


def _pairs(option: str, text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if not all(name.strip() and sep for name, sep, _ in pairs):
        raise ConfigError(option, text, "logger=LEVEL,logger=LEVEL")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _number(option: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ConfigError(option, text, "a number") from None


def _listed(option: str, text: str) -> Any:
    return text if text == "auto" else [name.strip() for name in text.split(",")]


def _hidden(option: str, text: str) -> Any:
    return _WORDS[text.lower()] if text.lower() in _WORDS else _listed(option, text)


_READ: dict[str, Callable[[str, str], Any]] = {
    "levels": _pairs,
    "threads": _words,
    "hooks": _words,
    "max_line_bytes": _number,
    "loggers": _listed,
    "redact": _hidden,
}


def _settings(options: dict[str, Any]) -> _Settings:
    names = {name: name for name in options}  # what to call an option in an error
    for option, variables in _ENVIRONMENT.items():
        if type(options[option]) not in (_LeftOut, _Default):
            continue
        for variable in variables:
            if os.environ.get(variable):
                names[option] = variable
                text = os.environ[variable]
                read = _READ.get(option)
                options[option] = read(variable, text) if read else text
                break
    for option, value in options.items():
        if type(value) is _Default:
            options[option] = value.value
    try:
        return _checked(options)
    except ConfigError as error:
        option, bracket, single = error.option.partition("[")
        named = names.get(option, option) + bracket + single
        raise ConfigError(named, error.value, error.allowed) from None


def _checked(options: dict[str, Any]) -> _Settings:
    chosen = find(options["schema"])
    checked = {
        "level": _level("level", options["level"]),
        "format": _one_of("format", options["format"], _FORMATS),
        "schema": chosen,
        "levels": _levels("levels", options["levels"]),
        "static": _mapping("static", options["static"]),
        "loggers": _names("loggers", options["loggers"]),
        "threads": _flag("threads", options["threads"]),
        "hooks": _flag("hooks", options["hooks"]),
        "access_lines": _one_of("access_lines", options["access_lines"], _ACCESS_LINES),
        "service": _text("service", options["service"]),
        "environment": _text("environment", options["environment"]),
    }
    redactor(options["redact"])
    stream = options["stream"]
    if stream is not None and not callable(getattr(stream, "write", None)):
        raise ConfigError("stream", stream, "a text or binary stream, or None")
    LineEncoder(
        chosen,
        missing_request_id=options["missing_request_id"],
        timespec=options["timespec"],
        max_line_bytes=options["max_line_bytes"],
    )
    return _Settings(**{**options, **checked})


class _Default:
    """A default other than text, which the environment may replace."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return repr(self.value)


_INFO = _LeftOut("INFO")
_AUTO = _LeftOut("auto")
_DEFAULT_SCHEMA = _LeftOut("default")
_CTXLOG = _LeftOut("ctxlog")
_MISSING = _LeftOut("N/A")
_MICROSECONDS = _LeftOut("microseconds")
_NONE: Any = _Default(None)
_TRUE: Any = _Default(True)
_LINE_BYTES: Any = _Default(262_144)


def _one_of(option: str, value: object, allowed: Iterable[str]) -> str:
    if isinstance(value, str) and value in allowed:
        return str(value)
    raise ConfigError(option, value, ", ".join(allowed))


def _flag(option: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ConfigError(option, value, "True or False")


def _text(option: str, value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise ConfigError(option, value, "text or None")


def _mapping(option: str, value: object) -> dict[str, object]:
    if value is None:
        return {}
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return dict(value)
    raise ConfigError(option, value, "a mapping from names to values")


def _level(option: str, value: object) -> int:
    known = logging._nameToLevel  # getLevelNamesMapping() is of Python 3.11
    if isinstance(value, str) and (value in known or value.upper() in known):
        return known.get(value, known.get(value.upper(), logging.NOTSET))
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    if type(value) is int and value >= 0:
        return value
    names = sorted(known, key=known.__getitem__)
    raise ConfigError(option, value, f"{', '.join(names)} or a number")


def _levels(option: str, value: object) -> dict[str, int]:
    levels = _mapping(option, value)
    return {
        name: _level(f"{option}[{name!r}]", level) for name, level in levels.items()
    }


def _names(option: str, value: object) -> tuple[str, ...]:
    if value == "auto":
        return ("stdlib",)
    if isinstance(value, (list, tuple)):
        return tuple(_one_of(option, name, _LOGGERS) for name in value)
    raise ConfigError(option, value, f"'auto' or a list of {', '.join(_LOGGERS)}")


# The dict -----------------------------------------------------------------------


def dict_config(
    *,
    level: str | int = _INFO,
    format: str = _AUTO,
    schema: str | Schema = _DEFAULT_SCHEMA,
    stream: Any = None,
    service: str | None = _NONE,
    environment: str | None = _NONE,
    levels: Mapping[str, str | int] | None = _NONE,
    static: Mapping[str, object] | None = None,
    redact: Any = _NONE,
    access_lines: str = _CTXLOG,
    missing_request_id: str | None = _MISSING,
    timespec: str = _MICROSECONDS,
    max_line_bytes: int = _LINE_BYTES,
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
        _settings({**options, "loggers": "auto", "threads": True, "hooks": True})
    )


def _as_dict(settings: _Settings) -> dict[str, Any]:
    loggers: dict[str, dict[str, Any]] = {
        name: {"handlers": [], "propagate": True} for name in _SERVER_LOGGERS
    }
    if settings.access_lines == "ctxlog":
        for name in ACCESS_LOGGERS:
            loggers[name]["filters"] = ["ctxlog_access_lines"]
    elif settings.access_lines == "server":
        loggers[_COMPLETION_LOGGER] = {"filters": ["ctxlog_completion_lines"]}
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


def _formatter(settings: _Settings) -> dict[str, Any]:
    stream = sys.stdout if settings.stream is None else settings.stream
    terminal = _is_terminal(stream)
    if settings.format == "console" or settings.format == "auto" and terminal:
        color = terminal and not os.environ.get("NO_COLOR")
        return {
            "()": "ctxlog.ConsoleFormatter",
            "color": color,
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
    """What one `configure()` does to logging: once, again, and undone."""

    def __init__(self, settings: _Settings) -> None:
        self.settings = settings
        self.handler = stdlib.LineHandler(settings.stream)
        # None means the default names here, not those of an earlier configure().
        self._redactor = redactor(settings.redact is None or settings.redact)
        description = {**_formatter(settings), "redact": self._redactor}
        make = getattr(stdlib, description.pop("()").rpartition(".")[2])
        self.handler.setFormatter(make(**description))
        self._access_filter = AccessLineFilter()
        self._completion_filter = CompletionLineFilter()
        self._before: dict[str, tuple[Any, ...]] = {}

    def begin(self) -> None:
        """Apply it for the first time."""
        self._redactor_before = active()
        self._factory_before = logging.getLogRecordFactory()
        stdlib.install_record_factory()
        self.apply()

    def apply(self) -> None:
        """Bring all lines into the one stream; what is so already stays."""
        use(self._redactor)
        root = logging.getLogger()
        self._keep(root)
        self._drop_console_handlers(root)
        if self.handler not in root.handlers:
            root.addHandler(self.handler)
        root.setLevel(self.settings.level)
        for name in _SERVER_LOGGERS:
            logger = logging.getLogger(name)
            self._keep(logger)
            self._drop_console_handlers(logger)
            logger.propagate = True
            logger.disabled = False
        if self.settings.access_lines == "ctxlog":
            for name in ACCESS_LOGGERS:
                logging.getLogger(name).addFilter(self._access_filter)
        elif self.settings.access_lines == "server":
            logger = logging.getLogger(_COMPLETION_LOGGER)
            self._keep(logger)
            logger.addFilter(self._completion_filter)
        for name, level in self.settings.levels.items():
            logger = logging.getLogger(name)
            self._keep(logger)
            logger.setLevel(level)

    def undo(self) -> None:
        """Give every logger back what it had."""
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
        use(self._redactor_before)
        if logging.getLogRecordFactory() is not self._factory_before:
            stdlib.uninstall_record_factory()

    def _keep(self, logger: logging.Logger) -> None:
        if logger.name not in self._before:
            state = (logger.level, logger.propagate, logger.disabled)
            self._before[logger.name] = (list(logger.handlers), *state)

    def _drop_console_handlers(self, logger: logging.Logger) -> None:
        # They would write every line a second time, as text. Files, pytest's and
        # other libraries' handlers stay.
        for handler in logger.handlers[:]:
            if handler is not self.handler and _is_console(handler):
                logger.removeHandler(handler)


def _is_console(handler: logging.Handler) -> bool:
    streams = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    if not isinstance(handler, (logging.StreamHandler, stdlib.LineHandler)):
        return False
    return any(handler.stream is stream for stream in streams if stream is not None)


_configuration: _Configuration | None = None


def configure(
    *,
    level: str | int = _INFO,
    format: str = _AUTO,
    schema: str | Schema = _DEFAULT_SCHEMA,
    stream: Any = None,
    service: str | None = _NONE,
    environment: str | None = _NONE,
    levels: Mapping[str, str | int] | None = _NONE,
    static: Mapping[str, object] | None = None,
    redact: Any = _NONE,
    loggers: str | list[str] = _AUTO,
    threads: bool = _TRUE,
    hooks: bool = _TRUE,
    access_lines: str = _CTXLOG,
    missing_request_id: str | None = _MISSING,
    timespec: str = _MICROSECONDS,
    max_line_bytes: int = _LINE_BYTES,
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
        loggers: Which logging libraries: `auto`, or a list of their names.
        threads: Whether threads and executors carry the context.
        hooks: Whether uncaught exceptions are logged.
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
    configuration = _Configuration(_settings(dict(locals())))
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
