"""
What a line costs the caller that ships it, against a file; and the peer.

    python benchmarks/delivery.py [--rounds 9]

One process logs blocks of lines in turn: to a file, to a sink that ships by OTLP, and
by the handler of OpenTelemetry's SDK with its default batch processor, all to the same
store, which is another process. What counts is the time of the processor that the
calling thread has taken; that of the whole process until the lines have left is shown,
too. The exit status is 0 if a line that is shipped costs its caller at most 1.3 times
as much as one to a file.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ratios import Median, ratio

#: The goal.
MOST = 1.3

#: Lines of a block, and between two blocks the seconds for what is held to leave.
LINES, REST = 2_000, 1.0


class Handler(BaseHTTPRequestHandler):
    """Takes everything."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer that all was taken."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


def serve() -> None:
    """Take everything until standard input ends."""
    import threading

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


def block(log: logging.Logger) -> float:
    """Return the microseconds that a line of a block takes the calling thread."""
    begin = time.thread_time()
    for number in range(LINES):
        log.info("paid", extra={"order": number, "rows": 3})
    return (time.thread_time() - begin) / LINES * 1e6


def handlers(port: int, folder: Path) -> dict[str, tuple[logging.Handler, Any]]:
    """Return what writes the lines of each kind, and how it is flushed."""
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    import ctxlog
    from ctxlog import sinks

    try:
        from opentelemetry.instrumentation.logging.handler import LoggingHandler
    except ImportError:
        from opentelemetry.sdk._logs import LoggingHandler

    def lines(place: Any) -> logging.Handler:
        handler = ctxlog.LineHandler(to=[place])
        handler.setFormatter(ctxlog.JsonFormatter())
        return handler

    ship = sinks.Ship(f"otlp://127.0.0.1:{port}")
    provider = LoggerProvider()
    exporter = OTLPLogExporter(endpoint=f"http://127.0.0.1:{port}/v1/logs")
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    file = sinks.File(folder / "app.log")
    return {
        "a file": (lines(file), lambda: None),
        "Ship": (lines(ship), lambda: ship.flush(30)),
        "OpenTelemetry": (
            LoggingHandler(logger_provider=provider),
            lambda: provider.force_flush(30_000),
        ),
    }


def measure(
    rounds: int, port: int, folder: Path
) -> dict[str, list[tuple[float, float]]]:
    """Return the figures of each kind, of the caller and of the process, in turn."""
    found: dict[str, list[tuple[float, float]]] = {}
    loggers: dict[str, tuple[logging.Logger, Callable[[], object]]] = {}
    for name, (handler, flush) in handlers(port, folder).items():
        log = logging.getLogger(f"delivery.{name}")
        log.setLevel(logging.INFO)
        log.propagate = False
        log.addHandler(handler)
        loggers[name] = log, flush
        found[name] = []
    for number in range(rounds + 1):
        order = list(loggers) if number % 2 else list(loggers)[::-1]
        for name in order:
            log, flush = loggers[name]
            begin = time.process_time()
            figure = block(log)
            flush()
            whole = (time.process_time() - begin) / LINES * 1e6
            time.sleep(REST)
            if number:  # the first is a warm-up
                found[name].append((figure, whole))
    return found


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--store", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.store:
        serve()
        return 0
    store = subprocess.Popen(
        [sys.executable, __file__, "--store"], stdin=-1, stdout=-1, text=True
    )
    assert store.stdin is not None
    assert store.stdout is not None
    try:
        with tempfile.TemporaryDirectory() as folder:
            port = int(store.stdout.readline())
            found = measure(options.rounds, port, Path(folder))
    finally:
        store.stdin.close()
        store.wait()
    best = None
    print("us of the processor a line, and times a file: the caller; the process")
    for name, figures in found.items():
        shown = []
        for of in (0, 1):
            ours = [[one[of]] for one in figures]
            times = ratio(ours, [[one[of]] for one in found["a file"]])
            middle = Median.of([one[of] for one in figures]).value
            shown.append(f"{middle:6.1f} {times}")
            if name == "Ship" and of == 0:
                best = times
        print(f"{name:14} {'; '.join(shown)}")
    assert isinstance(best, Median)
    print(f"goal: at most {MOST} times: {'yes' if best.low <= MOST else 'NO'}")
    return 0 if best.low <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
