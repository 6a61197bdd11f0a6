"""
The examples and the demo, run as their users run them.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import LIMIT, ROOT, free_port, need, until_listening
from tests.test_docs import difference


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=LIMIT
    )


def test_the_race_shows_a_mix_up_and_two_ways_without() -> None:
    """
    A global mixes the two requests up; parameters and `ctxlog.run` do not.
    """
    done = run("-I", str(ROOT / "examples" / "race.py"))

    assert done.stdout.splitlines() == [
        "a global variable:",
        "  req-A writes as req-B",
        "  req-B writes as req-B",
        "a parameter passed down:",
        "  req-A writes as req-A",
        "  req-B writes as req-B",
        "ctxlog.run:",
        "  req-A writes as req-A",
        "  req-B writes as req-B",
    ], done.stderr


DEMO = ("fastapi", "uvicorn", "httpx", "structlog", "loguru")


def demo(*options: str) -> subprocess.CompletedProcess[str]:
    """Run the demo as its users do."""
    need(*DEMO)
    done = run("-Im", "ctxlog", "demo", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def kept_lines(printed: str) -> Path:
    """The file that the demo has kept all lines in."""
    found = re.search(r"^All lines are in (.*)\. Try:$", printed, re.MULTILINE)
    assert found is not None, printed
    return Path(found[1])


def test_the_demo_stamps_every_line_of_every_request() -> None:
    """
    40 requests at once under uvicorn: every line has its own request's id and user.
    """
    lines = json_lines(demo("--all").stdout)

    counts = Counter(line["requestID"] for line in lines)
    server = counts.pop("N/A")

    assert counts == {f"req-{number:02d}": 4 for number in range(1, 41)}
    assert server == sum(line["logger"] == "uvicorn.error" for line in lines) - 1
    for line in lines:
        if line["requestID"] not in ("N/A", "req-40") and "user" in line:
            number = int(line["requestID"].removeprefix("req-"))
            assert line["user"]["name"] == ("Alice" if number % 2 else "Bob")


def test_the_demo_shows_the_crash_with_its_request() -> None:
    """
    The failing request's own line, completion line and crash report have its id.
    """
    lines = json_lines(demo("--requests", "2", "--all").stdout)

    failing = [line for line in lines if line["requestID"] == "req-02"]

    assert [line["message"] for line in failing if line["level"] == "ERROR"] == [
        "No profile without a user",
        "GET /user 500",
        "Exception in ASGI application",
    ]


def test_the_demo_is_one_screen() -> None:
    """
    A dozen mixed lines of all loggers, the failing request, the totals, what to try.
    """
    printed = demo().stdout
    shown = json_lines(printed)
    kept = kept_lines(printed)

    assert len(printed.splitlines()) <= 30
    assert len(shown) == 12
    assert max(map(len, printed.splitlines())) <= 1000
    assert {line["logger"] for line in shown} >= {
        *("shop.app", "shop.profiles", "shop.users")
    }
    assert len({line["requestID"] for line in shown}) == 3
    rest = iter(json_lines(kept.read_text(encoding="utf-8")))
    assert all(line in rest for line in shown)  # in the order of the file
    for part in (
        "req-40  GET  /user  500",
        "No profile without a user",
        "Exception in ASGI application",
        'raise NotAuthenticated("nobody is logged in")',
        "168 lines: 160 of 40 requests, 8 of the server; 1 failed, 0 incomplete.",
    ):
        assert part in printed
    kept.unlink()


def test_what_the_demo_proposes_works() -> None:
    """
    Each of its three commands, pasted into a shell, finds a request in the file.
    """
    printed = demo("--requests", "5").stdout
    *_, show, timeline, grep = printed.splitlines()

    for command, found in (
        (show, "shop.profiles.NotAuthenticated: nobody is logged in"),
        (timeline, "Fetching details for user user-123"),
        (grep, '"requestID":"req-05"'),
    ):
        done = subprocess.run(
            command,
            shell=True,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode == 0, command + done.stderr
        assert found in done.stdout
    kept_lines(printed).unlink()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
@pytest.mark.parametrize("width", [80, 120])
def test_the_demo_fits_a_terminal(width: int) -> None:
    """
    No line but a path to paste is longer than the terminal is wide.
    """
    need(*DEMO)
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, width, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k != "COLUMNS"}
    with subprocess.Popen(
        [sys.executable, "-Im", "ctxlog", "demo"],
        stdout=theirs,
        env={**environment, "PYTHONUTF8": "1"},
    ) as process:
        os.close(theirs)
        written = b""
        with contextlib.suppress(OSError), open(ours, "rb", buffering=0) as output:
            while read := output.read(65536):
                written += read
    assert process.returncode == 0
    printed = re.sub(r"\x1b\[[\d;]*m", "", written.decode()).replace("\r", "")
    kept = kept_lines(printed)
    lines = printed.splitlines()
    assert len(lines) <= 30
    assert sum('"requestID":"req-' in line for line in lines) == 12 + 1  # and the grep
    assert [line for line in lines if len(line) > width and str(kept) not in line] == []
    kept.unlink()


def test_the_demo_shows_what_is_no_line_of_ours(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """
    Output that no logger wrote is shown as it is, and does not stop the report.
    """
    need("httpx")
    from ctxlog import demo

    own = {"requestID": "N/A", "message": "up", "level": "INFO", "logger": "server"}
    lines = ["<frozen>: RuntimeWarning: odd", "[1]", '{"a": 1}', json.dumps(own)]

    result = demo._Result(lines, ["req-01"], {"req-01": 200})
    assert not result.is_right

    demo._print_sorted(result)
    printed = capsys.readouterr().out
    assert "\n".join(lines[:3]) in printed
    assert (
        "1 lines: 0 of 1 requests, 1 of the server; 0 failed, 1 incomplete" in printed
    )

    result.statuses["req-01"] = 500
    demo._print_screen(result)
    printed = capsys.readouterr().out
    assert "\n".join(lines[:3]) in printed
    assert kept_lines(printed).read_text(encoding="utf-8").splitlines() == lines
    kept_lines(printed).unlink()


def test_the_command_line_refuses_a_wrong_number() -> None:
    """
    A number of requests that is out of range is refused and named.
    """
    done = run("-Im", "ctxlog", "demo", "--requests", "1")

    assert done.returncode == 2
    assert "--requests 1: must be from 2 to 500" in done.stderr


def test_the_command_line_without_a_command_shows_its_help() -> None:
    """
    `ctxlog` alone prints its usage.
    """
    done = run("-Im", "ctxlog")

    assert done.returncode == 0
    assert "demo" in done.stdout


def test_three_loggers_write_one_kind_of_line() -> None:
    """
    The same keys in the same order from each, with the request's fields.
    """
    need("structlog", "loguru")
    done = run("-I", str(ROOT / "examples" / "three_loggers.py"))
    *hello, failed = [json.loads(text) for text in done.stdout.splitlines()]

    assert [line["message"].split()[1] for line in hello] == [
        *("details", "orders", "prices")
    ], done.stderr
    assert len({tuple(line) for line in hello}) == 1
    for line in (*hello, failed):
        assert (line["requestID"], line["user"]) == ("req-A", "alice")
    assert failed["exception"]["type"] == "LookupError"


def test_the_page_on_three_loggers_shows_the_example() -> None:
    """
    The program in the docs is the one in the file.
    """
    example = (ROOT / "examples" / "three_loggers.py").read_text()
    page = (ROOT / "docs" / "loggers.md").read_text()
    assert f"```python\n{example[example.index('import logging') :]}```" in page


_ASK = """
import sys
import time
import urllib.error
import urllib.request
from wsgiref.util import setup_testing_defaults
sys.path.insert(0, sys.argv[1])
app = getattr(__import__(sys.argv[2]), sys.argv[3])
for path in ("/export", "/crash"):
    environ = {"PATH_INFO": path, "HTTP_X_REQUEST_ID": "req" + path.replace("/", "-")}
    setup_testing_defaults(environ)
    try:
        body = app(environ, lambda *start: lambda data: None)
        b"".join(body)
        body.close()
    except ValueError:
        pass
