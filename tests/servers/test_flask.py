"""
The Flask adapter, through Flask's own test client.
"""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from ctxlog import config
from ctxlog.errors import ConfigError
from ctxlog.servers import _environ
from ctxlog.servers.wsgi import ContextMiddleware
from tests.helpers import LogEnvironment, need

flask = need("flask")
adapter = need("ctxlog.servers.flask")
init_app, uninstall = adapter.init_app, adapter.uninstall

LOG = logging.getLogger("tests.app")


@pytest.fixture
def lines(
    log_env: LogEnvironment, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LogEnvironment]:
    """
    All that is logged, as lines.
    """
    config.configure(format="json", stream=log_env.stream)
    monkeypatch.setattr(_environ, "_mounts", set())
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


# The route ------------------------------------------------------------------------


def routed_app(**options: Any) -> Any:
    """
    An application with routes of every kind.
    """

    def page(**arguments: Any) -> str:
        LOG.info("in the view")
        return "page"

    def missing() -> Any:
        LOG.info("in the view")
        return flask.abort(404)

    def not_found(error: Any) -> tuple[str, int]:
        LOG.info("not found")
        return "none", 404

    inner = flask.Blueprint("inner", __name__, url_prefix="/v<int:version>")
    inner.add_url_rule("/items/<uuid:item>", "item", page)
    outer = flask.Blueprint("outer", __name__)
    outer.add_url_rule("/", "index", page)
    outer.register_blueprint(inner)
    app = flask.Flask("routed_app", static_folder=None, subdomain_matching=True)
    app.static_folder = str(Path(__file__).parent)
    app.config["SERVER_NAME"] = "localhost"
    init_app(app, **options)
    app.register_blueprint(outer, url_prefix="/api")
    app.add_url_rule("/", "root", page)
    app.add_url_rule("/orders/<int:number>", "order", page, methods=["GET", "POST"])
    app.add_url_rule("/any/<any(a, b):one>/{{x}}", "any", page)
    app.add_url_rule("/files/<path:rest>", "files", page)
    app.add_url_rule("/tree/", "tree", page)
    app.add_url_rule("/gone", "gone", missing)
    app.add_url_rule("/hosted/<name>", "hosted", page, subdomain="<tenant>")
    app.add_url_rule("/static/<path:filename>", "static", app.send_static_file)
    app.register_error_handler(404, not_found)
    return app


ROUTES = [
    ("GET", "/", "/"),
    ("GET", "/orders/7?q=1", "/orders/<int:number>"),
    ("HEAD", "/orders/7", "/orders/<int:number>"),
    ("OPTIONS", "/orders/7", "/orders/<int:number>"),
    ("GET", "/any/a/{{x}}", "/any/<any(a, b):one>/{{x}}"),
    ("GET", "/files/a/b/c", "/files/<path:rest>"),
    ("GET", "/api/", "/api/"),
    (
        "GET",
        "/api/v2/items/00000000-0000-0000-0000-000000000007",
        "/api/v<int:version>/items/<uuid:item>",
    ),
    ("GET", "/static/__init__.py", "/static/<path:filename>"),
    ("GET", "/static/none", "/static/<path:filename>"),
    ("GET", "http://acme.localhost/hosted/x", "/hosted/<name>"),
    ("GET", "/gone", "/gone"),
    ("GET", "/tree", None),  # redirected
    ("DELETE", "/orders/7", None),
    ("GET", "/orders/seven", None),
    ("GET", "/nowhere", None),
]


@pytest.mark.parametrize(("method", "url", "route"), ROUTES)
def test_the_route_is_the_rule_that_matched(
    lines: LogEnvironment, method: str, url: str, route: str | None
) -> None:
    """
    It is on all lines after the routing, as it was written, and absent without one.
    """
    app = routed_app()
    app.test_client().open(url, method=method, buffered=True)
    routes = [one.get("route") for one in lines.load_all()]
    assert routes
    assert {*routes} == {route}


