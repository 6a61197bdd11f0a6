"""
The statements of Django's connections, counted, timed and logged.

Every connection of the process has the wrapper of this module among its own
(https://docs.djangoproject.com/en/stable/topics/db/instrumentation/), whichever thread
opens it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict

from ctxlog._sql import Statements
from ctxlog.errors import ConfigError, requires

with requires("django"):
    from django.core.signals import request_started  # type: ignore[import-untyped]
    from django.db import connections  # type: ignore[import-untyped]
    from django.db.backends.signals import (  # type: ignore[import-untyped]
        connection_created,
    )


class DatabaseOptions(TypedDict, total=False):
    """The options of Django's middleware alone."""

    db: bool
    slow_queries: float | None


class _Wrapper:
    """
    Gets every statement of a connection.

    Attributes:
        statements: What counts them; None for nothing to be done.
    """

    def __init__(self) -> None:
        self.statements: Statements | None = None

    def __call__(
        self,
        execute: Callable[..., Any],
        sql: Any,
        params: Any,
        many: bool,
        context: dict[str, Any],
    ) -> Any:
        """Execute one statement."""
        statements = self.statements
        begun = None if statements is None else statements.begin()
        if statements is None or begun is None:
            return execute(sql, params, many, context)
        try:
            return execute(sql, params, many, context)
        finally:
            statements.end(begun, context["connection"].vendor, sql)


_wrapper = _Wrapper()


def observe(db: bool = False, slow_queries: float | None = None) -> None:
    """
    Count and time the statements of all connections of the process, or do not.

    The connections of other threads that are open already are found when the thread
    begins to serve a request. Calling it again replaces the options.

    Args:
        db: Whether to do it.
        slow_queries: The number of seconds from which a statement has a line of its
            own; None for no such lines.

    Raises:
        ConfigError: if an option is invalid.
    """
    if not isinstance(db, bool):
        raise ConfigError("db", db, "True or False")
    statements = Statements(slow_queries)
    if not db:
        if slow_queries is not None:
            raise ConfigError("slow_queries", slow_queries, "None without db=True")
        if _wrapper.statements is not None:
            _wrapper.statements = None
            connection_created.disconnect(_add_to)
            request_started.disconnect(_add_to_open)
            _remove_from_open()
        return
    _wrapper.statements = statements
    connection_created.connect(_add_to)
    request_started.connect(_add_to_open)
    _add_to_open()


def _add_to(connection: Any, **_: Any) -> None:
    # At the front: the end of a block of `execute_wrapper()`, within which a connection
    # may be opened, takes the last one away.
    if _wrapper not in connection.execute_wrappers:
        connection.execute_wrappers.insert(0, _wrapper)


def _add_to_open(**_: Any) -> None:
    # Those of this thread: each has its own.
    for connection in connections.all(initialized_only=True):
        _add_to(connection)


def _remove_from_open() -> None:
    # Those of other threads keep the wrapper, which does nothing.
    for connection in connections.all(initialized_only=True):
        if _wrapper in connection.execute_wrappers:
            connection.execute_wrappers.remove(_wrapper)
