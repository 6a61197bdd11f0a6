"""
A real service to call, and one way to call it by every client.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from typing import Any, NamedTuple

import pytest

from tests.helpers import need


class Arrived(NamedTuple):
    """A request as the service got it."""

    host: str
    path: str
    headers: dict[str, str]


class Service:
    """
    An HTTP server on loopback, which has two names.

    `/status/N` answers with that status; `/to/HOST/PATH` redirects to the same server
    by another name; anything else answers 200.
    """

    def __init__(self) -> None:
        self.arrived: list[Arrived] = []
        arrived = self.arrived

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                headers = {name.lower(): text for name, text in self.headers.items()}
                arrived.append(Arrived(headers["host"], self.path, headers))
                parts = self.path.partition("?")[0].split("/")
                self.send_response(int(parts[2]) if parts[1] == "status" else 200)
                if parts[1] == "to":
                    self._headers_buffer.clear()  # type: ignore[attr-defined]
                    self.send_response(302)
                    port = self.server.server_address[1]
                    target = f"http://{parts[2]}:{port}/{'/'.join(parts[3:])}"
                    self.send_header("Location", target)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_POST = do_GET

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def url(self, path: str, host: str = "localhost") -> str:
        """The address of `path` by one of the server's names."""
        return f"http://{host}:{self.port}{path}"

    def close(self) -> None:
        """Stop it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def service() -> Iterator[Service]:
    """A service of each test's own."""
    running = Service()
    yield running
    running.close()


class Client(NamedTuple):
    """
    A client library.

    Attributes:
        name: Its adapter's name.
        call: Calls a URL with a method and headers, by a client that `install()` has
            been called with; returns the status.
    """

    name: str
    call: Callable[..., int]

    @property
    def adapter(self) -> Any:
        """The adapter's module."""
        return import_module(f"ctxlog.clients.{self.name}")


Headers = Mapping[str, str]
NO_HEADERS: Headers = {}


def _httpx(
    options: dict[str, Any], method: str, url: str, headers: Headers, undo: bool
) -> int:
    import httpx

    from ctxlog.clients.httpx import install, uninstall

    with httpx.Client(follow_redirects=True) as client:
        install(client, **options)
        if undo:
            uninstall(client)
        return client.request(method, url, headers=dict(headers)).status_code


def _httpx_async(
    options: dict[str, Any], method: str, url: str, headers: Headers, undo: bool
) -> int:
    import httpx

    from ctxlog.clients.httpx import install, uninstall

    async def call() -> int:
        async with httpx.AsyncClient(follow_redirects=True) as client:
            install(client, **options)
            if undo:
                uninstall(client)
            response = await client.request(method, url, headers=dict(headers))
            return response.status_code

    return asyncio.run(call())


def _httpx_hooks(
    options: dict[str, Any], method: str, url: str, headers: Headers, undo: bool
) -> int:
    import httpx

    from ctxlog.clients.httpx import event_hooks

    hooks = {} if undo else event_hooks(httpx.Client, **options)
    with httpx.Client(follow_redirects=True, event_hooks=hooks) as client:
        return client.request(method, url, headers=dict(headers)).status_code


def _requests(
    options: dict[str, Any], method: str, url: str, headers: Headers, undo: bool
) -> int:
    import requests

    from ctxlog.clients.requests import install, uninstall

    with requests.Session() as session:
        session.trust_env = False
        install(session, **options)
        if undo:
            uninstall(session)
        return session.request(method, url, headers=dict(headers)).status_code


def _urllib3(
    options: dict[str, Any], method: str, url: str, headers: Headers, undo: bool
) -> int:
    import urllib3

    from ctxlog.clients.urllib3 import install, uninstall

    with urllib3.PoolManager(retries=urllib3.Retry(connect=0, redirect=3)) as manager:
        install(manager, **options)
        if undo:
            uninstall(manager)
        return manager.request(method, url, headers=dict(headers)).status


def _aiohttp(
    options: dict[str, Any], method: str, url: str, headers: Headers, undo: bool
) -> int:
    import aiohttp

    from ctxlog.clients.aiohttp import install, uninstall

    async def call() -> int:
        async with aiohttp.ClientSession() as session:
            install(session, **options)
            if undo:
                uninstall(session)
            async with session.request(method, url, headers=dict(headers)) as response:
                return response.status

    return asyncio.run(call())


CLIENTS: dict[str, tuple[str, Callable[..., int]]] = {
    "httpx": ("httpx", _httpx),
    "httpx, async": ("httpx", _httpx_async),
    "httpx, event hooks": ("httpx", _httpx_hooks),
    "requests": ("requests", _requests),
    "urllib3": ("urllib3", _urllib3),
    "aiohttp": ("aiohttp", _aiohttp),
}


def client_of(name: str) -> Client:
    """The client of a name in `CLIENTS`."""
    library, call = CLIENTS[name]
    need(library)

    def calling(
        url: str,
        method: str = "GET",
        headers: Headers = NO_HEADERS,
        undo: bool = False,
        **options: Any,
    ) -> int:
        options.setdefault("hosts", ["localhost"])
        return call(options, method, url, headers, undo)

    return Client(library, calling)


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> Client:
    """Each client in turn."""
    return client_of(request.param)


@pytest.fixture(params=[name for name in CLIENTS if "hooks" not in name])
def logging_client(request: pytest.FixtureRequest) -> Client:
    """Each client in turn that can log its calls."""
    return client_of(request.param)
