"""
The completion line: how a request has ended, in the words of all server adapters.
"""

from __future__ import annotations

import logging
from typing import Any

from ctxlog import _trackers
from ctxlog._names import COMPLETION_LOGGER
from ctxlog._unheard import warn_if_unheard
from ctxlog.carrier import datadog

_log = logging.getLogger(COMPLETION_LOGGER)


def http_outcome(
    status: int | None, error: BaseException | None, *, disconnected: bool
) -> tuple[int | None, str, int]:
    """
    Return the status of a request, the end of its message, and the line's level.

    Args:
        status: The status of the response, None if none has begun.
        error: The exception that has ended the request, if one has.
        disconnected: Whether the client went away.
    """
    failed = isinstance(error, Exception)
    if status is None and failed:
        status = 500  # the server's answer
    if status is None:
        return None, "cancelled" if error else "no response", logging.WARNING
    if failed or status >= 500:
        return status, str(status), logging.ERROR
    if status >= 400 or error is not None or disconnected:
        return status, str(status), logging.WARNING
    return status, str(status), logging.INFO


def is_heard(level: int) -> bool:
    """Return whether completion lines of a level are logged."""
    warn_if_unheard(_log)
    return _log.isEnabledFor(level)


def log_completion(
    level: int,
    message: str,
    args: tuple[str, ...],
    fields: dict[str, object],
    span: Any,
) -> None:
    """
    Log that a request has ended, where `is_heard(level)`.

    Args:
        level: The line's level.
        message: The template of the message.
        args: The arguments of the template.
        fields: The fields of the line.
        span: Datadog's span of the request, None without one.
    """
    _trackers.watch()
    if span is None:
        _log.log(level, message, *args, extra=fields)
    else:  # a record gets the span's ids when it is made
        with datadog.lent_span(span):
            _log.log(level, message, *args, extra=fields)
