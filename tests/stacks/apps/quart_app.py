"""
Quart.
"""

from collections.abc import AsyncIterator

import work
import work_async
from quart import Blueprint, Quart, request

import ctxlog
from ctxlog.servers.asgi import ContextMiddleware

ctxlog.configure(format="json")

app = Quart(__name__)
app.asgi_app = ContextMiddleware(app.asgi_app)  # type: ignore[method-assign]
mounted = Blueprint("mounted", __name__, url_prefix="/mounted")


@app.post("/plain/<token>")
async def plain(token: str) -> bytes:
    work.say(token, "started")
    body: bytes = await request.get_data()
    work.say(token, "read")
    return body


@mounted.get("/items/<token>")
@app.get("/sync/<token>")
def sync(token: str) -> str:
    work.say(token, "started")
    return "ok"


@app.get("/threads/<token>")
async def threads(token: str) -> str:
    await work_async.in_executors(token)
    return "ok"


@app.get("/background/<token>")
async def background(token: str) -> str:
    work_async.start_later(token)
    app.add_background_task(work_async.background, token)
    return "ok"


@app.get("/stream/<token>")
async def stream(token: str) -> AsyncIterator[bytes]:
    return work_async.stream(token)


@app.get("/exception/<token>")
async def exception(token: str) -> str:
    work.say(token, "started")
    work.crash(token, "crash")
    return "never"


@app.get("/disconnect/<token>")
async def disconnect(token: str) -> AsyncIterator[bytes]:
    return work_async.endless(token)


@app.get("/user/<token>")
async def user(token: str) -> str:
    work.authenticate(token)
    return "ok"


app.register_blueprint(mounted)
