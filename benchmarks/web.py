"""
What logging costs a web application: requests per second, latencies, its own time.

`python benchmarks/web.py` prints Markdown. The same application under uvicorn, once for
each way to log (`web_app.py`), asked over keep-alive connections. All servers of a
round are alive at once, on one CPU; this process, which asks them in turn, and what
reads their lines are on another. A turn is a block of requests to each, forwards and
backwards; ratios are made of blocks of the same turn.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import web_app
from goals import OWN_TIME, PER_SECOND, PLAIN_SERVER, Found
from ratios import FEWEST, Failed, Samples, middle, ratio
from workers import progress

HERE = Path(__file__).resolve().parent

P50, P99 = "HTTP, p50", "HTTP, p99"

#: What is measured, how it is shown, and with how many digits.
QUANTITIES = {
    PER_SECOND: ("requests/s", 0),
    P50: ("p50, ms", 2),
    P99: ("p99, ms", 2),
    OWN_TIME: ("server's own time, µs", 0),
}

CONNECTIONS = 16
REQUESTS = 800


@contextlib.contextmanager
def server(way: str, cpus: set[int] | None) -> Iterator[int]:
    """Serve the application with one way to log; yields the port."""
    command = [
        *(sys.executable, "-m", "uvicorn", "web_app:app", "--app-dir", str(HERE)),
        *("--port", "0", "--loop", "asyncio", "--http", "httptools"),
        *("--timeout-keep-alive", "600"),  # it waits for its turn
    ]
    # uvicorn says where it listens on standard error; with ctxlog on standard output.
    process = subprocess.Popen(
        command,
        env={**os.environ, "LOGGING": way},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if cpus is not None:
        os.sched_setaffinity(process.pid, cpus)
    assert process.stdout is not None
    said = "it printed nothing"
    try:
        for line in process.stdout:
            if "running on" in line:
                port = int(line.partition("127.0.0.1:")[2].split()[0].split("\\")[0])
                break
            said = line.strip() or said
        else:
            raise RuntimeError(said)
        # Who reads the rest is another process, as a log shipper would be.
        reader = subprocess.Popen(
            ["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL
        )
        process.stdout.close()
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

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


class Load:
    """Asks one server: each connection as soon as its last response came back."""

    def __init__(self, clients: Sequence[Client]) -> None:
        self._beside, *self._clients = clients

    @classmethod
    async def connect(cls, port: int) -> Load:
        pairs = [
            await asyncio.open_connection("127.0.0.1", port)
            for _ in range(CONNECTIONS + 1)
        ]
        return cls([Client(*pair) for pair in pairs])

    async def block(self) -> dict[str, float]:
        latencies: list[float] = []

        async def ask(number: int, client: Client) -> None:
            for _ in range(REQUESTS // CONNECTIONS):
                started = time.perf_counter()
                await client.get(f"/users/user-{number}")
                latencies.append(time.perf_counter() - started)

        spent = float(await self._beside.get("/spent"))
        started = time.perf_counter()
        await asyncio.gather(*(ask(*one) for one in enumerate(self._clients)))
        elapsed = time.perf_counter() - started
        spent = float(await self._beside.get("/spent")) - spent
        cuts = statistics.quantiles(latencies, n=100)
        return {
            PER_SECOND: len(latencies) / elapsed,
            P50: cuts[49] * 1000,
            P99: cuts[98] * 1000,
            OWN_TIME: spent / len(latencies) * 1_000_000,
        }

    async def close(self) -> None:
        for client in (self._beside, *self._clients):
            await client.close()


async def ask_in_turn(
    ports: Mapping[str, int], turns: int
) -> dict[str, list[dict[str, float]]]:
    loads = {way: await Load.connect(port) for way, port in ports.items()}
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ports}
    order = list(ports)
    for load in loads.values():
        await load.block()  # a warm-up
    for _ in range(turns):
        for way in order:
            found[way].append(await loads[way].block())
        order.reverse()
    for load in loads.values():
        await load.close()
    return found


@contextlib.contextmanager
def placed() -> Iterator[set[int] | None]:
    """Keep this process to one CPU; yields those for the servers, if there are two."""
    # mypy and pyright know that it is not on every platform.
    if sys.platform != "linux" or len(before := os.sched_getaffinity(0)) < 2:
        yield None
        return
    first, *_, last = sorted(before)
    os.sched_setaffinity(0, {first})
    try:
        yield {last}
    finally:
        os.sched_setaffinity(0, before)


def measured(ways: Sequence[str], rounds: int, turns: int) -> dict[str, Found]:
    """Return what was measured, by quantity and way."""
    found: dict[str, dict[str, list[list[float]]]] = {
        quantity: {way: [] for way in ways} for quantity in QUANTITIES
    }
    failed: dict[str, Samples | Failed] = {}
    with placed() as cpus:
        for number in range(rounds):
            progress(f"round {number + 1} of {rounds}: HTTP")
            with contextlib.ExitStack() as servers:
                ports = {}
                for way in ways:
                    if way in failed:
                        continue
                    try:
                        ports[way] = servers.enter_context(server(way, cpus))
                    except RuntimeError as error:
                        failed[way] = Failed(str(error)[:120])
                for way, blocks in asyncio.run(ask_in_turn(ports, turns)).items():
                    for quantity, by_way in found.items():
                        by_way[way].append([block[quantity] for block in blocks])
    return {quantity: {**by_way, **failed} for quantity, by_way in found.items()}


def table(results: Mapping[str, Found]) -> Iterator[str]:
    yield "### A web application\n"
    yield "Starlette under uvicorn, five lines and an access line per request;"
    yield f"{CONNECTIONS} connections, blocks of {REQUESTS} requests in turn."
    yield f"Behind each figure its ratio to {PLAIN_SERVER}.\n"
    yield f"| logging | {' | '.join(shown for shown, _ in QUANTITIES.values())} |"
    yield "|---|---|---|---|---|"
    for way in results[PER_SECOND]:
        cells = []
        for quantity, (_, digits) in QUANTITIES.items():
            samples = results[quantity][way]
            if isinstance(samples, Failed):
                cells.append(str(samples))
                continue
            base = results[quantity][PLAIN_SERVER]
            cells.append(f"{middle(samples):,.{digits}f}: {ratio(samples, base)}")
        yield f"| {way} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ways", nargs="*", help=f"of {'; '.join(web_app.WAYS)}")
    parser.add_argument("--rounds", type=int, default=FEWEST)
    parser.add_argument("--turns", type=int, default=10)
    chosen = parser.parse_args()
    ways = list(dict.fromkeys([PLAIN_SERVER, *(chosen.ways or web_app.WAYS)]))
    if set(ways) - set(web_app.WAYS):
        parser.error("no such way to log")
    print(f"{platform.python_implementation()} {platform.python_version()}\n")
    print("\n".join(table(measured(ways, chosen.rounds, chosen.turns))))


if __name__ == "__main__":
    main()
