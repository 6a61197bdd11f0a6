"""
The shop under load, served by two processes into one file, and read back whole.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ctxlog.__main__ import main
from tests.helpers import LIMIT, ROOT, clean_environment, free_port, need, until

REQUESTS = 120


@contextlib.contextmanager
def serving(file: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Serve the shop by two workers; all their lines go into the file."""
    with file.open("ab") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "uvicorn", "shop.app:app", "--workers", "2"),
                *("--app-dir", str(ROOT / "examples"), "--port", str(port)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=clean_environment(CTXLOG_FORMAT="json", PYTHONUTF8="1"),
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(LIMIT)


@pytest.mark.skipif(sys.platform == "win32", reason="ends the group of processes")
def test_a_real_run_is_read_back_whole(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Every request is there, with all its lines, in order, and none of another."""
    need("fastapi", "uvicorn")
    file = tmp_path / "shop.log"
    port = free_port()
    ids = [f"real-{number:03d}" for number in range(REQUESTS)]

    def ask(request_id: str) -> int:
        headers = {"X-Request-ID": request_id}
        # One in ten has no user, and fails.
        if not request_id.endswith("7"):
            headers["Authorization"] = "Bearer token-alice"
        url = f"http://127.0.0.1:{port}/user"
        request = urllib.request.Request(url, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=LIMIT) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    with serving(file, port) as process:
        started = b"Application startup complete"
        until(process, lambda: file.read_bytes().count(started) == 2)
        with ThreadPoolExecutor(16) as pool:
            statuses = dict(zip(ids, pool.map(ask, ids), strict=True))
        ended = b'"logger":"ctxlog.request"'
        until(process, lambda: file.read_bytes().count(ended) >= REQUESTS)
    failing = {one for one in ids if one.endswith("7")}
    assert {one for one, status in statuses.items() if status == 500} == failing

    written = file.read_bytes().splitlines(keepends=True)
    for request_id in ids:
        needle = f'"requestID":"{request_id}"'.encode()
        own = [line for line in written if needle in line]
        assert main(["show", str(file), "-r", request_id, "--json"]) == 0
        shown = capfdbinary.readouterr().out.splitlines(keepends=True)
        assert sorted(shown) == sorted(own)
        events = [json.loads(line) for line in shown]
        times = [event["timestamp"] for event in events]
        assert times == sorted(times)
        messages = [event["message"] for event in events]
        assert messages[0] == "Handling the user's profile"
        assert f"GET /user {statuses[request_id]}" in messages
        for event in events:
            name = event.get("user", {}).get("name")
            assert name == (None if request_id in failing else "Alice") or (
                event is events[0]
            )

    assert main(["show", str(file), "--errors", "--json"]) == 0
    shown = capfdbinary.readouterr().out.splitlines()
    assert {json.loads(line)["requestID"] for line in shown} == failing
    assert main(["top", str(file), "--by", "status"]) == 0
    table = capfdbinary.readouterr().out.decode()
    assert f" {len(failing)} " in table
    assert f" {REQUESTS - len(failing)} " in table
