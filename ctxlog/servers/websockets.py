"""
Servers of the package `websockets` (`websockets.asyncio.server`). Adapter.

Imports websockets and core.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ctxlog._kept import Kept
from ctxlog._names import get_names
from ctxlog.context import Store
from ctxlog.context.adapter import within
from ctxlog.errors import requires
from ctxlog.servers._options import RequestOptions, ServerOptions
from ctxlog.servers._request import RequestEntry, note_route

with requires("websockets"):
    from websockets.asyncio.server import ServerConnection
    from websockets.exceptions import ConnectionClosed
    from websockets.frames import CloseCode
    from websockets.http11 import Request, Response

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["ContextConnection", "connection"]

_DEFAULTS = RequestOptions()


class ContextConnection(ServerConnection):
    """
    A connection with a store of its own, and a completion line.

    The request id and the trace in the handshake's headers are used only if they are
    valid, and only from clients that *trust* accepts; any other id is replaced by a new
    one and never logged. The id is echoed on the response to the handshake, also if
    that refuses.

    For `serve(handler, host, port, create_connection=ContextConnection)`; with options
    `create_connection=connection(trust=False)`. A subclass works as well.

    The store is opened when the request of the handshake has come, and is active in
    `process_request`, `process_response` and the handler, and for what these start. It
    is closed when the connection is; so `durationMs` is how long that was open. The
    server's own lines about the connection have its id too, its report of a handler
    that failed included. What the handler started and that goes on says `late` on its
    lines.

    Args:
        args: Given by websockets.
        options: The options that `connection()` has checked.
        settings: Given by websockets.
    """

    def __init__(
        self, *args: Any, options: RequestOptions = _DEFAULTS, **settings: Any
    ) -> None:
        super().__init__(*args, **settings)
        self._options = options
        self._failure: BaseException | None = None

    async def handshake(
        self, process_request: Any = None, *args: Any, **settings: Any
    ) -> None:
        """Perform the opening handshake, in the store."""
        waiters = [self.request_rcvd, self.connection_lost_waiter]
        await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
        if self.request is not None:
            self._begin(self.request)
        try:
            await super().handshake(process_request, *args, **settings)
        except BaseException as error:
            self._failure = error
            raise
        route = _route(self, process_request)
        if route is not None:
            note_route(route)

    async def close(
        self, code: CloseCode | int = CloseCode.NORMAL_CLOSURE, reason: str = ""
    ) -> None:
        """Perform the closing handshake."""
        if code == CloseCode.INTERNAL_ERROR:
            # The server closes so while it handles what the handler raised.
            self._failure = sys.exc_info()[1]
        await super().close(code, reason)

    def _begin(self, request: Request) -> None:
        entry = _Request(self._options, self, request)
        self.logger = self.protocol.logger = _Logger(self.logger, entry.store)
        send = self.protocol.send_response
        header = self._options.request_id_header

        def send_response(response: Response) -> None:
            entry.note_status(response.status_code)
            request_id = entry.echoed_id()
            if request_id:
                # Setting a header adds a value.
                response.headers.pop(header, None)
                response.headers[header] = request_id
            entry.response_headers = tuple(response.headers.raw_items())
            if response.status_code != 101:
                entry.bytes_out = len(response.body or b"")
            send(response)

        # There is no hook for the responses that websockets makes by itself.
        vars(self.protocol)["send_response"] = send_response
        # The task is the connection's own: no other request is active in it.
        entry.__enter__()
        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(functools.partial(self._end, entry))

    def _end(self, entry: RequestEntry, task: asyncio.Task[Any]) -> None:
        error, self._failure = self._failure, None
        if isinstance(error, ConnectionClosed):
            error = None  # how a handler learns of it
        if entry.status == 101:
            entry.details[get_names().close_code] = self.close_code
            if self.close_code == CloseCode.ABNORMAL_CLOSURE:
                entry.details["disconnected"] = True
        entry.end(error)


class _Request(RequestEntry):
    """The request that opens a connection."""

    __slots__ = ("_connection", "_request")

    def __init__(
        self, options: RequestOptions, connection: ServerConnection, request: Request
    ) -> None:
        address = connection.remote_address
        super().__init__(
            options,
            getattr(request, "method", "GET"),  # newer versions read others
            request.path.partition("?")[0],
            address[0] if isinstance(address, tuple) else None,
            options.headers.of_pairs(request.headers.raw_items()),
            source=connection,
        )
        self._connection = connection
        self._request = request

    def user_reader(self) -> Callable[[], object] | None:
        return self._reader_of(self._connection, _username)

    def read_headers(self) -> Iterable[tuple[str, str]]:
        return self._request.headers.raw_items()

    def read_query(self) -> str:
        return self._request.path.partition("?")[2]

    def read_scheme(self) -> str:
        transport = self._connection.transport
        return "ws" if transport.get_extra_info("ssl_object") is None else "wss"

    def read_http_version(self) -> str:
        return "1.1"

    def read_request(self) -> ServerConnection:
        return self._connection


def _route(connection: ServerConnection, process_request: Any) -> str | None:
    """Return the rule by which a router of websockets' has found the handler."""
    router: Any = getattr(process_request, "__self__", None)
    url_map = getattr(router, "url_map", None)
    request = connection.request
    if url_map is None or request is None:
        return None
    # It does not keep the rule. It has matched, so it does again.
    adapter = url_map.bind(router.get_server_name(connection, request))
    path = request.path.partition("?")[0]
    rule, _ = adapter.match(path_info=path, websocket=True, return_rule=True)
    return str(rule.rule)


class _Logger(logging.LoggerAdapter):  # type: ignore[type-arg]  # not in 3.10
    """The logger of a connection, whose lines are about its request."""

    def __init__(self, logger: Any, store: Store) -> None:
        super().__init__(logger, {})
        self._store = Kept(store)

    def log(self, level: int, msg: object, *args: Any, **kwargs: Any) -> None:
        # The transport, which reads and notices the end, has another context.
        within(self._store.take(), self.logger.log, level, msg, *args, **kwargs)


def _username(connection: ServerConnection) -> object:
    """Return the user that `basic_auth()` has authenticated."""
    name = getattr(connection, "username", None)
    return {"name": name} if name else None


def connection(
    **options: Unpack[ServerOptions],
) -> Callable[..., ContextConnection]:
    """
    Return a factory of connections with options, for `serve(create_connection=...)`.

    Args:
        options: The options of all server adapters, see
            `ctxlog.servers.asgi.ContextMiddleware`; `user` and `level` are called
            with the connection, which a completed request has as `request`. Without
            `user` the name that `basic_auth()` has checked is bound.

    Raises:
        ConfigError: if an option is invalid.
    """
    return functools.partial(ContextConnection, options=RequestOptions(**options))
