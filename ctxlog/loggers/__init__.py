"""Adapters for logging libraries, a module for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctxlog import _lazy

if TYPE_CHECKING:
    from ctxlog.loggers import loguru as loguru
    from ctxlog.loggers import stdlib as stdlib
    from ctxlog.loggers import structlog as structlog
else:
    __getattr__, __dir__ = _lazy.lazily(__name__)
