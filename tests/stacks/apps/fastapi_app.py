"""
FastAPI, every request with a sync and an async dependency and one that yields.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated

import work
import work_async
from fastapi import BackgroundTasks, Depends, FastAPI, Request, Response
from fastapi.responses import StreamingResponse

import ctxlog
from ctxlog.servers.asgi import install

ctxlog.configure(format="json")


def sync_dependency(token: str) -> str:
    work.say(token, "dependency")
    return token


async def async_dependency(token: str) -> str:
    work.say(token, "dependency-async")
    return token


def sync_resource(token: str) -> Iterator[None]:
    work.say(token, "enter")
    try:
        yield
    finally:
        work.say(token, "exit")


async def async_resource(token: str) -> AsyncIterator[None]:
    work.say(token, "enter-async")
    try:
        yield
    finally:
        work.say(token, "exit-async")


dependencies = [
    Depends(async_dependency),
    Depends(sync_resource),
    Depends(async_resource),
]
app = FastAPI(dependencies=dependencies)
mounted = FastAPI(dependencies=dependencies)
app.mount("/mounted", mounted)
install(app)

Token = Annotated[str, Depends(sync_dependency)]


@app.post("/plain/{token}")
async def plain(token: Token, request: Request) -> Response:
    work.say(token, "started")
    body = await request.body()
    work.say(token, "read")
    return Response(body)


@mounted.get("/items/{token}")
@app.get("/sync/{token}")
def sync(token: Token) -> str:
    work.say(token, "started")
    return "ok"


@app.get("/threads/{token}")
async def threads(token: Token) -> str:
    await work_async.in_executors(token)
    return "ok"


@app.get("/background/{token}")
async def background(token: Token, tasks: BackgroundTasks) -> str:
    work_async.start_later(token)
    tasks.add_task(work_async.background, token)
    return "ok"


@app.get("/stream/{token}")
async def stream(token: Token) -> StreamingResponse:
    return StreamingResponse(work_async.stream(token))


@app.get("/exception/{token}")
async def exception(token: Token) -> None:
    work.say(token, "started")
    work.crash(token, "crash")


@app.get("/disconnect/{token}")
async def disconnect(token: Token) -> StreamingResponse:
    return StreamingResponse(work_async.endless(token))


def current_user(token: Token) -> None:
    work.authenticate(token)


@app.get("/user/{token}", dependencies=[Depends(current_user)])
async def user() -> str:
    return "ok"
