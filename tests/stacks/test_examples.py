"""
The examples of frameworks, under the servers that they name.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.helpers import LIMIT, ROOT, clean_environment, free_port, until_listening

EXAMPLES = {
    "starlette": ("uvicorn", "starlette_app:app", "--port", "PORT"),
    "fastapi": ("uvicorn", "fastapi_app:app", "--port", "PORT"),
    "litestar": ("uvicorn", "litestar_app:app", "--port", "PORT"),
    "litestar run": ("litestar", "--app", "litestar_app:app", "run", "--port", "PORT"),
    "quart": ("hypercorn", "quart_app:app", "-b", "127.0.0.1:PORT"),
    "falcon": ("uvicorn", "falcon_app:app", "--port", "PORT"),
    "bottle": ("waitress-serve", "--listen=127.0.0.1:PORT", "bottle_app:app"),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_stamps_every_line(name: str) -> None:
    """Its own line and the completion line have the id and the user."""
    port = str(free_port())
    program, *options = (one.replace("PORT", port) for one in EXAMPLES[name])
    process = subprocess.Popen(
        [str(Path(sys.executable).parent / program), *options],
        cwd=ROOT / "examples",
        env=clean_environment(PYTHONUTF8="1"),
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    try:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/orders/7", headers={"X-Request-ID": "req-A"}
        )
        until_listening(process, port)
        with urllib.request.urlopen(request, timeout=LIMIT) as response:
            assert response.headers["X-Request-ID"] == "req-A"
            assert json.load(response) == {"order": "7"}
        assert process.stdout
        lines = []
        for text in process.stdout:
            line = json.loads(text)
            if line["requestID"] != "N/A":
                lines.append(line)
            if line["logger"] == "ctxlog.request":
                break
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=20)
    assert [line["message"] for line in lines] == [
        "Fetching order 7",
        "GET /orders/7 200",
    ]
    for line in lines:
        assert (line["requestID"], line["user"]) == ("req-A", {"id": "user-123"})
