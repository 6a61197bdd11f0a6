"""
Applications and clients that do it wrong, on real servers: no line is lost, none has
another's id, and the server answers the next request.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from tests.helpers import LIMIT
from tests.stacks.driver import Gate, Server, Stack, running
from tests.stacks.stacks import granian, gunicorn, hypercorn, uvicorn
from tests.stacks.test_stacks import need_stack

COMPLETION = "ctxlog.request"

#: How often each wrong thing is done, at once.
TIMES = 8

ASGI = ("no-start", "body-first", "no-status", "late-crash", "group", "after")
WSGI = ("no-start", "no-status", "no-headers", "late-crash")
BOTH = ("unprintable", "closed", "shared")
FINE = ("swallow", "time-out", "time-out-block")
LATE = ("late-crash", "group", "after")

SERVERS = [
    Stack("uvicorn", uvicorn("bad_asgi", "--http", "h11"), ("uvicorn", "h11")),
    Stack(
        "uvicorn, httptools",
        uvicorn("bad_asgi", "--http", "httptools", "--loop", "asyncio"),
        ("uvicorn", "httptools"),
    ),
    Stack("hypercorn", hypercorn("bad_asgi"), ("hypercorn",)),
    Stack("granian", granian("asgi", "bad_asgi"), ("granian",)),
    Stack(
        "gunicorn",
        gunicorn("bad_wsgi", "-k", "gthread", "--threads", "16"),
        ("gunicorn",),
        loop=False,
    ),
    Stack(
        "waitress",
        ("waitress-serve", "--listen=127.0.0.1:PORT", "--threads=16", "bad_wsgi:app"),
        ("waitress",),
        loop=False,
    ),
]


@pytest.fixture(scope="module", params=SERVERS, ids=lambda stack: stack.name)
def served(request: pytest.FixtureRequest) -> Iterator[tuple[Stack, Server, Gate]]:
    """Each server in turn, with the application that does it wrong."""
    stack: Stack = request.param
    need_stack(stack)
    with running(stack) as (server, gate):
        yield stack, server, gate


def ask(server: Server, kind: str, number: int) -> int | None:
    """The status of one request, or None if the server hung up."""
    token = f"tok-{kind.replace('-', '')}-{number}"
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT)
    headers = {"X-Request-ID": token.replace("tok-", "rid-")}
    try:
        connection.request("GET", f"/{kind}/{token}", headers=headers)
        response = connection.getresponse()
        with suppress(http.client.IncompleteRead):
            response.read()
        return response.status
    except (http.client.HTTPException, OSError):
        return None
    finally:
        connection.close()


def lines_of(server: Server, kind: str) -> list[dict[str, Any]]:
    """The lines that speak of requests of a kind, or have the id of one."""
    word = kind.replace("-", "")
    found = []
    for line in list(server.lines):
        if re.search(rf"\b(tok|rid)-{word}-\d+", line) and line.startswith("{"):
            found.append(json.loads(line))
    return found


def completed(server: Server, kind: str) -> list[dict[str, Any]]:
    """The completion lines of a kind, once there are as many as were asked for."""

    def enough(lines: list[str]) -> bool:
        ends = [e for e in lines_of(server, kind) if e["logger"] == COMPLETION]
        return len(ends) >= TIMES

    assert server.until(enough), server.lines[-20:]
    return [e for e in lines_of(server, kind) if e["logger"] == COMPLETION]


def judge(server: Server, kind: str) -> list[dict[str, Any]]:
    """Check that no line has another's id and none is lost; return them."""
    ends = completed(server, kind)
    assert len({end["requestID"] for end in ends}) == len(ends) == TIMES
    found = lines_of(server, kind)
    for event in found:
        told = set(re.findall(r"\btok-[a-z]+-\d+", json.dumps(event)))
        expected = event["requestID"].replace("rid-", "tok-")
        # granian reports as text, without an id, what it cannot tell from another's
        if not event["logger"].startswith("_granian") or event["requestID"] != "N/A":
            assert told <= {expected}, event
    started = [event for event in found if event["message"].endswith(" started")]
    assert len(started) == TIMES
    return found


