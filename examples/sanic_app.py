"""
A Sanic server: every line of a request has its id.

Run it with `python examples/sanic_app.py PORT`, or with the command `sanic`; needs
the extra sanic.
"""

import logging
import sys

from sanic import HTTPResponse, Request, Sanic, json

import ctxlog
from ctxlog.servers.sanic import install

ctxlog.configure(format="json")
log = logging.getLogger("shop")

app = Sanic("shop")
install(app)


@app.get("/orders/<number>")
async def order(request: Request, number: str) -> HTTPResponse:
    ctxlog.bind(user={"id": "user-123"})
    log.info("Fetching order %s", number)
    return json({"order": number})


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    app.run("127.0.0.1", port, single_process=True, motd=False)
