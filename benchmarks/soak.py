"""
Lines to a store that fails at random, for minutes: is each line accounted for?

    python benchmarks/soak.py --minutes 10 --rate 2000

A process logs so many lines a second to a sink that ships them by OTLP. The store is
another process, which refuses connections for a while, answers 429 and 503, resets
connections, answers slowly, or by half an answer, and refuses batches with a wrong
line. At the end every line must be in the store, but for the wrong ones, which are
rejected; a line may be there twice only if the answer to its batch was broken; memory
must have stayed flat. Prints the totals; the exit status is 0 if all of that holds.
"""

from __future__ import annotations

import argparse
import gzip
import json
import logging
import random
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: How often the store fails, and how.
FAILURES = {
    "429": 0.03,
    "503": 0.03,
    "reset": 0.03,
    "slow": 0.03,
    "half, not stored": 0.02,
    "half, stored": 0.02,
}


# The store -------------------------------------------------------------------------


class Totals:
    """What came to the store."""

    def __init__(self, seed: int) -> None:
        self.lock = threading.Lock()
        self.random = random.Random(seed)
        self.counts: dict[int, int] = {}
        self.others: list[str] = []
        self.unacknowledged = 0
        self.answers: dict[str, int] = {}
        self.refusals = 0

    def store(self, messages: list[str], acknowledged: bool) -> None:
        """Count the messages of one request."""
        with self.lock:
            for message in messages:
                if message.isdecimal() or is_wrong(message):
                    number = int(message.rstrip("!"))
                    self.counts[number] = self.counts.get(number, 0) + 1
                else:
                    self.others.append(message)
            if not acknowledged:
                self.unacknowledged += len(messages)

    def choose(self) -> str:
        """Return what to do with a request."""
        with self.lock:
            chance = self.random.random()
            chosen = "stored"
            for name, share in FAILURES.items():
                chance -= share
                if chance < 0:
                    chosen = name
                    break
            self.answers[chosen] = self.answers.get(chosen, 0) + 1
            return chosen

    def report(self) -> dict[str, Any]:
        """Return the totals."""
        with self.lock:
            numbers = sorted(self.counts)
            return {
                "numbers": len(numbers),
                "sum": sum(numbers),
                "repeated": sum(self.counts.values()) - len(numbers),
                "unacknowledged": self.unacknowledged,
                "others": self.others,
                "answers": self.answers,
                "refusals": self.refusals,
            }


def is_wrong(message: str) -> bool:
    """Return whether the store refuses this line."""
    return message.endswith("!")


class Handler(BaseHTTPRequestHandler):
    """Answers as the totals choose."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    totals: Totals
    open: set[socket.socket] = set()

    def setup(self) -> None:
        """Note the connection."""
        super().setup()
        self.open.add(self.connection)

    def do_GET(self) -> None:
        """Return the totals."""
        self.answer(200, json.dumps(self.totals.report()).encode())

    def do_POST(self) -> None:
        """Store records, or fail."""
        size = int(self.headers["Content-Length"])
        body = self.rfile.read(size)
        if len(body) < size:
            self.close_connection = True
            return
        chosen = self.totals.choose()
        if chosen == "429":
            self.answer(429, b"busy", {"Retry-After": "1"})
            return
        if chosen == "503":
            self.answer(503, b"away")
            return
        if chosen == "reset":
            self.reset()
            return
        if chosen == "slow":
            time.sleep(self.totals.random.uniform(0.2, 1.5))
        request = json.loads(gzip.decompress(body))
        messages = [
            record["body"]["stringValue"]
            for of_resource in request["resourceLogs"]
            for of_scope in of_resource["scopeLogs"]
            for record in of_scope["logRecords"]
        ]
        if any(map(is_wrong, messages)):
            self.answer(400, b"a record is wrong")
            return
        if chosen != "half, not stored":
            self.totals.store(messages, acknowledged=not chosen.startswith("half"))
        if chosen.startswith("half"):
            self.half()
        else:
            self.answer(200, b"{}")

    def answer(
        self, status: int, body: bytes, headers: dict[str, str] | None = None
    ) -> None:
        """Send a whole answer."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def half(self) -> None:
        """Send half an answer."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"{}")

    def reset(self) -> None:
        """Reset the connection."""
        self.close_connection = True
        self.connection.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self.rfile.close()
        self.connection.close()

    def finish(self) -> None:
        """Close, however the connection has ended."""
        self.open.discard(self.connection)
        try:
            super().finish()
        except (OSError, ValueError):
            pass

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


class Server(ThreadingHTTPServer):
    """The store, which listens now and then."""

    request_queue_size = 64
    daemon_threads = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: the other side may be gone."""


