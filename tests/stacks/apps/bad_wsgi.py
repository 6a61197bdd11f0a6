"""
A WSGI application that does everything wrong.
"""

import work

import ctxlog
from ctxlog.servers.wsgi import ContextMiddleware

ctxlog.configure(format="json")


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Closed(Exception):
    """Cannot hold attributes."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


SHARED = ValueError("raised in every request")


def application(environ, start_response):  # type: ignore[no-untyped-def]
    _, kind, token = environ["PATH_INFO"].split("/")
    work.say(token, "started")
    if kind.startswith("held-"):  # all at once, when the client says so
        work.wait(f"{token}/held")
        kind = kind.removeprefix("held-")
    if kind == "no-start":
        return [b"never"]
    if kind == "no-status":
        start_response("fine", [])
        return [b"never"]
    if kind == "no-headers":
        start_response("200 OK", [("a b\r\n", "c\r\nd: e")])
        return [b"never"]
    if kind == "unprintable":
        raise Unprintable
    if kind == "closed":
        raise Closed
    if kind == "shared":
        raise SHARED
    if kind == "half":
        environ["wsgi.input"].read(1000)
        work.say(token, "left")
    start_response("200 OK", [("Content-Type", "text/plain")])
    if kind == "late-crash":
        return failing(token)
    return [b"ok"]


def failing(token):  # type: ignore[no-untyped-def]
    yield b"x"
    work.crash(token, "crash")


app = ContextMiddleware(application)
