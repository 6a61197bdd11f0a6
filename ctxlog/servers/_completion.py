"""
How a request has ended, in the words of all server adapters.
"""

from __future__ import annotations

import logging

from ctxlog._ask import ask
from ctxlog._names import get_names
from ctxlog.servers._details import CompletionFields
from ctxlog.servers._facts import RequestFacts


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


def completion_fields(
    request: RequestFacts,
    details: CompletionFields,
    status: object,
    duration: float,
    error: BaseException | None,
) -> dict[str, object]:
    """
    Return the fields of a completion line, as far as they are known.

    Args:
        request: The request.
        details: The fields that were asked for.
        status: Its status, see `http_outcome()`.
        duration: How long it took, in seconds.
        error: The exception that has ended it, if one has.
    """
    names = get_names()
    fields: dict[str, object] = {"method": request.method, "path": request.path}
    if status is not None:
        fields["status"] = status
    fields[names.duration] = round(duration * 1000, 3)
    if request.client is not None:
        fields["client"] = request.client
    if request.details:
        fields.update(request.details)
    if error is not None:
        fields["error"] = type(error).__name__
    if details.bytes_out and request.bytes_out is not None:
        fields[names.bytes_out] = request.bytes_out
    if details.others:
        # Servers and applications give values of any kind. The line is kept.
        failure = "a field of the completion line could not be read"
        ask(failure, None, lambda: details.read(request, fields))
    return fields
