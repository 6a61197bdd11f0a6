"""
grpcio's server on asyncio.
"""

import asyncio
import functools
import os
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import work
import work_async

import ctxlog
from ctxlog.servers.grpc import AioServerInterceptor

ctxlog.configure(format="json")


async def plain(token: str, body: bytes, context: Any) -> bytes:
    work.say(token, "started")
    work.say(token, "read")
    return body


def sync(token: str, body: bytes, context: Any) -> bytes:
    work.say(token, "started")
    return b"ok"


async def threads(token: str, body: bytes, context: Any) -> bytes:
    await work_async.in_executors(token)
    return b"ok"


async def background(token: str, body: bytes, context: Any) -> bytes:
    work_async.start_later(token)
    work_async.start_background(token)
    return b"ok"


async def stream(token: str, body: bytes, context: Any) -> AsyncIterator[bytes]:
    async for chunk in work_async.stream(token):
        yield chunk


async def exception(token: str, body: bytes, context: Any) -> bytes:
    work.say(token, "started")
    work.crash(token, "crash")
    return b"never"


async def disconnect(token: str, body: bytes, context: Any) -> None:
    chunks = work_async.endless(token)
    try:
        async for chunk in chunks:
            await context.write(chunk)
    finally:
        await chunks.aclose()


async def user(token: str, body: bytes, context: Any) -> bytes:
    work.authenticate(token)
    return b"ok"


KINDS = {"plain", "sync", "threads", "background", "stream", "exception"}
KINDS |= {"disconnect", "user"}


class Shop(grpc.GenericRpcHandler):
    """The token is a part of the method's name."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        _, kind, token = details.method.split("/")
        if kind not in KINDS:
            return None
        handler = functools.partial(globals()[kind], token)
        if kind in ("stream", "disconnect"):
            return grpc.unary_stream_rpc_method_handler(handler)
        return grpc.unary_unary_rpc_method_handler(handler)


async def main() -> None:
    server = grpc.aio.server(
        migration_thread_pool=work.pool, interceptors=[AioServerInterceptor()]
    )
    server.add_generic_rpc_handlers((Shop(),))
    server.add_insecure_port(f"127.0.0.1:{os.environ['STACKS_PORT']}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
