"""
Calls by Requests. Adapter: imports requests and core.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ctxlog.clients._call import Call, CallOptions, ClientOptions
from ctxlog.errors import requires

with requires("requests"):
    import requests
    from requests.adapters import BaseAdapter

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["ContextAdapter", "install", "uninstall"]


class ContextAdapter(BaseAdapter):
    """
    A transport adapter that adds the active context to the calls that go through it.

    For `session.mount("https://", ContextAdapter(HTTPAdapter(), hosts=[...]))`. Every
    call gets `X-Request-ID` and, inside a trace, `traceparent`, if its host is one of
    *hosts*; a redirect to another host does not take them along. Headers that the
    caller has set stay. It closes the adapter below with itself.

    Within a request every call is counted and timed, to any host, under `http` on the
    request's completion line; each redirect is a call.

    Args:
        adapter: The adapter below, which sends the calls.
        hosts: The hosts that get the headers: names (`payments`), with `*` for any
            part of one (`*.internal`), and with a port to mean only that.
        fields: The names of further fields to send, as `baggage`.
        completion_line: Log a line when a call has ended, from the logger
            `ctxlog.client`, to any host.

    Raises:
        ConfigError: if an option is invalid.
    """

    def __init__(self, adapter: BaseAdapter, **options: Unpack[ClientOptions]) -> None:
        super().__init__()
        self.adapter = adapter
        self._options = CallOptions(**options)

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        """Send a request by the adapter below."""
        # A copy: a redirect is made of the original, and goes anywhere.
        sent = request.copy()
        call = Call(self._options, sent.method or "GET", sent.url or "")
        call.inject(sent.headers)
        try:
            response = self.adapter.send(sent, *args, **kwargs)
        except BaseException as error:
            call.fail(error)
            raise
        call.end(response.status_code)
        return response

    def close(self) -> None:
        """Close the adapter below."""
        self.adapter.close()


def install(session: requests.Session, **options: Unpack[ClientOptions]) -> None:
    """
    Let all calls of a session carry the active context, to some hosts.

    It lasts until `uninstall(session)`; calling it again replaces the options. Adapters
    that are mounted later are not covered.

    Args:
        session: A `requests.Session`.
        options: The options of `ContextAdapter`.

    Raises:
        ConfigError: if an option is invalid.
        TypeError: if *session* is not a session.
    """
    if not isinstance(session, requests.Session):
        raise TypeError(f"install() takes a requests.Session, not {session!r}")
    CallOptions(**options)  # raises before anything is changed
    uninstall(session)
    for prefix, adapter in session.adapters.items():
        session.adapters[prefix] = ContextAdapter(adapter, **options)


def _is_installed(session: object) -> bool | None:
    """Return whether a session has the adapter; None for other objects."""
    if not isinstance(session, requests.Session):
        return None
    return any(isinstance(one, ContextAdapter) for one in session.adapters.values())


def uninstall(session: requests.Session) -> None:
    """Undo `install()`. Without it, a no-op."""
    for prefix, adapter in session.adapters.items():
        if isinstance(adapter, ContextAdapter):
            session.adapters[prefix] = adapter.adapter
