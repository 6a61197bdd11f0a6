"""
A web application that queues Celery tasks: their lines have the request's id.

    celery -A tasks worker
    uvicorn app:app

in this folder, with a Redis at `REDIS_URL`; needs the extra celery, `celery[redis]`,
starlette and uvicorn. Then `curl -X POST -H 'X-Request-ID: req-A'
localhost:8000/orders/7`, and look for req-A in both outputs.
"""

import logging

import tasks
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import ctxlog
from ctxlog.servers.asgi import install

log = logging.getLogger("shop.web")


def order(request: Request) -> JSONResponse:
    number = request.path_params["number"]
    ctxlog.bind(user={"id": "user-123"})
    log.info("Taking order %s", number)
    tasks.charge.delay(number)
    return JSONResponse({"order": number}, status_code=202)


app = Starlette(routes=[Route("/orders/{number}", order, methods=["POST"])])
install(app)
