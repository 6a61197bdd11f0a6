"""
The options of a line: the same for formatters, renderers, sinks and `configure()`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from ctxlog.line.event import Encoder
from ctxlog.line.redact import Redactor
from ctxlog.line.schema import Schema


class LineOptions(TypedDict, total=False):
    """Options of `LineEncoder`, and of everything that makes one."""

    static: Mapping[str, object] | None
    missing_request_id: str | None
    timespec: str
    max_line_bytes: int
    request_id_key: str | None
    case: str | None
    caller: bool


class EncoderOptions(LineOptions, total=False):
    """Options of `LineEncoder` that `JsonRenderer` and `JsonSink` have as well."""

    redactor: Redactor | None
    default: Callable[[Any], Any] | None


class RendererOptions(EncoderOptions, total=False):
    """Options of `JsonRenderer`, which the set-ups of structlog and loguru have."""

    schema: str | Schema
    encoder: Encoder | None


class FormatterOptions(LineOptions, total=False):
    """Options of `JsonFormatter`, `dict_config()` and `configure()`."""

    schema: str | Schema
    service: str | None
    environment: str | None
    redact: object