"""


@pytest.mark.parametrize(
    ("library", "module", "name", "crash"),
    [
        ("wsgiref", "wsgi_app", "app", ["GET /crash 500"]),
        ("flask", "flask_app", "app", ["Exception on /crash [GET]", "GET /crash 500"]),
        ("pyramid", "pyramid_app", "app", ["GET /crash 500"]),
        (
            "django",
            "django_app",
            "application",
            ["Internal Server Error: /crash", "GET /crash 500"],
        ),
    ],
)
def test_the_wsgi_examples(
    library: str, module: str, name: str, crash: list[str]
) -> None:
    """
    A streamed export and a crash: every line has its request's id.
    """
    need(library)
    done = run("-I", "-c", _ASK, str(ROOT / "examples"), module, name)
    lines = [json.loads(text) for text in done.stdout.splitlines()]

    def of(request_id: str) -> list[str]:
        found = [one["message"] for one in lines if one["requestID"] == request_id]
        return [text for text in found if not text.startswith("Asked")]

    rows = [f"Writing row {number}" for number in range(3)]
    assert of("req-export") == [*rows, "GET /export 200"], done.stderr
    assert of("req-crash") == crash
    assert {one["requestID"] for one in lines} == {"req-export", "req-crash"}


@pytest.mark.parametrize("server", ["aiohttp", "tornado", "sanic"])
def test_the_example_of_a_server_stamps_every_line(server: str) -> None:
    """
    Its own line and the completion line have the id and the user.
    """
    need(server)
    port = free_port()
    program = str(ROOT / "examples" / f"{server}_app.py")
    process = subprocess.Popen(
        [sys.executable, "-I", program, str(port)], stdout=subprocess.PIPE, text=True
    )
    try:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/orders/7", headers={"X-Request-ID": "req-A"}
        )
        until_listening(process, port)
        with urllib.request.urlopen(request, timeout=LIMIT) as response:
            assert response.headers["X-Request-ID"] == "req-A"
        assert process.stdout
        output = []
        for line in process.stdout:
            output.append(line)
            if "GET /orders/7 200" in line:
                break
    finally:
        # How a server stops is not the example's matter.
        process.kill()
        process.communicate(timeout=LIMIT)
    lines = [json.loads(line) for line in output]
    lines = [line for line in lines if line["requestID"] != "N/A"]
    assert [line["message"] for line in lines] == [
        *("Fetching order 7", "GET /orders/7 200")
    ]
    for line in lines:
        assert (line["requestID"], line["user"]) == ("req-A", {"id": "user-123"})


def _lines_until(process: subprocess.Popen[str], last: str) -> list[dict[str, Any]]:
    assert process.stdout
    lines = []
    for text in process.stdout:
        lines.append(json.loads(text))
        if lines[-1]["message"] == last:
            break
    return [line for line in lines if line["requestID"] != "N/A"]


@contextlib.contextmanager
def _served(name: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    port = free_port()
    program = str(ROOT / "examples" / f"{name}_app.py")
    process = subprocess.Popen(
        [sys.executable, "-I", program, str(port)], stdout=subprocess.PIPE, text=True
    )
    try:
        until_listening(process, port)
        yield process, port
    finally:
        process.terminate()
        process.communicate(timeout=LIMIT)


def test_the_example_of_grpc_stamps_every_line() -> None:
    """
    Each call's lines have its id: of one response, of several, of one that is refused.
    """
    grpc = need("grpc")
    with _served("grpc") as (process, port):
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            get = channel.unary_unary("/shop.Orders/Get")
            assert (
                get(b"7", metadata=[("x-request-id", "req-A")], timeout=LIMIT) == b"7"
            )
            export = channel.unary_stream("/shop.Orders/Export")
            list(export(b"", metadata=[("x-request-id", "req-B")], timeout=LIMIT))
            refused = get.future(
                b"0", metadata=[("x-request-id", "req-C")], timeout=LIMIT
            )
            assert refused.code() is grpc.StatusCode.NOT_FOUND
        lines = _lines_until(process, "POST /shop.Orders/Get NOT_FOUND")
    assert [(line["requestID"], line["message"]) for line in lines] == [
        ("req-A", "Fetching order 7"),
        ("req-A", "POST /shop.Orders/Get OK"),
        *(("req-B", f"Writing row {number}") for number in range(3)),
        ("req-B", "POST /shop.Orders/Export OK"),
        ("req-C", "Fetching order 0"),
        ("req-C", "POST /shop.Orders/Get NOT_FOUND"),
    ]


def test_the_example_of_websockets_stamps_every_line() -> None:
    """
    All lines of a connection have the id of its handshake, and the user.
    """
    need("websockets")
    from websockets.sync.client import connect

    with _served("websockets") as (process, port):
        headers = {"X-Request-ID": "req-A"}
        url = f"ws://127.0.0.1:{port}/orders"
        with connect(url, additional_headers=headers) as connection:
            connection.send("7")
            assert connection.recv(20) == "order 7"
        lines = _lines_until(process, "GET /orders 101")
    assert [line["message"] for line in lines] == [
        "Fetching order 7",
        "GET /orders 101",
    ]
    for line in lines:
        assert (line["requestID"], line["user"]) == ("req-A", {"id": "user-123"})


def test_fastapis_dependency_puts_the_user_on_every_line(tmp_path: Path) -> None:
    """
    On the endpoint's, the background task's and the completion line; not without one.
    """
    need("fastapi", "httpx")
    program = f"""
