"""
A FastAPI application that authenticates in a dependency: the user is on every line.

Run it with `uvicorn --app-dir examples fastapi_auth:app`, and ask it with
`curl -H "Authorization: Bearer alices-token" http://127.0.0.1:8000/orders/7`.
"""

import logging
from typing import Annotated

from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

import ctxlog
from ctxlog.servers.asgi import install

ctxlog.configure(format="json")
log = logging.getLogger("shop")


class User(BaseModel):
    id: str
    name: str


USERS = {"alices-token": User(id="user-123", name="Alice")}

Token = Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]


def current_user(token: Token) -> User:  # a plain function: FastAPI runs it in a thread
    user = USERS.get(token.credentials)
    if user is None:
        log.warning("Unknown token")
        raise HTTPException(401, "unknown token")
    # Into the request's store: on all lines from here on, the completion line's too.
    ctxlog.bind(user={"id": user.id, "name": user.name})
    return user


app = FastAPI()
install(app)


@app.get("/orders/{number}")
async def order(
    number: str,
    user: Annotated[User, Depends(current_user)],
    background: BackgroundTasks,
) -> dict[str, str]:
    log.info("Fetching order %s", number)
    background.add_task(log.info, "Counting order %s", number)
    return {"order": number, "for": user.name}
