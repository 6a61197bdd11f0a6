"""
Calls by urllib3. Adapter: imports urllib3 and core.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ctxlog.clients._call import Call, CallOptions, ClientOptions
from ctxlog.errors import requires

with requires("urllib3"):
    import urllib3
    from urllib3.util import Retry

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["install", "uninstall"]

# The call that is under way in this thread: one within it follows its redirect.
_current: ContextVar[Call | None] = ContextVar("ctxlog_urllib3_call", default=None)


def install(manager: urllib3.PoolManager, **options: Unpack[ClientOptions]) -> None:
    """
    Let all calls of a manager of pools carry the active context, to some hosts.

    Every call gets `X-Request-ID` and, inside a trace, `traceparent`, if its host is
    one of *hosts*; a redirect to another host does not take them along. Headers that
    the caller has set stay. It lasts until `uninstall(manager)`; calling it again
    replaces the options.

    Within a request every call is counted and timed, to any host, under `http` on the
    request's completion line; each redirect is a call.

    Args:
        manager: A `urllib3.PoolManager` or `ProxyManager`.
        hosts: The hosts that get the headers: names (`payments`), with `*` for any
            part of one (`*.internal`), and with a port to mean only that.
        fields: The names of further fields to send, as `baggage`.
        completion_line: Log a line when a call has ended, from the logger
            `ctxlog.client`, to any host; each redirect is a call.

    Raises:
        ConfigError: if an option is invalid.
        TypeError: if *manager* is not a manager of pools.
    """
    if not isinstance(manager, urllib3.PoolManager):
        raise TypeError(f"install() takes a urllib3.PoolManager, not {manager!r}")
    checked = CallOptions(**options)
    uninstall(manager)
    below = manager.urlopen

    def urlopen(method: str, url: str, redirect: bool = True, **kw: Any) -> Any:
        call = Call(checked, method, url)
        headers = kw.get("headers")
        headers = urllib3.HTTPHeaderDict(
            manager.headers if headers is None else headers
        )
        added = call.inject(headers)
        kw["headers"] = headers
        if added:
            kw["retries"] = _removing(added, kw.get("retries"), redirect, manager)
        # It follows redirects by calling this again: their lines come first.
        redirected = _current.get()
        if redirected is not None:
            redirected.answered()
        token = _current.set(call)
        try:
            response = below(method, url, redirect=redirect, **kw)
        except BaseException as error:
            call.fail(error)
            raise
        finally:
            _current.reset(token)
        call.end(response.status)
        return response

    urlopen.below = below  # type: ignore[attr-defined]
    manager.urlopen = urlopen  # type: ignore[method-assign]


def _removing(
    names: frozenset[str],
    retries: Any,
    redirect: bool,
    manager: urllib3.PoolManager,
) -> Retry:
    """Return retries by which a redirect to another host drops the headers."""
    if not isinstance(retries, Retry):
        default = manager.connection_pool_kw.get("retries")
        retries = Retry.from_int(retries, redirect=redirect, default=default)
    lower = {name.lower() for name in names}
    kept: Retry = retries.new(
        remove_headers_on_redirect=retries.remove_headers_on_redirect | lower
    )
    return kept


def _is_installed(manager: object) -> bool | None:
    """Return whether a manager of pools has the adapter; None for other objects."""
    if not isinstance(manager, urllib3.PoolManager):
        return None
    return hasattr(vars(manager).get("urlopen"), "below")


def uninstall(manager: urllib3.PoolManager) -> None:
    """Undo `install()`. Without it, a no-op."""
    if hasattr(vars(manager).get("urlopen"), "below"):
        del manager.urlopen
