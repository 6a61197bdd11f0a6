"""
An ASGI application that does everything wrong.
"""

import asyncio
import gc
import os
import traceback
from contextlib import suppress

import anyio
import work
import work_async

import ctxlog
from ctxlog.servers.asgi import ContextMiddleware

ctxlog.configure(format="json")


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Closed(Exception):
    """Cannot hold attributes."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


SHARED = ValueError("raised in every request")


class Kept:
    """Is in a cycle with its task, so that only the collector ends both."""

    task: asyncio.Task[None]


async def fail(token: str, kept: Kept) -> None:
    work.crash(token, "lost")


async def lose_a_task(token: str) -> None:
    kept = Kept()
    kept.task = asyncio.create_task(fail(token, kept))
    await asyncio.wait([kept.task])


async def websocket(token, receive, send):  # type: ignore[no-untyped-def]
    await receive()
    await send({"type": "websocket.accept"})
    work.crash(token, "crash")


async def application(scope, receive, send):  # type: ignore[no-untyped-def]
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    _, kind, token = scope["path"].split("/")
    work.say(token, "started")
    if scope["type"] == "websocket":
        await websocket(token, receive, send)
    if kind.startswith("held-"):  # all at once, when the client says so
        await work_async.wait(f"{token}/held")
        kind = kind.removeprefix("held-")
    if kind == "no-start":
        return
    if kind == "body-first":
        await send({"type": "http.response.body", "body": b"too early"})
    if kind == "no-status":
        await send({"type": "http.response.start", "status": "ok", "headers": []})
    if kind == "unprintable":
        raise Unprintable
    if kind == "closed":
        raise Closed
    if kind == "shared":
        raise SHARED
    if kind == "swallow":
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            work.say(token, "swallowed")
    if kind == "time-out":
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 0.01)
        except asyncio.TimeoutError:
            work.say(token, "timed-out")
    if kind == "time-out-block":
        with suppress(TimeoutError):
            with anyio.fail_after(0.01):
                await asyncio.Event().wait()
        work.say(token, "timed-out")
    if kind == "lost-task":
        await lose_a_task(token)
    if kind == "collect":
        gc.collect()
    if kind == "half":
        while (await receive())["type"] == "http.request":
            pass
        work.say(token, "left")
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if kind == "late-crash":
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        work.crash(token, "crash")
    if kind == "group":
        await work_async.crash_together(token)
    await send({"type": "http.response.body", "body": b"ok"})
    if kind == "after":  # as Starlette's background tasks fail
        work.crash(token, "crash")


async def lifespan(receive, send):  # type: ignore[no-untyped-def]
    for moment in ("startup", "shutdown"):
        await receive()
        try:
            if os.environ.get("STACKS_LIFESPAN") == moment:
                raise ValueError(f"{moment} fails")
        except ValueError:  # as Starlette does
            text = traceback.format_exc()
            await send({"type": f"lifespan.{moment}.failed", "message": text})
            raise
        await send({"type": f"lifespan.{moment}.complete"})


app = ContextMiddleware(application)
