"""
loguru. Adapter: imports core, private modules of `loggers/` and loguru.

A *patcher*, which loguru calls in the thread that logs, stamps a record. From then on
it may wait in a queue (`enqueue=True`) or go to another process.

loguru formats a message before any patcher or sink sees it: a wrong `{}` raises in the
log call, as it does without ctxlog.
"""

from __future__ import annotations

from ctxlog.errors import requires
from ctxlog.loggers._loguru_record import patcher
from ctxlog.loggers._loguru_setup import install, uninstall
from ctxlog.loggers._loguru_setup import is_configured as is_configured
from ctxlog.loggers._loguru_setup import is_fed_by as is_fed_by
from ctxlog.loggers._loguru_setup import outside as outside
from ctxlog.loggers._loguru_setup import sinks_on_console as sinks_on_console
from ctxlog.loggers._loguru_sink import JsonSink

with requires("loguru"):
    from loguru import logger as logger

__all__ = ["JsonSink", "install", "patcher", "uninstall"]
