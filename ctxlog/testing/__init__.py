"""
For tests: what was logged, as dicts, and what every logger's adapter must do. Edge.

`capture_lines()` collects the lines of stdlib logging, structlog and loguru;
`check_adapter()` holds any logger against the table of behaviours that all of them
share. The pytest plugin is `ctxlog.pytest_plugin`.
"""

from __future__ import annotations

from ctxlog.testing._capture import CapturedLines, capture_lines
from ctxlog.testing._conformance import BEHAVIOURS, Behaviour, Event, check_adapter

__all__ = [
    "BEHAVIOURS",
    "Behaviour",
    "CapturedLines",
    "Event",
    "capture_lines",
    "check_adapter",
]
