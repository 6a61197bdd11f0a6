"""
The Flask adapter, through Flask's own test client.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

import ctxlog
from ctxlog import config
from ctxlog.errors import ConfigError
from tests.helpers import LogEnvironment, need

flask = need("flask")
adapter = need("ctxlog.servers.flask")
init_app, uninstall = adapter.init_app, adapter.uninstall

LOG = logging.getLogger("tests.app")


@pytest.fixture
def lines(log_env: LogEnvironment) -> Iterator[LogEnvironment]:
    """
    All that is logged, as lines.
    """
    config.configure(format="json", stream=log_env.stream)
    yield log_env
    config.unconfigure()


def make_app(**options: Any) -> Any:
    """
    An application as a factory makes it, with a blueprint.
    """
    shop = flask.Blueprint("shop", __name__)

    @shop.get("/page")
    def page() -> str:
        LOG.info("in the view")
        return "page"

    @shop.get("/crash")
    def crash() -> str:
        raise ValueError("broken")

    @shop.get("/stream")
    def stream() -> Any:
        def rows() -> Iterator[str]:
            LOG.info("row of %s", flask.request.path)
            yield "row"

        return flask.Response(flask.stream_with_context(rows()))

    app = flask.Flask("shop_app")
    init_app(app, **options)
    app.register_blueprint(shop)

    @app.teardown_request
    def torn_down(error: BaseException | None) -> None:
        LOG.info("torn down")

    return app


def ask(app: Any, path: str, **headers: str) -> Any:
    """
    The response of a request with the id `req-1`, read and closed.
    """
    client = app.test_client()
    return client.get(path, headers={"X-Request-ID": "req-1", **headers}, buffered=True)


def messages(lines: LogEnvironment) -> list[str]:
    """
    The messages, after a look at the ids: all are of the one request.
    """
    events = lines.load_all()
    assert {one["requestID"] for one in events} == {"req-1"}
    assert not any("late" in one for one in events)
    return [one["message"] for one in events]


def test_views_and_teardown_are_in_the_store(lines: LogEnvironment) -> None:
    """
    The lines of the view and of teardown functions have the id that is echoed.
    """
    response = ask(make_app(), "/page?token=hush")
    assert response.headers["X-Request-ID"] == "req-1"
    assert messages(lines) == ["in the view", "torn down", "GET /page 200"]
    assert "hush" not in lines.text()


def test_a_crash_is_the_requests(lines: LogEnvironment) -> None:
    """
    Flask's report of an error has the id, and so has its 500.
    """
    response = ask(make_app(), "/crash")
    assert response.status_code == 500
    assert response.headers["X-Request-ID"] == "req-1"
    assert messages(lines) == [
        "Exception on /crash [GET]",
        "torn down",
        "GET /crash 500",
    ]


def test_an_error_handler_is_in_the_store(lines: LogEnvironment) -> None:
    """
    What answers an error has the store, and its status is the line's.
    """
    app = make_app()

    @app.errorhandler(ValueError)
    def handle(error: ValueError) -> tuple[str, int]:
        LOG.info("handled")
        return "sorry", 418

    assert ask(app, "/crash").status_code == 418
    assert messages(lines) == ["handled", "torn down", "GET /crash 418"]


def test_an_error_that_passes_through(lines: LogEnvironment) -> None:
    """
    With `TESTING` the error reaches the test, after the completion line.
    """
    app = make_app()
    app.testing = True
    with pytest.raises(ValueError, match="broken"):
        ask(app, "/crash")
    assert messages(lines)[-1] == "GET /crash 500"


def test_a_stream_is_in_the_store(lines: LogEnvironment) -> None:
    """
    A body that keeps Flask's context keeps the store, until its end.
    """
    assert ask(make_app(), "/stream").data == b"row"
    seen = messages(lines)
    assert "row of /stream" in seen
    assert seen[-1] == "GET /stream 200"


def test_twice_is_once(lines: LogEnvironment) -> None:
    """
    A second `init_app` changes nothing.
    """
    app = make_app()
    init_app(app)
    ask(app, "/page")
    assert messages(lines) == ["in the view", "torn down", "GET /page 200"]


def test_the_user_is_asked_for_in_flasks_context(lines: LogEnvironment) -> None:
    """
    `user=` is called with the request, where `flask.g` still has what the view put.
    """
    app = make_app(user=lambda request: {"id": flask.g.user, "at": request.path})

    @app.before_request
    def authenticate() -> None:
        flask.g.user = 7

    with app.test_client() as client:
        client.get("/page", buffered=True)
    (done,) = [one for one in lines.load_all() if one["logger"] == "ctxlog.request"]
    assert done["user"] == {"id": 7, "at": "/page"}


def test_flask_logins_user(lines: LogEnvironment) -> None:
    """
    The user that Flask-Login has loaded is on the completion line; none is loaded.
    """
    flask_login = need("flask_login")
    loaded = []

    class User(flask_login.UserMixin):  # type: ignore[name-defined,misc]
        def __init__(self, number: str) -> None:
            self.id = number
            self.username = "alice"

    app = make_app()
    app.secret_key = "only a test"
    login = flask_login.LoginManager(app)

    @login.user_loader
    def load(number: str) -> User:
        loaded.append(number)
        return User(number)

    @app.get("/login")
    def log_in() -> str:
        flask_login.login_user(User("7"))
        return "in"

    @app.get("/me")
    def me() -> str:
        return str(flask_login.current_user.username)

    client = app.test_client()
    users = []
    for path in ("/login", "/page", "/me"):
        client.get(path, buffered=True)
        users.append(lines.load_all()[-1].get("user"))
    alice = {"id": "7", "name": "alice"}
    assert users == [alice, None, alice]
    assert loaded == ["7"]


def test_a_wrong_option_is_named() -> None:
    """
    A value that an option cannot have is refused by `init_app`.
    """
    for option in ("user", "trust"):
        options: Any = {option: 7}
        with pytest.raises(ConfigError, match=option):
            init_app(flask.Flask("shop_app"), **options)


def test_no_store_is_left_behind(lines: LogEnvironment) -> None:
    """
    After a request the thread has no store.
    """
    ask(make_app(), "/page")
    assert ctxlog.get_store() is None


def test_what_is_no_application_is_refused() -> None:
    """
    The error says what `install()` takes, and what it was given.
    """
    wrong: Any = 5
    with pytest.raises(TypeError, match=r"install\(\) takes a Flask .*, not 5"):
        init_app(wrong)


def test_install_and_init_app_are_one() -> None:
    """
    `init_app` is the name that users of Flask expect.
    """
    assert adapter.install is init_app


def test_uninstall_undoes_install(lines: LogEnvironment) -> None:
    """
    After uninstall() the application is as before, also if it is called twice.
    """
    app = make_app()
    uninstall(app)
    uninstall(app)
    assert app.wsgi_app == type(app).wsgi_app.__get__(app)
    assert app.extensions == {}
    assert app.after_request_funcs[None] == []
    response = app.test_client().get("/page", buffered=True)
    assert response.status_code == 200
    assert "X-Request-ID" not in response.headers


def test_uninstall_within_another_middleware(lines: LogEnvironment) -> None:
    """
    A middleware that was put around later stays; ctxlog's is a pass-through.
    """
    app = make_app()
    inner = app.wsgi_app
    app.wsgi_app = lambda *args: inner(*args)  # type: ignore[method-assign]
    uninstall(app)
    response = app.test_client().get("/page", buffered=True)
    assert response.status_code == 200
    assert "X-Request-ID" not in response.headers
