"""
What collectors have put around lines is taken away, and what is said of them is right.
"""

from __future__ import annotations

import io
import json
import time

import pytest

from ctxlog.agent import _report
from ctxlog.agent._feed import Feed
from ctxlog.agent._input import Memory
from ctxlog.agent._lines import Counts, Lines
from ctxlog.agent._report import Report, say
from ctxlog.aggregators import DeniedError, UnavailableError


def _sent(*entries: bytes) -> tuple[list[bytes], Counts]:
    counts = Counts()
    lines = Lines(counts)
    given = lines.add(entries, 0)
    return [*given.lines, *lines.end(given.place).lines], counts


def test_lines_pass() -> None:
    """A line of an application is sent as it is; an empty one is none."""
    found, counts = _sent(b'{"a":1}\n', b"\n", b"text\r\n")
    assert found == [b'{"a":1}\n', b"text\r\n"]
    assert counts == Counts(entries=3, size=15, texts=1)


@pytest.mark.parametrize(
    ("entry", "when"),
    [
        (
            b'{"log":"Starting\\n","stream":"stderr","time":"2026-01-31T12:00:00.5Z"}\n',
            "2026-01-31T12:00:00.5Z",
        ),
        (
            b"2026-01-31T12:00:00.123456789Z stderr F Starting\n",
            "2026-01-31T12:00:00.123456789Z",
        ),
        (
            b'{"__CURSOR":"c","__REALTIME_TIMESTAMP":"1769860800500000",'
            b'"MESSAGE":"Starting"}\n',
            "2026-01-31T12:00:00.500000+00:00",
        ),
    ],
    ids=["docker", "cri", "journal"],
)
def test_texts_have_the_time_of_their_collector(entry: bytes, when: str) -> None:
    """Of a text that a collector has wrapped, its time is kept."""
    (found,), counts = _sent(entry)
    assert json.loads(found) == {"timestamp": when, "message": "Starting"}
    assert counts.texts == 1


@pytest.mark.parametrize(
    "entry",
    [
        b'{"log":"{\\"a\\":1}\\n","stream":"stdout","time":"2026-01-31T12:00:00Z"}\n',
        b'2026-01-31T12:00:00Z stdout F {"a":1}\n',
        b'{"__CURSOR":"c","MESSAGE":"{\\"a\\":1}"}\n',
    ],
    ids=["docker", "cri", "journal"],
)
def test_lines_are_taken_out(entry: bytes) -> None:
    """The application's line is sent, byte for byte."""
    found, counts = _sent(entry)
    assert found == [b'{"a":1}\n']
    assert counts.texts == 0


@pytest.mark.parametrize(
    "entry",
    [
        b'{"__CURSOR":"c","MESSAGE":"Starting"}\n',
        b'{"__CURSOR":"c","__REALTIME_TIMESTAMP":"soon","MESSAGE":"Starting"}\n',
    ],
)
def test_a_text_without_a_time(entry: bytes) -> None:
    """It is sent without one."""
    found, _ = _sent(entry)
    assert found == [b"Starting\n"]


def test_an_empty_text_of_a_collector() -> None:
    """It is no line."""
    found, _ = _sent(b"2026-01-31T12:00:00Z stdout F \n")
    assert found == []


# What is said -------------------------------------------------------------------------


def test_progress(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is said when it is time, and only if something has changed."""
    memory = Memory(1000)
    feed = Feed(memory)
    counts = Counts()
    report = Report("store", counts, feed, "held")
    report.progress()
    assert capfd.readouterr().err == ""
    later = time.monotonic() + _report.PAUSE
    monkeypatch.setattr(time, "monotonic", lambda: later)
    counts.entries, counts.size = 20_000, 2_500_000
    memory.put([b"x" * 899 + b"\n", b"y" * 100 + b"\n"])
    report.progress()
    said = "read 20,000 lines (2.5 MB), shipped 0, held 900 B, "
    said += "dropped 1 for want of room"
    assert capfd.readouterr().err == f"ctxlog ship: {said}\n"
    monkeypatch.setattr(time, "monotonic", lambda: later + _report.PAUSE)
    report.progress()
    assert capfd.readouterr().err == ""


def test_what_happens_is_said_once(capfd: pytest.CaptureFixture[str]) -> None:
    """An outage at its begin and its end, the first reason of rejected lines."""
    report = Report("store", Counts(), Feed(Memory(1000)), "held")
    report.settled(0.0)
    report.failed(UnavailableError("busy"), 0.0)
    report.failed(UnavailableError("busy"), 0.5)
    report.failed(DeniedError("no right"), 0.5)
    report.failed(DeniedError("no right"), 0.5)
    report.settled(1.25)
    report.rejected(b"{}\n", "bad\x1b[31m")
    report.rejected(b"{}\n", "worse")
    assert capfd.readouterr().err == (
        "ctxlog ship: store: busy; trying again\n"
        "ctxlog ship: store: no right; trying again\n"
        "ctxlog ship: store takes lines again, after 1.2 s\n"
        "ctxlog ship: store refuses a line: bad\\x1b[31m\n"
    )


@pytest.mark.parametrize("size", [5, 5_000, 5_000_000, 5_000_000_000])
def test_sizes(size: int) -> None:
    """They are short."""
    feed = Feed(Memory(1))
    totals = Report("store", Counts(size=size), feed, "held").totals(0, 0)
    assert "(5 " in totals


def test_standard_error_may_be_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said then, and nothing fails."""
    monkeypatch.setattr("sys.stderr", None)
    say("nothing")
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr("sys.stderr", closed)
    say("nothing")
