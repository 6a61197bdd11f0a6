"""
Runs what a page shows: programs, and servers that get requests.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

from tests.helpers import LIMIT, clean_environment, free_port, until, until_listening
from tests.migrations.pages import Section
from tests.test_docs import difference

#: The ids of the requests that no page shows.
IDS = (
    "5b1c3919e46e4cd2b2f4ac9a187a8ea1",
    "6c44111e9174c5a9494275aa7f28858e",
    "7d3fa6885e03493498077a273d1b7f2d",
)

#: The port on the pages; each server gets one of its own.
PORT = "8000"

#: A server's first and last words; what stands between is the log.
_STARTED = re.compile(r"^.*(?:Uvicorn running on|Quit the server with).*\n+", re.M)
_STOPPING = re.compile(r"^.*Shutting down.*\n", re.M)

#: What differs from run to run. Times in JSON are left to the comparison.
_ID = re.compile(
    r"\b(?:[0-9a-f]{16}|[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b"
)
_CLIENT = re.compile(r"\b(127\.0\.0\.1):\d+\b")
_TIME = re.compile(
    r"\b(?:\d{4}-\d\d-\d\d|\d\d/[A-Z][a-z]{2}/\d{4})[ T]\d\d:\d\d:\d\d(?:[.,]\d+)?"
)


class Response:
    """What a server answered."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read().decode()


class Slow:
    """A request whose headers are sent, and for whose body the server waits."""

    def __init__(
        self, port: int, path: str, body: str, headers: Mapping[str, str]
    ) -> None:
        self._body = body.encode()
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
        self._connection.putrequest("POST", path)
        for name, value in headers.items():
            self._connection.putheader(name, value)
        self._connection.putheader("Content-Length", str(len(self._body)))
        self._connection.endheaders()

    def end(self) -> Response:
        """Send the body, and return what is answered."""
        with contextlib.closing(self._connection):
            self._connection.send(self._body)
            return Response(self._connection.getresponse())