import asyncio, sys, warnings
warnings.simplefilter("ignore")
sys.path.insert(0, {str(ROOT / "examples")!r})
import httpx
from fastapi_auth import app

async def main():
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        for token in ("alices-token", "another"):
            headers = {{"Authorization": f"Bearer {{token}}", "X-Request-ID": token}}
            await client.get("/orders/7", headers=headers)

asyncio.run(main())
"""
    lines = json_lines(run("-I", "-c", program).stdout)
    alices = [line for line in lines if line["requestID"] == "alices-token"]
    assert [line["message"] for line in alices] == [
        "Fetching order 7",
        "Counting order 7",
        "GET /orders/7 200",
    ]
    assert all(line["user"] == {"id": "user-123", "name": "Alice"} for line in alices)
    others = [line for line in lines if line["requestID"] == "another"]
    assert [line["message"] for line in others] == [
        "Unknown token",
        "GET /orders/7 401",
    ]
    assert not any("user" in line for line in others)


_TOKEN = "a-secret-for-the-tests"


def lines_of_whole_requests() -> list[str]:
    """What the example of whole requests writes of the requests that the page asks."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-Im", "uvicorn", "--app-dir", str(ROOT / "examples")]
        + ["whole_requests_app:app", "--port", str(port)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "DEBUG_TOKEN": _TOKEN},
    )

    def ask(call: str, request_id: str, **headers: str) -> None:
        method, path = call.split()
        url = f"http://127.0.0.1:{port}{path}"
        headers = {"X-Request-ID": request_id, **headers}
        request = urllib.request.Request(url, headers=headers, method=method)
        # One of them is answered by a 503.
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(request, timeout=LIMIT).close()

    try:
        until_listening(process, port)
        ask("GET /orders/7", "req-1")
        ask("GET /orders/7", "req-2")
        ask("GET /orders/13", "req-3")
        ask("GET /orders/8", "req-4", **{"X-Debug-Token": _TOKEN})
        ask("POST /import/500", "req-5")
    finally:
        process.terminate()
        written, _ = process.communicate(timeout=LIMIT)
    # And not what the server says of itself.
    lines = [line for line in written.splitlines() if "uvicorn." not in line]
    # The end of the process may say what was left out before it says that it ends.
    return sorted(lines, key=lambda line: '"suppressed"' in line)


def test_the_page_on_whole_requests_shows_the_example() -> None:
    """
    The program in the docs is the one in the file, and these are its lines.
    """
    need("fastapi", "uvicorn", "structlog", "loguru")
    example = (ROOT / "examples" / "whole_requests_app.py").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "whole-requests.md").read_text(encoding="utf-8")
    program = f"```python\n{example[example.index('import logging') :]}```"
    assert program in page

    shown = page[page.index(program) :].partition("```json\n")[2].partition("```")[0]
    printed = "\n".join(lines_of_whole_requests())

    assert difference(shown, printed) is None
