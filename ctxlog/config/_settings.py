"""
The options of `configure()`: read, from the environment too, and checked.

Private to `config`.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from ctxlog._names import CASES
from ctxlog.errors import ConfigError
from ctxlog.line.encoder import LineEncoder
from ctxlog.line.redactor import get_redactor
from ctxlog.line.schema import Schema
from ctxlog.line.vendors import get_schema
from ctxlog.terminal import wants_color

_FORMATS = ("auto", "json", "console")
_ACCESS_LINES = ("ctxlog", "server", "both")
_LOGGERS = ("stdlib", "structlog", "loguru")
_REPLACED = ("root", "all")


class _LeftOut(str):
    """A default that the environment may replace; equal to the text that it is."""

    __slots__ = ()


@dataclass(frozen=True)
class Settings:
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
    loggers: tuple[str, ...] | None
    threads: bool
    hooks: bool
    access_lines: str
    missing_request_id: str | None
    timespec: str
    max_line_bytes: int
    replace_console_handlers: str
    share_handlers: bool
    warn: bool
    request_id_key: str
    case: str

    @property
    def only_completion_lines(self) -> bool:
        """Whether a server's access line is left out where ctxlog has one."""
        return self.access_lines == "ctxlog"


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
    "replace_console_handlers": ("CTXLOG_REPLACE_CONSOLE_HANDLERS",),
    "share_handlers": ("CTXLOG_SHARE_HANDLERS",),
    "warn": ("CTXLOG_WARN",),
    "request_id_key": ("CTXLOG_REQUEST_ID_KEY",),
    "case": ("CTXLOG_CASE",),
}

_WORDS = {"1": True, "true": True, "yes": True, "on": True}
_WORDS.update({"0": False, "false": False, "no": False, "off": False})


def _words(option: str, text: str) -> bool:
    if text.lower() not in _WORDS:
        raise ConfigError(option, text, f"one of: {', '.join(_WORDS)}")
    return _WORDS[text.lower()]


def _pairs(option: str, text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if not all(name.strip() and sep for name, sep, _ in pairs):
        raise ConfigError(option, text, "a list such as shop.db=DEBUG,httpx=ERROR")
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
    "share_handlers": _words,
    "warn": _words,
    "max_line_bytes": _number,
    "loggers": _listed,
    "redact": _hidden,
}


def read_settings(options: dict[str, Any]) -> Settings:
    """
    Read and check the options of `configure()`.

    Args:
        options: By name; those that were left out may come from the environment.

    Raises:
        ConfigError: an option, or a variable, has a value that it cannot have.
    """
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


def _checked(options: dict[str, Any]) -> Settings:
    chosen = get_schema(options["schema"])
    case = _one_of("case", options["case"], CASES)
    if type(options["request_id_key"]) is _LeftOut:
        options["request_id_key"] = CASES[case].request_id
    if options["request_id_key"] is None:
        raise ConfigError("request_id_key", None, "a name")
    checked = {
        "level": _level("level", options["level"]),
        "format": _one_of("format", options["format"], _FORMATS),
        "schema": chosen,
        "levels": _levels("levels", options["levels"]),
        "static": _mapping("static", options["static"]),
        "loggers": _names("loggers", options["loggers"]),
        "threads": _flag("threads", options["threads"]),
        "hooks": _flag("hooks", options["hooks"]),
        "replace_console_handlers": _one_of(
            "replace_console_handlers", options["replace_console_handlers"], _REPLACED
        ),
        "share_handlers": _flag("share_handlers", options["share_handlers"]),
        "warn": _flag("warn", options["warn"]),
        "access_lines": _one_of("access_lines", options["access_lines"], _ACCESS_LINES),
        "service": _text("service", options["service"]),
        "environment": _text("environment", options["environment"]),
        "case": case,
    }
    get_redactor(options["redact"])
    stream = options["stream"]
    if stream is not None and not callable(getattr(stream, "write", None)):
        raise ConfigError("stream", stream, "a text or binary stream, or None")
    LineEncoder(
        chosen,
        missing_request_id=options["missing_request_id"],
        timespec=options["timespec"],
        max_line_bytes=options["max_line_bytes"],
        request_id_key=options["request_id_key"],
        case=case,
    )
    return Settings(**{**options, **checked})


class _Default:
    """A default other than text, which the environment may replace."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return repr(self.value)


INFO = _LeftOut("INFO")
AUTO = _LeftOut("auto")
DEFAULT_SCHEMA = _LeftOut("default")
CTXLOG = _LeftOut("ctxlog")
MISSING = _LeftOut("N/A")
MICROSECONDS = _LeftOut("microseconds")
ROOT = _LeftOut("root")
CAMEL = _LeftOut("camel")
REQUEST_ID = _LeftOut(CASES[CAMEL].request_id)
NONE: Any = _Default(None)
TRUE: Any = _Default(True)
FALSE: Any = _Default(False)
LINE_BYTES: Any = _Default(262_144)


def _one_of(option: str, value: object, allowed: Iterable[str]) -> str:
    if isinstance(value, str) and value in allowed:
        return str(value)
    raise ConfigError(option, value, f"one of: {', '.join(allowed)}")


def _flag(option: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ConfigError(option, value, "True or False")


def _text(option: str, value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise ConfigError(option, value, "a string or None")


def _mapping(option: str, value: object) -> dict[str, object]:
    if value is None:
        return {}
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return dict(value)
    raise ConfigError(option, value, "a mapping of names to values")


def _level(option: str, value: object) -> int:
    known = logging._nameToLevel  # getLevelNamesMapping() is of Python 3.11
    if isinstance(value, str) and (value in known or value.upper() in known):
        return known.get(value, known.get(value.upper(), logging.NOTSET))
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    if type(value) is int and value >= 0:
        return value
    names = sorted(known, key=known.__getitem__)
    raise ConfigError(option, value, f"one of: {', '.join(names)}, or a number")


def _levels(option: str, value: object) -> dict[str, int]:
    levels = _mapping(option, value)
    return {
        name: _level(f"{option}[{name!r}]", level) for name, level in levels.items()
    }


def _names(option: str, value: object) -> tuple[str, ...] | None:
    """Return the names of logging libraries; None for those that there are."""
    if value == "auto":
        return None
    if not isinstance(value, (list, tuple)):
        raise ConfigError(option, value, f"'auto' or a list of {', '.join(_LOGGERS)}")
    names = tuple(_one_of(option, name, _LOGGERS) for name in value)
    for name in names:
        if name != "stdlib" and find_spec(name) is None:
            expected = f"an installed library; pip install 'ctxlog-json[{name}]'"
            raise ConfigError(option, name, expected)
    return names


def formatter_of(settings: Settings) -> dict[str, Any]:
    """Return the formatter of a configuration, as `dictConfig` describes one."""
    stream = sys.stdout if settings.stream is None else settings.stream
    terminal = _is_terminal(stream)
    if settings.format == "console" or settings.format == "auto" and terminal:
        return {
            "()": "ctxlog.ConsoleFormatter",
            "color": wants_color(terminal),
            "redact": settings.redact,
            "request_id_key": settings.request_id_key,
            "case": settings.case,
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
        "request_id_key": settings.request_id_key,
        "case": settings.case,
    }


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # no such method; closed
        return False
