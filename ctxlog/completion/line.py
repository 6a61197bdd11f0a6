"""
Writes completion lines, by the application's rules.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from ctxlog import _trackers
from ctxlog._unheard import warn_if_unheard
from ctxlog.carrier import datadog
from ctxlog.completion.completed import Completed
from ctxlog.completion.rules import CompletionRules
from ctxlog.context import Store
from ctxlog.context.adapter import take_totals

#: What `logging` refuses among the fields of a call.
_RECORD = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime"})


def is_heard(log: logging.Logger, level: int) -> bool:
    """Return whether completion lines of a level are logged."""
    warn_if_unheard(log)
    return log.isEnabledFor(level)


def log_completion(
    log: logging.Logger,
    level: int,
    message: str,
    args: tuple[str, ...],
    fields: dict[str, object],
    span: Any = None,
) -> None:
    """
    Write a completion line, where `is_heard(log, level)`.

    Args:
        log: The line's logger.
        level: Its level.
        message: The template of its message.
        args: The arguments of the template.
        fields: Its fields.
        span: Datadog's span of the request, None without one.
    """
    _trackers.watch()
    if span is None:
        log.log(level, message, *args, extra=fields)
    else:  # a record gets the span's ids when it is made
        with datadog.lent_span(span):
            log.log(level, message, *args, extra=fields)


def further_fields(
    fields: dict[str, object],
    store: Store,
    rules: CompletionRules,
    completed: Completed | None,
) -> bool:
    """
    Add the totals of a store, and what the application wants, to a line's fields.

    A name that the line has already, its context's among them, becomes `fields.NAME`.

    Args:
        fields: The fields of the line, changed in place.
        store: The store, whose counting ends.
        rules: The application's rules.
        completed: What has ended; None if no callable is asked.

    Returns:
        Whether the line is wanted.
    """
    totals = take_totals(store)
    if totals:
        _put(fields, totals, store)
    if completed is not None:
        wanted = rules.fields(completed)
        if wanted is None:
            return False
        _put(fields, wanted, store)
    return True


def _put(fields: dict[str, object], more: Mapping[Any, object], store: Store) -> None:
    # With those of the store, which a call's own would replace: the id, the route.
    own = {*fields, *store}
    for name, value in more.items():
        if name in own or name in _RECORD:
            name = f"fields.{name}"
        fields[name] = value
