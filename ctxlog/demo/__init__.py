"""
`ctxlog demo`: the example shop, served and asked for real. An edge.

Needs the extra `demo`: the shop runs on FastAPI under uvicorn, in a process of its own,
and logs with all three loggers.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO, cast

from ctxlog.errors import requires
from ctxlog.terminal import hue, paint, wants_color
from ctxlog.viewer.query.search import Reader
from ctxlog.viewer.read.source import Source
from ctxlog.viewer.recognize.keys import Names
from ctxlog.viewer.show.look import Look
from ctxlog.viewer.show.printing import request_text

with requires("httpx", extra="demo"):
    import httpx

__all__ = ["run"]

_TOKENS = ("token-alice", "token-bob")
_RUNNING = re.compile(r"Uvicorn running on (http://\S+)")


#: Of how many requests the lines are shown as they came: four each.
_REQUESTS = 3
_COLOR = r"\x1b\[[\d;]*m"


def run(requests: int, *, everything: bool = False) -> int:
    """
    Serve the shop, send requests at once and show what it has logged, on one screen.

    Args:
        requests: How many to send; the last one fails.
        everything: Whether to print all lines, as they came and then sorted.

    Returns:
        The exit code, which is 0 if every line of every request has the request's id.
    """
    expected = [f"req-{number:02d}" for number in range(1, requests + 1)]
    with _server() as (server, address):
        statuses = asyncio.run(_ask(address, expected))
    lines = [line for line in server.lines if line]
    result = _Result(lines, expected, statuses)
    if everything:
        print(f"{requests} requests at once; the lines of the shop, as they came:\n")
        print("\n".join(lines))
        _print_sorted(result)
    else:
        _print_screen(result)
    return 0 if result.is_right else 1


class _Server:
    """The shop's process, and the lines that it has written."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []

    def read_address(self) -> str:
        """Read until the server says where it listens."""
        output = cast(TextIO, self.process.stdout)  # it was started with a pipe
        for line in output:
            self.lines.append(line.rstrip("\n"))
            found = _RUNNING.search(line)
            if found:
                return found.group(1)
        written = "\n".join(self.lines)
        raise SystemExit(f"ctxlog demo: the shop did not start:\n{written}")

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

        async def ask(number: int, request_id: str) -> tuple[int, str | None]:
            headers = {"X-Request-ID": request_id}
            if number + 1 < len(request_ids):
                token = _TOKENS[number % len(_TOKENS)]
                headers["Authorization"] = f"Bearer {token}"
            response = await client.get("/user", headers=headers)
            return response.status_code, response.headers.get("X-Request-ID")

        asked = [ask(number, name) for number, name in enumerate(request_ids)]
        answers = await asyncio.gather(*asked)
    for request_id, (_, echoed) in zip(request_ids, answers, strict=True):
        if echoed != request_id:
            raise SystemExit(
                f"ctxlog demo: {request_id} was answered with the id {echoed}"
            )
    return {
        name: status for name, (status, _) in zip(request_ids, answers, strict=True)
    }


class _Result:
    """
    The lines of the shop, by request.

    Attributes:
        lines: All of it, as it came.
        statuses: The status of each response.
        by_request: The lines of each.
        others: Lines with an id that was not sent, or with none.
        unlogged: What no logger has written.
        incomplete: Requests of which a line is missing, or another's is among them.
    """

    def __init__(
        self, lines: list[str], expected: list[str], statuses: dict[str, int]
    ) -> None:
        self.lines = lines
        self.statuses = statuses
        self.by_request: dict[str, list[dict[str, Any]]]
        self.by_request = {name: [] for name in expected}
        self.others: list[dict[str, Any]] = []
        self.unlogged: list[str] = []
        for text in lines:
            line = _parsed(text)
            if line is None:
                self.unlogged.append(text)
            else:
                self.by_request.get(line["requestID"], self.others).append(line)
        self.incomplete = [
            name
            for name, own in self.by_request.items()
            if _is_incomplete(own, statuses[name])
        ]

    @property
    def is_right(self) -> bool:
        """Whether every line has the id of its request."""
        stray = any(line["requestID"] != "N/A" for line in self.others)
        return not self.incomplete and not stray

    def totals(self) -> str:
        """Return how many lines and requests there were."""
        stamped = len(self.lines) - len(self.unlogged)
        failed = sum(status >= 500 for status in self.statuses.values())
        return (
            f"{stamped} lines: {stamped - len(self.others)} of {len(self.statuses)} "
            f"requests, {len(self.others)} of the server; "
            f"{failed} failed, {len(self.incomplete)} incomplete."
        )


