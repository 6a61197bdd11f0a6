"""
Starts a server as its users do, sends it requests of eleven kinds, judges its lines.

The truth of which request a line belongs to is the token in the line's message, which
the client put into the path and the handlers into their messages.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from tests.helpers import LIMIT, clean_environment, free_port, until_listening

APPS = Path(__file__).parent / "apps"


#: The lines that each kind of request logs in every application.
STEPS: dict[str, tuple[str, ...]] = {
    "plain": ("started", "read"),
    "sync": ("started",),
    "threads": ("thread", "timer", "thread-crash", "submit", "map-a", "map-b"),
    "background": ("background", "later", "later-crash"),
    "stream": ("chunk-a", "chunk-b", "chunk-c", "closed"),
    "exception": ("started", "crash"),
    "disconnect": ("closed",),
    "user": ("authenticated",),
    "no id": ("started", "read"),
    "mounted": ("started",),
    "not found": (),
}
#: And in applications with an event loop.
ASYNC_STEPS = {"threads": ("executor", "to-thread")}
COMPLETION = "completion"

#: The paths of kinds that do not have their own name there.
PATHS = {"no id": "plain", "mounted": "mounted/items", "not found": "nowhere"}

#: The lines of an application that come before its framework has found the route.
BEFORE_ROUTING = frozenset({"before"})

BODY = b"b" * 400_000
_TOKEN = re.compile(r"tok-[a-z]+-\d+")
_STEP = re.compile(r"tok-[a-z]+-\d+ ([a-z-]+)")


@dataclass(frozen=True)
class Stack:
    """
    A server with an application.

    Attributes:
        name: The name in the table.
        command: How it is started, in the folder of the applications; `PORT` stands
            for the port.
        needs: The distributions that it needs, and whose versions the table shows.
        loop: Whether the application runs in an event loop.
        more: Further steps that the application logs, by kind.
        route: The route of a request on its lines, as the framework writes it: `PATH`
            stands for that of the kind, `TOKEN` for the request's token.
        unreachable: Why it cannot have a kind, or a step of one, by `kind` or
            `kind/step`: one sentence, with the upstream issue.
        absent: Why it does not run on a Python, by the version's two numbers.
        journal: Whether its output is a socket, as under systemd: on a pipe the system
            tears lines of over 4,096 bytes if several processes write (PIPE_BUF).
        client: Makes a client of a port; HTTP's, unless it speaks something else.
    """

    name: str
    command: tuple[str, ...]
    needs: tuple[str, ...]
    loop: bool = True
    more: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    route: str = "/PATH/{token}"
    unreachable: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    journal: bool = False
    client: Callable[[int], Client] | None = None

    def steps(self, kind: str) -> list[str]:
        """The lines that a request of a kind must have: one of each."""
        steps = [*STEPS[kind], *self.more.get(kind, ()), COMPLETION]
        if self.loop:
            steps += ASYNC_STEPS.get(kind, ())
        return [s for s in steps if f"{kind}/{s}" not in self.unreachable]

    def route_of(self, kind: str) -> str | None:
        """The route that the lines of a kind must have; None for none."""
        if kind == "not found":
            return None
        return self.route.replace("PATH", PATHS.get(kind, kind))

    def absent_on(self, version: str) -> str | None:
        """Why it does not run on a Python of this version; None if it does."""
        return self.absent.get(version.rpartition(".")[0])

    def kinds(self) -> list[str]:
        """The kinds of requests that it can be sent."""
        return [kind for kind in STEPS if kind not in self.unreachable]


@dataclass
class Request:
    """One request, and what the client got."""

    kind: str
    token: str
    sent_id: str | None
    echoed_id: str | None = None
    status: int | None = None

    @property
    def id(self) -> str | None:
        """The id that its lines must have."""
        return self.sent_id or self.echoed_id

    @property
    def path(self) -> str:
        """Where it goes to."""
        return f"/{PATHS.get(self.kind, self.kind)}/{self.token}"


@dataclass
class Cell:
    """
    The verdict on the lines of one kind of request.

    `routed` and `unrouted` are those that must have the route: the application's own
    and the completion line.
    """

    expected: int = 0
    seen: int = 0
    right: int = 0
    wrong: int = 0
    missing: int = 0
    routed: int = 0
    unrouted: int = 0

    def __add__(self, other: Cell) -> Cell:
        return Cell(
            *(getattr(self, name) + getattr(other, name) for name in vars(self))
        )


@dataclass
class Measured:
    """The result of one run of a stack."""

    cells: dict[str, Cell]
    #: The faults in words, with the line or the request.
    problems: list[str]


# The slow service ---------------------------------------------------------------


class Gate:
    """
    A service that handlers wait for, and that answers when the client says so.

    So the order of things is sure without any sleeping, in whatever process of the
    server the handler is.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        self._changed = threading.Condition()
        self._waiting: list[tuple[str, socket.socket]] = []
        self._open: set[str] = set()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            threading.Thread(
                target=self._receive, args=(connection,), daemon=True
            ).start()

    def _receive(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as lines:
            name = lines.readline().decode().strip()
        with self._changed:
            self._waiting.append((name, connection))
            self._changed.notify_all()
            self._answer()

    def _answer(self) -> None:
        for entry in self._waiting[:]:
            name, connection = entry
            if name.partition("/")[0] in self._open:
                self._waiting.remove(entry)
                with connection, suppress(OSError):  # of a cancelled handler
                    connection.sendall(b"1")

    def until_waiting(self, token: str) -> None:
        """Return when a handler of the request is waiting."""
        with self._changed:
            arrived = self._changed.wait_for(
                lambda: any(n.startswith(token + "/") for n, _ in self._waiting),
                LIMIT,
            )
        assert arrived, f"no handler of {token} came to its gate"

    def open(self, *tokens: str) -> None:
        """Let the handlers of requests go on, those that come later too."""
        with self._changed:
            self._open.update(tokens)
            self._answer()

    def close(self) -> None:
        """Let everything go."""
        self._listener.close()
        with self._changed:
            for _, connection in self._waiting:
                connection.close()


# The server ---------------------------------------------------------------------


class Server:
    """A running server and the lines that it has written so far."""

    def __init__(self, stack: Stack, gate: Gate, env: Mapping[str, str] = {}) -> None:
        self.port = free_port()
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._output: IO[str]
        if stack.journal:
            ours, theirs = socket.socketpair()
            self._output = ours.makefile(encoding="utf-8", errors="replace")
            ours.close()  # when the file is
        else:
            read, write = os.pipe()
            self._output = open(read, encoding="utf-8", errors="replace")
            theirs = open(write, "wb", buffering=0)
        with theirs:
            self.process = self._start(stack, gate, env, theirs)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _start(
        self, stack: Stack, gate: Gate, env: Mapping[str, str], output: Any
    ) -> subprocess.Popen[bytes]:
        program, *args = (
            argument.replace("PORT", str(self.port)) for argument in stack.command
        )
        return subprocess.Popen(
            [str(Path(sys.executable).parent / program), *args],
            cwd=APPS,
            env=clean_environment(
                STACKS_GATE=str(gate.port),
                STACKS_PORT=str(self.port),
                PYTHONUTF8="1",
                **env,
            ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _read(self) -> None:
        for line in self._output:
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()

    def until_listening(self) -> None:
        """Return when the port answers."""
        try:
            until_listening(self.process, self.port)
        except AssertionError as error:
            raise AssertionError("".join(self.lines)) from error

    def until(self, enough: Callable[[list[str]], bool]) -> bool:
        """Whether its lines are, within the limit, what `enough` says."""
        with self._changed:
            return self._changed.wait_for(lambda: enough(self.lines), LIMIT)

    def stop(self) -> None:
        """End it as a service manager does, then whatever is left of its group."""
        try:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
                self.process.wait(timeout=10)
            # Workers may live a little longer than the parent, and have lines to write.
            self._reader.join(timeout=10)
        except subprocess.TimeoutExpired:
            pass
        finally:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()
            self._reader.join()
            self._output.close()


@contextmanager
def running(stack: Stack, env: Mapping[str, str] = {}) -> Iterator[tuple[Server, Gate]]:
    """Run a stack, with a gate for its handlers."""
    gate = Gate()
    server = Server(stack, gate, env)
    try:
        server.until_listening()
        yield server, gate
    finally:
        gate.close()
        server.stop()


# The client ---------------------------------------------------------------------


class Client(Protocol):
    """
    One client of a server, which keeps its connection where the protocol has that.

    Attributes:
        errors: The exceptions that its library raises when a request fails.
    """

    errors: tuple[type[Exception], ...]

    def send(self, request: Request, gate: Gate) -> None:
        """Send a request, read its response, note what came back."""

    def close(self) -> None:
        """Close the connection; the next request opens another one."""


class HttpClient:
    """A client that speaks HTTP on a connection kept alive."""

    errors = (http.client.HTTPException,)

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)

    def send(self, request: Request, gate: Gate) -> None:
        """Send a request, read its response, note what came back."""
        headers = {} if request.sent_id is None else {"X-Request-ID": request.sent_id}
        posted = request.path.startswith("/plain")
        self._connection.request(
            "POST" if posted else "GET",
            request.path,
            body=BODY if posted else None,
            headers=headers,
        )
        response = self._connection.getresponse()
        request.status = response.status
        request.echoed_id = response.getheader("X-Request-ID")
        if request.kind == "disconnect":
            response.read(1000)
            gate.until_waiting(request.token)
            response.close()
            self.close()
        else:
            body = response.read()
            if posted and response.status == 200:
                assert body == BODY, f"{len(body)} bytes came back"
        if request.kind == "exception":
            # Some servers close now, without having said so.
            self.close()

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        self._connection.close()


def converse(
    client: Client, requests: Iterable[Request], gate: Gate, problems: list[str]
) -> None:
    """One client: its requests, one after the other."""
    for request in requests:
        try:
            client.send(request, gate)
        except (OSError, AssertionError, *client.errors) as error:
            problems.append(f"{request.path}: {error!r}")
            client.close()
        gate.open(request.token)
    client.close()


def plan(kinds: list[str], clients: int) -> list[list[Request]]:
    """For each client one request of each kind, each client in another order."""
    conversations = []
    for client in range(clients):
        first = client % len(kinds)
        requests = []
        for kind in kinds[first:] + kinds[:first]:
            token = f"tok-{kind.replace(' ', '')}-{client}"
            sent = None if kind == "no id" else token.replace("tok-", "rid-")
            requests.append(Request(kind, token, sent))
        conversations.append(requests)
    return conversations


# The judge ----------------------------------------------------------------------


def measure(stack: Stack, clients: int = 20) -> Measured:
    """Run a stack, send it requests of all its kinds at once, judge all its lines."""
    conversations = plan(stack.kinds(), clients)
    requests = {one.token: one for many in conversations for one in many}
    problems: list[str] = []
    wanted = {
        (token, step)
        for token, one in requests.items()
        for step in stack.steps(one.kind)
    }
    checked = 0

    def complete(lines: list[str]) -> bool:
        nonlocal checked
        for line in lines[checked:]:
            wanted.difference_update(_steps_of(line))
        checked = len(lines)
        return not wanted

    with running(stack) as (server, gate):
        with ThreadPoolExecutor(clients) as pool:
            for conversation in conversations:
                client = (stack.client or HttpClient)(server.port)
                pool.submit(converse, client, conversation, gate, problems)
        server.until(complete)
        alive = server.process.poll() is None
    if not alive:
        problems.append(f"the server ended with {server.process.returncode}")
    return judge(stack, requests, server.lines, problems)


def judge(
    stack: Stack,
    requests: Mapping[str, Request],
    lines: Iterable[str],
    problems: list[str],
) -> Measured:
    """Count the lines of each kind of request."""
    cells = {kind: Cell() for kind in stack.kinds()}
    counted: Counter[tuple[str, str]] = Counter()
    went_away = {one.id for one in requests.values() if one.kind == "disconnect"}
    for line in lines:
        tokens = set(_TOKEN.findall(line))
        event = _event(line)
        if len(tokens) != 1:
            # A server's line about itself, or about a client that went away.
            if tokens or event.get("requestID", "N/A") not in ("N/A", *went_away):
                problems.append(f"whose line is it? {line}")
            elif event.get("logger") == "waitress.queue":
                continue  # how busy it is
            elif event.get("message") == "opening handshake failed":
                continue  # of the connection that asked whether the port answers
            elif _is_trouble(event) and event.get("requestID") not in went_away:
                problems.append(f"trouble of nobody: {line}")
            continue
        (token,) = tokens
        request = requests[token]
        cell = cells[request.kind]
        cell.seen += 1
        counted.update(_steps_of(line))
        stamp = event.get("requestID", "N/A")
        if stamp == request.id:
            cell.right += 1
        elif stamp == "N/A":
            cell.missing += 1
            problems.append(f"no id: {line}")
        else:
            cell.wrong += 1
            problems.append(f"wrong id, not {request.id}: {line}")
        if _is_after_routing(event, token):
            expected = (stack.route_of(request.kind) or "").replace("TOKEN", token)
            if event.get("route", "") == expected:
                cell.routed += 1
            else:
                cell.unrouted += 1
                problems.append(f"wrong route, not {expected!r}: {line}")
        if request.kind == "user" and _steps_of(line) == [(token, COMPLETION)]:
            if event.get("user") != {"id": token.replace("tok-", "user-")}:
                problems.append(f"no user: {line}")
    for token, request in requests.items():
        cell = cells[request.kind]
        for step in stack.steps(request.kind):
            cell.expected += 1
            count = counted.pop((token, step), 0)
            if count == 0:
                cell.missing += 1
                problems.append(f"no line: {token} {step}")
            elif count > 1 and step != "crash":
                problems.append(f"{count} lines: {token} {step}")
        wanted = {"exception": 500, "not found": 404}.get(request.kind, 200)
        if request.status != wanted:
            problems.append(f"{request.path}: status {request.status}")
        key = f"{request.kind}/echo"
        if request.id != request.echoed_id and key not in stack.unreachable:
            problems.append(f"{request.path}: echoed {request.echoed_id}")
    for (token, step), count in counted.items():
        if step == "access":
            problems.append(f"{count} access lines beside the completion line: {token}")
    return Measured(cells, problems)


def _is_after_routing(event: Mapping[str, Any], token: str) -> bool:
    """Whether a line is the application's own or the completion line."""
    if event.get("logger") not in ("shop", "ctxlog.request"):
        return False
    step = str(event.get("message", "")).removeprefix(f"{token} ")
    return step not in BEFORE_ROUTING


def _is_trouble(event: Mapping[str, Any]) -> bool:
    return event.get("level") in ("WARNING", "ERROR", "CRITICAL")


def _event(line: str) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def _steps_of(line: str) -> list[tuple[str, str]]:
    """The request and the step that a line is about: none, one, or more if garbled."""
    token = _TOKEN.search(line)
    if token is None:
        return []
    event = _event(line)
    if event.get("logger") == "ctxlog.request":
        return [(token[0], COMPLETION)]
    message = str(event.get("message", ""))
    error = event.get("exception")
    told = message if _STEP.match(message) else ""
    if not told and isinstance(error, dict):
        told = str(error.get("message", ""))
    step = _STEP.search(told)
    if step is not None:
        return [(token[0], step[1])]
    return [(token[0], "access" if "access" in event.get("logger", "") else "server")]
