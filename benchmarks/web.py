"""
What logging costs a web application: requests per second and latencies, as ratios.

`python benchmarks/web.py` prints Markdown. The same application under uvicorn, once for
each way to log (`web_app.py`), asked over keep-alive connections from another process;
all in turn over several rounds, medians compared. The lines go to the null device.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import web_app

HERE = Path(__file__).resolve().parent
BASE = "plain text"


class Figures(NamedTuple):
    """What one round measured."""

    per_second: float
    p50: float
    p99: float
    spent: float


@contextlib.contextmanager
def server(way: str) -> Iterator[int]:
    """Serve the application with one way to log; yields the port."""
    command = [
        *(sys.executable, "-m", "uvicorn", "web_app:app", "--app-dir", str(HERE)),
        *("--port", "0", "--loop", "asyncio", "--http", "httptools"),
    ]
    # uvicorn says where it listens on standard error; with ctxlog on standard output.
    process = subprocess.Popen(
        command,
        env={**os.environ, "LOGGING": way},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if "running on" in line:
                port = int(line.partition("127.0.0.1:")[2].split()[0].split("\\")[0])
                break
        else:
            raise RuntimeError(f"the server did not start: {way}")
        # Who reads the rest is another process, as a log shipper would be.
        reader = subprocess.Popen(
            ["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL
        )
        yield port
    finally:
        process.terminate()
        process.wait()
    reader.wait()


class Client:
    """One keep-alive connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader, self.writer = reader, writer

    async def get(self, path: str) -> bytes:
        self.writer.write(f"GET {path} HTTP/1.1\r\nHost: shop\r\n\r\n".encode())
        head = await self.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
        return await self.reader.readexactly(int(length))


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()


async def ask(port: int, connections: int, requests: int) -> Figures:
    """Send requests over keep-alive connections, each as soon as the last came back."""
    latencies: list[float] = []

    async def client(number: int) -> None:
        async with connected(port) as connection:
            for _ in range(requests // connections):
                started = time.perf_counter()
                await connection.get(f"/users/user-{number}")
                latencies.append(time.perf_counter() - started)

    async with connected(port) as beside:
        spent = float(await beside.get("/spent"))
        started = time.perf_counter()
        await asyncio.gather(*(client(number) for number in range(connections)))
        elapsed = time.perf_counter() - started
        spent = float(await beside.get("/spent")) - spent
    cuts = statistics.quantiles(latencies, n=100)
    return Figures(
        len(latencies) / elapsed,
        cuts[49] * 1000,
        cuts[98] * 1000,
        spent / len(latencies) * 1_000_000,
    )


def load(way: str, connections: int, requests: int) -> Figures:
    with server(way) as port:
        asyncio.run(ask(port, connections, requests // 10))
        return asyncio.run(ask(port, connections, requests))


def report(rounds: int, connections: int, requests: int) -> Iterator[str]:
    found: dict[str, list[Figures]] = {way: [] for way in web_app.WAYS}
    for _ in range(rounds):
        for way in found:
            found[way].append(load(way, connections, requests))
    medians = {
        way: Figures(*map(statistics.median, zip(*figures, strict=True)))
        for way, figures in found.items()
    }
    base = medians[BASE]
    yield "### A web application\n"
    yield "Starlette under uvicorn, five lines and an access line per request;"
    yield f"{connections} connections, medians of {rounds} rounds of {requests:,}"
    yield f"requests in turn. In brackets the ratio to {BASE}.\n"
    yield "| logging | requests/s | p50, ms | p99, ms | server's own time, µs |"
    yield "|---|---|---|---|---|"
    for way, figures in medians.items():
        cells = [
            f"{mine:,.{digits}f} ({mine / theirs:.2f})"
            for mine, theirs, digits in zip(figures, base, (0, 2, 2, 0), strict=True)
        ]
        yield f"| {way} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--requests", type=int, default=6_000)
    chosen = parser.parse_args()
    print("\n".join(report(chosen.rounds, chosen.connections, chosen.requests)))


if __name__ == "__main__":
    main()
