"""
A web application that queues taskiq tasks: their lines have the request's id.

    taskiq worker tasks:broker
    uvicorn app:app

in this folder, with a Redis at `REDIS_URL`; needs the extra taskiq, taskiq-redis,
starlette and uvicorn. Then `curl -X POST -H 'X-Request-ID: req-A'
localhost:8000/orders/7`, and look for req-A in both outputs.
"""

import contextlib
import logging
from collections.abc import AsyncIterator

import tasks
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import ctxlog
from ctxlog.servers.asgi import install

log = logging.getLogger("shop.web")


async def order(request: Request) -> JSONResponse:
    number = request.path_params["number"]
    ctxlog.bind(user={"id": "user-123"})
    log.info("Taking order %s", number)
    await tasks.charge.kiq(number)
    return JSONResponse({"order": number}, status_code=202)


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    await tasks.broker.startup()
    yield
    await tasks.broker.shutdown()


routes = [Route("/orders/{number}", order, methods=["POST"])]
app = Starlette(routes=routes, lifespan=lifespan)
install(app)
