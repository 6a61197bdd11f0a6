"""
One call, or one dict, that configures logging. An edge: knows the adapters.
"""

from __future__ import annotations

import functools
import logging.config
import sys
from collections.abc import Callable, Mapping
from typing import Any

from ctxlog._names import ACCESS_LOGGERS, COMPLETION_LOGGER
from ctxlog._patch import Patch
from ctxlog.config._access import AccessLineFilter, CompletionLineFilter
from ctxlog.config._applying import SERVER_LOGGERS, Configuration
from ctxlog.config._settings import (
    AUTO,
    CAMEL,
    CTXLOG,
    DEFAULT_SCHEMA,
    FALSE,
    INFO,
    LINE_BYTES,
    MICROSECONDS,
    MISSING,
    NONE,
    REQUEST_ID,
    ROOT,
    TRUE,
    Settings,
    formatter_of,
    read_settings,
)
from ctxlog.line.schema import Schema

__all__ = [
    "AccessLineFilter",
    "CompletionLineFilter",
    "configure",
    "dict_config",
    "unconfigure",
]


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
    request_id_key: str = REQUEST_ID,
    case: str = CAMEL,
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
    return _as_dict(read_settings({**options, **_OF_THE_CALL}))


#: Options of `configure()` that a dict cannot express.
_OF_THE_CALL = {
    "loggers": "auto",
    "threads": True,
    "hooks": True,
    "replace_console_handlers": "root",
    "share_handlers": False,
    "warn": False,
}


def _as_dict(settings: Settings) -> dict[str, Any]:
    loggers: dict[str, dict[str, Any]] = {
        name: {"handlers": [], "propagate": True} for name in SERVER_LOGGERS
    }
    if settings.access_lines == "ctxlog":
        for name in ACCESS_LOGGERS:
            loggers[name]["filters"] = ["ctxlog_access_lines"]
    elif settings.access_lines == "server":
        loggers[COMPLETION_LOGGER] = {"filters": ["ctxlog_completion_lines"]}
    for name, level in settings.levels.items():
        loggers.setdefault(name, {})["level"] = level
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "ctxlog": {
                "()": "ctxlog.ContextFilter",
                "missing_request_id": settings.missing_request_id,
                "redact": settings.redact,
                "request_id_key": settings.request_id_key,
                "case": settings.case,
            },
            "ctxlog_access_lines": {"()": "ctxlog.config.AccessLineFilter"},
            "ctxlog_completion_lines": {"()": "ctxlog.config.CompletionLineFilter"},
        },
        "formatters": {"ctxlog": formatter_of(settings)},
        "handlers": {
            "ctxlog": {
                "class": "ctxlog.LineHandler",
                "stream": settings.stream,
                "formatter": "ctxlog",
            }
        },
        "loggers": loggers,
        "root": {"level": settings.level, "handlers": ["ctxlog"]},
    }


# The call -----------------------------------------------------------------------

_configuration: Configuration | None = None


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
    replace_console_handlers: str = ROOT,
    share_handlers: bool = FALSE,
    warn: bool = TRUE,
    request_id_key: str = REQUEST_ID,
    case: str = CAMEL,
) -> None:
    """
    Configure logging for the whole process: one stream, one line per event.

    Records are stamped where they are made. Handlers of the root logger that write to
    the console are replaced by one that writes lines; all others (files, pytest's,
    other libraries') stay. The loggers of web servers, frameworks and workers come into
    the same stream, also if another part of the program configures logging later. The
    call comes once, where the program starts; a further one replaces it. It lasts until
    `ctxlog.config.unconfigure()`.

    Nothing is imported that the process has not imported. structlog, loguru, uvloop,
    Trio, gevent and OpenTelemetry are looked after as soon as they are imported.

    An option that is left out may be given as an environment variable: `CTXLOG_LEVEL`,
    `CTXLOG_FORMAT`, ..., its name in capitals. `service` is also read from
    `OTEL_SERVICE_NAME` and `DD_SERVICE`, `environment` from `DD_ENV`.

    Args:
        level: The least level that is logged: a name or a number.
        format: `json`, `console` (text), or `auto`: text on a terminal, else JSON.
        schema: Which key names the lines use: a name, or a `Schema`.
        stream: Where the lines go; unless given, `sys.stdout` as it is when a line is
            written.
        service: Field `service` of every line.
        environment: Field `environment` of every line.
        levels: Least levels of single loggers: name to level.
        static: Further fields of every line.
        redact: What to hide: None for the default names, False for nothing, names of
            fields that are added to the default ones (`pattern:secrets` among them
            hides secrets in texts, too), or a `Redactor`.
        loggers: Which logging libraries: a list of `stdlib`, `structlog`, `loguru`; or
            `auto` for stdlib and for each of the others that the process imports and
            the application has not configured.
        threads: Whether threads and executors carry the context.
        hooks: Whether uncaught exceptions are logged, and what loops and servers report
            late is given to its request.
        access_lines: Which line each request gets: `ctxlog` for the completion line
            of the middleware (the server's own where there is no middleware),
            `server` for the server's, `both`.
        missing_request_id: The id outside of any request; None leaves it out.
        timespec: Precision of timestamps: `seconds`, `milliseconds`, `microseconds`.
        max_line_bytes: The most bytes a line may have, its newline included.
        replace_console_handlers: Whose handlers that write to the console are
            replaced: the `root` logger's, or those of `all` loggers.
        share_handlers: Whether structlog's and loguru's events go through the handlers
            of `logging` too: files, exporters, trackers. Each event costs a record.
        warn: Whether one line says what stays outside of the configuration, such as a
            logger that keeps a console handler, and what to write.
        request_id_key: The name of the request's id, in the store, on the line and
            among a record's attributes: `requestID`, or `request_id` with
            `case="snake"`, unless given.
        case: The spelling of ctxlog's own names: `camel` (`elapsedMs`) or `snake`
            (`elapsed_ms`). Your own fields keep theirs.

    Raises:
        ConfigError: an option, or a variable, is invalid. Nothing has been changed.
    """
    global _configuration
    configuration = Configuration(read_settings(dict(locals())))
    if _configuration is not None:
        _configuration.undo()
    _configuration = configuration
    configuration.begin()
    _survive_later_ones()


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
    while _file_config_patches:
        _file_config_patches.pop().uninstall()


# Later configurations -------------------------------------------------------------

_file_config_patches: list[Patch] = []


def _survive_later_ones() -> None:
    # Servers configure logging when they start, after the application's own call
    # (uvicorn does inside uvicorn.run). For dictConfig there is a documented place.
    below: Any = logging.config.dictConfigClass
    if getattr(below, "applies_ctxlog", False):
        return

    class ApplyingConfigurator(below):  # type: ignore[misc]
        applies_ctxlog = True

        def configure(self) -> None:
            incremental = bool(self.config.get("incremental", False))
            _surviving(super().configure, levels=incremental)

    logging.config.dictConfigClass = ApplyingConfigurator
    # For fileConfig there is none: it is replaced wherever a module holds it.
    original = logging.config.fileConfig
    for module in list(sys.modules.values()):
        if getattr(module, "__dict__", {}).get("fileConfig") is original:
            patch = Patch(module, "fileConfig", _file_config)
            patch.install()
            _file_config_patches.append(patch)


def _file_config(previous: Callable[..., None], *args: Any, **kwargs: Any) -> None:
    _surviving(functools.partial(previous, *args, **kwargs), levels=False)


def _surviving(configure: Callable[[], object], *, levels: bool) -> None:
    if _configuration is None:
        configure()
    else:
        _configuration.survive(configure, levels=levels)
