"""
ctxlog: every log line knows which request wrote it.

One store per request (or job, message, test) travels with `contextvars`; whatever
logger writes a line, the line carries the store's fields. See the README.

Importing has no side effects and imports no adapter: submodules such as
`ctxlog.servers.asgi`, and the names that need one, are imported when first used.

PYTEST_DONT_REWRITE: pytest rewrites a package that brings a plugin, and warns if the
package has been imported before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ctxlog import _lazy
from ctxlog.context import (
    AsyncLocalStorage,
    Snapshot,
    Store,
    bind,
    count,
    detached,
    fields,
    get_store,
    run,
    scope,
    timed,
    unbind,
    wrap,
)
from ctxlog.errors import ConfigError, MissingDependencyError
from ctxlog.line._schema import Schema
from ctxlog.line.redact import Redactor

if TYPE_CHECKING:
    from ctxlog import aggregators as aggregators
    from ctxlog import carrier as carrier
    from ctxlog import clients as clients
    from ctxlog import config as config
    from ctxlog import loggers as loggers
    from ctxlog import retention as retention
    from ctxlog import runtime as runtime
    from ctxlog import servers as servers
    from ctxlog import sinks as sinks
    from ctxlog import tasks as tasks
    from ctxlog import testing as testing
    from ctxlog._entry import entry
    from ctxlog.carrier import adopt, carry
    from ctxlog.config import configure, dict_config, unconfigure
    from ctxlog.loggers.stdlib import (
        ConsoleFormatter,
        ContextFilter,
        JsonFormatter,
        LineHandler,
        install_record_factory,
        uninstall_record_factory,
    )
    from ctxlog.retention import Buffer, RateLimit, Sampling, flush_buffer, set_level

    __version__: str

__all__ = [
    "AsyncLocalStorage",
    "Buffer",
    "ConfigError",
    "ConsoleFormatter",
    "ContextFilter",
    "JsonFormatter",
    "LineHandler",
    "MissingDependencyError",
    "RateLimit",
    "Redactor",
    "Sampling",
    "Schema",
    "Snapshot",
    "Store",
    "adopt",
    "bind",
    "carry",
    "configure",
    "count",
    "detached",
    "dict_config",
    "entry",
    "fields",
    "flush_buffer",
    "get_store",
    "install_record_factory",
    "run",
    "scope",
    "set_level",
    "timed",
    "unbind",
    "unconfigure",
    "uninstall_record_factory",
    "wrap",
]

_LAZY = {
    "Buffer": "ctxlog.retention",
    "RateLimit": "ctxlog.retention",
    "Sampling": "ctxlog.retention",
    "flush_buffer": "ctxlog.retention",
    "set_level": "ctxlog.retention",
    "ConsoleFormatter": "ctxlog.loggers.stdlib",
    "ContextFilter": "ctxlog.loggers.stdlib",
    "JsonFormatter": "ctxlog.loggers.stdlib",
    "LineHandler": "ctxlog.loggers.stdlib",
    "adopt": "ctxlog.carrier",
    "carry": "ctxlog.carrier",
    "configure": "ctxlog.config",
    "dict_config": "ctxlog.config",
    "entry": "ctxlog._entry",
    "install_record_factory": "ctxlog.loggers.stdlib",
    "unconfigure": "ctxlog.config",
    "uninstall_record_factory": "ctxlog.loggers.stdlib",
}


if not TYPE_CHECKING:  # a checker would take every misspelt name for one of these

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            from importlib.metadata import version

            return version("ctxlog-json")
        if name in _LAZY:
            from importlib import import_module

            value = getattr(import_module(_LAZY[name]), name)
            globals()[name] = value
            return value
        return _lazy.submodule(__name__, name)


def __dir__() -> list[str]:
    return [*__all__, *_lazy.submodules(__name__), "__version__"]
