"""
The options of a line: the same for formatters, renderers, sinks and `configure()`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from ctxlog.line.schema import Schema


class LineOptions(TypedDict, total=False):
    """Options of `LineEncoder`, and of everything that makes one."""

    static: Mapping[str, object] | None
    missing_request_id: str | None
    timespec: str
    max_line_bytes: int
    request_id_key: str | None
    case: str | None


class FormatterOptions(LineOptions, total=False):
    """Options of `JsonFormatter`, `dict_config()` and `configure()`."""

    schema: str | Schema
    service: str | None
    environment: str | None
    redact: object
