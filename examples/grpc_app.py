"""
A gRPC server: every line of a call has its id.

Run it with `python examples/grpc_app.py PORT`; needs the extra grpc. The service is of
bytes, so that nothing has to be generated; a servicer made by protoc is added as ever.
"""

import logging
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc

import ctxlog
from ctxlog.servers.grpc import ServerInterceptor

log = logging.getLogger("shop.orders")


def get(request: bytes, context: grpc.ServicerContext) -> bytes:
    ctxlog.bind(user={"id": "user-123"})
    log.info("Fetching order %s", request.decode())
    if request == b"0":
        context.abort(grpc.StatusCode.NOT_FOUND, "no such order")
    return request


def export(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
    for number in range(3):
        log.info("Writing row %s", number)
        yield b"row"


def main(port: int) -> None:
    ctxlog.configure(format="json")
    handlers = {
        "Get": grpc.unary_unary_rpc_method_handler(get),
        "Export": grpc.unary_stream_rpc_method_handler(export),
    }
    server = grpc.server(ThreadPoolExecutor(10), interceptors=[ServerInterceptor()])
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("shop.Orders", handlers)]
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50051)
