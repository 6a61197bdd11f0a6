"""
Helpers for tests: the lines that were logged, as dicts, and a check for adapters.

`capture_lines()` collects the lines of stdlib logging, structlog and loguru;
`check_adapter()` checks any logger against `BEHAVIORS`, the table that all of them
share. The pytest plugin is `ctxlog.pytest_plugin`.
"""

from __future__ import annotations

from ctxlog.testing._bench import Behavior, LogCall
from ctxlog.testing._capture import CapturedLines, capture_lines
from ctxlog.testing._conformance import BEHAVIORS, check_adapter

__all__ = [
    "BEHAVIORS",
    "Behavior",
    "CapturedLines",
    "LogCall",
    "capture_lines",
    "check_adapter",
]
