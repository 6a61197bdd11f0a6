"""
Calls by httpx. Adapter: imports httpx and core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ctxlog.clients._call import Call, CallOptions, ClientOptions
from ctxlog.errors import requires

with requires("httpx"):
    import httpx

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = [
    "AsyncContextTransport",
    "ContextTransport",
    "event_hooks",
    "install",
    "uninstall",
]

# The extension by which a request knows the headers that are ours: a redirect copies
# all headers, also to a host that must not have them.
_OURS = "ctxlog.headers"


def _inject(options: CallOptions, request: httpx.Request) -> None:
    for name, value in request.extensions.pop(_OURS, {}).items():
        if request.headers.get(name) == value:
            del request.headers[name]
    added = options.inject(str(request.url), request.headers)
    request.extensions[_OURS] = {name: request.headers[name] for name in added}


def _begin(options: CallOptions, request: httpx.Request) -> Call:
    _inject(options, request)
    return Call(options, request.method, str(request.url))


class ContextTransport(httpx.BaseTransport):
    """
    A transport that adds the active context to the calls that go through it.

    For `httpx.Client(transport=ContextTransport(httpx.HTTPTransport(), hosts=[...]))`.
    Every call gets `X-Request-ID` and, inside a trace, `traceparent`, if its host is
    one of *hosts*; a redirect to another host does not take them along. Headers that
    the caller has set stay. It closes the transport below with itself.

    Within a request every call is counted and timed, to any host, under `http` on the
    request's completion line; each redirect is a call.

    Args:
        transport: The transport below, which sends the calls.
        hosts: The hosts that get the headers: names (`payments`), with `*` for any
            part of one (`*.internal`), and with a port to mean only that.
        fields: The names of further fields to send, as `baggage`.
        completion_line: Log a line when a call has ended, from the logger
            `ctxlog.client`, to any host.

    Raises:
        ConfigError: if an option is invalid.
    """

    def __init__(
        self,
        transport: httpx.BaseTransport,
        **options: Unpack[ClientOptions],
    ) -> None:
        self.transport = transport
        self._options = CallOptions(**options)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request by the transport below."""
        call = _begin(self._options, request)
        try:
            response = self.transport.handle_request(request)
        except BaseException as error:
            call.fail(error)
            raise
        call.end(response.status_code)
        return response

    def close(self) -> None:
        """Close the transport below."""
        self.transport.close()


class AsyncContextTransport(httpx.AsyncBaseTransport):
    """
    The same as `ContextTransport`, for `httpx.AsyncClient`.

    Args:
        transport: The transport below, which sends the calls.
        options: The options of `ContextTransport`.

    Raises:
        ConfigError: if an option is invalid.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        **options: Unpack[ClientOptions],
    ) -> None:
        self.transport = transport
        self._options = CallOptions(**options)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request by the transport below."""
        call = _begin(self._options, request)
        try:
            response = await self.transport.handle_async_request(request)
        except BaseException as error:
            call.fail(error)
            raise
        call.end(response.status_code)
        return response

    async def aclose(self) -> None:
        """Close the transport below."""
        await self.transport.aclose()


def install(
    client: httpx.Client | httpx.AsyncClient,
    **options: Unpack[ClientOptions],
) -> None:
    """
    Let all calls of a client carry the active context, to some hosts.

    It lasts until `uninstall(client)`; calling it again replaces the options. Proxies
    and mounted transports are covered.

    Args:
        client: An `httpx.Client` or `httpx.AsyncClient`.
        options: The options of `ContextTransport`.

    Raises:
        ConfigError: if an option is invalid.
        TypeError: if *client* is not a client of httpx.
    """
    if not isinstance(client, (httpx.Client, httpx.AsyncClient)):
        raise TypeError(f"install() takes an httpx client, not {client!r}")
    CallOptions(**options)  # raises before anything is changed
    is_async = isinstance(client, httpx.AsyncClient)
    kind: Any = AsyncContextTransport if is_async else ContextTransport
    uninstall(client)
    _replace_transports(client, lambda transport: kind(transport, **options))


def _is_installed(client: object) -> bool | None:
    """Return whether a client of httpx has the adapter; None for other objects."""
    if not isinstance(client, (httpx.Client, httpx.AsyncClient)):
        return None
    return isinstance(client._transport, (ContextTransport, AsyncContextTransport))


def uninstall(client: httpx.Client | httpx.AsyncClient) -> None:
    """Undo `install()`. Without it, a no-op."""
    kinds = (ContextTransport, AsyncContextTransport)
    _replace_transports(client, lambda t: t.transport if isinstance(t, kinds) else t)


def _replace_transports(client: Any, replaced: Callable[[Any], Any]) -> None:
    # httpx has no public way to change the transports of a client.
    client._transport = replaced(client._transport)
    for pattern, transport in client._mounts.items():
        if transport is not None:  # None means no proxy
            client._mounts[pattern] = replaced(transport)


def event_hooks(
    kind: type[httpx.Client] | type[httpx.AsyncClient],
    *,
    hosts: Iterable[str],
    fields: Iterable[str] = (),
) -> dict[str, list[Any]]:
    """
    Return event hooks that add the active context, for where no transport is chosen.

    For `httpx.Client(event_hooks=event_hooks(httpx.Client, hosts=[...]))`. There is no
    completion line, and no total: httpx calls no hook for a call that fails.

    Args:
        kind: The class of the client.
        hosts: The hosts that get the headers, see `ContextTransport`.
        fields: The names of further fields to send, as `baggage`.

    Raises:
        ConfigError: if an option is invalid.
    """
    options = CallOptions(hosts=hosts, fields=fields)

    def hook(request: httpx.Request) -> None:
        _inject(options, request)

    async def async_hook(request: httpx.Request) -> None:
        _inject(options, request)

    is_async = issubclass(kind, httpx.AsyncClient)
    return {"request": [async_hook if is_async else hook]}