def test_mounted_applications_have_the_prefix_in_their_routes(
    lines: LogEnvironment,
) -> None:
    """
    Two applications behind werkzeug's dispatcher, with one middleware or with two.
    """
    dispatcher = need("werkzeug.middleware.dispatcher").DispatcherMiddleware
    client_of = need("werkzeug.test").Client
    api, front = routed_app(), routed_app()
    within = dispatcher(front.wsgi_app, {"/api/v1": api.wsgi_app})
    around = ContextMiddleware(dispatcher(front, {"/api/v1": api}))
    for app in (within, around):
        client = client_of(app)
        client.get("/api/v1/orders/7", buffered=True)
        client.get("/orders/7", buffered=True)
        client.get("/api/v1/nowhere", buffered=True)
        ends = [one for one in lines.load_all() if "status" in one][-3:]
        assert [one.get("route") for one in ends] == [
            "/api/v1/orders/<int:number>",
            "/orders/<int:number>",
            None,
        ]


def test_a_prefix_from_a_header_makes_no_routes_without_end(
    lines: LogEnvironment,
) -> None:
    """
    A client that chooses `SCRIPT_NAME` makes at most a hundred routes more.
    """
    fix = need("werkzeug.middleware.proxy_fix").ProxyFix
    app = routed_app()
    app.wsgi_app = fix(app.wsgi_app, x_prefix=1)
    for number in range(120):
        prefix = {"X-Forwarded-Prefix": f"/{number}"}
        app.test_client().get("/orders/7", headers=prefix, buffered=True)
    ends = [one["route"] for one in lines.load_all() if "status" in one]
    assert len(ends) == 120
    assert ends[-1] == "/orders/<int:number>"
    assert len({*ends}) <= 101


def test_a_nested_store_and_a_route_of_the_application(lines: LogEnvironment) -> None:
    """
    The route is that of the request, not of a `run()` in it; a bound one stands.
    """
    app = flask.Flask("nested")
    init_app(app)

    @app.get("/nested/<name>")
    def nested(name: str) -> str:
        return ctxlog.run({"requestID": "inner"}, lambda: name)

    @app.get("/bound/<name>")
    def bound(name: str) -> str:
        ctxlog.bind(route=f"of {name}")
        return name

    ask(app, "/nested/a")
    ask(app, "/bound/b")
    assert [one["route"] for one in lines.load_all()] == ["/nested/<name>", "of b"]


def test_a_store_between_the_middleware_and_flask(lines: LogEnvironment) -> None:
    """
    What Flask knows is for the request's own store, and its completion line.
    """
    app = flask.Flask("nested")
    within = app.wsgi_app
    app.wsgi_app = lambda *both: ctxlog.run({"requestID": "inner"}, within, *both)
    init_app(
        app,
        user=lambda request: request.path,
        completion=lambda done: {"endpoint": done.request.endpoint},
    )
    app.add_url_rule("/orders/<name>", "order", lambda name: name)
    ask(app, "/orders/a")
    line = lines.load_all()[-1]
    assert (line["requestID"], line["route"]) == ("req-1", "/orders/<name>")
    assert (line["user"], line["endpoint"]) == ("/orders/a", "order")


def test_uninstalling_ends_the_routes(lines: LogEnvironment) -> None:
    """
    `uninstall(app)` takes the receiver of Flask's signal away; others stay.
    """
    app, other = routed_app(), routed_app()
    uninstall(app)
    client_of = need("werkzeug.test").Client
    for one in (app, other):
        client_of(ContextMiddleware(one)).get("/orders/7", buffered=True)
    ends = [one.get("route") for one in lines.load_all() if "status" in one]
    assert ends == [None, "/orders/<int:number>"]


# The completion line --------------------------------------------------------------


def test_completion_gets_flasks_request(lines: LogEnvironment) -> None:
    """
    It may be read although Flask has left its context, and is not kept.
    """
    kept: list[Any] = []

    def completion(completed: Any) -> dict[str, object]:
        kept.append(weakref.ref(completed.request))
        request = completed.request
        return {"endpoint": request.endpoint, "page": request.args["page"]}

    app = routed_app(completion=completion)
    gc.collect()
    gc.disable()
    try:
        ask(app, "/orders/7?page=3")
        line = lines.load_all()[-1]
        assert (line["endpoint"], line["page"]) == ("order", "3")
        assert (line["route"], line["bytesOut"]) == ("/orders/<int:number>", 4)
        assert kept[0]() is None
    finally:
        gc.enable()


def test_completion_of_a_path_that_matched_nothing(lines: LogEnvironment) -> None:
    """
    Flask's request is there for a 404 too, and False leaves its line out.
    """
    app = routed_app(completion=lambda done: done.request.url_rule is not None)
    ask(app, "/nowhere")
    ask(app, "/orders/7")
    assert [one["path"] for one in lines.load_all() if "status" in one] == ["/orders/7"]
