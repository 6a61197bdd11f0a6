"""
Falcon under ASGI.
"""

import falcon
import falcon.asgi
import work
import work_async
from falcon.asgi import Request, Response

import ctxlog
from ctxlog.servers.asgi import ContextMiddleware

ctxlog.configure(format="json")


class Plain:
    async def on_post(self, req: Request, resp: Response, token: str) -> None:
        work.say(token, "started")
        resp.data = await req.stream.read()
        work.say(token, "read")


class Sync:
    async def on_get(self, req: Request, resp: Response, token: str) -> None:
        await falcon.sync_to_async(work.say, token, "started")


class Threads:
    async def on_get(self, req: Request, resp: Response, token: str) -> None:
        await work_async.in_executors(token)


class Background:
    async def on_get(self, req: Request, resp: Response, token: str) -> None:
        work_async.start_later(token)

        async def background() -> None:
            await work_async.background(token)

        resp.schedule(background)


class Stream:
    async def on_get(self, req: Request, resp: Response, token: str) -> None:
        resp.stream = work_async.stream(token)


class Exception_:
    async def on_get(self, req: Request, resp: Response, token: str) -> None:
        work.say(token, "started")
        work.crash(token, "crash")


class Disconnect:
    async def on_get(self, req: Request, resp: Response, token: str) -> None:
        resp.stream = work_async.endless(token)


class User:
    async def on_get(self, req: Request, resp: Response, token: str) -> None:
        work.authenticate(token)


falcon_app = falcon.asgi.App()
falcon_app.add_route("/plain/{token}", Plain())
falcon_app.add_route("/sync/{token}", Sync())
falcon_app.add_route("/threads/{token}", Threads())
falcon_app.add_route("/background/{token}", Background())
falcon_app.add_route("/stream/{token}", Stream())
falcon_app.add_route("/exception/{token}", Exception_())
falcon_app.add_route("/disconnect/{token}", Disconnect())
falcon_app.add_route("/user/{token}", User())
app = ContextMiddleware(falcon_app)
