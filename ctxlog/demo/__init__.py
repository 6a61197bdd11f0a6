"""
`ctxlog demo`: the example shop, served and asked for real. An edge.

Needs the extra `demo`: the shop runs on FastAPI under uvicorn, in a process of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ctxlog.errors import MissingDependencyError

try:
    import httpx
except ModuleNotFoundError as error:
    if error.name != "httpx":
        raise
    raise MissingDependencyError("httpx", "demo") from None

__all__ = ["run"]

_TOKENS = ("token-alice", "token-bob")
_RUNNING = re.compile(r"Uvicorn running on (http://\S+)")


def run(requests: int) -> int:
    """
    Serve the shop, send requests at once and print its lines, mixed and sorted.

    Args:
        requests: How many to send; the last one fails.

    Returns:
        The exit code: 0 if every line of every request has the request's id.
    """
    expected = [f"req-{number:02d}" for number in range(1, requests + 1)]
    with _server() as (server, address):
        statuses = asyncio.run(_ask(address, expected))
    lines = [line for line in server.lines if line]
    print(f"{requests} requests at once; the lines of the shop, as they came:\n")
    print("\n".join(lines))
    return _report(lines, expected, statuses)


class _Server:
    """The shop's process, and the lines that it has written."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []

    def read_address(self) -> str:
        """Read until the server says where it listens."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            found = _RUNNING.search(line)
            if found:
                return found.group(1)
        output = "\n".join(self.lines)
        raise SystemExit(f"ctxlog demo: the shop did not start:\n{output}")

    def stop(self) -> None:
        """End the process and read what it wrote."""
        self.process.terminate()
        output, _ = self.process.communicate()
        self.lines += output.splitlines()


@contextlib.contextmanager
def _server() -> Iterator[tuple[_Server, str]]:
    command = [
        *(sys.executable, "-m", "uvicorn", "shop.app:app"),
        *("--app-dir", str(_shop().parent)),
        *("--host", "127.0.0.1", "--port", "0"),
    ]
    settings = {k: v for k, v in os.environ.items() if not k.startswith("CTXLOG_")}
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        env=settings,
    )
    server = _Server(process)
    try:
        yield server, server.read_address()
    finally:
        server.stop()


def _shop() -> Path:
    """The shop's folder: in the wheel beside this file, in a checkout in examples/."""
    here = Path(__file__).resolve().parent
    places = (here / "shop", here.parent.parent / "examples" / "shop")
    for place in places:
        if (place / "app.py").is_file():
            return place
    raise SystemExit("ctxlog demo: the example shop is not part of this installation")


async def _ask(address: str, request_ids: list[str]) -> dict[str, int]:
    limits = httpx.Limits(max_connections=len(request_ids))
    async with httpx.AsyncClient(
        base_url=address, limits=limits, timeout=30, trust_env=False
    ) as client:

        async def ask(number: int, request_id: str) -> tuple[str, int]:
            headers = {"X-Request-ID": request_id}
            if number + 1 < len(request_ids):
                token = _TOKENS[number % len(_TOKENS)]
                headers["Authorization"] = f"Bearer {token}"
            response = await client.get("/user", headers=headers)
            echoed = response.headers.get("X-Request-ID")
            if echoed != request_id:
                raise SystemExit(f"ctxlog demo: {request_id} came back as {echoed}")
            return request_id, response.status_code

        asked = [ask(number, name) for number, name in enumerate(request_ids)]
        return dict(await asyncio.gather(*asked))


def _report(lines: list[str], expected: list[str], statuses: dict[str, int]) -> int:
    by_request: dict[str, list[dict[str, Any]]] = {name: [] for name in expected}
    others: list[dict[str, Any]] = []
    for text in lines:
        try:
            line = json.loads(text)
        except ValueError:  # a warning of Python's on standard error
            line = {"requestID": "N/A", "message": text}
        by_request.get(line["requestID"], others).append(line)
    print("\nThe same lines, request by request:")
    wrong = 0
    for request_id, own in by_request.items():
        print(f"\n{request_id}  {statuses[request_id]}")
        for line in own:
            print(f"  {line['elapsedMs']:9.3f} ms  {_shown(line)}")
        wrong += _is_incomplete(own, statuses[request_id])
    print(f"\n{len(lines)} lines: {len(lines) - len(others)} of requests, ", end="")
    print(f"{len(others)} of the server itself (starting and stopping).")
    failed = sum(status >= 500 for status in statuses.values())
    print(f"{len(expected)} requests, {failed} of them failed, {wrong} incomplete.")
    return 1 if wrong or any(line["requestID"] != "N/A" for line in others) else 0


def _shown(line: dict[str, Any]) -> str:
    user = line.get("user", {}).get("name", "-")
    text = f"{line['level']:<7} {line['logger']:<14} {user:<6} {line['message']}"
    return text + (f"  [{line['exception']['type']}]" if "exception" in line else "")


def _is_incomplete(own: list[dict[str, Any]], status: int) -> bool:
    """Whether a line is missing, or is another request's."""
    messages = [line["message"] for line in own]
    if status == 200:
        user = own[-1]["user"] if own else {}
        wanted = [
            "Handling the user's profile",
            f"Building the profile of {user.get('name')}",
            f"Fetching details for user {user.get('id')}",
            "GET /user 200",
        ]
    else:
        wanted = [
            "Handling the user's profile",
            "No profile without a user",
            "GET /user 500",
            "Exception in ASGI application",
        ]
    return messages != wanted
