"""
A journald of a test's own, in a private mount namespace.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.helpers import LIMIT, clean_environment

_JOURNALD = Path("/lib/systemd/systemd-journald")

#: Prints the pid of journald when it listens; ends with its input. Without its limit of
#: messages a unit, journald takes all.
_SCRIPT = f"""
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/log/journal /run/systemd/journald.conf.d
printf '[Journal]\\nRateLimitIntervalSec=0\\n' > /run/systemd/journald.conf.d/a.conf
while read -r command; do
    {_JOURNALD} >/dev/null 2>&1 &
    while ! [ -S /run/systemd/journal/stdout ]; do sleep 0.02; done
    echo $!
    read -r command
    kill -CONT $!; kill $!; wait $! || true
    rm -f /run/systemd/journal/stdout
    echo ended
done
"""


def why_not() -> str:
    """Return why no journald can be started here; empty if one can."""
    if sys.platform != "linux" or not _JOURNALD.exists():
        return "there is no systemd-journald on this machine"
    if os.geteuid():
        return "journald needs a mount namespace, which only root may make"
    if not shutil.which("unshare") or not shutil.which("nsenter"):
        return "there are no unshare and nsenter on this machine"
    tried = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "true"],
        stderr=subprocess.PIPE,
        check=False,
    )
    return tried.stderr.decode().strip()


class Journald:
    """
    A journald, and what runs where it is.

    Attributes:
        pid: Its process.
    """

    def __init__(self) -> None:
        self._shell = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", _SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.start()

    def start(self) -> None:
        """Start it, the first time or again."""
        self.pid = int(self._say())

    def stop(self) -> None:
        """End it; what it has is kept."""
        assert self._say() == b"ended\n"

    def _say(self) -> bytes:
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(b"go\n")
        self._shell.stdin.flush()
        return self._shell.stdout.readline()

    def freeze(self) -> None:
        """Let it read nothing until `thaw()`."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it read again."""
        os.kill(self.pid, signal.SIGCONT)

    def command(self, *words: str) -> list[str]:
        """Return a command that runs where journald is."""
        return ["nsenter", f"--target={self._shell.pid}", "--mount", *words]

    def run(
        self, *words: str, status: int = 0, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program where journald is."""
        done = subprocess.run(
            self.command(*words),
            env=clean_environment(),
            capture_output=True,
            timeout=LIMIT,
            check=False,
            cwd=cwd,
        )
        assert done.returncode == status, done.stderr.decode()
        return done

    def python(self, source: str, *words: str) -> subprocess.CompletedProcess[bytes]:
        """Run a program in Python where journald is."""
        return self.run(sys.executable, "-I", "-c", source, *words)

    def ctxlog(self, *words: str, status: int = 0) -> bytes:
        """Run `ctxlog` on what the journal has by now; return what it prints."""
        self.journalctl("--sync")
        return self.run(sys.executable, "-Im", "ctxlog", *words, status=status).stdout

    def journalctl(self, *words: str) -> Sequence[bytes]:
        """Return what journalctl prints."""
        return self.run("journalctl", "--quiet", *words).stdout.splitlines()

    def end(self) -> None:
        """End it and its namespace."""
        os.kill(self.pid, signal.SIGCONT)
        os.kill(self.pid, signal.SIGTERM)
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.close()
        self._shell.stdout.close()
        self._shell.kill()
        self._shell.wait()


@contextmanager
def journald() -> Iterator[Journald]:
    """A journald for the duration of the block."""
    running = Journald()
    try:
        yield running
    finally:
        running.end()
