"""
A FastAPI application: every line of a request has its id, in dependencies too.

Run it with `uvicorn --app-dir examples fastapi_app:app`.
"""

import logging

from fastapi import Depends, FastAPI

import ctxlog
from ctxlog.servers.asgi import install

ctxlog.configure(format="json")
log = logging.getLogger("shop")


def authenticated() -> None:  # a plain function: FastAPI runs it in a thread
    ctxlog.bind(user={"id": "user-123"})


app = FastAPI()
install(app)


@app.get("/orders/{number}", dependencies=[Depends(authenticated)])
async def order(number: str) -> dict[str, str]:
    log.info("Fetching order %s", number)
    return {"order": number}
