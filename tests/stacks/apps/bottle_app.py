"""
Bottle.
"""

import sys
from collections.abc import Iterator

import work
from bottle import Bottle, request

import ctxlog
from ctxlog.servers.wsgi import ContextMiddleware

ctxlog.configure(format="json")

bottle, mounted = Bottle(), Bottle()
# uWSGI's `start_response` raises a `SystemError` where it gets an exception, as it does
# from Bottle.
bottle.catchall = "uwsgi" not in sys.modules


@bottle.post("/plain/<token>")
def plain(token: str) -> bytes:
    work.say(token, "started")
    body = request.body.read()
    work.say(token, "read")
    return body


@mounted.get("/items/<token>")
@bottle.get("/sync/<token>")
def sync(token: str) -> str:
    work.say(token, "started")
    return "ok"


@bottle.get("/threads/<token>")
def threads(token: str) -> str:
    work.in_threads(token)
    return "ok"


@bottle.get("/background/<token>")
def background(token: str) -> str:
    work.start_later(token)
    work.pool.submit(work.background, token)
    return "ok"


@bottle.get("/stream/<token>")
def stream(token: str) -> Iterator[bytes]:
    return work.stream(token)


@bottle.get("/exception/<token>")
def exception(token: str) -> str:
    work.say(token, "started")
    work.crash(token, "crash")
    return "never"


@bottle.get("/disconnect/<token>")
def disconnect(token: str) -> Iterator[bytes]:
    return work.endless(token)


@bottle.get("/user/<token>")
def user(token: str) -> str:
    work.authenticate(token)
    return "ok"


bottle.mount("/mounted", mounted)
app = ContextMiddleware(bottle)
