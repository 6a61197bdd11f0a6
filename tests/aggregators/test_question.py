"""
What every store can be asked, and how it is followed.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ctxlog import aggregators
from ctxlog.aggregators import Condition, Question, Reader, UnavailableError
from ctxlog.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("vlogs://logs:9428", True),
        ("lokis://logs", True),
        ("duckdb:logs.db", True),
        ("journal:", True),
        ("unknown://logs", True),
        ("app.log", False),
        ("-", False),
        ("C:app.log", False),
        ("./journal:", False),
        ("unknown:app.log", False),
        ("2026-01-31T12:00:00.log", False),
    ],
)
def test_addresses_are_told_from_files(text: str, expected: bool) -> None:
    """A known scheme, or any scheme before two slashes, makes an address."""
    assert aggregators.is_address(text) is expected


@pytest.mark.parametrize(
    "address", ["unknown://user:secret@logs?token=secret", "secret", "kafka://logs"]
)
def test_an_address_of_no_store_that_can_be_read_is_refused(address: str) -> None:
    """The error names the scheme and those that there are, and nothing else."""
    with pytest.raises(ConfigError, match="one of clickhouse:, docker:") as raised:
        aggregators.reader(address)
    assert "secret" not in str(raised.value)


class Growing(Reader):
    """A store whose lines are what the test puts there, all of them of now."""

    name = "growing:"

    def __init__(self, *lines: bytes) -> None:
        self.there = list(lines)
        self.asked: list[Question] = []
        self.fails = False

    def lines(self, question: Question) -> Iterator[bytes]:
        """Yield all lines of the last seconds, whatever is asked for."""
        self.asked.append(question)
        for place, line in enumerate(self.there):
            if self.fails and place == 1:
                raise UnavailableError("busy")
            if question.until is None:
                yield line

    def explain(self, question: Question) -> str:
        """Return nothing."""
        return ""


def test_following_passes_over_what_was_there() -> None:
    """The first look yields nothing, each further one what is new, in any order."""
    store = Growing(b"1\n", b"2\n")
    cursor = store.follow(Question())
    assert list(cursor.read()) == []
    store.there = [b"0\n", b"1\n", b"2\n", b"3\n"]
    assert list(cursor.read()) == [b"0\n", b"3\n"]
    assert list(cursor.read()) == []


def test_following_from_the_start_begins_with_what_is_there() -> None:
    """The older lines are asked for first, without remembering them."""
    store = Growing(b"1\n")
    cursor = store.follow(Question(), from_start=True)
    assert list(cursor.read()) == [b"1\n"]
    first, second = store.asked
    assert (first.since, second.until) == (None, None)
    assert first.until == second.since
    store.there.append(b"2\n")
    assert list(cursor.read()) == [b"2\n"]


def test_following_has_two_equal_lines_twice() -> None:
    """A line that is written again is a line of its own."""
    store = Growing(b"1\n")
    cursor = store.follow(Question())
    assert list(cursor.read()) == []
    store.there += [b"1\n", b"1\n"]
    assert list(cursor.read()) == [b"1\n", b"1\n"]


def test_following_goes_on_after_an_outage() -> None:
    """What was yielded before the store failed does not come again, the rest does."""
    store = Growing(b"1\n")
    cursor = store.follow(Question())
    assert list(cursor.read()) == []
    store.there = [b"0\n", b"1\n", b"2\n"]
    store.fails = True
    found = cursor.read()
    assert next(found) == b"0\n"
    with pytest.raises(UnavailableError):
        next(found)
    store.fails = False
    assert list(cursor.read()) == [b"2\n"]


def test_following_keeps_to_the_question() -> None:
    """Each look asks for the conditions, and for nothing older than is asked for."""
    condition = Condition("request", "in", ("req-A",), ("requestID",))
    store = Growing()
    cursor = store.follow(Question((condition,), since=4e9, limit=3, order="newest"))
    list(cursor.read())
    assert store.asked == [Question((condition,), since=4e9, order="oldest")]
