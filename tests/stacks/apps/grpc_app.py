"""
grpcio's server: handlers in a pool of threads.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import work

import ctxlog
from ctxlog.servers.grpc import ServerInterceptor

ctxlog.configure(format="json")


def plain(body: bytes, context: grpc.ServicerContext, token: str) -> bytes:
    work.say(token, "started")
    work.say(token, "read")
    return body


def sync(body: bytes, context: grpc.ServicerContext, token: str) -> bytes:
    work.say(token, "started")
    return b"ok"


def threads(body: bytes, context: grpc.ServicerContext, token: str) -> bytes:
    work.in_threads(token)
    return b"ok"


def background(body: bytes, context: grpc.ServicerContext, token: str) -> bytes:
    work.start_later(token)
    work.pool.submit(work.background, token)
    return b"ok"


def stream(body: bytes, context: grpc.ServicerContext, token: str) -> Iterator[bytes]:
    return work.stream(token)


def exception(body: bytes, context: grpc.ServicerContext, token: str) -> bytes:
    work.say(token, "started")
    work.crash(token, "crash")
    return b"never"


def disconnect(
    body: bytes, context: grpc.ServicerContext, token: str
) -> Iterator[bytes]:
    return work.endless(token)


def user(body: bytes, context: grpc.ServicerContext, token: str) -> bytes:
    work.authenticate(token)
    return b"ok"


HANDLERS = {
    handler.__name__: handler
    for handler in (plain, sync, threads, background, exception, user)
}
STREAMS = {handler.__name__: handler for handler in (stream, disconnect)}


class Shop(grpc.GenericRpcHandler):
    """The token is a part of the method's name."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        _, kind, token = details.method.split("/")
        if kind in STREAMS:
            return grpc.unary_stream_rpc_method_handler(
                lambda body, context: STREAMS[kind](body, context, token)
            )
        if kind not in HANDLERS:
            return None
        return grpc.unary_unary_rpc_method_handler(
            lambda body, context: HANDLERS[kind](body, context, token)
        )


if __name__ == "__main__":
    server = grpc.server(ThreadPoolExecutor(40), interceptors=[ServerInterceptor()])
    server.add_generic_rpc_handlers((Shop(),))
    server.add_insecure_port(f"127.0.0.1:{os.environ['STACKS_PORT']}")
    server.start()
    server.wait_for_termination()
