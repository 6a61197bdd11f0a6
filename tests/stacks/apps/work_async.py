"""
What the handlers of asynchronous applications do; see `work`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import anyio
import work
from anyio.lowlevel import checkpoint
from work import CHUNK, crash, say

running: set[asyncio.Task[None]] = set()


async def wait(name: str) -> None:
    """Ask a slow service that answers when the client wants it to."""
    host, port = work.GATE
    async with await anyio.connect_tcp(host, port) as connection:
        await connection.send(f"{name}\n".encode())
        await connection.receive(1)


async def in_executors(token: str) -> None:
    """Log from executors, and from threads that these start."""
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(work.pool, say, token, "executor")
    await asyncio.to_thread(say, token, "to-thread")
    await loop.run_in_executor(None, work.in_threads, token)


async def later(token: str) -> None:
    """Work that goes on after the response, and crashes."""
    await wait(f"{token}/later")
    say(token, "later")
    crash(token, "later-crash")


def start_later(token: str) -> None:
    """Start a task that outlives the response, and whose result is never read."""
    task = asyncio.create_task(later(token))
    running.add(task)
    task.add_done_callback(running.discard)


async def background(token: str) -> None:
    """Work that goes on after the response."""
    await wait(f"{token}/background")
    say(token, "background")


async def crash_together(token: str) -> None:
    """Fail in two tasks of a group at once."""
    async with anyio.create_task_group() as group:
        group.start_soon(crash_soon, token, "crash-a")
        group.start_soon(crash_soon, token, "crash-b")


async def crash_soon(token: str, step: str) -> None:
    """Fail once the others have begun."""
    try:
        await checkpoint()
    finally:
        crash(token, step)


def start_background(token: str) -> None:
    """Start a task that outlives the response."""
    task = asyncio.create_task(background(token))
    running.add(task)
    task.add_done_callback(running.discard)


async def stream(token: str) -> AsyncIterator[bytes]:
    """Yield a long body."""
    try:
        for step in ("chunk-a", "chunk-b", "chunk-c"):
            say(token, step)
            yield CHUNK
            await checkpoint()
    finally:
        say(token, "closed")


async def endless(token: str) -> AsyncGenerator[bytes, None]:
    """Yield a body whose client goes away."""
    try:
        yield CHUNK
        await wait(f"{token}/endless")
        for _ in range(20):
            yield CHUNK
    finally:
        say(token, "closed")
