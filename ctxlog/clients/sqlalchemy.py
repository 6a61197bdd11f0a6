"""
Statements by SQLAlchemy. Adapter: imports sqlalchemy and core.
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any, cast

from ctxlog._sql import Begun, Statements
from ctxlog.errors import requires

with requires("sqlalchemy"):
    from sqlalchemy import Engine, event

if TYPE_CHECKING:  # it needs greenlet, which not every application has
    from sqlalchemy.ext.asyncio import AsyncEngine

__all__ = ["install", "uninstall"]


class _Listener:
    """
    Listens to the events of an engine.

    What it begins is an attribute of SQLAlchemy's execution context. An execution
    belongs to the listener that saw it first: an engine that was made by
    `execution_options()` has those of its parent, too.
    """

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def before(
        self,
        connection: Any,
        cursor: Any,
        statement: str,
        parameters: Any,
        context: Any,
        executemany: bool,
    ) -> tuple[str, Any]:
        if context is not None and getattr(context, "ctxlog_begun", None) is None:
            begun = self._statements.begin()
            if begun is not None:
                context.ctxlog_begun = self, begun
        return statement, parameters

    def after(
        self,
        connection: Any,
        cursor: Any,
        statement: str,
        parameters: Any,
        context: Any,
        executemany: bool,
    ) -> None:
        begun = self._begun(context)
        if begun is not None:
            self._statements.end(begun, connection.dialect.name, statement)

    def failed(self, failure: Any) -> None:
        begun = self._begun(failure.execution_context)
        if begun is not None:
            self._statements.end(begun, failure.dialect.name, failure.statement)

    def _begun(self, context: Any) -> Begun | None:
        """Return what this listener has begun, once."""
        begun = getattr(context, "ctxlog_begun", None)
        if begun is None or begun[0] is not self:
            return None
        context.ctxlog_begun = None
        return cast(Begun, begun[1])

    def listen(self, engine: Engine) -> None:
        for name, listener, options in self._events():
            event.listen(engine, name, listener, **options)

    def leave(self, engine: Engine) -> None:
        for name, listener, _ in self._events():
            event.remove(engine, name, listener)

    def _events(self) -> list[tuple[str, Any, dict[str, bool]]]:
        return [
            ("before_cursor_execute", self.before, {"retval": True}),
            ("after_cursor_execute", self.after, {}),
            ("handle_error", self.failed, {}),
        ]


_lock = threading.Lock()
_listeners: weakref.WeakKeyDictionary[Engine, _Listener]
_listeners = weakref.WeakKeyDictionary()


def install(engine: Engine | AsyncEngine, *, slow_queries: float | None = None) -> None:
    """
    Count and time the statements of an engine, for the request that sends them.

    The request's completion line has them under `db`: `"db":{"count":7,"ms":31.2}`. The
    time of a statement is that until the database has answered, or refused it; fetching
    the rows, and waiting for a connection of the pool, are not in it. `executemany` is
    one statement. It lasts until `uninstall(engine)`; calling it again replaces the
    option.

    Args:
        engine: An `Engine` or `AsyncEngine`. Engines that its `execution_options()`
            returns are covered.
        slow_queries: The number of seconds from which a statement has a line of its
            own, from the logger `ctxlog.db`, with its text but without values; None for
            no such lines.

    Raises:
        ConfigError: if *slow_queries* is invalid.
        TypeError: if *engine* is not an engine.
    """
    sync_engine = _sync_engine("install", engine)
    listener = _Listener(Statements(slow_queries))
    with _lock:
        _uninstall(sync_engine)
        listener.listen(sync_engine)
        _listeners[sync_engine] = listener


def _is_installed(engine: object) -> bool | None:
    """Return whether an engine has the adapter; None for other objects."""
    if not isinstance(engine, Engine):
        return None  # an AsyncEngine has an Engine
    return engine in _listeners


def uninstall(engine: Engine | AsyncEngine) -> None:
    """Undo `install()`. Without it, a no-op."""
    sync_engine = _sync_engine("uninstall", engine)
    with _lock:
        _uninstall(sync_engine)


def _sync_engine(function: str, engine: object) -> Engine:
    # An AsyncEngine has the Engine whose events are those of both.
    sync_engine = getattr(engine, "sync_engine", engine)
    if isinstance(sync_engine, Engine):
        return sync_engine
    allowed = "an Engine or AsyncEngine of SQLAlchemy"
    raise TypeError(f"{function}() takes {allowed}, not {engine!r}")


def _uninstall(engine: Engine) -> None:
    listener = _listeners.pop(engine, None)
    if listener is not None:
        listener.leave(engine)
