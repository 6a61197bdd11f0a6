"""
One Starlette application, five lines per request, logged in one of several ways.

`web.py` starts it under uvicorn; the variable LOGGING says which way. The server's
access line is on in all of them but the first, as a user would have it: text, JSON, or
ctxlog's completion line in its place.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

Log = Callable[..., object]


def quiet(*args: Any, **fields: Any) -> None:
    """Log nothing."""


async def user(request: Request) -> JSONResponse:
    log: Log = request.app.state.log
    user_id = request.path_params["user_id"]
    log("Handling the request of user %s", user_id, step=1)
    log("Reading the session of user %s", user_id, step=2)
    log("Fetching details for user %s", user_id, step=3)
    log("Checking the permissions of user %s", user_id, step=4)
    log("Answering user %s", user_id, step=5)
    return JSONResponse({"id": user_id})


async def spent(request: Request) -> JSONResponse:
    """The time that this process has used so far, in seconds."""
    return JSONResponse(time.process_time())


app = Starlette(routes=[Route("/users/{user_id}", user), Route("/spent", spent)])


def access_lines_through(handler: logging.Handler) -> None:
    access = logging.getLogger("uvicorn.access")
    access.handlers = [handler]
    access.propagate = False


def stdlib_log() -> Log:
    info = logging.getLogger("shop.users").info

    def log(message: str, *args: object, **fields: object) -> None:
        info(message, *args, extra=fields)

    return log


def no_lines() -> Log:
    logging.getLogger("uvicorn.access").disabled = True
    return quiet


def plain_text() -> Log:
    handler = logging.StreamHandler(sys.stdout)
    shape = "%(asctime)s %(levelname)s %(name)s %(message)s"
    handler.setFormatter(logging.Formatter(shape))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    access_lines_through(handler)
    return stdlib_log()


def correlation_id() -> Log:
    from asgi_correlation_id import CorrelationIdFilter, CorrelationIdMiddleware
    from pythonjsonlogger.orjson import OrjsonFormatter

    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(CorrelationIdFilter())
    handler.setFormatter(
        OrjsonFormatter(
            ["levelname", "name", "message", "correlation_id"], timestamp=True
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    access_lines_through(handler)
    app.add_middleware(CorrelationIdMiddleware)
    return stdlib_log()


def structlog_orjson() -> Log:
    import uuid

    import orjson
    import structlog

    structlog.configure(
        cache_logger_on_first_use=True,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        logger_factory=structlog.BytesLoggerFactory(sys.stdout.buffer),
    )
    logger = structlog.get_logger().bind(logger="shop.users")
    logging.getLogger("uvicorn.access").disabled = True

    class Middleware:
        """The request's id, and one line in place of the server's."""

        def __init__(self, inner: Any) -> None:
            self.inner = inner

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                await self.inner(scope, receive, send)
                return
            structlog.contextvars.clear_contextvars()
            structlog.contextvars.bind_contextvars(request_id=uuid.uuid4().hex)
            await self.inner(scope, receive, send)
            logger.info("%s %s", scope["method"], scope["path"])

    app.add_middleware(Middleware)
    return logger.info


def ctxlog_stdlib() -> Log:
    import ctxlog
    import ctxlog.servers.asgi

    ctxlog.configure(format="json", loggers=["stdlib"])
    ctxlog.servers.asgi.install(app)
    return stdlib_log()


def ctxlog_structlog() -> Log:
    import structlog

    import ctxlog
    import ctxlog.servers.asgi

    ctxlog.configure(format="json", loggers=["stdlib", "structlog"])
    ctxlog.servers.asgi.install(app)
    log: Log = structlog.get_logger("shop.users").bind().info
    return log


WAYS: dict[str, Callable[[], Log]] = {
    "no logging": no_lines,
    "plain text": plain_text,
    "asgi-correlation-id, python-json-logger": correlation_id,
    "structlog, contextvars, orjson": structlog_orjson,
    "ctxlog, stdlib": ctxlog_stdlib,
    "ctxlog, structlog": ctxlog_structlog,
}

if "LOGGING" in os.environ:
    app.state.log = WAYS[os.environ["LOGGING"]]()
