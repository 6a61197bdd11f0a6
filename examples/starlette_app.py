"""
A Starlette application: every line of a request has its id, also on the 500.

Run it with `uvicorn --app-dir examples starlette_app:app`.
"""

import logging

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import ctxlog
from ctxlog.servers.asgi import install

ctxlog.configure(format="json")
log = logging.getLogger("shop")


async def order(request: Request) -> JSONResponse:
    ctxlog.bind(user={"id": "user-123"})
    log.info("Fetching order %s", request.path_params["number"])
    return JSONResponse({"order": request.path_params["number"]})


app = Starlette(routes=[Route("/orders/{number}", order)])
install(app)
