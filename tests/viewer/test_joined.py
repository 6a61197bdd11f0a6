"""
Entries that are written over several lines for people: they are read as one.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest

from ctxlog.viewer.read.joined import is_spread_for_people, joined
from ctxlog.viewer.recognize.keys import Names
from ctxlog.viewer.recognize.record import Record
from tests.helpers import Run

NAMES = Names(latest=1769860800.0 + 7200)

ASP = """\
2026-01-31T12:00:00.250Z info: Shop.Orders[7]
      => RequestPath:/orders/7 RequestId:r1
      order placed
2026-01-31T12:00:01.250Z \x1b[41mfail\x1b[49m: Shop.Orders[8]
      => RequestPath:/orders/7 RequestId:r1
      payment refused
      System.Exception: refused
         at Shop.Orders.Place()
"""
TRACING = """\
  2026-01-31T12:00:00.250000Z  INFO shop::orders: order placed
    at src/orders.rs:7
    in shop::request with request_id: "r1"

  \x1b[2m2026-01-31T12:00:01.250000Z\x1b[0m \x1b[31mERROR\x1b[0m shop: payment refused
    \x1b[2;3mat\x1b[0m src/orders.rs:9
    \x1b[2;3min\x1b[0m shop::request with request_id: "r1"
"""
PINO = """\
[12:00:00.250] INFO (71): order placed
    reqId: "r1"
    order: 7
[12:00:01.250] ERROR (71): payment refused
    reqId: "r1"
    err: {
      "type": "Error",
    }
"""
JAVA = """\
Jan 31, 2026 12:00:00 PM com.example.Orders place
INFO: order placed request_id=r1
Jan 31, 2026 12:00:01\u202fPM com.example.Orders place
SEVERE: payment refused request_id=r1
java.lang.IllegalStateException: refused
"""
EXPORT = """\
__CURSOR=s=1;i=1
__REALTIME_TIMESTAMP=1769860800250000
PRIORITY=6
MESSAGE=order placed
REQUEST_ID=r1

__CURSOR=s=1;i=2
__REALTIME_TIMESTAMP=1769860801250000
PRIORITY=3
MESSAGE
\x0f\0\0\0\0\0\0\0payment
refused
REQUEST_ID=r1
"""
FILES = {
    "ASP.NET Core": ASP,
    "tracing": TRACING,
    "pino-pretty": PINO,
    "java.util.logging": JAVA,
    "journalctl -o export": EXPORT,
}


class _Slow(BytesIO):
    """A stream that gives few bytes at once."""

    def read(self, size: int | None = -1) -> bytes:
        """Return a few bytes, however many are asked for."""
        return super().read(min(size or 0, 7))


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_an_entry_is_one_line(text: str) -> None:
    """Level, message and request are those of the lines below the first, too."""
    data = text.encode()
    lines = b"".join(joined(data[:90], _Slow(data[90:]))).splitlines(keepends=True)
    records = [one for line in lines for one in Record.read(line, NAMES)]
    assert [(one.request, one.level) for one in records] == [("r1", 20), ("r1", 40)]
    first, second = (one.message.replace("\n", " ") for one in records)
    assert "order placed" in first
    assert "payment refused" in second


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_its_request_is_shown(run: Run, tmp_path: Path, text: str) -> None:
    """Such a file is shown by request, with what follows an entry below it."""
    file = tmp_path / "a.log"
    file.write_text(text, newline="")
    code, out, _ = run("show", file, "--errors")
    assert code == 0
    assert out.startswith("r1 ")
    assert "  2 lines  1 error" in out
    for below in (
        "System.Exception: refused",
        "java.lang.IllegalStateException: refused",
    ):
        assert (below in out) == (below in text)


def test_a_value_whose_end_is_missing() -> None:
    """An entry of the journal that is torn has what is there."""
    torn = EXPORT.encode()[: EXPORT.index("refused")]
    lines = list(joined(torn, BytesIO()))
    assert [b"payment" in line for line in lines] == [False, True]


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b'{"level":"info"}\n{"level":"error"}\n',
        b"2026-01-31 12:00:00 ERROR no\n      at a\n",
        b"info: Shop.Orders[7]\nfail: Shop.Orders[8]\n",
        b"[12:00:00.250] INFO (71): a\n[12:00:00.250] INFO (71): b\n",
        b"__CURSOR is a word\n",
    ],
)
def test_other_files_stay_as_they_are(head: bytes) -> None:
    """Lines that say all themselves are not joined, and can be read in parts."""
    assert not is_spread_for_people(head)
