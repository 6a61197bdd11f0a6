"""
The commands that people develop with: reloaders, debuggers, servers in the framework.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import clean_environment, free_port, until, until_listening

_HEAD = """
import logging
import os
import ctxlog
ctxlog.configure(format="json")
log = logging.getLogger("shop")
"""

FLASK = (
    _HEAD
    + """
from flask import Flask
app = Flask("shop.web")
ctxlog.servers.flask.init_app(app)
@app.get("/ok")
def ok():
    log.info("handling")
    return "ok"
@app.get("/crash")
def crash():
    raise ValueError("broken")
if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]), debug=True)
"""
)

QUART = (
    FLASK.replace("flask", "quart")
    .replace("Flask", "Quart")
    .replace("ctxlog.servers.quart.init_app(app)", "ctxlog.servers.asgi.install(app)")
    .replace("def ", "async def ")
)

LITESTAR = (
    _HEAD
    + """
from litestar import Litestar, get
@get("/ok")
async def ok() -> str:
    log.info("handling")
    return "ok"
@get("/crash")
async def crash() -> str:
    raise ValueError("broken")
app = Litestar([ok, crash])
ctxlog.servers.asgi.install(app)
"""
)

DJANGO = (
    _HEAD
    + """
import sys
import django
from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path
def ok(request):
    log.info("handling")
    return HttpResponse("ok")
def crash(request):
    raise ValueError("broken")
urlpatterns = [path("ok", ok), path("crash", crash)]
settings.configure(
    DEBUG=True,
    SECRET_KEY="only a test",
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["ctxlog.servers.django.ContextMiddleware"],
    LOGGING_CONFIG=None,
)
if __name__ == "__main__":
    execute_from_command_line(sys.argv)
"""
)

COMMANDS = {
    "flask run --debug": (FLASK, "flask --app shop run --debug --port PORT"),
    "flask run": (FLASK, "flask --app shop run --port PORT"),
    "Flask's app.run()": (FLASK, "python shop.py"),
    "quart run": (QUART, "quart --app shop run --port PORT"),
    "quart run --debug": (QUART, "quart --app shop --debug run --port PORT"),
    "Quart's app.run()": (QUART, "python shop.py"),
    "litestar run": (LITESTAR, "litestar --app shop:app run --port PORT"),
    "litestar run --reload": (
        LITESTAR,
        "litestar --app shop:app run --reload --debug --port PORT",
    ),
    "uvicorn --reload": (LITESTAR, "uvicorn shop:app --reload --port PORT"),
    "runserver": (DJANGO, "python shop.py runserver PORT"),
}


@contextlib.contextmanager
def running(
    command: str, folder: Path
) -> Iterator[tuple[subprocess.Popen[bytes], str, Path]]:
    """
    Start a command, and yield it, where it listens and what it writes.
    """
    port = str(free_port())
    program, *options = command.replace("PORT", port).split()
    output = folder / "output"
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / program), *options],
            cwd=folder,
            env=clean_environment(PYTHONUTF8="1", PORT=port),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        until_listening(process, int(port))
        yield process, f"http://127.0.0.1:{port}", output
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=20)


def ask(url: str, request_id: str) -> str | None:
    """
    Ask, read the whole response, and return the id that it has.

    werkzeug's server does not close the body for a client that hangs up before: that
    line comes with the next garbage collection.
    """
    request = urllib.request.Request(url, headers={"X-Request-ID": request_id})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            found: str | None = response.headers["X-Request-ID"]
            response.read()
    except urllib.error.HTTPError as error:
        with error:
            found = error.headers["X-Request-ID"]
            error.read()
    return found


def lines_of(output: Path) -> list[dict[str, Any]]:
    """
    All lines but the texts that the commands print for people.
    """
    lines = output.read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def completed(output: Path) -> list[dict[str, Any]]:
    """
    The completion lines so far.
    """
    return [line for line in lines_of(output) if line["logger"] == "ctxlog.request"]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_request_has_one_line_about_it(name: str, tmp_path: Path) -> None:
    """Also one that fails, shown by a debugger or not: with its id, as the response."""
    source, command = COMMANDS[name]
    (tmp_path / "shop.py").write_text(source)
    paths = ("/ok", "/crash", "/missing")
    with running(command, tmp_path) as (process, url, output):
        for path in paths:
            assert ask(url + path, f"id{path}") == f"id{path}"
        until(process, lambda: len(completed(output)) == len(paths))
        lines, done = lines_of(output), completed(output)
    # In any order: each ends in a thread of its own, after its response.
    ended = {line["requestID"]: line["status"] for line in done}
    assert ended == {"id/ok": 200, "id/crash": 500, "id/missing": 404}
    about = [line for line in lines if "HTTP/1.1" in line["message"]]
    assert not about, "a server's own access line"
    nobodys = [line for line in lines if line["requestID"] == "N/A"]
    assert not [line for line in nobodys if "/crash" in json.dumps(line)]