def serve(port: int, seed: int) -> None:
    """Listen, and do not, until standard input ends."""
    Handler.totals = totals = Totals(seed)
    ended = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    while not ended.is_set():
        server = Server(("127.0.0.1", port), Handler)
        port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        print(port, flush=True)
        ended.wait(totals.random.uniform(3, 12))
        server.shutdown()
        server.socket.close()
        for connection in list(Handler.open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        server.server_close()  # waits for its threads
        if not ended.is_set():
            totals.refusals += 1
            ended.wait(totals.random.uniform(0.2, 3))


# The application -------------------------------------------------------------------


def resident() -> int:
    """Return the memory of this process, in bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def log_lines(
    seconds: float, rate: int, wrong: int, sink: Any
) -> tuple[int, list[int]]:
    """Log so many lines a second; return how many, and the memory every second."""
    log = logging.getLogger("soak")
    begin = time.monotonic()
    count, memory = 0, [resident()]
    while (passed := time.monotonic() - begin) < seconds:
        while count < passed * rate:
            count += 1
            mark = "" if count % wrong else "!"
            extra = {"user": {"id": "user-123"}, "rows": count % 7}
            log.info("%d%s", count, mark, extra=extra)
        if passed > len(memory):
            memory.append(resident())
            if len(memory) % 10 == 0:
                print(f"{passed:5.0f} s", dict(sink.stats()), f"{memory[-1] >> 20} MB")
        time.sleep(0.005)
    return count, memory


def soak(minutes: float, rate: int, wrong: int, seed: int) -> bool:
    """Run it, and return whether all that must hold does."""
    import ctxlog
    from ctxlog import sinks

    command = [sys.executable, __file__, "--store", "0", "--seed", str(seed)]
    store = subprocess.Popen(command, stdin=-1, stdout=-1, text=True)
    assert store.stdin is not None
    assert store.stdout is not None
    port = int(store.stdout.readline())
    threading.Thread(target=store.stdout.read, daemon=True).start()
    sink = sinks.Ship(f"otlp://127.0.0.1:{port}")
    ctxlog.configure(format="json", to=[sink])
    try:
        count, memory = log_lines(minutes * 60, rate, wrong, sink)
        held = sink.flush(120)
        sink.close(10)
        totals = ask(port)
    finally:
        store.stdin.close()
        store.wait()
    stats = sink.stats()
    rejected = range(wrong, count + 1, wrong)
    own = stats["written"] - count
    # Two quarters, after a time in which caches and the buffer have their size.
    quarter = max(len(memory) // 4, 1)
    early, late = max(memory[quarter : 2 * quarter] or memory), max(memory[-quarter:])
    right = count * (count + 1) // 2 - sum(rejected)
    said = sorted(set(totals["others"]))
    print(f"{count} lines at {rate} a second; the sink: {dict(stats)}")
    print(f"the store: {totals['numbers']} lines, {totals['repeated']} of them again;")
    print(f"  {totals['unacknowledged']} in batches whose answer was broken")
    print(f"  answers: {totals['answers']}; did not listen {totals['refusals']} times")
    print(f"{own} lines of the sink about itself, {len(said)} of them in the store")
    print(f"memory: {memory[0] >> 20} MB at first, {early >> 20} MB, {late >> 20} MB")
    holds = {
        "nothing is held or dropped": held == stats["dropped"] == stats["held"] == 0,
        "every right line arrived": totals["numbers"] == count - len(rejected)
        and totals["sum"] == right,
        "every wrong line was rejected": stats["rejected"] == len(rejected),
        "the counters add up": stats["written"]
        == stats["shipped"] + stats["held"] + stats["dropped"] + stats["rejected"]
        and own >= len(said),
        "lines come again only after a broken answer": totals["repeated"]
        <= totals["unacknowledged"],
        # A short run ends before caches and the buffer have their size.
        "memory is flat": minutes < 2 or late - early < 8 << 20,
    }
    for claim, held_true in holds.items():
        print(f"{'yes' if held_true else 'NO '}  {claim}")
    return all(holds.values())


def ask(port: int) -> dict[str, Any]:
    """Return the totals of the store, as soon as it listens."""
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as it:
                totals: dict[str, Any] = json.load(it)
                return totals
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the store does not listen any more")


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=int, default=2_000, help="lines a second")
    parser.add_argument("--wrong", type=int, default=40_000, help="one of so many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.store is not None:
        serve(options.store, options.seed)
        return 0
    holds = soak(options.minutes, options.rate, options.wrong, options.seed)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
