"""
A Pyramid application: every line of a request has its id.

    python examples/pyramid_app.py

    gunicorn --chdir examples pyramid_app:app

Then `curl -i -H 'X-Request-ID: req-A' localhost:8000/users/7`.
"""

import logging
from collections.abc import Iterator
from typing import Any
from wsgiref.simple_server import make_server

from pyramid.config import Configurator
from pyramid.response import Response

import ctxlog
import ctxlog.servers.pyramid

log = logging.getLogger("shop")


def health(request: Any) -> Response:
    return Response("ok")


def user(request: Any) -> Response:
    number = int(request.matchdict["number"])
    ctxlog.bind(user={"id": number})
    log.info("Fetching details")
    return Response(json_body={"id": number})


def export(request: Any) -> Response:
    def rows() -> Iterator[bytes]:
        for number in range(3):
            log.info("Writing row %d", number)
            yield b"%d\n" % number

    return Response(app_iter=rows(), content_type="text/csv")


def crash(request: Any) -> Response:
    raise ValueError("Out of stock")


def create_app() -> Any:
    ctxlog.configure(format="json")
    config = Configurator()
    for view, path in (
        (health, "/health"),
        (user, "/users/{number}"),
        (export, "/export"),
        (crash, "/crash"),
    ):
        config.add_route(view.__name__, path)
        config.add_view(view, route_name=view.__name__)
    app = config.make_wsgi_app()
    ctxlog.servers.pyramid.install(app, ignore_paths=["/health"])
    return app


app = create_app()

if __name__ == "__main__":
    make_server("127.0.0.1", 8000, app).serve_forever()
