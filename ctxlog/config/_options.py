"""
The options of `configure()` and `dict_config()`, for type checkers and for `help()`.

Each option stands here once, with the types that it may have. `Settings` has its
default and how it is checked. The functions take `**options: Unpack[...]`: type
checkers and editors read the names and types from that, and `help()`, IPython and
documentation tools from a signature that is made of both tables.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar, get_type_hints

from ctxlog.config._settings import Settings
from ctxlog.line.options import FormatterOptions
from ctxlog.retention import Buffer, RateLimit, Sampling

_Function = TypeVar("_Function", bound=Callable[..., object])


class DictOptions(FormatterOptions, total=False):
    """The options of `dict_config()`."""

    level: str | int
    format: str
    stream: Any
    to: Any
    levels: Mapping[str, str | int] | None
    access_lines: str


class ConfigureOptions(DictOptions, total=False):
    """The options of `configure()`."""

    loggers: str | Sequence[str]
    threads: bool
    hooks: bool
    replace_console_handlers: str
    share_handlers: bool
    logger_class: bool
    warn: bool
    flush_timeout: float
    buffer: Buffer | None
    sampling: Sampling | None
    limit: RateLimit | None


def takes(options: type) -> Callable[[_Function], _Function]:
    """Give a function of `**options` the signature that names them."""
    kinds = get_type_hints(options)
    parameters = [
        inspect.Parameter(
            option.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=option.metadata["option"].default,
            annotation=kinds[option.name],
        )
        for option in fields(Settings)
        if option.name in kinds
    ]

    def decorate(function: _Function) -> _Function:
        returned = function.__annotations__["return"]
        signature = inspect.Signature(parameters, return_annotation=returned)
        function.__signature__ = signature  # type: ignore[attr-defined]
        return function

    return decorate