def kinds(stack: Stack) -> tuple[str, ...]:
    """Return the mistakes that an application can make under a server."""
    return (*ASGI, *BOTH) if stack.loop else (*WSGI, *BOTH)


@pytest.mark.parametrize("kind", sorted({*ASGI, *WSGI, *BOTH}))
def test_an_application_that_fails(
    served: tuple[Stack, Server, Gate], kind: str
) -> None:
    """Every request has all its lines, and the server goes on."""
    stack, server, _ = served
    if kind not in kinds(stack):
        pytest.skip("of the other interface")
    with ThreadPoolExecutor(TIMES) as pool:
        statuses = list(pool.map(lambda n: ask(server, kind, n), range(TIMES)))
    found = judge(server, kind)
    late = kind in LATE
    assert set(statuses) <= ({200, 500, None} if late else {500, 502, None})
    if kind in (*BOTH, *LATE):
        ends = [event for event in found if event["logger"] == COMPLETION]
        assert {event["level"] for event in ends} == {"ERROR"}
    assert ask(server, "fine", 0) == 200
    assert server.process.poll() is None


@pytest.mark.parametrize("kind", BOTH)
def test_the_crash_reports_have_the_ids(
    served: tuple[Stack, Server, Gate], kind: str
) -> None:
    """
    Requests that fail at the same time are each reported once, also with one exception.
    """
    stack, server, gate = served
    if stack.name == "granian":
        pytest.skip("granian tells exceptions by their text only; these have the same")
    word = kind.replace("-", "")
    before = len(server.lines)

    def reports() -> list[dict[str, Any]]:
        events = [json.loads(x) for x in server.lines[before:] if '"stack":' in x]
        return [event for event in events if event["logger"] != COMPLETION]

    with ThreadPoolExecutor(TIMES) as pool:
        asked = [
            pool.submit(ask, server, f"held-{kind}", number) for number in range(TIMES)
        ]
        tokens = [f"tok-held{word}-{number}" for number in range(TIMES)]
        for token in tokens:
            gate.until_waiting(token)
        gate.open(*tokens)
        assert {one.result() for one in asked} <= {500, None}
    assert server.until(lambda _: len(reports()) >= TIMES), server.lines[before:]
    found = sorted(event["requestID"] for event in reports())
    assert found == [token.replace("tok-", "rid-") for token in tokens]


@pytest.mark.parametrize("kind", FINE)
def test_an_application_that_swallows_a_cancellation(
    served: tuple[Stack, Server, Gate], kind: str
) -> None:
    """It goes on in its request, and ends as if nothing had been."""
    stack, server, _ = served
    if not stack.loop:
        pytest.skip("of the other interface")
    with ThreadPoolExecutor(TIMES) as pool:
        assert set(pool.map(lambda n: ask(server, kind, n), range(TIMES))) == {200}
    found = judge(server, kind)
    assert {e["level"] for e in found if e["logger"] == COMPLETION} == {"INFO"}
    ending = "swallowed" if kind == "swallow" else "timed-out"
    assert len([e for e in found if e["message"].endswith(ending)]) == TIMES


def test_a_task_that_is_collected_in_another_request(
    served: tuple[Stack, Server, Gate],
) -> None:
    """A crash that the garbage collector finds is reported with its own request."""
    stack, server, _ = served
    if not stack.loop:
        pytest.skip("of the other interface")
    with ThreadPoolExecutor(TIMES) as pool:
        asked = pool.map(lambda n: ask(server, "lost-task", n), range(TIMES))
        assert set(asked) == {200}

    def reports() -> list[dict[str, Any]]:
        every = lines_of(server, "lost-task")
        return [event for event in every if "never retrieved" in event["message"]]

    assert ask(server, "collect", 0) == 200
    assert server.until(lambda _: len(reports()) >= TIMES), server.lines[-20:]
    for event in reports():
        expected = event["requestID"].replace("rid-", "tok-")
        assert event["exception"]["message"] == f"{expected} lost"
    assert len({event["requestID"] for event in reports()}) == TIMES


