"""
The server of the page: on the loopback only, for those who know its address.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

from ctxlog.errors import requires
from ctxlog.viewer.group.collected import OUTSIDE
from ctxlog.viewer.web.assets import text_of
from ctxlog.viewer.web.index import Index
from ctxlog.viewer.web.lines import written
from ctxlog.viewer.web.opening import opened, opened_outside, opened_single
from ctxlog.viewer.web.reading import Given, Job
from ctxlog.viewer.web.selection import Selection
from ctxlog.viewer.web.singles import Line

with requires("starlette", extra="web"):
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response, StreamingResponse
    from starlette.routing import Route
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

with requires("uvicorn", extra="web"):
    import uvicorn

_HOSTS = {"127.0.0.1", "localhost"}
_KINDS = {
    "web.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    **dict.fromkeys(
        ("parts.js", "pane.js", "histogram.js", "web.js"),
        "text/javascript; charset=utf-8",
    ),
}
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_MOST_LISTED = 5000
#: The shortest pause between two pieces of news, in seconds.
_PAUSE = 0.3


class Guard:
    """
    Lets those in who ask this machine by its name and know the token.

    Another page in the same browser knows no token; a name that leads here by a trick
    of DNS is not this machine's. Each answer says what the page may do: nothing but its
    own scripts and styles.

    Args:
        app: The application behind it.
        token: The first part of each path.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on without the token."""
        if scope["type"] != "http":
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                more = [(k.encode(), v.encode()) for k, v in _HEADERS.items()]
                message["headers"] = [*message.get("headers", ()), *more]
            await send(message)

        hosts = [value for name, value in scope["headers"] if name == b"host"]
        host = hosts[0].decode("latin-1") if len(hosts) == 1 else ""
        token, _, path = str(scope["path"]).removeprefix("/").partition("/")
        if host.partition(":")[0].lower() not in _HOSTS:
            refused = Response("This is not its host.\n", 403)
            await refused(scope, receive, guarded)
        elif not hmac.compare_digest(token.encode("utf-8", "replace"), self._token):
            refused = Response("There is nothing without the token.\n", 404)
            await refused(scope, receive, guarded)
        else:
            inner = {**scope, "path": f"/{path}", "root_path": ""}
            await self._app(inner, receive, guarded)


class Page:
    """
    The page's parts, and what they ask for.

    Args:
        given: What is read.
    """

    def __init__(self, given: Given) -> None:
        self._given = given
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()
        self._closed = False
        self.index = Index(given, self._tell)
        parts = [Route(f"/{name}", self._part) for name in _KINDS]
        self.app = Starlette(
            routes=[
                Route("/", self._part),
                *parts,
                Route("/api/requests", self._list),
                Route("/api/request", self._open),
                Route("/api/events", self._events),
            ]
        )

    def close(self) -> None:
        """End its reading, and the news."""
        self._closed = True
        self._news.set()
        self.index.close()

    def _tell(self) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._news.set)

    async def _part(self, request: Request) -> Response:
        name = request.url.path.rpartition("/")[2] or "web.html"
        return Response(text_of(name), headers={"content-type": _KINDS[name]})

    def _list(self, request: Request) -> Response:
        try:
            selection = Selection(request.query_params, self._given.look.clock.zone)
            limit = int(request.query_params.get("limit", "300"))
        except ValueError as error:
            return _json({"error": str(error)}, 400)
        found = self.index.listed(selection, min(max(limit, 1), _MOST_LISTED))
        words = [*self._given.options, *self._given.files]
        return _json({**found, "words": words})

    def _open(self, request: Request) -> Response:
        chosen = request.query_params
        try:
            if "line" in chosen:
                line = Line.named(chosen["line"])
                if line.number >= len(self._given.files):
                    raise ValueError("there are not so many files")
                job = Job(opened_single, self._given, line)
            elif chosen.get("id", OUTSIDE) != OUTSIDE:
                job = Job(opened, self._given, chosen["id"])
            else:
                zone = self._given.look.clock.zone
                wishes = Selection(chosen, zone).outside_within
                job = Job(opened_outside, self._given, wishes)
        except ValueError as error:
            return _json({"error": str(error)}, 400)

        def lines() -> Iterator[bytes]:
            try:
                for made in job.results():
                    yield written(made).encode("utf-8", "replace") + b"\n"
            except OSError as error:
                yield written({"error": str(error)}).encode("utf-8", "replace") + b"\n"
            finally:
                job.end()

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    async def _events(self, _: Request) -> Response:
        self._loop = asyncio.get_running_loop()

        async def events() -> AsyncIterator[str]:
            known = -1
            while not self._closed:
                state = self.index.state()
                if state["version"] != known:
                    known = state["version"]
                    yield f"data: {json.dumps(state)}\n\n"
                await asyncio.sleep(_PAUSE)
                self._news.clear()
                if self.index.state()["version"] == known and not self._closed:
                    with contextlib.suppress(asyncio.TimeoutError):
                        await asyncio.wait_for(self._news.wait(), 15)
                    yield ": here\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")


def _json(value: Any, status: int = 200) -> Response:
    return Response(
        written(value).encode("utf-8", "replace"), status, media_type="application/json"
    )


class _Server(uvicorn.Server):
    """
    uvicorn, which says where it serves and ends the news before it waits for readers.

    Args:
        config: How it serves.
        page: What.
        address: What is printed once it does: Ctrl-C ends it in good order then.
    """

    def __init__(self, config: uvicorn.Config, page: Page, address: str) -> None:
        super().__init__(config)
        self._page, self._address = page, address

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)
        print(self._address, flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End."""
        self._page.close()
        await super().shutdown(sockets)


def serve(given: Given, port: int) -> None:
    """
    Serve the page until the process is interrupted; print its address.

    Args:
        given: What is read.
        port: The port of 127.0.0.1; 0 for any that is free.

    Raises:
        OSError: if the port cannot be had.
    """
    with socket.create_server(("127.0.0.1", port)) as listener:
        token = secrets.token_urlsafe(24)
        page = Page(given)
        config = uvicorn.Config(
            Guard(page.app, token),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/{token}/"
        try:
            _Server(config, page, address).run(sockets=[listener])
        finally:
            page.close()
