"""
A Quart application: every line of a request has its id.

Run it with `hypercorn quart_app:app` in this folder, or while developing with
`quart --app quart_app run`.
"""

import logging

from quart import Quart

import ctxlog
from ctxlog.servers.asgi import install

ctxlog.configure(format="json")
log = logging.getLogger("shop")

app = Quart(__name__)
install(app)


@app.get("/orders/<number>")
async def order(number: str) -> dict[str, str]:
    ctxlog.bind(user={"id": "user-123"})
    log.info("Fetching order %s", number)
    return {"order": number}
