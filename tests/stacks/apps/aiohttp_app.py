"""
aiohttp's own server.
"""

import os

import work
import work_async
from aiohttp import web

import ctxlog
from ctxlog.servers.aiohttp import AccessLogger, middleware

ctxlog.configure(format="json")


async def plain(request: web.Request) -> web.Response:
    token = request.match_info["token"]
    work.say(token, "started")
    body = await request.read()
    work.say(token, "read")
    return web.Response(body=body)


async def sync(request: web.Request) -> web.Response:
    work.say(request.match_info["token"], "started")
    return web.Response(text="ok")


async def threads(request: web.Request) -> web.Response:
    await work_async.in_executors(request.match_info["token"])
    return web.Response(text="ok")


async def background(request: web.Request) -> web.Response:
    token = request.match_info["token"]
    work_async.start_later(token)
    work_async.start_background(token)
    return web.Response(text="ok")


async def stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    async for chunk in work_async.stream(request.match_info["token"]):
        await response.write(chunk)
    return response


async def exception(request: web.Request) -> web.Response:
    token = request.match_info["token"]
    work.say(token, "started")
    work.crash(token, "crash")
    return web.Response(text="never")


async def disconnect(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    chunks = work_async.endless(request.match_info["token"])
    try:
        async for chunk in chunks:
            await response.write(chunk)
    finally:
        await chunks.aclose()
    return response


async def user(request: web.Request) -> web.Response:
    work.authenticate(request.match_info["token"])
    return web.Response(text="ok")


app = web.Application(middlewares=[middleware])
app.router.add_post("/plain/{token}", plain)
for handler in (sync, threads, background, stream, exception, disconnect, user):
    app.router.add_get(f"/{handler.__name__}/{{token}}", handler)

mounted = web.Application()
mounted.router.add_get("/items/{token}", sync)
app.add_subapp("/mounted", mounted)

if __name__ == "__main__":
    web.run_app(
        app,
        host="127.0.0.1",
        port=int(os.environ["STACKS_PORT"]),
        print=None,
        access_log_class=AccessLogger,
    )
