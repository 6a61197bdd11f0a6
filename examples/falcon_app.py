"""
A Falcon application (ASGI): every line of a request has its id.

Run it with `uvicorn --app-dir examples falcon_app:app`.
"""

import logging

import falcon.asgi

import ctxlog
from ctxlog.servers.asgi import install

ctxlog.configure(format="json")
log = logging.getLogger("shop")


class Order:
    async def on_get(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response, number: str
    ) -> None:
        ctxlog.bind(user={"id": "user-123"})
        log.info("Fetching order %s", number)
        resp.media = {"order": number}


app = falcon.asgi.App()
app.add_route("/orders/{number}", Order())
install(app)
