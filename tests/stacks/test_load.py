"""
Ten thousand requests over two hundred connections: no line is wrong, none is missing,
and the server needs no more memory than after the first thousand.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stacks.driver import Server, Stack, running
from tests.stacks.stacks import gunicorn, uvicorn
from tests.stacks.test_stacks import need_stack

REQUESTS = 10_000
WARM = 1_000
CONNECTIONS = 200

SERVERS = [
    Stack(
        "uvicorn, Starlette",
        uvicorn("starlette_app", "--backlog", "512"),
        needs=("uvicorn", "starlette"),
    ),
    Stack(
        "gunicorn (gthread), Flask",
        gunicorn("flask_app", "-k", "gthread", "--threads", "8"),
        needs=("gunicorn", "flask"),
        loop=False,
    ),
]


async def converse(port: int, numbers: range) -> None:
    """One connection: its requests one after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in numbers:
        writer.write(
            f"GET /user/tok-user-{number} HTTP/1.1\r\nHost: a\r\n"
            f"X-Request-ID: rid-user-{number}\r\n\r\n".encode()
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        assert head.startswith("http/1.1 200"), head
        assert f"\r\nx-request-id: rid-user-{number}\r\n" in head
        length = re.search(r"content-length: (\d+)", head)
        assert length
        await reader.readexactly(int(length[1]))
        if "connection: close" in head:
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()


def load(server: Server, first: int, last: int) -> None:
    """Send the requests of these numbers over all connections; wait for their lines."""
    share = (last - first) // CONNECTIONS

    async def clients() -> None:
        starts = range(first, last, share)
        await asyncio.gather(
            *(converse(server.port, range(start, start + share)) for start in starts)
        )

    asyncio.run(clients())
    checked, ended = 0, 0

    def enough(lines: list[str]) -> bool:
        nonlocal checked, ended
        ended += sum('"logger":"ctxlog.request"' in line for line in lines[checked:])
        checked = len(lines)
        return ended >= last

    assert server.until(enough), f"{ended} of {last} completion lines"


def resident(server: Server) -> int:
    """The memory of the server and its workers, in kB."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
            group = int(
                (status.parent / "stat").read_text().rpartition(")")[2].split()[2]
            )
        except (OSError, IndexError):  # it has ended meanwhile
            continue
        found = re.search(r"VmRSS:\s+(\d+) kB", text)
        if group == server.process.pid and found:
            total += int(found[1])
    return total


@pytest.mark.timeout(300)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("stack", SERVERS, ids=lambda stack: stack.name)
def test_ten_thousand_requests(
    stack: Stack, record_property: Callable[[str, object], None]
) -> None:
    """Every line is right, none is missing, and memory stays flat."""
    need_stack(stack)
    with running(stack) as (server, _):
        load(server, 0, WARM)
        before = resident(server)
        load(server, WARM, REQUESTS)
        after = resident(server)
        lines = list(server.lines)
    counted: Counter[tuple[str, str]] = Counter()
    for line in lines:
        tokens = set(re.findall(r"tok-user-\d+", line))
        if not tokens:
            continue
        (token,) = tokens
        event = json.loads(line)
        assert event["requestID"] == token.replace("tok-", "rid-"), line
        assert event["user"] == {"id": token.replace("tok-", "user-")}, line
        counted[token, event["logger"]] += 1
    expected = {
        (f"tok-user-{number}", logger): 1
        for number in range(REQUESTS)
        for logger in ("shop", "ctxlog.request")
    }
    assert counted == expected
    record_property(
        "load",
        f"{stack.name}: {REQUESTS} requests over {CONNECTIONS} connections, "
        f"{len(lines)} lines, {before} kB resident after {WARM}, {after} at the end",
    )
    assert after <= before * 1.1, f"{before} kB grew to {after} kB"
