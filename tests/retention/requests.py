"""
Requests to a small ASGI application, without a server.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from ctxlog.servers.asgi import ContextMiddleware

__all__ = ["ask", "asking"]


def ask(body: Callable[[], object], status: int = 200, **options: Any) -> None:
    """
    Send one request, which calls *body* and answers with a status.

    An `ArithmeticError` of the application goes no further, as in a server.

    Args:
        body: What the application does.
        status: What it answers with.
        options: `request_id`, the id that the client sends; and the middleware's.
    """
    asyncio.run(asking(body, status, **options))


async def asking(
    body: Callable[[], object], status: int = 200, request_id: str = "", **options: Any
) -> None:
    """
    The same, in the event loop that runs.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        result = body()
        if asyncio.iscoroutine(result):
            await result
        start = {"type": "http.response.start", "status": status, "headers": []}
        await send(start)
        await send({"type": "http.response.body", "body": b"ok"})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        pass

    headers = [(b"x-request-id", request_id.encode())] if request_id else []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/",
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }
    with contextlib.suppress(ArithmeticError):  # a server reports it
        await ContextMiddleware(app, **options)(scope, receive, send)