class Server:
    """A section's server, in a folder with the section's files."""

    def __init__(self, section: Section, folder: Path) -> None:
        for name, text in section.files.items():
            (folder / name).write_text(text, encoding="utf-8")
        self.port = free_port()
        words = [command.removesuffix("&") for command in section.commands]
        self._command = _argv(words[0].replace(PORT, str(self.port)))
        self._output = folder / "output"
        self._folder = folder

    def __enter__(self) -> Server:
        """Start the server."""
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=clean_environment(
                    PYTHONUNBUFFERED="1", DJANGO_RUNSERVER_HIDE_WARNING="true"
                ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            until_listening(self._process, self.port)
            until(self._process, lambda: _STARTED.search(self._all()) is not None)
        except BaseException as error:
            self._process.kill()
            raise AssertionError(f"it did not start:\n{self._all()}") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the server."""
        self._process.terminate()
        self._process.wait(timeout=LIMIT)
        if isinstance(error, AssertionError):
            raise AssertionError(f"{error}; it printed\n{self._all()}") from error

    def _all(self) -> str:
        return self._output.read_bytes().decode()

    @property
    def log(self) -> str:
        """Everything logged between the server's start and its end."""
        log = _STARTED.split(self._all(), maxsplit=1)[-1]
        return _STOPPING.split(log, maxsplit=1)[0].replace(str(self.port), PORT)

    def until_logged(self, text: str, times: int, after: int) -> None:
        """Return when a text stands so often in the log, after so many characters."""
        until(self._process, lambda: self.log.count(text, after) >= times)

    def until_lines(self, number: int) -> None:
        """Return when so many lines are in the log, or more."""
        until(self._process, lambda: self.log.count("\n") >= number)

    def begin(self, path: str, body: str, headers: Mapping[str, str]) -> Slow:
        """Send the headers of a request; its body follows by `end()`."""
        return Slow(self.port, path, body, headers)

    def curl(self, command: str) -> Response:
        """Send what a command with `curl` sends: -H, -d and an address."""
        words = shlex.split(command)
        assert words[0] == "curl", command
        headers: dict[str, str] = {}
        body, path = "", ""
        rest = iter(words[1:])
        for word in rest:
            if word == "-H":
                name, _, value = next(rest).partition(": ")
                headers[name] = value
            elif word == "-d":
                body = next(rest)
            else:
                host, _, path = word.partition("/")
                assert host == f"localhost:{PORT}", command
        return self.begin(f"/{path}", body, headers).end()


def changed_section(section: Section, name: str, old: str, new: str) -> Section:
    """Return the section with some text of one of its files replaced."""
    text = section.files[name]
    assert text.count(old) == 1, f"{name} has it {text.count(old)} times: {old}"
    return replace(section, files={**section.files, name: text.replace(old, new)})


def _argv(command: str) -> list[str]:
    program, *options = shlex.split(command)
    module = {"django-admin": "django"}.get(program, program)
    return [sys.executable, "-s", "-X", "utf8", "-m", module, *options]


@dataclass
class Observed:
    """What an application logged and answered, in the order in which it was asked."""

    #: While the commands of its page were run.
    shown: str
    #: While two requests were in it at once, with `IDS[0]` and `IDS[1]`.
    two: str
    #: While it failed, with `IDS[2]`.
    crash: str
    curls: list[Response]
    pair: list[Response]
    failed: Response
    #: Where it ran, for the files that it wrote.
    folder: Path


def observe(section: Section, folder: Path) -> Observed:
    """Run a section: what its page shows, two requests at once, one that fails."""
    header = section.id_header
    with Server(section, folder) as server:
        commands, lines = section.commands[1:], section.log.count("\n")
        curls = []
        for number, command in enumerate(commands, start=1):
            curls.append(server.curl(command))
            # What a request logs after its response comes before the next request.
            server.until_lines(lines * number // len(commands))
        shown = server.log
        # The first is answered last; the second begins when the first is inside.
        outer = server.begin("/orders", '["tea"]', {header: IDS[0]})
        server.until_logged("order received", 1, after=len(shown))
        inner = server.begin("/orders", '["tea", "milk"]', {header: IDS[1]})
        server.until_logged("order received", 2, after=len(shown))
        pair = [inner.end(), outer.end()]
        each = shown.count("\n") // len(curls)
        server.until_lines(shown.count("\n") + 2 * each)
        two = server.log
        failed = server.begin("/orders", "no JSON", {header: IDS[2]}).end()
    return Observed(
        shown,
        two[len(shown) :],
        server.log[len(two) :],
        curls,
        pair[::-1],
        failed,
        folder,
    )


def shown_otherwise(section: Section, printed: str) -> str | None:
    """Return how a log differs from what the page of its section shows, or None."""
    given = "\n".join(section.commands)
    wanted = _comparable(section.log, given).splitlines()
    got = _comparable(printed, given).splitlines()
    for number, pair in enumerate(zip(wanted, got, strict=False)):
        # The order of what structlog's context variables hold differs, too.
        with contextlib.suppress(ValueError):
            first, second = (json.dumps(json.loads(x), sort_keys=True) for x in pair)
            wanted[number], got[number] = first, second
    return difference("\n".join(wanted), "\n".join(got))


def _comparable(log: str, given: str) -> str:
    # Ids that nobody gave are numbered, so that the same one must stand in the same
    # places; times and the clients' ports are different in each run.
    made: dict[str, str] = {}

    def name(found: re.Match[str]) -> str:
        made_up = made.setdefault(found[0], f"id{len(made) + 1}")
        return found[0] if found[0] in given else made_up

    log = _TIME.sub(lambda found: re.sub(r"\w", "0", found[0]), log)
    return _ID.sub(name, _CLIENT.sub(r"\1:...", log))
