"""
What a sink owes to say about its own lines.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.helpers import run_python

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="fork")

_SOURCE = """
import os
import warnings

from ctxlog.sinks import Sink
from ctxlog.sinks._accounts import Accounts
from ctxlog.sinks._buffer import Buffer


class Silent(Sink):
    name = "silent"

    def write(self, line):
        pass


sent = []


def work(feed):
    while (lines := feed.take(100, 1_000_000, 0.0)) is not None:
        sent.extend(lines)
        feed.settle(shipped=len(lines))


buffer = Buffer(work, 1_000_000)
accounts = Accounts(Silent(), buffer, "away")
accounts.given_up(3)
warnings.simplefilter("ignore")
child = os.fork()
buffer.put(b"a line\\n")
accounts.settled(0.0)
assert buffer.flush(60) == 0
print(len(sent), flush=True)
if child == 0:
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


def test_a_forked_child_does_not_say_what_its_parent_owes(tmp_path: Path) -> None:
    """A report that waits for the store is the parent's; it is sent once."""
    printed = run_python("-c", _SOURCE, cwd=tmp_path)
    counts = [line for line in printed.stdout.splitlines() if line.isdecimal()]
    assert sorted(counts) == ["1", "2"]
