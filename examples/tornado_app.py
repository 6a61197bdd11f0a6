"""
A Tornado server: every line of a request has its id.

Run it with `python examples/tornado_app.py PORT`; needs the extra tornado.
"""

import asyncio
import logging
import sys

from tornado import web

import ctxlog
from ctxlog.servers import tornado

log = logging.getLogger("shop")


class Order(web.RequestHandler):
    async def get(self, number: str) -> None:
        ctxlog.bind(user={"id": "user-123"})
        log.info("Fetching order %s", number)
        self.write({"order": number})


async def main(port: int) -> None:
    ctxlog.configure(format="json")
    app = web.Application([(r"/orders/(.+)", Order)])
    tornado.install(app)
    app.listen(port, "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8000))
