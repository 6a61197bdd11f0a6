"""
A Litestar application: every line of a request has its id.

Run it with `uvicorn --app-dir examples litestar_app:app`.
"""

import logging

from litestar import Litestar, get
from litestar.logging import LoggingConfig

import ctxlog
from ctxlog.servers.asgi import ContextMiddleware

ctxlog.configure(format="json")
log = logging.getLogger("shop")


@get("/orders/{number:str}")
async def order(number: str) -> dict[str, str]:
    ctxlog.bind(user={"id": "user-123"})
    log.info("Fetching order %s", number)
    return {"order": number}


app = ContextMiddleware(
    Litestar(
        [order],
        # By default Litestar reports exceptions in debug mode only, and takes the root
        # logger for lines of its own kind.
        logging_config=LoggingConfig(
            logging_module="logging",
            log_exceptions="always",
            configure_root_logger=False,
            loggers={"litestar": {"handlers": [], "propagate": True}},
        ),
    )
)
