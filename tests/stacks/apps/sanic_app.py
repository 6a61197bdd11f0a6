"""
Sanic.
"""

import work
import work_async
from sanic import Blueprint, HTTPResponse, Request, Sanic, raw, text

import ctxlog
from ctxlog.servers.sanic import install

ctxlog.configure(format="json")

app = Sanic("shop")
install(app)
mounted = Blueprint("mounted", url_prefix="/mounted")


@app.post("/plain/<token>")
async def plain(request: Request, token: str) -> HTTPResponse:
    work.say(token, "started")
    body = request.body
    work.say(token, "read")
    return raw(body)


@mounted.get("/items/<token>")
@app.get("/sync/<token>")
def sync(request: Request, token: str) -> HTTPResponse:
    work.say(token, "started")
    return text("ok")


@app.get("/threads/<token>")
async def threads(request: Request, token: str) -> HTTPResponse:
    await work_async.in_executors(token)
    return text("ok")


@app.get("/background/<token>")
async def background(request: Request, token: str) -> HTTPResponse:
    work_async.start_later(token)
    request.app.add_task(work_async.background(token))
    return text("ok")


@app.get("/stream/<token>")
async def stream(request: Request, token: str) -> None:
    response = await request.respond(content_type="application/octet-stream")
    async for chunk in work_async.stream(token):
        await response.send(chunk)


@app.get("/exception/<token>")
async def exception(request: Request, token: str) -> HTTPResponse:
    work.say(token, "started")
    work.crash(token, "crash")
    return text("never")


@app.get("/disconnect/<token>")
async def disconnect(request: Request, token: str) -> None:
    response = await request.respond(content_type="application/octet-stream")
    chunks = work_async.endless(token)
    try:
        async for chunk in chunks:
            await response.send(chunk)
    finally:
        await chunks.aclose()


@app.get("/user/<token>")
async def user(request: Request, token: str) -> HTTPResponse:
    work.authenticate(token)
    return text("ok")


app.blueprint(mounted)
