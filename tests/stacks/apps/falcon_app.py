"""
Falcon under WSGI.
"""

import falcon
import work
from falcon import Request, Response

import ctxlog
from ctxlog.servers.wsgi import ContextMiddleware

ctxlog.configure(format="json")


class Plain:
    def on_post(self, req: Request, resp: Response, token: str) -> None:
        work.say(token, "started")
        resp.data = req.bounded_stream.read()
        work.say(token, "read")


class Sync:
    def on_get(self, req: Request, resp: Response, token: str) -> None:
        work.say(token, "started")


class Threads:
    def on_get(self, req: Request, resp: Response, token: str) -> None:
        work.in_threads(token)


class Background:
    def on_get(self, req: Request, resp: Response, token: str) -> None:
        work.start_later(token)
        work.pool.submit(work.background, token)


class Stream:
    def on_get(self, req: Request, resp: Response, token: str) -> None:
        resp.stream = work.stream(token)


class Exception_:
    def on_get(self, req: Request, resp: Response, token: str) -> None:
        work.say(token, "started")
        work.crash(token, "crash")


class Disconnect:
    def on_get(self, req: Request, resp: Response, token: str) -> None:
        resp.stream = work.endless(token)


class User:
    def on_get(self, req: Request, resp: Response, token: str) -> None:
        work.authenticate(token)


falcon_app = falcon.App()
falcon_app.add_route("/plain/{token}", Plain())
falcon_app.add_route("/sync/{token}", Sync())
falcon_app.add_route("/threads/{token}", Threads())
falcon_app.add_route("/background/{token}", Background())
falcon_app.add_route("/stream/{token}", Stream())
falcon_app.add_route("/exception/{token}", Exception_())
falcon_app.add_route("/disconnect/{token}", Disconnect())
falcon_app.add_route("/user/{token}", User())
app = ContextMiddleware(falcon_app)
