"""
The Pyramid adapter: a real application behind the standard library's WSGI server.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import need, run_python

need("pyramid")

APPLICATION = """
import http.client, json, logging, sys, threading, warnings
from wsgiref.simple_server import WSGIRequestHandler, make_server
import ctxlog

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # WebOb imports the module `cgi`
    from pyramid.config import Configurator
    from pyramid.response import Response

ctxlog.configure(format="json", loggers=["stdlib"])
log = logging.getLogger("shop")

class Policy:
    def identity(self, request):
        return request.headers.get("X-User")
    def authenticated_userid(self, request):
        return self.identity(request)
    def permits(self, request, context, permission):
        return True
    def remember(self, request, userid, **kw):
        return []
    forget = remember

class Gone(Exception):
    pass

def page(request):
    log.info("in the view")
    request.add_finished_callback(lambda request: log.info("finished"))
    return Response("page")

def crash(request):
    raise ValueError("broken")

def gone(request):
    raise Gone()

def on_gone(error, request):
    log.info("in the exception view")
    return Response("gone", status=410)

def stream(request):
    def rows():
        log.info("a row")
        yield b"row"
    return Response(app_iter=rows())


def make_app():
    config = Configurator()
    config.set_security_policy(Policy())
    for view in (page, crash, gone, stream):
        config.add_route(view.__name__, f"/{view.__name__}/{{number}}")
        config.add_view(view, route_name=view.__name__)
    config.add_view(on_gone, context=Gone)
    return config.make_wsgi_app()

app = make_app()

class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass

