"""
Starlette, with a middleware of the kind that runs the application in a task of its own.
"""

import work
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette_app import routes

from ctxlog.servers.asgi import install


class Outer(BaseHTTPMiddleware):
    async def dispatch(
        self, request: Request, call_next: RequestResponseEndpoint
    ) -> Response:
        token = request.url.path.rpartition("/")[2]
        work.say(token, "before")
        try:
            return await call_next(request)
        finally:
            work.say(token, "after")


app = Starlette(routes=routes, middleware=[Middleware(Outer)])
install(app)
