"""
What is written to memory by a process that keeps or drops the lines of its requests.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest

import ctxlog
from ctxlog.retention import _lines
from tests.helpers import load_line

__all__ = ["Clock", "Written"]


class Written:
    """
    A configuration that writes to memory, and what it has written so far.

    Attributes:
        stream: Where the lines go.
    """

    def __init__(self) -> None:
        self.stream = io.BytesIO()

    def configure(self, **options: Any) -> None:
        """
        Configure from INFO on, as JSON, unless the options say otherwise.
        """
        chosen: Any = {"stream": self.stream, "format": "json", **options}
        ctxlog.configure(**chosen)

    def lines(self) -> list[dict[str, Any]]:
        """
        The lines, in the order in which they were written.
        """
        return [load_line(line) for line in self.stream.getvalue().splitlines()]

    def messages(self) -> list[str]:
        """
        The messages of the lines.
        """
        return [line["message"] for line in self.lines()]

    def buffered(self) -> list[str]:
        """
        The messages of the lines that say that they have waited.
        """
        return [one["message"] for one in self.lines() if one.get("buffered") is True]

    def clear(self) -> None:
        """
        Forget what was written.
        """
        self.stream.seek(0)
        self.stream.truncate()


@pytest.fixture
def written() -> Iterator[Written]:
    """
    A configuration to be made, which is undone after the test.
    """
    yield Written()
    ctxlog.unconfigure()


class Clock:
    """
    The clock that requests are timed by, set by hand.
    """

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """
        The time, in seconds.
        """
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """
    A clock for the lines of requests.
    """
    clock = Clock()
    monkeypatch.setattr(_lines, "time", clock)
    return clock
