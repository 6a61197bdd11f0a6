"""
An aiohttp server: every line of a request has its id.

Run it with `python examples/aiohttp_app.py PORT`; needs the extra aiohttp.
"""

import logging
import sys

from aiohttp import web

import ctxlog
from ctxlog.servers.aiohttp import AccessLogger, middleware

log = logging.getLogger("shop")


async def order(request: web.Request) -> web.Response:
    ctxlog.bind(user={"id": "user-123"})
    log.info("Fetching order %s", request.match_info["number"])
    return web.json_response({"order": request.match_info["number"]})


def main(port: int) -> None:
    ctxlog.configure(format="json")
    app = web.Application(middlewares=[middleware])
    app.router.add_get("/orders/{number}", order)
    web.run_app(
        app, host="127.0.0.1", port=port, print=None, access_log_class=AccessLogger
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8000)
