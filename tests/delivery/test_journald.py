"""
Lines in a real journal: by its native protocol, by standard output, and read back.
"""

from __future__ import annotations

import ast
import json
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.delivery.journald import Journald, journald, why_not
from tests.helpers import LIMIT, clean_environment

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


@pytest.fixture(scope="module")
def journal() -> Iterator[Journald]:
    """One for all tests: each asks for requests of its own."""
    with journald() as running:
        yield running


#: Logs the lines of some requests to the journal and to a file.
_PROGRAM = """
import logging, sys
import ctxlog
from ctxlog.aggregators import journal

# Long entries do not fit into a datagram then.
journal._SEND_BUFFER = 1 << 17
in_memory = []
send, journal._send_in_memory = journal._send_in_memory, lambda *sent: (
    in_memory.append(len(sent[1])), send(*sent)
)
to = ["journal:", f"file:{sys.argv[1]}"]
ctxlog.configure(format="json", level="DEBUG", to=to, max_line_bytes=4_000_000)
log = logging.getLogger("shop")

def request(name):
    ctxlog.bind(user={"id": f"user-{name}"})
    log.debug("begin")
    log.info("two\\nlines", extra={"rows": 3})
    log.error("long", extra={"data": "é" * 500_000})

for number in range(20):
    name = f"{sys.argv[2]}-{number}"
    ctxlog.run({"requestID": name}, request, name)
print(ctxlog.sinks.flush(30))
print(ctxlog.sinks.stats()["journal:"])
print(min(in_memory) > 1_000_000, len(in_memory))
"""


def _lines(path: Path, request: str) -> bytes:
    with path.open("rb") as file:
        return b"".join(line for line in file if f'"{request}"'.encode() in line)


def test_one_request_is_read_back(journal: Journald, tmp_path: Path) -> None:
    """Its lines, one of a megabyte among them, are those of the file."""
    path = tmp_path / "app.log"
    printed = journal.python(_PROGRAM, str(path), "native").stdout.decode()
    held, stats, in_memory = printed.splitlines()
    assert held == "0"
    assert "'written': 60, 'shipped': 60," in stats
    assert in_memory == "True 20"
    lines = _lines(path, "native-7")
    assert lines.count(b"\n") == 3
    assert len(lines) > 1_000_000
    shown = journal.ctxlog("show", "journal:", "-r", "native-7", "--json")
    assert shown == lines
    assert journal.ctxlog("show", "journal:", "--user", "user-native-7", "--json") == (
        lines
    )
    failed = journal.ctxlog("show", "journal:", "--errors", "--json")
    assert failed.count(b"\n") >= 60


def test_the_journal_has_an_index(journal: Journald, tmp_path: Path) -> None:
    """journalctl itself finds a request, a level and the members of lines."""
    journal.python(_PROGRAM, str(tmp_path / "app.log"), "index")
    journal.journalctl("--sync")
    ask = ("-o", "json", "--output-fields=MESSAGE,PRIORITY,_COMM,LOGGER", "--all")
    found = [json.loads(one) for one in journal.journalctl(*ask, "REQUEST_ID=index-3")]
    shown = [(one["PRIORITY"], one["MESSAGE"], one["LOGGER"]) for one in found]
    assert shown == [
        ("7", "begin", "shop"),
        ("6", "two\nlines", "shop"),
        ("3", "long", "shop"),
    ]
    errors = journal.journalctl(*ask, "USER_ID=user-index-3", "PRIORITY=3")
    assert len(errors) == 1
    assert set(journal.journalctl("--field=REQUEST_ID")) >= {b"index-0", b"index-19"}


def test_lines_that_came_by_standard_output(journal: Journald, tmp_path: Path) -> None:
    """journald splits the long ones at 48 KiB: they are whole again."""
    source = """
import logging, sys
import ctxlog
ctxlog.configure(format="json", max_line_bytes=4_000_000)
log = logging.getLogger("shop")
def request():
    log.info("short")
    log.error("long", extra={"data": "é" * 100_000})
    log.info("end")
ctxlog.run({"requestID": "stdout-1"}, request)
"""
    printed = journal.python(source).stdout
    path = tmp_path / "printed"
    path.write_bytes(printed)
    journal.run("sh", "-c", f"systemd-cat -t shop cat {path}")
    assert journal.ctxlog("show", "journal:", "-r", "stdout-1", "--json") == printed
    breaks = journal.journalctl("-o", "cat", "_LINE_BREAK=line-max")
    assert len(breaks) >= 4


