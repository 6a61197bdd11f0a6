"""
Statements of a database: counted and timed for their request, the slow ones logged.

What the adapters of clients (SQLAlchemy) and of servers (Django) have in common.
"""

from __future__ import annotations

import logging
import time
from typing import TypeAlias

from ctxlog._names import get_names
from ctxlog._sql_text import without_literals
from ctxlog.context import Store
from ctxlog.context.adapter import begin_time, end_time
from ctxlog.errors import check_seconds

#: The logger of the lines of slow statements. It is none of `ctxlog.client`, so that it
#: has a level of its own, and the same for all adapters.
DATABASE_LOGGER = "ctxlog.db"

_log = logging.getLogger(DATABASE_LOGGER)

#: The name of the request's total.
_TOTAL = "db"


#: A statement that is under way: the store of the request that sent it, if any, and
#: when that was, in nanoseconds; 0 if no slow ones are logged.
Begun: TypeAlias = tuple[Store | None, int]


class Statements:
    """
    Counts, times and logs the statements of a database.

    Args:
        slow_queries: The number of seconds from which a statement gets a line of its
            own; None for no such lines.

    Raises:
        ConfigError: if *slow_queries* is invalid.
    """

    __slots__ = ("_slow",)

    def __init__(self, slow_queries: float | None) -> None:
        self._slow: float | None = None
        if slow_queries is not None:
            allowed = "a number of seconds, 0 or above, or None"
            check_seconds("slow_queries", slow_queries, allowed)
            self._slow = slow_queries * 1e9

    def begin(self) -> Begun | None:
        """
        Begin to time a statement, before it is sent. Never raises.

        Returns:
            What `end()` needs; None if there is nothing to be done.
        """
        store = begin_time(_TOTAL)
        if self._slow is not None:
            return store, time.perf_counter_ns()
        return None if store is None else (store, 0)

    def end(self, begun: Begun, system: str, statement: object) -> None:
        """
        End the statement: the database has answered, or refused it. Never raises.

        Args:
            begun: What `begin()` has returned.
            system: The kind of the database: `postgresql`.
            statement: The text of the statement, with placeholders.
        """
        store, started = begun
        end_time(_TOTAL, store)
        if self._slow is None:
            return
        duration = time.perf_counter_ns() - started
        if duration < self._slow:
            return
        # An object, as the request's total is: an index of lines has one type for it.
        database: dict[str, object] = {"system": system}
        if isinstance(statement, str):  # else an object of the driver's, with values
            database["statement"] = without_literals(statement, system)
        milliseconds = round(duration / 1e6, 3)
        fields = {"db": database, get_names().duration: milliseconds}
        _log.warning("slow query", extra=fields)
