"""
A Flask application: every line of a request has its id.

    python examples/flask_app.py

    gunicorn --chdir examples flask_app:app
    waitress-serve --port=8000 --call examples.flask_app:create_app

Then `curl -i -H 'X-Request-ID: req-A' localhost:8000/users/7`.
"""

import logging
from collections.abc import Iterator

from flask import Blueprint, Flask, Response, stream_with_context

import ctxlog
import ctxlog.servers.flask

log = logging.getLogger("shop")
shop = Blueprint("shop", __name__)


@shop.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


@shop.get("/users/<int:number>")
def user(number: int) -> dict[str, int]:
    ctxlog.bind(user={"id": number})
    log.info("Fetching details")
    return {"id": number}


@shop.get("/export")
def export() -> Response:
    def rows() -> Iterator[str]:
        for number in range(3):
            log.info("Writing row %d", number)
            yield f"{number}\n"

    return Response(stream_with_context(rows()), mimetype="text/csv")


@shop.get("/crash")
def crash() -> Response:
    raise ValueError("Out of stock")


def create_app() -> Flask:
    ctxlog.configure(format="json")
    app = Flask(__name__)
    app.register_blueprint(shop)
    ctxlog.servers.flask.init_app(app, ignore_paths=["/health"])
    return app


app = create_app()

if __name__ == "__main__":
    app.run(port=8000)
