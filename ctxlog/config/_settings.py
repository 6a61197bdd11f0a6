"""
The options of `configure()`: read, from the environment too, and checked.

Private to `config`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from importlib.util import find_spec
from typing import Any, NamedTuple

from ctxlog._levels import level_of
from ctxlog._names import CASES
from ctxlog.errors import ConfigError
from ctxlog.line.encoder import LineEncoder
from ctxlog.line.options import FormatterOptions
from ctxlog.line.redactor import get_redactor
from ctxlog.line.schema import Schema, get_schema
from ctxlog.retention import Buffer, RateLimit, Sampling
from ctxlog.sinks import places_of, stream_of
from ctxlog.terminal import wants_color

_LOGGERS = ("stdlib", "structlog", "loguru")


class To(NamedTuple):
    """
    Where lines go.

    Attributes:
        places: Streams, sinks, addresses.
        option: The option, or the variable, that says so.
    """

    places: tuple[Any, ...]
    option: str


# Checking ------------------------------------------------------------------------

_Check = Callable[[str, Any], Any]


def _unchecked(option: str, value: Any) -> Any:
    return value


def _one_of(*allowed: str) -> _Check:
    def check(option: str, value: object) -> str:
        if isinstance(value, str) and value in allowed:
            return value
        raise ConfigError(option, value, f"one of: {', '.join(allowed)}")

    return check


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


def _levels(option: str, value: object) -> dict[str, int]:
    try:
        levels = _mapping(option, value)
    except ConfigError:
        raise ConfigError(option, value, "a mapping of loggers to levels") from None
    return {
        name: level_of(f"{option}[{name!r}]", level) for name, level in levels.items()
    }


def _stream(option: str, value: Any) -> Any:
    if value is None or callable(getattr(value, "write", None)):
        return value
    raise ConfigError(option, value, "a text or binary stream, or None")


def _seconds(option: str, value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
        return float(value)
    raise ConfigError(option, value, "a number of seconds")


def _made(kind: type) -> _Check:
    """Return the check of an option that is an object with options of its own."""

    def check(option: str, value: object) -> object:
        if value is None or isinstance(value, kind):
            return value
        raise ConfigError(option, value, f"a ctxlog.{kind.__name__}, or None")

    return check


def _to(option: str, value: object) -> To | None:
    return None if value is None else To(places_of(option, value), option)


def _redact(option: str, value: object) -> object:
    get_redactor(value)
    return value


def _libraries(option: str, value: object) -> tuple[str, ...] | None:
    """Return the names of logging libraries; None for those that are imported."""
    if value == "auto":
        return None
    if not isinstance(value, (list, tuple)):
        allowed = f"'auto' or a list of logging libraries: {', '.join(_LOGGERS)}"
        raise ConfigError(option, value, allowed)
    names = tuple(_one_of(*_LOGGERS)(option, name) for name in value)
    for name in names:
        if name != "stdlib" and find_spec(name) is None:
            expected = f"an installed library; pip install 'ctxlog-json[{name}]'"
            raise ConfigError(option, name, expected)
    return names


def _name(option: str, value: object) -> object:
    if value is None:
        raise ConfigError(option, value, "a name")
    return value


# Reading the environment ------------------------------------------------------------

_WORDS = {"1": True, "true": True, "yes": True, "on": True}
_WORDS.update({"0": False, "false": False, "no": False, "off": False})


def _word(option: str, text: str) -> bool:
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


def _decimal(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(option, text, "a number") from None


def _list(option: str, text: str) -> Any:
    return text if text == "auto" else [name.strip() for name in text.split(",")]


def _hidden(option: str, text: str) -> Any:
    return _WORDS[text.lower()] if text.lower() in _WORDS else _list(option, text)


def _maker(kind: Any, main: str) -> Callable[[str, str], Any]:
    """
    Return what reads an object with options of its own from a variable.

    Args:
        kind: The dataclass of the object.
        main: The option that a value without a name is for.
    """
    known = {one.name: one for one in fields(kind) if one.init}
    # A number is the value of an option that is a number, and no word.
    numbers = () if isinstance(known[main].default, str) else ("0", "1")

    def read(option: str, text: str) -> Any:
        word = text.strip().lower()
        if word in _WORDS and word not in numbers:
            return kind() if _WORDS[word] else None
        values: dict[str, Any] = {}
        for part in text.split(","):
            name, equals, value = (one.strip() for one in part.partition("="))
            if not equals:
                name, value = main, name
            if name not in known:
                allowed = f"on, off, or a list such as {main}=...; with the names "
                raise ConfigError(option, text, allowed + ", ".join(known))
            values[name] = _typed(option, value, known[name].default)
        try:
            return kind(**values)
        except ConfigError as error:
            single = f"{option}[{error.option!r}]"
            raise ConfigError(single, error.value, error.allowed) from None

    return read


def _typed(option: str, text: str, default: object) -> object:
    """Return a text as a value of the type that the default has."""
    if isinstance(default, bool):
        return _word(option, text)
    if isinstance(default, int):
        return _number(option, text)
    if default is None or isinstance(default, float):
        return _decimal(option, text)
    return text


# The options ----------------------------------------------------------------------


class Option(NamedTuple):
    """
    An option of `configure()`.

    Attributes:
        default: Its value where neither the call nor the environment has one.
        check: Returns the checked value of the option of that name.
        read: Returns the value of a variable of that name; None without a variable.
        variables: Further variables, besides `CTXLOG_` and its name.
    """

    default: object
    check: _Check
    read: _Check | None
    variables: tuple[str, ...]


def _option(
    default: object,
    check: _Check = _unchecked,
    *variables: str,
    read: _Check | None = _unchecked,
) -> Any:
    return field(metadata={"option": Option(default, check, read, variables)})


def _flagged(default: bool) -> Any:
    return _option(default, _flag, read=_word)


@dataclass(frozen=True)
class Settings:
    """The options of `configure()`, checked: each with its default and its check."""

    level: int = _option("INFO", level_of)
    format: str = _option("auto", _one_of("auto", "json", "console"))
    schema: Schema = _option("default", lambda option, value: get_schema(value))
    stream: Any = _option(None, _stream, read=None)
    to: To = _option(None, _to, read=_list)
    service: str | None = _option(None, _text, "OTEL_SERVICE_NAME", "DD_SERVICE")
    environment: str | None = _option(None, _text, "DD_ENV")
    levels: dict[str, int] = _option(None, _levels, read=_pairs)
    static: dict[str, object] = _option(None, _mapping, read=None)
    redact: object = _option(None, _redact, read=_hidden)
    loggers: tuple[str, ...] | None = _option("auto", _libraries, read=_list)
    threads: bool = _flagged(True)
    hooks: bool = _flagged(True)
    access_lines: str = _option("ctxlog", _one_of("ctxlog", "server", "both"))
    missing_request_id: str | None = _option("N/A")
    timespec: str = _option("microseconds")
    max_line_bytes: int = _option(262_144, read=_number)
    replace_console_handlers: str = _option("root", _one_of("root", "all"))
    share_handlers: bool = _flagged(False)
    logger_class: bool = _flagged(True)
    warn: bool = _flagged(True)
    request_id_key: str = _option(CASES["camel"].request_id, _name)
    case: str = _option("camel", _one_of(*CASES))
    caller: bool = _flagged(False)
    flush_timeout: float = _option(2.0, _seconds, read=_decimal)
    buffer: Buffer | None = _option(None, _made(Buffer), read=_maker(Buffer, "level"))
    sampling: Sampling | None = _option(
        None, _made(Sampling), read=_maker(Sampling, "rate")
    )
    limit: RateLimit | None = _option(
        None, _made(RateLimit), read=_maker(RateLimit, "first")
    )

    @property
    def only_completion_lines(self) -> bool:
        """Whether requests with a completion line have no access line."""
        return self.access_lines == "ctxlog"


def read_settings(options: Mapping[str, Any], allowed: type) -> Settings:
    """
    Read and check the options of a call.

    Args:
        options: The options that were given; others may come from the environment.
        allowed: A `TypedDict` of the options that there are; all others keep their
            defaults, whatever the environment says.

    Raises:
        TypeError: if there is no such option.
        ConfigError: if an option, or a variable, is invalid.
    """
    possible = allowed.__annotations__
    for name in options:
        if name not in possible:
            raise TypeError(f"there is no option {name!r}: see help(ctxlog.configure)")
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}  # the name of each value that was given, for errors
    try:
        for row in fields(Settings):
            option: Option = row.metadata["option"]
            name, value = row.name, option.default
            if name in options:
                sources[name], value = name, options[name]
            elif name in possible and option.read is not None:
                for variable in (f"CTXLOG_{name.upper()}", *option.variables):
                    if text := os.environ.get(variable):
                        sources[name] = variable
                        value = option.read(name, text)
                        break
            values[name] = option.check(name, value)
        values["to"] = _merged(values["stream"], values["to"], sources)
        if "request_id_key" not in sources:
            values["request_id_key"] = CASES[values["case"]].request_id
        LineEncoder(
            values["schema"],
            missing_request_id=values["missing_request_id"],
            timespec=values["timespec"],
            max_line_bytes=values["max_line_bytes"],
            request_id_key=values["request_id_key"],
            case=values["case"],
            caller=values["caller"],
        )
    except ConfigError as error:
        name, bracket, single = error.option.partition("[")
        named = sources.get(name, name) + bracket + single
        raise ConfigError(named, error.value, error.allowed) from None
    return Settings(**values)


def _merged(stream: Any, to: To | None, sources: Mapping[str, str]) -> To:
    """Return where lines go: `stream=` is a list of one."""
    if stream is None:
        return (
            To(("stdout",), "to") if to is None else to._replace(option=sources["to"])
        )
    if to is not None and sources["to"] == "to":
        raise ConfigError("to", to.places, "no stream= beside it: to=[stream, ...]")
    return To((stream,), "stream")  # the call decides, and not the environment


# The formatter --------------------------------------------------------------------


def formatter_of(settings: Settings) -> dict[str, Any]:
    """Return the formatter of a configuration, as `dictConfig` describes one."""
    # One form for all places: text in a file serves nobody.
    terminal = all(_is_terminal(stream_of(one)) for one in settings.to.places)
    if settings.format == "console" or settings.format == "auto" and terminal:
        return {
            "()": "ctxlog.ConsoleFormatter",
            "color": wants_color(terminal),
            "redact": settings.redact,
            "request_id_key": settings.request_id_key,
            "case": settings.case,
            "caller": settings.caller,
        }
    names = FormatterOptions.__annotations__
    options = {name: getattr(settings, name) for name in names}
    return {"()": "ctxlog.JsonFormatter", **options}


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # no such method; closed
        return False
