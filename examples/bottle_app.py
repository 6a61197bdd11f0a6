"""
A Bottle application (WSGI): every line of a request has its id.

Run it with `waitress-serve bottle_app:app` in this folder.
"""

import logging

from bottle import Bottle

import ctxlog
from ctxlog.servers.wsgi import ContextMiddleware

ctxlog.configure(format="json")
log = logging.getLogger("shop")

bottle = Bottle()


@bottle.get("/orders/<number>")
def order(number: str) -> dict[str, str]:
    ctxlog.bind(user={"id": "user-123"})
    log.info("Fetching order %s", number)
    return {"order": number}


app = ContextMiddleware(bottle)
