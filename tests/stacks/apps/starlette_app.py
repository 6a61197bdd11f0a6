"""
Starlette.
"""

import work
import work_async
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

import ctxlog
from ctxlog.servers.asgi import install

ctxlog.configure(format="json")


async def plain(request: Request) -> Response:
    token = request.path_params["token"]
    work.say(token, "started")
    body = await request.body()
    work.say(token, "read")
    return Response(body)


def sync(request: Request) -> Response:
    work.say(request.path_params["token"], "started")
    return PlainTextResponse("ok")


async def threads(request: Request) -> Response:
    await work_async.in_executors(request.path_params["token"])
    return PlainTextResponse("ok")


async def background(request: Request) -> Response:
    token = request.path_params["token"]
    work_async.start_later(token)
    task = BackgroundTask(work_async.background, token)
    return PlainTextResponse("ok", background=task)


async def stream(request: Request) -> Response:
    return StreamingResponse(work_async.stream(request.path_params["token"]))


async def exception(request: Request) -> Response:
    token = request.path_params["token"]
    work.say(token, "started")
    work.crash(token, "crash")
    return PlainTextResponse("never")


async def disconnect(request: Request) -> Response:
    return StreamingResponse(work_async.endless(request.path_params["token"]))


async def user(request: Request) -> Response:
    work.authenticate(request.path_params["token"])
    return PlainTextResponse("ok")


routes = [
    Route("/plain/{token}", plain, methods=["POST"]),
    Route("/sync/{token}", sync),
    Route("/threads/{token}", threads),
    Route("/background/{token}", background),
    Route("/stream/{token}", stream),
    Route("/exception/{token}", exception),
    Route("/disconnect/{token}", disconnect),
    Route("/user/{token}", user),
    Mount("/mounted", routes=[Route("/items/{token}", sync)]),
]

app = Starlette(routes=routes)
install(app)
