"""
Pyramid applications. Adapter: imports Pyramid and core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ctxlog.context.adapter import entry_store
from ctxlog.errors import requires
from ctxlog.servers._environ import mounted
from ctxlog.servers._options import ServerOptions
from ctxlog.servers._request import RequestStore, bind_user, note_route
from ctxlog.servers._subclass import (
    middleware_class,
    middleware_of,
    put_middleware,
    take_middleware,
)
from ctxlog.servers._wsgi import ContextMiddleware, remote_user_reader

with requires("pyramid"):
    from pyramid.interfaces import IBeforeTraversal, INewRequest
    from pyramid.router import Router

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["install", "uninstall"]


def install(app: Router, **options: Unpack[ServerOptions]) -> None:
    """
    Give every request of a Pyramid application a store, and a completion line.

    The request id and the trace in a request's headers are used only if they are valid,
    and only from clients that *trust* accepts; any other id is replaced by a new one
    and never logged. The id is echoed on every response, also on the 500 for an
    exception that no exception view handles.

    All of Pyramid runs in the store: tweens, views, exception views, finished
    callbacks, streamed bodies. The object stays a router: it is given a subclass of its
    class. Calling it again is a no-op; it lasts until `uninstall(app)`.

    Args:
        app: The application that `config.make_wsgi_app()` returns.
        options: The options of all server adapters, see
            `ctxlog.servers.asgi.ContextMiddleware`. `user` is called with Pyramid's
            request at its end. Without it the security policy's
            `authenticated_userid` is bound if there is one, else `REMOTE_USER`. `level`
            is called with the WSGI environment, since Pyramid has no request yet.

    Raises:
        ConfigError: if an option is invalid.
        TypeError: if *app* is not a Pyramid application.
    """
    if not isinstance(app, Router):
        raise TypeError(f"install() takes the result of make_wsgi_app(), not {app!r}")
    if middleware_of(middleware_class(type(app))) is not None:
        return
    middleware = _Middleware(app, **options)
    app.registry.registerHandler(middleware.begin, (INewRequest,))
    app.registry.registerHandler(middleware.routed, (IBeforeTraversal,))
    put_middleware(app, middleware, _make_call)


def uninstall(app: Router) -> None:
    """Undo `install(app)`. Without it, a no-op."""
    middleware = take_middleware(app)
    if middleware is not None:
        app.registry.unregisterHandler(middleware.begin, (INewRequest,))
        app.registry.unregisterHandler(middleware.routed, (IBeforeTraversal,))


def _is_installed(app: object) -> bool | None:
    """Return whether an application has the adapter; None for other objects."""
    if not isinstance(app, Router):
        return None
    return middleware_of(middleware_class(type(app))) is not None


def _make_call(owner: Any) -> Callable[..., Iterable[bytes]]:
    """Return the `__call__` of applications that `install()` is called for."""

    def call(self: Any, environ: Any, start_response: Any) -> Iterable[bytes]:
        app: Any = super(owner, self).__call__
        middleware: _Middleware | None = middleware_of(owner)
        if middleware is None:
            return app(environ, start_response)  # type: ignore[no-any-return]
        return middleware.serve(app, environ, start_response)

    return call


class _Middleware(ContextMiddleware):
    """The middleware of one application, which reads the user within Pyramid."""

    def _user_reader(self, environ: Any) -> Callable[[], object] | None:
        return remote_user_reader(environ)

    def begin(self, event: Any) -> None:
        """Have a new request end with its user and its route's parameters bound."""
        event.request.add_finished_callback(self._finish)

    def routed(self, event: Any) -> None:
        """Note the route of a request; without one its resource is looked up."""
        request = event.request
        if request.matched_route is not None:
            note_route(mounted(request.matched_route.pattern, request.environ))

    def _finish(self, request: Any) -> None:
        store = entry_store()
        if isinstance(store, RequestStore):
            bind_user(store, lambda: (self._options.user or _userid)(request))
            store.parameters = (request.matchdict or {}).values()
            store.request = request


def _userid(request: Any) -> object:
    """Return the id of the user that the security policy has authenticated."""
    userid = request.authenticated_userid
    return None if userid is None else {"id": userid}
