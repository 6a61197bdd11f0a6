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
