"""
The standard library's `logging`. Adapter: imports core and python-json-logger.

The record factory or `ContextFilter` stamps a record with the context in which it was
made; otherwise it is stamped when it is formatted. From then on it may wait in a queue,
be pickled or be written by another thread.
"""

from __future__ import annotations

from ctxlog.loggers._factory import install_record_factory, uninstall_record_factory
from ctxlog.loggers._factory import watch_call_sites as watch_call_sites
from ctxlog.loggers._filter import ContextFilter
from ctxlog.loggers._formatters import ConsoleFormatter, JsonFormatter
from ctxlog.loggers._handler import LineHandler
from ctxlog.loggers._logger import install_logger_class as install_logger_class
from ctxlog.loggers._logger import uninstall_logger_class as uninstall_logger_class
from ctxlog.loggers._request_levels import choose_levels as choose_levels
from ctxlog.loggers._request_levels import watch as watch

__all__ = [
    "ConsoleFormatter",
    "ContextFilter",
    "JsonFormatter",
    "LineHandler",
    "install_record_factory",
    "uninstall_record_factory",
]
