"""
A Litestar application: every line of a request has its id.

Run it with `litestar --app litestar_app:app run` in this folder, or with
`uvicorn --app-dir examples litestar_app:app`.
"""

import logging

from litestar import Litestar, get
from litestar.logging import LoggingConfig

import ctxlog
from ctxlog.servers.asgi import install

ctxlog.configure(format="json")
log = logging.getLogger("shop")


@get("/orders/{number:str}")
async def order(number: str) -> dict[str, str]:
    ctxlog.bind(user={"id": "user-123"})
    log.info("Fetching order %s", number)
    return {"order": number}


# By default Litestar reports exceptions in debug mode only.
app = Litestar([order], logging_config=LoggingConfig(log_exceptions="always"))
install(app)