def _print_sorted(result: _Result) -> None:
    print("\nThe same lines, request by request:")
    for request_id, own in result.by_request.items():
        print(f"\n{request_id}  {result.statuses[request_id]}")
        for line in own:
            print(f"  {line['elapsedMs']:9.3f} ms  {_shown(line)}")
    if result.unlogged:
        print("\nNot written by a logger (the interpreter's own, most likely):\n")
        print("\n".join(result.unlogged))
    print(f"\n{result.totals()}")


def _print_screen(result: _Result) -> None:
    """Print what fits on one screen, and where the rest is."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", prefix="ctxlog-demo-", suffix=".log", delete=False
    ) as file:
        file.writelines(f"{line}\n" for line in result.lines)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    number = len(result.statuses)
    *_, failing = result.statuses
    shown = _mixed(result.lines, failing)
    print(f"{number} requests at once; the first {_REQUESTS}, by", end=" ")
    print("logging, structlog, loguru, as they came:")
    for text in shown:
        print(_fitted(text, width))
    print("\nThe request that failed, whole:")
    for text in _whole(file.name, failing):
        print(_cut(text, width))
    if result.unlogged:
        print("\nNot written by a logger (the interpreter's own, most likely):")
        print("\n".join(result.unlogged))
    program, name = _program(), shlex.quote(file.name)
    print(f"\n{result.totals()}")
    print(f"All lines are in {file.name}. Try:")
    print(f"  {program} show --errors {name}")
    print(f"  {program} timeline {name} -r {next(iter(result.statuses))}")
    print(f'  grep \'"requestID":"{failing}"\' {name}')


def _mixed(lines: Sequence[str], failing: str) -> list[str]:
    """Return the lines of the first requests, mixed as they came, without *failing*."""
    owners = [(_parsed(text) or {}).get("requestID", "N/A") for text in lines]
    others = [owner for owner in owners if owner not in ("N/A", failing)]
    first = list(dict.fromkeys(others))[:_REQUESTS]
    return [text for text, owner in zip(lines, owners, strict=True) if owner in first]


def _fitted(text: str, width: int | None) -> str:
    """Return a line as it is, or what a terminal has room for: from the id on."""
    if width is not None and len(text) > width:
        text = "…" + text[max(text.find('"requestID"'), 0) :]
        text = text if len(text) <= width else f"{text[: width - 1]}…"
    line = re.search(r'"requestID":"(req-\d+)"', text)
    if line is None:
        return text
    color = hue(line[1])
    return text.replace(line[1], paint(line[1], color, _colored()), 1)


def _colored() -> bool:
    return wants_color(sys.stdout.isatty())


def _cut(text: str, width: int | None) -> str:
    """Return a line as far as a terminal has room for it; colors take none."""
    if width is None or len(re.sub(_COLOR, "", text)) <= width:
        return text
    shown, width = "", width - 1
    for piece in re.split(f"({_COLOR})", text):
        room = len(piece) if piece.startswith("\x1b") else max(width, 0)
        shown += piece[:room]
        width -= 0 if piece.startswith("\x1b") else len(piece)
    return f"{shown}…"


def _whole(file: str, request_id: str) -> Iterator[str]:
    """Yield what `ctxlog show` prints of a request, with the end of its traceback."""
    reader = Reader([Source(file)], Names(None, None))
    with reader.collect({request_id}) as collected:
        for request in collected:
            text = request_text(request, request.entries, Look(_colored()))
            before, begin, traceback = text.partition("Traceback (most recent")
            yield from before.rstrip().splitlines()
            *above, frame, code, error = (begin + traceback).rstrip().splitlines()
            yield f"{'':12}... {len(above)} lines of the traceback ..."
            yield from (frame, code, error)


def _program() -> str:
    """Return how the command line was called, to be called like that again."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m ctxlog"
    found = shutil.which(called.name)
    if found is not None and Path(found).resolve() == called.resolve():
        return called.name
    return shlex.quote(sys.argv[0])


def _parsed(text: str) -> dict[str, Any] | None:
    """The line, or None if it is not one of ours: a warning of the interpreter."""
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) and "requestID" in line else None


def _shown(line: dict[str, Any]) -> str:
    user = line.get("user", {}).get("name", "-")
    text = f"{line['level']:<7} {line['logger']:<14} {user:<6} {line['message']}"
    return text + (f"  [{line['exception']['type']}]" if "exception" in line else "")


def _is_incomplete(own: list[dict[str, Any]], status: int) -> bool:
    """Tell whether a line is missing, or is another request's."""
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
