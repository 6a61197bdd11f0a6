"""
What an adapter knows of a request at its end, for the completion line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any


class RequestFacts:
    """
    The facts about a request; an adapter overrides what its framework tells.

    Attributes:
        method: The request's method.
        path: Its path, without the query string.
        client: The client's address.
        status: The status of the response, None until it begins.
        bytes_in: The size of the request's body; None where the adapter does not count.
        bytes_out: The size of the response's body so far; None if it is not known.
        response_headers: The headers of the response, pairs or a mapping; None until
            it begins.
        details: Further fields of the completion line.
        span: Datadog's span of the request, None without one.
    """

    __slots__ = ()

    method: str
    path: str
    client: str | None
    status: int | None
    bytes_in: int | None
    bytes_out: int | None
    response_headers: Any
    details: dict[str, object]
    span: Any

    @property
    def duration(self) -> float:
        """The seconds until the response had been sent."""
        raise NotImplementedError

    @property
    def ttfb(self) -> float | None:
        """The seconds until the response began; None unless they are asked for."""
        raise NotImplementedError

    def read_headers(self) -> Iterable[tuple[Any, Any]]:
        """Return all headers of the request, as texts or as bytes."""
        return ()

    def read_query(self) -> str:
        """Return the query string, without its question mark."""
        return ""

    def read_scheme(self) -> str | None:
        """Return `http`, `https`, `ws` or `wss`; None if it is not known."""
        return None

    def read_http_version(self) -> str | None:
        """Return `1.1` or `2`; None if it is not known."""
        return None

    def read_request(self) -> object:
        """Return the framework's own request; None without one."""
        return None

    def read_parameters(self) -> Collection[object]:
        """Return the values of the route's parameters, as far as they are known."""
        return ()
