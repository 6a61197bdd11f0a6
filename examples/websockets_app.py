"""
A server of the package websockets: every line of a connection has its id.

Run it with `python examples/websockets_app.py PORT`; needs the extra websockets.
"""

import asyncio
import logging
import sys

from websockets.asyncio.server import ServerConnection, serve

import ctxlog
from ctxlog.servers.websockets import connection

log = logging.getLogger("shop")


async def orders(socket: ServerConnection) -> None:
    ctxlog.bind(user={"id": "user-123"})
    async for number in socket:
        log.info("Fetching order %s", number)
        await socket.send(f"order {number}")


async def main(port: int) -> None:
    ctxlog.configure(format="json", levels={"websockets.server": "WARNING"})
    make = connection(ignore_paths=["/health"])
    async with serve(orders, "127.0.0.1", port, create_connection=make) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8765))