def ask(*paths, **headers):
    server = make_server("127.0.0.1", 0, app, handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    answers = []
    try:
        for path in paths:
            connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
            sent = {"X-Request-ID": "req-A", **headers}
            connection.request("GET", path, headers=sent)
            response = connection.getresponse()
            response.read()
            answers.append([response.status, response.getheader("X-Request-ID")])
            connection.close()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    print(json.dumps({"answers": answers, "message": "", "logger": ""}))
"""


def run(program: str, folder: Path) -> tuple[list[Any], list[dict[str, Any]]]:
    """
    Return the answers, as pairs of status and id, and the lines of a program.
    """
    done = run_python("-c", APPLICATION + program, cwd=folder)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return lines.pop()["answers"], lines


def shown(lines: list[dict[str, Any]]) -> list[str]:
    """
    Return the messages of lines that all have the request's id.
    """
    assert {line["requestID"] for line in lines} == {"req-A"}
    assert not any("late" in line for line in lines)
    return [line["message"] for line in lines]


def test_a_request_has_its_id_everywhere(tmp_path: Path) -> None:
    """
    The view, a finished callback and the completion line have the id that is echoed.
    """
    answers, lines = run(
        "ctxlog.servers.pyramid.install(app)\nask('/page/7')", tmp_path
    )
    assert answers == [[200, "req-A"]]
    assert shown(lines) == ["in the view", "finished", "GET /page/7 200"]


def test_a_crash_is_reported_with_its_request(tmp_path: Path) -> None:
    """
    An exception without an exception view is answered by 500 with the id, and logged.
    """
    answers, lines = run(
        "ctxlog.servers.pyramid.install(app)\nask('/crash/7')", tmp_path
    )
    assert answers == [[500, "req-A"]]
    messages = shown(lines)
    assert messages[-1] == "GET /crash/7 500"
    (report,) = [line for line in lines if "exception" in line]
    assert report["exception"]["type"] == "ValueError"
    assert lines[-1]["error"] == "ValueError"


def test_an_exception_view_answers_in_the_store(tmp_path: Path) -> None:
    """
    The status of an exception view is that of the completion line.
    """
    answers, lines = run(
        "ctxlog.servers.pyramid.install(app)\nask('/gone/7')", tmp_path
    )
    assert answers == [[410, "req-A"]]
    assert shown(lines) == ["in the exception view", "GET /gone/7 410"]


def test_a_streamed_body_is_in_the_store(tmp_path: Path) -> None:
    """
    Lines of the body's iterator have the id, and come before the completion line.
    """
    answers, lines = run(
        "ctxlog.servers.pyramid.install(app)\nask('/stream/7')", tmp_path
    )
    assert answers == [[200, "req-A"]]
    assert shown(lines) == ["a row", "GET /stream/7 200"]


@pytest.mark.parametrize(
    ("options", "user"),
    [("", {"id": "u-1"}), ("user=lambda request: request.matched_route.name", "page")],
)
def test_the_user_is_bound(options: str, user: object, tmp_path: Path) -> None:
    """
    The security policy's user is on the completion line, or the one of the option.
    """
    program = f"ctxlog.servers.pyramid.install(app, {options})\n"
    _, lines = run(program + "ask('/page/7', **{'X-User': 'u-1'})", tmp_path)
    assert lines[-1]["user"] == user


def test_installing_again_is_a_no_op(tmp_path: Path) -> None:
    """
    A second call leaves one completion line per request.
    """
    program = "ctxlog.servers.pyramid.install(app)\n" * 2
    _, lines = run(program + "ask('/page/7', '/page/8')", tmp_path)
    assert [line["message"] for line in lines].count("GET /page/8 200") == 1
    assert len(lines) == 6


def test_uninstall(tmp_path: Path) -> None:
    """
    Afterwards the application is as before: no store, no echo, no completion line.
    """
    program = """
kind = type(app)
ctxlog.servers.pyramid.install(app)
ctxlog.servers.pyramid.uninstall(app)
ctxlog.servers.pyramid.uninstall(app)
assert type(app) is kind
ask('/page/7')
"""
    answers, lines = run(program, tmp_path)
    assert answers == [[200, None]]
    assert {line["requestID"] for line in lines} == {"N/A"}


def test_a_subclass_on_top(tmp_path: Path) -> None:
    """
    Another library may give the application a further class: it serves as before, and
    `uninstall()` leaves that class in place.
    """
    program = """
ctxlog.servers.pyramid.install(app)
theirs = app.__class__ = type("Router", (type(app),), {})
ctxlog.servers.pyramid.install(app)
ask("/page/7")
ctxlog.servers.pyramid.uninstall(app)
assert type(app) is theirs
ask("/page/8")
"""
    done = run_python("-c", APPLICATION + program, cwd=tmp_path)
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    answers = [line["answers"] for line in printed if "answers" in line]
    assert answers == [[[200, "req-A"]], [[200, None]]]
    messages = [line["message"] for line in printed]
    assert messages.count("GET /page/7 200") == 1
    assert "GET /page/8 200" not in messages


@pytest.mark.parametrize("option", ["trust='no'", "completion_line=1", "user='me'"])
def test_a_wrong_option_is_an_error(option: str, tmp_path: Path) -> None:
    """
    A ConfigError names the option.
    """
    program = f"""
try:
    ctxlog.servers.pyramid.install(app, {option})
except ctxlog.ConfigError as error:
    assert error.option == {option.partition("=")[0]!r}
    ask()
"""
    assert run(program, tmp_path) == ([], [])


def test_another_object_is_a_type_error(tmp_path: Path) -> None:
    """
    The error says what `install()` takes.
    """
    program = """
try:
    ctxlog.servers.pyramid.install(object())
except TypeError as error:
    assert "make_wsgi_app()" in str(error)
    ask()
"""
    assert run(program, tmp_path) == ([], [])


ROUTED = """
from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request

def missing(request):
    log.info("in the view")
    raise HTTPNotFound()

def again(request):
    log.info("in the view")
    return request.invoke_subrequest(Request.blank("/page/8"))

def not_found(request):
    log.info("not found")
    return Response("none", status=404)

def shop(config):
    config.add_route("order", "/orders/{number:[0-9]+}")
    config.add_view(page, route_name="order")

class Resource(dict):
    __name__ = ""
    __parent__ = None

def root(request):
    return Resource(users=Resource())

def make_app():
    config = Configurator(root_factory=root)
    config.include(shop, route_prefix="/api/{version}")
    for name, view, pattern, more in [
        ("page", page, "/page/{number}", {}),
        ("crash", crash, "crash/{number}", {}),
        ("missing", missing, "/missing/{number}", {}),
        ("again", again, "/again", {}),
        ("posted", page, "/posted", {"request_method": "POST"}),
        ("files", page, "/files/*rest", {}),
    ]:
        config.add_route(name, pattern, **more)
        config.add_view(view, route_name=name)
    config.add_route("by_view", "/by-view")
    config.add_view(page, route_name="by_view", request_method="POST")
    config.add_static_view("static", folder)
    config.add_view(page, context=Resource)
    config.add_notfound_view(not_found)
    return config.make_wsgi_app()

"""

ROUTES = {
    "/page/7": "/page/{number}",
    "/crash/7": "crash/{number}",
    "/missing/7": "/missing/{number}",
    "/again": "/again",
    "/files/a/b": "/files/*rest",
    "/api/v1/orders/7": "api/{version}/orders/{number:[0-9]+}",
    "/static/file.txt": "static/*subpath",
    "/static/none.txt": "static/*subpath",
    "/by-view": "/by-view",  # its view is for POST only
    "/posted": None,
    "/users": None,  # found by traversal
    "/nowhere": None,
}


def routes_of(program: str, folder: Path) -> dict[str, set[str | None]]:
    """
    Return the routes on the lines of each request, by the path of its id.
    """
    (folder / "file.txt").write_text("file", encoding="utf-8")
    _, lines = run(f"folder = {str(folder)!r}\n{ROUTED}{program}", folder)
    found: dict[str, set[str | None]] = {}
    routes: set[str | None] = set()
    for line in lines:
        routes.add(line.get("route"))
        if line["logger"] == "ctxlog.request":
            found[line["path"]] = routes
            routes = set()
    return found


def test_the_route_is_the_pattern_that_matched(tmp_path: Path) -> None:
    """
    It is on all lines after the routing, as Pyramid has it, and absent without one.
    """
    program = f"""
app = make_app()
ctxlog.servers.pyramid.install(app)
ask(*{[*ROUTES]!r})
"""
    found = routes_of(program, tmp_path)
    assert found == {path: {route} for path, route in ROUTES.items()}


def test_a_mounted_application_has_the_prefix_in_its_routes(tmp_path: Path) -> None:
    """
    The prefix is what the server took off the path.
    """
    program = """
one = make_app()
ctxlog.servers.pyramid.install(one)

def app(environ, start_response):
    environ["SCRIPT_NAME"], environ["PATH_INFO"] = "/shop", environ["PATH_INFO"][5:]
    return one(environ, start_response)

ask("/shop/crash/7", "/shop/page/7", "/shop/nowhere")
"""
    assert routes_of(program, tmp_path) == {
        "/shop/crash/7": {"/shop/crash/{number}"},
        "/shop/page/7": {"/shop/page/{number}"},
        "/shop/nowhere": {None},
    }


def test_completion_gets_pyramids_request(tmp_path: Path) -> None:
    """
    It is there for each request, and is not kept; `False` leaves the line out.
    """
    program = """
import gc, weakref
gc.disable()
kept = []

def completion(done):
    kept.append(weakref.ref(done.request))
    if done.path == "/page/8":
        return False
    return {"seen": done.request.matchdict, "size": done.request.query_string}

app = make_app()
ctxlog.servers.pyramid.install(app, completion=completion)
ask("/page/7?size=9", "/page/8")
print(json.dumps({"answers": [one() is None for one in kept]}))
"""
    (tmp_path / "file.txt").write_text("file", encoding="utf-8")
    source = f"folder = {str(tmp_path)!r}\n{ROUTED}{program}"
    gone, lines = run(source, tmp_path)
    assert gone == [True, True]
    (line,) = [one for one in lines if one["logger"] == "ctxlog.request"]
    assert (line["seen"], line["size"]) == ({"number": "7"}, "size=9")
    assert line["bytesOut"] == 4
