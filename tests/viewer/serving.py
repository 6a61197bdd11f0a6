"""
`ctxlog web` as a process of its own, and lines for it to read.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from tests.helpers import LIMIT, clean_environment

#: When the lines begin, in seconds since the epoch: 2026-01-31T12:00:00Z.
ZERO = 1769860800.0


def line(at: float, level: str, message: str, request: str, **more: object) -> str:
    """Return a line, so many seconds after `ZERO`."""
    time = datetime.fromtimestamp(ZERO + at, timezone.utc)
    fields = {
        "timestamp": time.isoformat().replace("+00:00", "Z"),
        "level": level,
        "service": "shop",
        "requestID": request,
        "message": message,
        **more,
    }
    return json.dumps(fields) + "\n"


def written(folder: Path) -> Path:
    """Write a log of 50 requests, a minute apart, of which every tenth fails."""
    log = folder / "shop.log"
    with log.open("w", encoding="utf-8") as file:
        for number in range(50):
            name, at = f"req-{number:02d}", number * 60.0
            failed = number % 10 == 9
            file.write(line(at, "INFO", f"order {number} received", name, user="alice"))
            file.write(
                line(
                    at + 0.1,
                    "ERROR" if failed else "INFO",
                    "POST /orders",
                    name,
                    method="POST",
                    path="/orders",
                    status=503 if failed else 200,
                    durationMs=100.0,
                    traceID=f"trace-{number}",
                )
            )
    return log


@contextmanager
def serving(files: Sequence[Path]) -> Iterator[str]:
    """Serve the page of some files; its address."""
    process = subprocess.Popen(
        [sys.executable, "-Im", "ctxlog", "web", *map(str, files)],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env=clean_environment(),
    )
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), address
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(LIMIT)
        process.stdout.close()
