"""
Starlette on trio, where asyncio's tasks and executors are not to be had.
"""

import anyio.to_thread
import starlette_app
import trio
import work
import work_async
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ctxlog.servers.asgi import install


async def threads(request: Request) -> Response:
    token = request.path_params["token"]
    job = work.pool.submit(work.say, token, "executor")
    await anyio.to_thread.run_sync(job.result)
    await trio.to_thread.run_sync(work.say, token, "to-thread")
    await trio.to_thread.run_sync(work.in_threads, token)
    return PlainTextResponse("ok")


async def background(request: Request) -> Response:
    token = request.path_params["token"]
    work.start_later(token)
    task = BackgroundTask(work_async.background, token)
    return PlainTextResponse("ok", background=task)


own = [Route("/threads/{token}", threads), Route("/background/{token}", background)]
app = Starlette(routes=[*own, *starlette_app.routes])
install(app)
