"""
Flask applications. Adapter: imports Flask and core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ctxlog.context.adapter import entry_store
from ctxlog.errors import requires
from ctxlog.servers._environ import mounted
from ctxlog.servers._options import ServerOptions
from ctxlog.servers._request import RequestStore, bind_user, note_route
from ctxlog.servers._wsgi import ContextMiddleware, remote_user_reader

with requires("flask"):
    import flask

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["init_app", "install", "uninstall"]

_NAME = "ctxlog"


def install(app: flask.Flask, **options: Unpack[ServerOptions]) -> None:
    """
    Give every request of a Flask application a store, and a completion line.

    The request id and the trace in a request's headers are used only if they are valid,
    and only from clients that *trust* accepts; any other id is replaced by a new one
    and never logged. The id is echoed on the response, also on the 500.

    Wraps `app.wsgi_app`, so all of Flask runs in the store: views, hooks, error
    handlers, teardown functions, streamed bodies. Call it where the application is
    made, in a factory too. Calling it again is a no-op; it lasts until
    `uninstall(app)`. `init_app()` is the same, by the name that Flask's extensions use.

    Args:
        app: The application.
        options: The options of all server adapters, see
            `ctxlog.servers.asgi.ContextMiddleware`. `user` is called with
            `flask.request` when the request is torn down, so `flask.g` and
            `flask.session` still work. Without it Flask-Login's user is bound if the
            request has loaded it, else `REMOTE_USER`. `level` is called with the WSGI
            environment, since Flask has no request yet.

    Raises:
        ConfigError: if an option is invalid.
        TypeError: if *app* is not a Flask application.
    """
    if not isinstance(app, flask.Flask):
        raise TypeError(f"install() takes a Flask application, not {app!r}")
    if _NAME in app.extensions:
        return
    middleware = _Middleware(app, **options)
    flask.request_started.connect(middleware.started, app)
    # Both, since a test client may keep the request from being torn down, and an
    # error that passes through from being answered.
    app.after_request(middleware.after_request)
    app.teardown_request(middleware.teardown_request)
    app.extensions[_NAME] = middleware
    app.wsgi_app = middleware  # type: ignore[method-assign]


init_app = install


def uninstall(app: flask.Flask) -> None:
    """Undo `install(app)`. Without it, a no-op."""
    middleware: _Middleware | None = app.extensions.pop(_NAME, None)
    if middleware is None:
        return
    flask.request_started.disconnect(middleware.started, app)
    app.after_request_funcs[None].remove(middleware.after_request)
    app.teardown_request_funcs[None].remove(middleware.teardown_request)
    # Else it stays within another middleware, as a pass-through.
    if vars(app)["wsgi_app"] is middleware:
        app.wsgi_app = middleware.app  # type: ignore[method-assign]


def _is_installed(app: object) -> bool | None:
    """Return whether an application has the adapter; None for other objects."""
    if not isinstance(app, flask.Flask):
        return None
    return _NAME in app.extensions


class _Middleware(ContextMiddleware):
    """The middleware of one application, which binds the user within Flask."""

    def __init__(self, app: flask.Flask, **options: Unpack[ServerOptions]) -> None:
        super().__init__(app.wsgi_app, **options)
        self._extensions = app.extensions

    def serve(self, app: Any, environ: Any, start_response: Any) -> Iterable[bytes]:
        if self._extensions.get(_NAME) is not self:
            return app(environ, start_response)  # type: ignore[no-any-return]
        return super().serve(app, environ, start_response)

    def _user_reader(self, environ: Any) -> Callable[[], object] | None:
        return remote_user_reader(environ)

    def started(self, app: flask.Flask, **_: object) -> None:
        """Note the route, and the request: nothing within Flask comes before this."""
        request: Any = flask.request
        if request.url_rule is not None:
            note_route(mounted(request.url_rule.rule, request.environ))
        store = entry_store()
        if isinstance(store, RequestStore):
            store.request = request._get_current_object()

    def after_request(self, response: flask.Response) -> flask.Response:
        self._bind()
        return response

    def teardown_request(self, error: BaseException | None) -> None:
        self._bind()

    def _bind(self) -> None:
        store = entry_store()
        if isinstance(store, RequestStore):
            bind_user(store, self._read_flask_user)
            if store.completes and not store.parameters:
                store.parameters = (flask.request.view_args or {}).values()

    def _read_flask_user(self) -> object:
        return (self._options.user or _flask_login_user)(flask.request)


def _flask_login_user(request: flask.Request) -> object:
    """Return the user that Flask-Login has loaded for the request, if it has."""
    user = flask.g.get("_login_user")
    if not getattr(user, "is_authenticated", False):
        return None
    # Only what is there without asking the database again.
    found = {"id": flask.session.get("_user_id") or user.get_id()}
    known = getattr(user, "__dict__", {})
    for name in ("username", "name"):
        if isinstance(known.get(name), str):
            found["name"] = known[name]
            break
    return found
