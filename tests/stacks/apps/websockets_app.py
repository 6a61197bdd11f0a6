"""
The package websockets: each request is a connection.
"""

import asyncio
import os

import work
import work_async
from websockets.asyncio.server import Request, ServerConnection, serve

import ctxlog
from ctxlog.servers.websockets import ContextConnection

ctxlog.configure(format="json")


def note(connection: ServerConnection, request: Request) -> None:
    # The server's own lines do not say which connection they are about.
    ctxlog.bind(target=request.path)


async def handle(connection: ServerConnection) -> None:
    assert connection.request is not None
    _, kind, token = connection.request.path.split("/")
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


async def main() -> None:
    async with serve(
        handle,
        "127.0.0.1",
        int(os.environ["STACKS_PORT"]),
        process_request=note,
        create_connection=ContextConnection,
    ) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
