"""
`ctxlog web` as a process of its own, lines for it to read, and what it is asked.
"""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

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


def without_id(at: float, level: str, message: str, **more: object) -> str:
    """A line without an id."""
    fields = json.loads(line(at, level, message, "", **more))
    del fields["requestID"]
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
def serving(files: Sequence[Path | str]) -> Iterator[str]:
    """Serve the page of some files and stores; its address."""
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


class Asked:
    """An answer of the server."""

    def __init__(self, address: str, path: str, host: str | None = None) -> None:
        where = urlsplit(address)
        assert where.hostname is not None
        connection = http.client.HTTPConnection(where.hostname, where.port, LIMIT)
        headers = {"Host": host} if host is not None else {}
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        self.status, self.headers = answer.status, answer.headers
        self.body = answer.read()
        connection.close()

    @property
    def json(self) -> Any:
        """The JSON of the answer."""
        return json.loads(self.body)


def told(address: str, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Read the page's events until one says something; return it."""
    where = urlsplit(address)
    assert where.hostname is not None
    connection = http.client.HTTPConnection(where.hostname, where.port, LIMIT)
    connection.request("GET", where.path + "api/events")
    answer = connection.getresponse()
    try:
        assert answer.headers["content-type"].startswith("text/event-stream")
        while some := answer.readline():
            if some.startswith(b"data: "):
                state: dict[str, Any] = json.loads(some[6:])
                if until(state):
                    return state
    finally:
        answer.close()
        connection.close()
    raise AssertionError("the events have ended")


def listed(address: str, **selection: str) -> dict[str, Any]:
    """The requests that are listed, once all of them are known."""
    path = urlsplit(address).path + "api/requests?" + urlencode(selection)

    def is_known(_: dict[str, Any]) -> bool:
        return bool(Asked(address, path).json["state"]["done"])

    if not is_known({}):
        told(address, is_known)
    found: dict[str, Any] = Asked(address, path).json
    return found


def ids(found: dict[str, Any]) -> list[str]:
    """The ids of the requests that are listed."""
    return [row[0] for row in found["rows"]]


def opened(address: str, **asked: str) -> tuple[dict[str, Any], list[Any]]:
    """The head and the lines of a request; nothing if there is no such one."""
    path = urlsplit(address).path + "api/request?" + urlencode(asked)
    pieces = list(map(json.loads, Asked(address, path).body.splitlines()))
    head = pieces.pop(0) if pieces else {}
    return head, [row for piece in pieces for row in piece]
