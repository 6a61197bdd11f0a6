"""
The web application: routes, and an authentication that fills in the user later.

It logs with the standard library.
"""

import logging
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response

import ctxlog.servers.asgi
from shop import logs, profiles
from shop.context import remember_user

logs.configure()
log = logging.getLogger("shop.app")

app = FastAPI()
ctxlog.servers.asgi.install(app)

#: Who holds which token.
SESSIONS = {
    "token-alice": ("user-123", "Alice"),
    "token-bob": ("user-456", "Bob"),
}


@app.middleware("http")
async def authenticate(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token in SESSIONS:
        remember_user(*SESSIONS[token])
    return await call_next(request)


@app.get("/user")
async def user() -> dict[str, str]:
    log.info("Handling the user's profile")
    try:
        return await profiles.profile()
    except profiles.NotAuthenticated:
        log.error("No profile without a user")
        raise
