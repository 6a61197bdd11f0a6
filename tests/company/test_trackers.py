"""
Error trackers beside ctxlog: no event of theirs more than without it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import need, run_python

#: A failing call, and the mechanism of the one event that Sentry makes of it.
FAILURES = {
    "fastapi": "starlette",
    "flask": "flask",
    "wsgi": "wsgi",
    "thread": "threading",
    "program": "excepthook",
}

PROGRAM = """
import atexit
import json
import os
import sys
import threading
import warnings

import ctxlog
import sentry_sdk
from sentry_sdk.transport import Transport

warnings.simplefilter("ignore")
order, what = sys.argv[1:]
events = []


class Memory(Transport):
    def capture_envelope(self, envelope):
        events.extend(i.payload.json for i in envelope.items if i.type == "event")


def ours():
    ctxlog.configure(format="json", stream=open(os.devnull, "w"))


def theirs():
    sentry_sdk.init(dsn="http://key@127.0.0.1/1", transport=Memory())


def fail():
    raise ValueError("broken")


atexit.register(lambda: print(json.dumps(events)))
for step in (ours, theirs) if order == "ours-first" else (theirs, ours):
    step()
if what == "fastapi":
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    app = FastAPI()
    app.get("/orders/{number}")(lambda number: fail())
    ctxlog.servers.asgi.install(app)
    TestClient(app, raise_server_exceptions=False).get("/orders/7")
elif what == "flask":
    from flask import Flask

    app = Flask("shop")
    app.add_url_rule("/orders/<number>", view_func=lambda number: fail())
    ctxlog.servers.flask.init_app(app)
    app.test_client().get("/orders/7")
elif what == "wsgi":
    from wsgiref.util import setup_testing_defaults
    from sentry_sdk.integrations.wsgi import SentryWsgiMiddleware

    def app(environ, start_response):
        active = ctxlog.get_store()
        ctxlog.bind(card="hunter2")
        ctxlog.run({"card": "hunter2"}, fail)

    environ = {}
    setup_testing_defaults(environ)
    app = ctxlog.servers.wsgi.ContextMiddleware(SentryWsgiMiddleware(app))
    try:
        app(environ, lambda *started: lambda data: None)
    except ValueError:
        pass
elif what == "thread":
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
elif what == "task":
    try:
        ctxlog.entry(fail)()
    except ValueError:
        pass
elif what == "program":
    fail()
"""


def events(tmp_path: Path, order: str, what: str) -> list[dict[str, Any]]:
    """
    What Sentry sends of a failure.
    """
    need("sentry_sdk", "fastapi", "flask")
    (tmp_path / "program.py").write_text(PROGRAM)
    done = run_python("program.py", order, what, cwd=tmp_path, check=False)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("order", ["ours-first", "theirs-first"])
@pytest.mark.parametrize("what", FAILURES)
def test_sentry_has_one_event_of_a_failure(
    tmp_path: Path, order: str, what: str
) -> None:
    """
    That of its own integration, with the exception; ctxlog's line makes none.
    """
    (event,) = events(tmp_path, order, what)
    (error,) = event["exception"]["values"]
    assert (error["type"], error["mechanism"]["type"]) == ("ValueError", FAILURES[what])


@pytest.mark.parametrize("order", ["ours-first", "theirs-first"])
def test_sentry_has_no_event_of_a_tasks_end(tmp_path: Path, order: str) -> None:
    """
    Whoever catches the exception of an entry point decides whether it is reported.
    """
    assert events(tmp_path, order, "task") == []


def test_sentry_sees_no_value_of_a_store(tmp_path: Path) -> None:
    """
    Neither in the environment, nor among the variables of frames, ctxlog's included.
    """
    found = events(tmp_path, "ours-first", "wsgi")
    assert "<RequestStore of " in json.dumps(found)
    frames = found[0]["exception"]["values"][0]["stacktrace"]["frames"]
    shown = [value for frame in frames for value in frame["vars"].values()]
    assert "hunter2" not in json.dumps(shown)


def test_sentry_is_left_as_it_was(tmp_path: Path) -> None:
    """
    unconfigure() gives Sentry the lines back, and keeps what the application ignores.
    """
    need("sentry_sdk")
    program = """
import ctxlog
from sentry_sdk.integrations import logging as sentry

sentry.ignore_logger("ctxlog.task")
before = set(sentry._IGNORED_LOGGERS)
ctxlog.configure()
assert "ctxlog.request" in sentry._IGNORED_LOGGERS
ctxlog.config.unconfigure()
assert sentry._IGNORED_LOGGERS == before
"""
    run_python("-c", program, cwd=tmp_path)


def test_without_configure_a_middleware_sees_to_it(tmp_path: Path) -> None:
    """
    A project with a set-up of its own has no event of completion lines either.
    """
    need("sentry_sdk")
    program = """
import logging
import ctxlog
from ctxlog.servers.wsgi import ContextMiddleware
from sentry_sdk.integrations import logging as sentry

handler = logging.StreamHandler()
handler.setFormatter(ctxlog.JsonFormatter())
logging.basicConfig(handlers=[handler], level="INFO")

def app(environ, start_response):
    start_response("500 Internal Server Error", [])
    return []

ContextMiddleware(app)({}, lambda *started: None).close()
assert "ctxlog.request" in sentry._IGNORED_LOGGERS
"""
    run_python("-c", program, cwd=tmp_path)
