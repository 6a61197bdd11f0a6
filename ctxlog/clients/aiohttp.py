"""
Calls by aiohttp. Adapter: imports aiohttp and core.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from ctxlog.clients._call import Call, CallOptions, ClientOptions
from ctxlog.errors import requires

with requires("aiohttp"):
    import aiohttp

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["install", "trace_config", "uninstall"]


class _Context(SimpleNamespace):
    """The state that the signals of one request share."""

    call: Call
    added: frozenset[str]


class _TraceConfig(aiohttp.TraceConfig):
    """The signals of the requests of one session, or of all that have it."""

    def __init__(
        self, options: CallOptions, session: aiohttp.ClientSession | None = None
    ) -> None:
        super().__init__(trace_config_ctx_factory=_Context)
        self._call_options = options
        self._only: aiohttp.ClientSession | None = session
        self.on_request_start.append(self._start)
        self.on_request_redirect.append(self._redirect)
        self.on_request_end.append(self._end)
        self.on_request_exception.append(self._fail)

    def of(self, session: aiohttp.ClientSession) -> bool:
        """Return whether `install()` has made it for this session."""
        return self._only is session

    def _begin(self, context: Any, method: str, url: str, headers: Any) -> None:
        context.call = Call(self._call_options, method, url)
        context.added = context.call.inject(headers)

    async def _start(self, session: Any, context: Any, params: Any) -> None:
        # Sessions may share one list of these.
        if self._only is None or self._only is session:
            self._begin(context, params.method, str(params.url), params.headers)

    async def _redirect(self, session: Any, context: Any, params: Any) -> None:
        if not hasattr(context, "call"):
            return
        response = params.response
        target = response.headers.get("Location") or response.headers.get("URI", "")
        if not target:
            return  # it is the answer
        context.call.end(response.status)
        for name in context.added:
            params.headers.popall(name, None)
        # The next request of aiohttp: with these headers, and the method that it
        # decides upon later.
        url = urljoin(str(params.url), target)
        self._begin(context, params.method, url, params.headers)

    async def _end(self, session: Any, context: Any, params: Any) -> None:
        if hasattr(context, "call"):
            context.call.method = params.method
            context.call.end(params.response.status)

    async def _fail(self, session: Any, context: Any, params: Any) -> None:
        if hasattr(context, "call"):
            context.call.method = params.method
            context.call.fail(params.exception)


def trace_config(**options: Unpack[ClientOptions]) -> aiohttp.TraceConfig:
    """
    Return a trace configuration that adds the active context to calls.

    For `aiohttp.ClientSession(trace_configs=[trace_config(hosts=[...])])`. Every call
    gets `X-Request-ID` and, inside a trace, `traceparent`, if its host is one of
    *hosts*; a redirect to another host does not take them along. Headers that the
    caller has set stay.

    Within a request every call is counted and timed, to any host, under `http` on the
    request's completion line; each redirect is a call.

    Args:
        hosts: The hosts that get the headers: names (`payments`), with `*` for any
            part of one (`*.internal`), and with a port to mean only that.
        fields: The names of further fields to send, as `baggage`.
        completion_line: Log a line when a call has ended, from the logger
            `ctxlog.client`, to any host; each redirect is a call.

    Raises:
        ConfigError: if an option is invalid.
    """
    return _TraceConfig(CallOptions(**options))


def install(session: aiohttp.ClientSession, **options: Unpack[ClientOptions]) -> None:
    """
    Let all calls of a session carry the active context, to some hosts.

    It lasts until `uninstall(session)`; calling it again replaces the options.

    Args:
        session: An `aiohttp.ClientSession`.
        options: The options of `trace_config()`.

    Raises:
        ConfigError: if an option is invalid.
    """
    checked = CallOptions(**options)
    uninstall(session)
    config = _TraceConfig(checked, session)
    config.freeze()
    session.trace_configs.append(config)


def _is_installed(session: object) -> bool | None:
    """Return whether a session of aiohttp has the adapter; None for other objects."""
    if not isinstance(session, aiohttp.ClientSession):
        return None
    return any(isinstance(one, _TraceConfig) for one in session.trace_configs)


def uninstall(session: aiohttp.ClientSession) -> None:
    """Undo `install()`. Without it, a no-op."""
    for config in session.trace_configs[:]:
        if isinstance(config, _TraceConfig) and config.of(session):
            session.trace_configs.remove(config)
