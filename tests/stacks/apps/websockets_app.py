"""
The package websockets: each request is a connection.
"""

import asyncio
import os

import work
import work_async
from websockets.asyncio.router import Router, route
from websockets.asyncio.server import Request, Response, ServerConnection
from werkzeug.routing import Map, Rule, Submount

import ctxlog
from ctxlog.servers.websockets import ContextConnection

ctxlog.configure(format="json")


class Noting(Router):
    def route_request(
        self, connection: ServerConnection, request: Request
    ) -> Response | None:
        # The server's own lines do not say which connection they are about.
        ctxlog.bind(target=request.path)
        return super().route_request(connection, request)


async def item(connection: ServerConnection, token: str) -> None:
    work.say(token, "started")


async def handle(connection: ServerConnection, token: str) -> None:
    assert connection.request is not None
    kind = connection.request.path.split("/")[1]
    if kind == "plain":
        work.say(token, "started")
        body = await connection.recv()
        work.say(token, "read")
        await connection.send(body)
    elif kind == "sync":
        work.say(token, "started")
    elif kind == "threads":
        await work_async.in_executors(token)
    elif kind == "background":
        work_async.start_later(token)
        work_async.start_background(token)
    elif kind == "stream":
        async for chunk in work_async.stream(token):
            await connection.send(chunk)
    elif kind == "exception":
        work.say(token, "started")
        work.crash(token, "crash")
    elif kind == "disconnect":
        chunks = work_async.endless(token)
        try:
            async for chunk in chunks:
                await connection.send(chunk)
        finally:
            await chunks.aclose()
    elif kind == "user":
        work.authenticate(token)


KINDS = ("plain", "sync", "threads", "background", "stream", "exception")
urls = Map(
    [
        *(Rule(f"/{kind}/<token>", endpoint=handle) for kind in KINDS),
        Rule("/disconnect/<token>", endpoint=handle),
        Rule("/user/<token>", endpoint=handle),
        Submount("/mounted", [Rule("/items/<token>", endpoint=item)]),
    ]
)


async def main() -> None:
    async with route(
        urls,
        "127.0.0.1",
        int(os.environ["STACKS_PORT"]),
        create_router=Noting,
        create_connection=ContextConnection,
    ) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
