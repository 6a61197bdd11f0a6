"""
A bare WSGI application: every line of a request has its id.

    python examples/wsgi_app.py

    gunicorn --chdir examples wsgi_app:app
    waitress-serve --port=8000 examples.wsgi_app:app

Then `curl -i -H 'X-Request-ID: req-A' localhost:8000/export`.
"""

import logging
from collections.abc import Iterable, Iterator
from typing import Any
from wsgiref.simple_server import make_server

import ctxlog
from ctxlog.servers.wsgi import ContextMiddleware

ctxlog.configure(format="json")
log = logging.getLogger("shop")


def rows() -> Iterator[bytes]:
    for number in range(3):
        log.info("Writing row %d", number)
        yield f"{number}\n".encode()


def shop(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    log.info("Asked for %s", path)
    if path == "/crash":
        raise ValueError("Out of stock")
    if path != "/export":
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"Not found\n"]
    start_response("200 OK", [("Content-Type", "text/csv")])
    return rows()


app = ContextMiddleware(shop, ignore_paths=["/health"])

if __name__ == "__main__":
    with make_server("", 8000, app) as server:
        server.serve_forever()