def test_following(journal: Journald) -> None:
    """Lines are shown as they come, whichever way they came."""
    shown = (sys.executable, "-Im", "ctxlog", "follow", "journal:", "-r", "follow-1")
    following = subprocess.Popen(
        journal.command(*shown, "--json"),
        env=clean_environment(),
        stdout=subprocess.PIPE,
    )
    assert following.stdout is not None
    try:
        # It begins with what comes after its first look, of which nothing is seen.
        for number in range(5 * LIMIT):
            line = json.dumps({"requestID": "follow-1", "message": f"{number}"})
            journal.run("sh", "-c", f"echo '{line}' | systemd-cat")
            if select.select([following.stdout], [], [], 0.2)[0]:
                break
        assert json.loads(following.stdout.readline())["requestID"] == "follow-1"
    finally:
        following.kill()
        following.communicate(timeout=LIMIT)


#: Logs some lines, and goes on when it is told to.
_STEPS = """
import logging, sys
import ctxlog

ctxlog.configure(format="json", to=["journal:", f"file:{sys.argv[1]}"])
log = logging.getLogger("shop")
number = 0
for words in sys.stdin:
    count, timeout = words.split()
    with ctxlog.scope(requestID=sys.argv[2]):
        for _ in range(int(count)):
            number += 1
            log.info("line", extra={"number": number})
    held = ctxlog.sinks.flush(float(timeout))
    print(held, ctxlog.sinks.stats()["journal:"], flush=True)
"""


class Logging:
    """A process that logs in steps."""

    def __init__(self, journal: Journald, *words: str) -> None:
        self.process = subprocess.Popen(
            journal.command(sys.executable, "-I", "-c", _STEPS, *words),
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def log(self, count: int, timeout: float = LIMIT) -> tuple[int, dict[str, int]]:
        """Log so many lines; return how many are held after a while, and the counts."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{count} {timeout}\n")
        self.process.stdin.flush()
        held, _, stats = self.process.stdout.readline().partition(" ")
        return int(held), ast.literal_eval(stats)

    def end(self) -> str:
        """End it; return what it says on standard error."""
        _, errors = self.process.communicate(timeout=LIMIT)
        assert self.process.returncode == 0
        return errors


def test_a_journald_that_hangs_and_starts_again(
    journal: Journald, tmp_path: Path
) -> None:
    """No call waits for it, and every line is there once, in order."""
    path = tmp_path / "app.log"
    logging = Logging(journal, str(path), "outage-1")
    assert logging.log(100)[0] == 0
    journal.freeze()
    held, stats = logging.log(3_000, 0.0)
    assert held > 1_000
    assert (stats["written"], stats["dropped"]) == (3_100, 0)
    journal.thaw()
    assert logging.log(0)[0] == 0
    journal.stop()
    held, stats = logging.log(1_000, 0.0)
    assert held == 1_000
    journal.start()
    held, stats = logging.log(100)
    assert (held, stats["shipped"]) == (0, 4_200)
    logging.end()
    shown = journal.ctxlog("show", "journal:", "-r", "outage-1", "--json")
    assert shown == path.read_bytes()


def test_what_was_logged_outlives_its_process(
    journal: Journald, tmp_path: Path
) -> None:
    """A process that is killed has given its lines to journald."""
    logging = Logging(journal, str(tmp_path / "app.log"), "killed-1")
    logging.log(500, 0.0)
    logging.process.kill()
    logging.process.communicate(timeout=LIMIT)
    shown = journal.ctxlog("show", "journal:", "-r", "killed-1", "--json")
    assert shown == (tmp_path / "app.log").read_bytes()
    assert shown.count(b"\n") == 500
