"""
Calls by Requests. Adapter: imports requests and core.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ctxlog.clients._call import Call, CallOptions
from ctxlog.errors import requires

with requires("requests"):
    import requests
    from requests.adapters import BaseAdapter

__all__ = ["ContextAdapter", "install", "uninstall"]


class ContextAdapter(BaseAdapter):
    """
    A transport adapter that adds the active context to the calls that go through it.

    For `session.mount("https://", ContextAdapter(HTTPAdapter(), hosts=[...]))`. Every
    call gets `X-Request-ID` and, inside a trace, `traceparent`, if its host is one of
    *hosts*; a redirect to another host does not take them along. Headers that the
    caller has set stay. It closes the adapter below with itself.

    Args:
        adapter: What sends the calls.
        hosts: The hosts that get the headers: names (`payments`), with `*` for any
            part of one (`*.internal`), and with a port to mean only that.
        fields: The names of further fields to send, as `baggage`.
        completion_line: Whether to log a line when a call has ended, from the logger
            `ctxlog.client`, to any host.

    Raises:
        ConfigError: an option has a value that it cannot have.
    """

    def __init__(
        self,
        adapter: BaseAdapter,
        *,
        hosts: Iterable[str],
        fields: Iterable[str] = (),
        completion_line: bool = False,
    ) -> None:
        super().__init__()
        self.adapter = adapter
        self._options = CallOptions(
            hosts=hosts, fields=fields, completion_line=completion_line
        )

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


def install(
    session: requests.Session,
    *,
    hosts: Iterable[str],
    fields: Iterable[str] = (),
    completion_line: bool = False,
) -> None:
    """
    Let all calls of `session` carry the active context, to some hosts.

    It lasts until `uninstall(session)`; a second time replaces the options. Adapters
    that are mounted later are not covered.

    Args:
        session: A `requests.Session`.
        hosts: The hosts that get the headers, see `ContextAdapter`.
        fields: The names of further fields to send, as `baggage`.
        completion_line: Whether to log a line when a call has ended.

    Raises:
        ConfigError: an option has a value that it cannot have.
        TypeError: *session* is no session.
    """
    if not isinstance(session, requests.Session):
        raise TypeError(f"install() takes a requests.Session, not {session!r}")
    options = CallOptions(hosts=hosts, fields=fields, completion_line=completion_line)
    uninstall(session)
    for prefix, adapter in session.adapters.items():
        context = ContextAdapter(adapter, hosts=())
        context._options = options
        session.adapters[prefix] = context


def uninstall(session: requests.Session) -> None:
    """Take away what `install()` did; if that was not called, nothing."""
    for prefix, adapter in session.adapters.items():
        if isinstance(adapter, ContextAdapter):
            session.adapters[prefix] = adapter.adapter
