"""
What the tests of several servers use: uvicorn processes, started as from the command
line, read line by line, asked over raw sockets; and a wait for a completion line.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import ctxlog
from tests.helpers import clean_environment, load_line

Event = dict[str, Any]


class Server:
    """
    A uvicorn process, and the lines that it has written so far.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.raw: list[bytes] = []
        self._changed = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        line = self.until(lambda one: "Uvicorn running on" in one["message"])
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line["message"])
        assert found
        self.port = int(found[1])

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self._changed:
                self.raw.append(line)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def until(self, wanted: Callable[[Event], bool], count: int = 1) -> Event:
        """
        Wait until *count* such lines are there, and return the last one.
        """
        checked = 0
        found: list[Event] = []

        def enough() -> bool:
            nonlocal checked
            for line in self.raw[checked:]:
                event = load_line(line)
                if wanted(event):
                    found.append(event)
            checked = len(self.raw)
            return len(found) >= count or self._ended

        with self._changed:
            assert self._changed.wait_for(enough, timeout=40), self.raw[-20:]
        assert len(found) >= count, self.raw[-20:]
        return found[-1]

    def events(self) -> list[Event]:
        """
        The lines written so far.
        """
        with self._changed:
            return [load_line(line) for line in self.raw]

    def stop(self) -> list[Event]:
        """
        End the server as Ctrl-C does, and return all its lines.
        """
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self._reader.join(timeout=40)
        self.process.wait(timeout=10)
        return [load_line(line) for line in self.raw]

    def connect(self) -> socket.socket:
        """
        Open a connection.
        """
        return socket.create_connection(("127.0.0.1", self.port), timeout=40)


@contextlib.contextmanager
def serving(
    source: str, folder: Path, http: str, *options: str, **variables: str
) -> Iterator[Server]:
    """
    Serve the application of *source* on a free port; its stderr must stay empty.
    """
    (folder / "served.py").write_text(source, encoding="utf-8")
    errors = folder / "stderr"
    installed = str(Path(ctxlog.__file__).parent.parent)
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "uvicorn", "served:app"),
                *("--host", "127.0.0.1", "--port", "0"),
                *("--loop", "asyncio", "--http", http, "--lifespan", "off"),
                *("--app-dir", str(folder), "--backlog", "512"),
                *options,
            ],
            cwd=folder,
            env=clean_environment(PYTHONPATH=installed, PYTHONUTF8="1", **variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
    try:
        server = Server(process)
        yield server
        server.stop()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        assert process.stdout
        process.stdout.close()
    printed = errors.read_text(encoding="utf-8")
    assert printed == "", printed


def request(
    path: str, *, request_id: str = "", marker: str = "", body: bytes = b""
) -> bytes:
    """
    A request as its bytes.
    """
    head = [f"{'POST' if body else 'GET'} {path} HTTP/1.1", "Host: localhost"]
    if request_id:
        head.append(f"X-Request-ID: {request_id}")
    if marker:
        head.append(f"X-Marker: {marker}")
    if body:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode() + body


class Response:
    """
    One response, read from a connection that may be kept.
    """

    def __init__(self, connection: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            assert more, f"closed after {data!r}"
            data += more
        head, _, self.body = data.partition(b"\r\n\r\n")
        first, *rest = head.decode().split("\r\n")
        self.status = int(first.split()[1])
        pairs = [line.partition(":") for line in rest]
        self.headers = {name.lower(): value.strip() for name, _, value in pairs}
        while len(self.body) < int(self.headers.get("content-length", 0)):
            self.body += connection.recv(65536)


def of(events: list[Event], logger: str) -> list[Event]:
    """
    The lines of one logger.
    """
    return [one for one in events if one["logger"] == logger]


def is_completion(event: Event) -> bool:
    """
    Whether a line says how a request ended.
    """
    return bool(event["logger"] == "ctxlog.request")


def is_crash(event: Event) -> bool:
    """
    Whether a line is uvicorn's report of a crash.
    """
    return "Exception in ASGI application" in event["message"]


@contextlib.contextmanager
def completions() -> Iterator[asyncio.Event]:
    """
    An event that is set when a completion line is logged.
    """
    ended = asyncio.Event()

    class Ending(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            ended.set()

    handler = Ending()
    logger = logging.getLogger("ctxlog.request")
    logger.addHandler(handler)
    try:
        yield ended
    finally:
        logger.removeHandler(handler)


async def garbage_per_request(ask: Callable[[], Awaitable[object]]) -> float:
    """
    How many objects a request leaves to the garbage collector, in its client too.
    """

    async def left_by(count: int) -> int:
        gc.collect()
        for _ in range(count):
            await ask()
        return gc.collect()

    await left_by(5)
    gc.disable()
    try:
        few, more = await left_by(10), await left_by(30)
    finally:
        gc.enable()
    return (more - few) / 20
