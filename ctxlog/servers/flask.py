"""
Flask applications. Adapter: imports Flask and core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ctxlog.carrier.ids import is_valid_request_id
from ctxlog.context import get_store
from ctxlog.errors import MissingDependencyError
from ctxlog.servers._request import RequestStore, Trust, bind_user, checked_callable
from ctxlog.servers._wsgi import ContextMiddleware

try:
    import flask
except ModuleNotFoundError as error:
    if error.name != "flask":
        raise
    raise MissingDependencyError("flask", "flask") from None

__all__ = ["init_app"]

_NAME = "ctxlog"


def init_app(
    app: flask.Flask,
    *,
    request_id_header: str = "X-Request-ID",
    accept_headers: Iterable[str] = ("X-Correlation-ID",),
    trust: Trust = True,
    generator: Callable[[], str] | None = None,
    validator: Callable[[str], bool] | None = is_valid_request_id,
    user: Callable[[flask.Request], object] | None = None,
    ignore_paths: Iterable[str] = (),
    completion_line: bool = True,
    expose_header: bool = False,
) -> None:
    """
    Give every request of a Flask application a store, and a completion line.

    Trusted is the request id header only, from the clients that *trust* names, and
    only a valid id; anything else is replaced by a new one and never logged. The id is
    echoed on the response, also on the 500.

    Wraps `app.wsgi_app`, so all of Flask runs in the store: views, hooks, error
    handlers, teardown functions, streamed bodies. Call it where the application is
    made, in a factory too; once is enough, a second time changes nothing.

    Args:
        app: The application.
        request_id_header: Header of the id, in requests and responses.
        accept_headers: Further headers to take an id from, in this order.
        trust: Whose ids are used: True for everybody's, False for nobody's, networks
            such as `10.0.0.0/8`, or a callable that gets the client's address or None.
        generator: Makes a new id; 32 hexadecimal digits unless given.
        validator: Whether an id that came in may be used: at most 128 characters of
            `A-Za-z0-9._~:/+=@-` unless given; None for any that fits into a header.
        user: Called with `flask.request` when the request is torn down, so `flask.g`
            and `flask.session` still work; returns the user to bind, or None. Without
            it Flask-Login's user is taken if the request has loaded it, else
            `REMOTE_USER`.
        ignore_paths: Paths without a completion line: as they are, or with `*`.
        completion_line: Whether to log a line when a request has ended.
        expose_header: Whether scripts of other origins may read the id, by
            `Access-Control-Expose-Headers` on every response.

    Raises:
        ConfigError: an option has a value that it cannot have.
        TypeError: *app* is no Flask application.
    """
    if not isinstance(app, flask.Flask):
        raise TypeError(f"init_app() takes a Flask application, not {app!r}")
    if _NAME in app.extensions:
        return
    middleware = ContextMiddleware(
        app.wsgi_app,
        request_id_header=request_id_header,
        accept_headers=accept_headers,
        trust=trust,
        generator=generator,
        validator=validator,
        ignore_paths=ignore_paths,
        completion_line=completion_line,
        expose_header=expose_header,
    )
    binding = _UserBinding(checked_callable("user", user or _flask_login_user))
    # Both, since a test client may keep the request from being torn down, and an
    # error that passes through from being answered.
    app.after_request(binding.after_request)
    app.teardown_request(binding.teardown_request)
    app.extensions[_NAME] = middleware
    app.wsgi_app = middleware  # type: ignore[method-assign]


class _UserBinding:
    """Binds the user while Flask's own context is there to ask."""

    def __init__(self, user_of: Callable[[flask.Request], object]) -> None:
        self._user_of = user_of

    def after_request(self, response: flask.Response) -> flask.Response:
        self._bind()
        return response

    def teardown_request(self, error: BaseException | None) -> None:
        self._bind()

    def _bind(self) -> None:
        store = get_store()
        if isinstance(store, RequestStore):
            bind_user(store, self._ask)
            store.parameters = (flask.request.view_args or {}).values()

    def _ask(self) -> object:
        return self._user_of(flask.request)


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
