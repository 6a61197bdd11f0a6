"""
What a line costs, counted in calls: a guard that does not depend on the clock.

Python's profiler sees every call of a Python function and of a builtin. The bounds
have a little room for other Pythons; a change that adds work to every line exceeds
them. Each count is of a fresh interpreter: what other tests left behind costs, too.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.helpers import need, run_python

PROGRAM = """
import gc, json, logging, os, sys
import ctxlog
from ctxlog.carrier import spans

def calls(fn):
    counted = 0

    def count(frame, event, argument):
        nonlocal counted
        counted += event in ("call", "c_call")

    gc.disable()
    sys.setprofile(count)
    try:
        fn()
    finally:
        sys.setprofile(None)
        gc.enable()
    return counted - 1  # the profiler's own end

def line(log, **fields):
    # The calls of one line in a store, once everything has been seen before.
    def repeated():
        for _ in range(3):
            log()
        return calls(log)

    return ctxlog.run({"requestID": "req-A", **fields}, repeated)

sink = open(os.devnull, "w")
extra = {"rows": 3, "hit": True}
many = {f"field{number}": number for number in range(50)}

def configure(logger):
    ctxlog.configure(stream=sink, format="json", loggers=[logger])
    # The look at OpenTelemetry's span, where that is installed, is not counted.
    spans.uninstall()
"""


def counted(tmp_path: Path, program: str) -> list[int]:
    """
    What *program* prints, a list of numbers of calls.
    """
    done = run_python("-c", PROGRAM + program, cwd=tmp_path)
    found: list[int] = json.loads(done.stdout)
    return found


def test_a_line_of_stdlib_logging(tmp_path: Path) -> None:
    """
    It needs no record; fifty fields of the store cost no more than one, and a level
    that is disabled costs nothing of ours.
    """
    program = """
configure("stdlib")
log = logging.getLogger("shop.users")
one = line(lambda: log.info("user %s", "u-1", extra=extra))
few, fifty = (line(lambda: log.info("hello"), **more) for more in ({}, many))
none = line(lambda: log.debug("hello", extra=extra))
print(json.dumps([one, few, fifty, none]))
"""
    one, few, fifty, none = counted(tmp_path, program)
    assert one <= 30
    assert few == fifty
    assert none <= 3


def test_a_line_with_an_exception(tmp_path: Path) -> None:
    """
    The frames of its traceback have been rendered before.
    """
    program = """
configure("stdlib")
log = logging.getLogger("shop.users")

def failing():
    try:
        raise ValueError("bad")
    except ValueError:
        log.exception("user %s", "u-1")

print(json.dumps([line(failing)]))
"""
    (one,) = counted(tmp_path, program)
    assert one <= 126


def test_a_line_of_structlog(tmp_path: Path) -> None:
    """
    The event goes straight to the renderer, and from there to the stream.
    """
    need("structlog")
    program = """
import structlog
configure("structlog")
log = structlog.get_logger("shop.users")
print(json.dumps([line(lambda: log.info("user %s", "u-1", rows=3, hit=True))]))
"""
    (one,) = counted(tmp_path, program)
    assert one <= 31


def test_a_line_of_loguru(tmp_path: Path) -> None:
    """
    Nothing is formatted, copied or rendered for a sink that does not want it.
    """
    need("loguru")
    program = """
from loguru import logger
configure("loguru")
print(json.dumps([line(lambda: logger.info("user {}", "u-1", rows=3, hit=True))]))
"""
    (one,) = counted(tmp_path, program)
    assert one <= 73


def test_the_caller_of_a_line(tmp_path: Path) -> None:
    """
    With `caller=True` a line costs the search for its caller more.
    """
    need("structlog", "loguru")
    program = """
import structlog
from loguru import logger
calls_of = {
    "stdlib": lambda: logging.getLogger("shop").info("hello", extra=extra),
    "structlog": lambda: structlog.get_logger("shop").info("hello", rows=3),
    "loguru": lambda: logger.info("hello", rows=3),
}
found = []
for name, log in calls_of.items():
    for caller in (False, True):
        options = {"stream": sink, "format": "json", "loggers": [name]}
        # A record knows its caller, and other lines need none.
        ctxlog.configure(caller=caller, logger_class=False, **options)
        spans.uninstall()
        found.append(line(log))
print(json.dumps(found))
"""
    without, counts = counted(tmp_path, program)[::2], counted(tmp_path, program)[1::2]
    more = [one - other for one, other in zip(counts, without, strict=True)]
    assert all(
        0 < count <= most for count, most in zip(more, (22, 14, 40), strict=True)
    )


def test_a_request(tmp_path: Path) -> None:
    """
    A request through the ASGI middleware: its store, its id on the response, and its
    completion line, nearly half of it; headers of names that came before cost none.
    """
    program = """
import asyncio
from ctxlog.servers.asgi import ContextMiddleware
configure("stdlib")

async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})

async def send(message):
    pass

loud, quiet = ContextMiddleware(app), ContextMiddleware(app, completion_line=False)

def request(middleware, count):
    headers = [(b"x-%d" % number, b"1") for number in range(count)]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}
    coroutine = middleware(scope, None, send)
    def step():
        try:
            coroutine.send(None)
        except StopIteration:
            pass
    return step

ways = [(loud, 1), (loud, 11), (quiet, 1)]
for way in ways * 2:
    request(*way)()
print(json.dumps([calls(request(*way)) for way in ways]))
"""
    one, eleven, without_line = counted(tmp_path, program)
    assert one <= 144  # 142 without coverage
    assert eleven == one
    assert without_line <= 76


def test_a_wsgi_request(tmp_path: Path) -> None:
    """
    The same through the WSGI middleware, in pieces: the call, the body, its end.
    """
    program = """
from ctxlog.servers.wsgi import ContextMiddleware
configure("stdlib")

def app(environ, start_response):
    start_response("200 OK", [])
    return [b""]

environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.errors": sys.stderr}
middleware = ContextMiddleware(app)

def request():
    body = middleware(environ.copy(), lambda status, headers: None)
    for chunk in body:
        pass
    body.close()

for _ in range(3):
    request()
print(json.dumps([calls(request)]))
"""
    (one,) = counted(tmp_path, program)
    assert one <= 163


def test_looking_the_store_up(tmp_path: Path) -> None:
    """
    One call, and the variable's.
    """
    (one,) = counted(tmp_path, "print(json.dumps([line(ctxlog.get_store)]))")
    assert one <= 3


def test_the_count_counts(tmp_path: Path) -> None:
    """
    A call that is added is seen.
    """
    program = """
def more():
    ctxlog.get_store()
    ctxlog.get_store()
print(json.dumps([line(ctxlog.get_store), line(more)]))
"""
    one, two = counted(tmp_path, program)
    assert two > one