def test_a_websocket_that_fails(served: tuple[Stack, Server, Gate]) -> None:
    """Its crash is reported with its id, as that of a request is."""
    websockets = pytest.importorskip("websockets.sync.client")
    stack, server, _ = served
    if not stack.loop:
        pytest.skip("WSGI has no websockets")

    def talk(number: int) -> None:
        token = f"tok-socket-{number}"
        headers = {"X-Request-ID": token.replace("tok-", "rid-")}
        url = f"ws://127.0.0.1:{server.port}/socket/{token}"
        with websockets.connect(url, additional_headers=headers) as connection:
            with suppress(Exception):  # in which way it ends is the server's affair
                connection.recv(LIMIT)

    with ThreadPoolExecutor(TIMES) as pool:
        list(pool.map(talk, range(TIMES)))
    found = judge(server, "socket")
    failed = [event for event in found if event["logger"] == COMPLETION]
    assert {event["level"] for event in failed} == {"ERROR"}

    def reports() -> list[dict[str, Any]]:
        every = lines_of(server, "socket")
        return [e for e in every if "exception" in e and e["logger"] != COMPLETION]

    assert server.until(lambda _: len(reports()) >= TIMES), server.lines[-20:]
    assert len({event["requestID"] for event in reports()}) == TIMES


@pytest.mark.parametrize("moment", ["startup", "shutdown"])
@pytest.mark.parametrize(
    "stack",
    # hypercorn's worker ends by it, which multiprocessing prints.
    [s for s in SERVERS if s.loop and s.name != "hypercorn"],
    ids=lambda stack: stack.name,
)
def test_a_lifespan_that_fails(stack: Stack, moment: str) -> None:
    """Its crash is on a line, of no request; whether the server goes on is its own."""
    need_stack(stack)
    gate = Gate()
    server = Server(stack, gate, {"STACKS_LIFESPAN": moment})
    try:
        if moment == "shutdown":
            server.until_listening()
            assert ask(server, "fine", 0) == 200
            server.process.terminate()
        text = f"{moment} fails"
        assert server.until(lambda lines: any(text in x for x in lines)), server.lines
    finally:
        gate.close()
        server.stop()
    found = [json.loads(x) for x in server.lines if text in x and x.startswith("{")]
    assert found, server.lines
    assert {event.get("requestID", "N/A") for event in found} == {"N/A"}


def test_half_a_request(served: tuple[Stack, Server, Gate]) -> None:
    """A client that sends half of its body and leaves costs no line and no server."""
    _, server, _ = served
    for number in range(TIMES):
        token = f"tok-half-{number}"
        with socket.create_connection(("127.0.0.1", server.port), LIMIT) as client:
            client.sendall(
                f"POST /half/{token} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n"
                f"X-Request-ID: {token.replace('tok-', 'rid-')}\r\n\r\nhalf".encode()
            )
            # Not before it is there: a server may drop what has been reset.
            if "started" in _buffering(server):
                started = f"{token} started"
                assert server.until(lambda ls, s=started: any(s in x for x in ls))
    if "started" in _buffering(server):
        judge(server, "half")
    assert ask(server, "fine", 1) == 200
    assert server.process.poll() is None


def _buffering(server: Server) -> str:
    """Whether the server starts the application before the body is complete."""
    # waitress reads the whole request first, so that one never starts.
    return "" if "waitress" in str(server.process.args) else "started"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /fine",
        b"GET /fine/tok-raw-0 HTTP/1.1\r\nHost: a\r\nX-Requ",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /fine/tok-raw-1 HTTP/9.9\r\n\r\n",
        b"G\x00T /fine/tok-raw-2 HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_request(served: tuple[Stack, Server, Gate], sent: bytes) -> None:
    """Garbage on a socket takes no other request's id, and the server goes on."""
    _, server, _ = served
    before = len(server.lines)
    with socket.create_connection(("127.0.0.1", server.port), LIMIT) as client:
        client.sendall(sent)
    assert ask(server, "fine", 2) == 200
    for line in server.lines[before:]:
        if "tok-raw" in line or "nvalid HTTP request" in line:
            assert "rid-" not in line
    assert server.process.poll() is None
