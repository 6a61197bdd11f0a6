"""
Tornado's own server.
"""

import asyncio
import os

import work
import work_async
from tornado import web

import ctxlog
from ctxlog.servers import tornado

ctxlog.configure(format="json")


class Plain(web.RequestHandler):
    def post(self, token: str) -> None:
        work.say(token, "started")
        self.write(self.request.body)
        work.say(token, "read")


class Sync(web.RequestHandler):
    def get(self, token: str) -> None:
        work.say(token, "started")


class Threads(web.RequestHandler):
    async def get(self, token: str) -> None:
        await work_async.in_executors(token)


class Background(web.RequestHandler):
    def get(self, token: str) -> None:
        work_async.start_later(token)
        work_async.start_background(token)


class Stream(web.RequestHandler):
    async def get(self, token: str) -> None:
        async for chunk in work_async.stream(token):
            self.write(chunk)
            await self.flush()


class Exception_(web.RequestHandler):
    def get(self, token: str) -> None:
        work.say(token, "started")
        work.crash(token, "crash")


class Disconnect(web.RequestHandler):
    async def get(self, token: str) -> None:
        chunks = work_async.endless(token)
        try:
            async for chunk in chunks:
                self.write(chunk)
                await self.flush()
        finally:
            await chunks.aclose()


class User(web.RequestHandler):
    def get(self, token: str) -> None:
        work.authenticate(token)


handlers = (Plain, Sync, Threads, Background, Stream, Exception_, Disconnect, User)
app = web.Application(
    [
        *((rf"/{kind.__name__.lower().rstrip('_')}/(.+)", kind) for kind in handlers),
        (r"/mounted/.*", [(r"/mounted/items/(.+)", Sync)]),
    ]
)
tornado.install(app)


async def main() -> None:
    app.listen(int(os.environ["STACKS_PORT"]), "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
