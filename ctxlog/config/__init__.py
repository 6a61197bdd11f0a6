"""
Configure logging for the whole process: by one call, or by one dict.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ctxlog._names import ACCESS_LOGGERS, COMPLETION_LOGGER, SELF_CONFIGURED_LOGGERS
from ctxlog.config import _later
from ctxlog.config._access import NEVER, AccessLineFilter
from ctxlog.config._configuration import Configuration
from ctxlog.config._options import ConfigureOptions, DictOptions, takes
from ctxlog.config._settings import Settings, formatter_of, read_settings

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["AccessLineFilter", "configure", "dict_config", "unconfigure"]

_configuration: Configuration | None = None


@takes(ConfigureOptions)
def configure(**options: Unpack[ConfigureOptions]) -> None:
    """
    Configure logging for the whole process: one line per event, from every logger.

    Records are stamped where they are made. Handlers of the root logger that write to
    the console are replaced by one that writes lines; all others (files, pytest's,
    other libraries') stay. The loggers of web servers, frameworks and workers come into
    the same stream, also if another part of the program configures logging later. Call
    it once, where the program starts; a further call replaces the first. It lasts until
    `ctxlog.unconfigure()`.

    It imports no library that the process has not imported. structlog, loguru, uvloop,
    Trio, gevent and OpenTelemetry are set up as soon as they are imported.

    An option that is left out may be given as an environment variable: `CTXLOG_LEVEL`,
    `CTXLOG_FORMAT`, ..., its name in capitals. `service` is also read from
    `OTEL_SERVICE_NAME` and `DD_SERVICE`, `environment` from `DD_ENV`.

    Args:
        level: The least level that is logged: a name or a number.
        format: `json`, `console` (text), or `auto`: text on a terminal, else JSON.
        schema: The key names of the lines: the name of a schema, or a `Schema`.
        stream: The stream for the lines; by default `sys.stdout`, as it is when a line
            is written. The same as `to=[stream]`.
        to: Where lines go: a list of streams, `ctxlog.sinks`, and addresses such as
            `stdout`, `file:app.log` or `otlp://collector:4318`. Every line goes to each
            of them. `CTXLOG_TO` has addresses, separated by commas.
        service: Field `service` of every line.
        environment: Field `environment` of every line.
        levels: Least levels of single loggers: the name of a logger, such as
            `sqlalchemy.engine`, to its level. (*loggers* is about libraries.)
        static: Further fields of every line.
        redact: The values to hide: None for the default names, False for nothing, names
            of fields to add to the default ones (`pattern:secrets` among them hides
            secrets in texts, too), or a `Redactor`.
        loggers: The logging libraries to configure: a list of `stdlib`, `structlog`,
            `loguru`; or `auto` for stdlib and for each of the others that the process
            imports and the application has not configured. (Single loggers have
            *levels*.)
        threads: Whether threads and executors carry the context.
        hooks: Whether uncaught exceptions are logged, and late reports of event loops
            and servers have the context of their request.
        access_lines: The line about each request: `ctxlog` for the completion line of
            the middleware (the server's own where there is no middleware), `server` for
            the server's, `both`.
        missing_request_id: The id outside of any request; None leaves it out.
        timespec: Precision of timestamps: `seconds`, `milliseconds`, `microseconds`.
        max_line_bytes: The most bytes a line may have, its newline included.
        replace_console_handlers: The loggers whose handlers for the console are
            replaced: `root`, or `all`.
        share_handlers: Whether structlog's and loguru's events go through the handlers
            of `logging` too: files, exporters, trackers. Each event costs a record.
        logger_class: Whether loggers get a class of ctxlog's, a `logging.Logger` that
            writes a usual line without a record, for half of the cost, wherever no
            handler, filter, factory or other library could tell the difference.
        warn: Whether one line says what stays outside of the configuration, such as a
            logger that keeps a console handler, and how to change that.
        request_id_key: The name of the request's id, in the store, on the line and
            among a record's attributes; by default `requestID`, or `request_id` with
            `case="snake"`.
        case: The spelling of ctxlog's own names: `camel` (`elapsedMs`) or `snake`
            (`elapsed_ms`). Your own fields keep theirs.
        caller: Whether lines show where in the code they were logged: the file's name,
            the line and the function. ctxlog's own lines do not.
        flush_timeout: The most seconds that the end of the process, `unconfigure()` and
            `ctxlog.sinks.flush()` wait until lines are where they go.
        buffer: Keep the lines of a request that are below *level* until they are of
            use; see `ctxlog.Buffer`. `CTXLOG_BUFFER` is `on`, or has options such as
            `level=DEBUG,flush_level=ERROR`.
        sampling: Write a share of the requests whole, and those that matter; see
            `ctxlog.Sampling`. `CTXLOG_SAMPLING` is a rate, or has options such as
            `rate=0.1,keep_level=WARNING`.
        limit: Leave out lines that come too often, and say how many; see
            `ctxlog.RateLimit`. `CTXLOG_LIMIT` is `on`, or has options such as
            `first=100,per_second=10`.

    Raises:
        ConfigError: if an option, or a variable, is invalid. Nothing has been changed.
    """
    global _configuration
    configuration = Configuration(read_settings(options, ConfigureOptions))
    if _configuration is not None:
        _configuration.undo()
    _configuration = configuration
    configuration.begin()
    _later.install(_survive)


def unconfigure() -> None:
    """
    Undo `configure()`: loggers, record factory and hooks are as before it.

    Sinks that it made from addresses are flushed and closed; others are flushed.
    """
    global _configuration
    if _configuration is not None:
        _configuration.undo()
        _configuration = None
        _later.uninstall()


def _survive(configure: Callable[[], object], *, levels: bool) -> None:
    if _configuration is None:
        configure()
    else:
        _configuration.survive(configure, levels=levels)


@takes(DictOptions)
def dict_config(**options: Unpack[DictOptions]) -> dict[str, Any]:
    """
    Return what `configure()` does as a dict, for `logging.config.dictConfig`.

    Also for Django's `LOGGING` and uvicorn's `log_config`. It may be changed before
    use: handler, formatter and filter are called `ctxlog`. The options are those of
    `configure()` that concern stdlib logging. The call itself configures nothing.

    Raises:
        ConfigError: if an option, or a variable, is invalid.
    """
    settings = read_settings(options, DictOptions)
    loggers: dict[str, dict[str, Any]] = {
        name: {"handlers": [], "propagate": True} for name in SELF_CONFIGURED_LOGGERS
    }
    for name, level in settings.levels.items():
        loggers.setdefault(name, {})["level"] = level
    if settings.access_lines == "ctxlog":
        for name in ACCESS_LOGGERS:
            loggers[name]["filters"] = ["ctxlog_access_lines"]
    elif settings.access_lines == "server":
        loggers[COMPLETION_LOGGER] = {"level": NEVER}
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
        },
        "formatters": {"ctxlog": formatter_of(settings)},
        "handlers": {
            "ctxlog": {
                "class": "ctxlog.LineHandler",
                **_target(settings),
                "formatter": "ctxlog",
            }
        },
        "loggers": loggers,
        "root": {"level": settings.level, "handlers": ["ctxlog"]},
    }


def _target(settings: Settings) -> dict[str, Any]:
    if settings.to.option == "stream" or settings.to.places == ("stdout",):
        return {"stream": settings.stream}
    return {"to": list(settings.to.places)}
