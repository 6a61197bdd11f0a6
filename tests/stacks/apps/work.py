"""
What the handlers of all applications do, called from threads and plain functions.

Every line says in its message which request it belongs to: the token from the path. So
the truth does not depend on ctxlog, which puts its own answer into `requestID`.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import ctxlog

log = logging.getLogger("shop")
pool = ThreadPoolExecutor(4)

CHUNK = b"x" * 140_000
GATE = ("127.0.0.1", int(os.environ["STACKS_GATE"]))


def say(token: str, step: str) -> None:
    """Log that a request has come to a step."""
    log.info("%s %s", token, step)


def crash(token: str, step: str) -> None:
    """Raise an exception that is not caught."""
    raise ValueError(f"{token} {step}")


def authenticate(token: str) -> None:
    """Find out late, deep in the handler, who the user is."""
    ctxlog.bind(user={"id": token.replace("tok-", "user-")})
    say(token, "authenticated")


def wait(name: str) -> None:
    """Ask a slow service that answers when the client wants it to."""
    with socket.create_connection(GATE) as connection:
        connection.sendall(f"{name}\n".encode())
        connection.recv(1)


def in_threads(token: str) -> None:
    """Log from threads, a timer and a pool; one thread crashes."""
    threads = [
        threading.Thread(target=say, args=(token, "thread")),
        threading.Timer(0, say, (token, "timer")),
        threading.Thread(target=crash, args=(token, "thread-crash")),
    ]
    for thread in threads:
        thread.start()
    pool.submit(say, token, "submit").result()
    list(pool.map(say, [token, token], ["map-a", "map-b"]))
    for thread in threads:
        thread.join()


def later(token: str) -> None:
    """Work that goes on after the response, and crashes."""
    wait(f"{token}/later")
    say(token, "later")
    crash(token, "later-crash")


def background(token: str) -> None:
    """Work that goes on after the response."""
    wait(f"{token}/background")
    say(token, "background")


def start_later(token: str) -> None:
    """Start what outlives the response."""
    threading.Thread(target=later, args=(token,)).start()


def stream(token: str) -> Iterator[bytes]:
    """Yield a long body."""
    try:
        for step in ("chunk-a", "chunk-b", "chunk-c"):
            say(token, step)
            yield CHUNK
    finally:
        say(token, "closed")


def endless(token: str) -> Iterator[bytes]:
    """Yield a body whose client goes away."""
    try:
        yield CHUNK
        wait(f"{token}/endless")
        for _ in range(20):
            yield CHUNK
    finally:
        say(token, "closed")
