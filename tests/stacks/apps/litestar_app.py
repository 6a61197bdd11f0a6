"""
Litestar.
"""

import work
import work_async
from litestar import Litestar, Request, Response, Router, get, post
from litestar.background_tasks import BackgroundTask
from litestar.logging import LoggingConfig
from litestar.response import Stream

import ctxlog
from ctxlog.servers.asgi import ContextMiddleware

ctxlog.configure(format="json")


@post("/plain/{token:str}", status_code=200)
async def plain(token: str, request: Request) -> bytes:
    work.say(token, "started")
    body = await request.body()
    work.say(token, "read")
    return body


@get("/sync/{token:str}", sync_to_thread=True)
def sync(token: str) -> str:
    work.say(token, "started")
    return "ok"


@get("/threads/{token:str}")
async def threads(token: str) -> str:
    await work_async.in_executors(token)
    return "ok"


@get("/background/{token:str}")
async def background(token: str) -> Response[str]:
    work_async.start_later(token)
    return Response("ok", background=BackgroundTask(work_async.background, token))


@get("/stream/{token:str}")
async def stream(token: str) -> Stream:
    return Stream(work_async.stream(token))


@get("/exception/{token:str}")
async def exception(token: str) -> None:
    work.say(token, "started")
    work.crash(token, "crash")


@get("/disconnect/{token:str}")
async def disconnect(token: str) -> Stream:
    return Stream(work_async.endless(token))


@get("/user/{token:str}")
async def user(token: str) -> str:
    work.authenticate(token)
    return "ok"


@get("/items/{token:str}")
async def item(token: str) -> str:
    work.say(token, "started")
    return "ok"


pages = [plain, sync, threads, background, stream, exception, disconnect, user]
app = ContextMiddleware(
    Litestar(
        [*pages, Router("/mounted", route_handlers=[item])],
        # By default Litestar reports exceptions in debug mode only, takes the root
        # logger for lines of its own kind, and picologging where that is installed.
        logging_config=LoggingConfig(
            logging_module="logging",
            log_exceptions="always",
            configure_root_logger=False,
            loggers={"litestar": {"handlers": [], "propagate": True}},
        ),
    )
)
