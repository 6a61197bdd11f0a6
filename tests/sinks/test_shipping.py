"""
The loop that sends lines to a store: in order, at least once, each accounted for.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlog.aggregators import (
    DeniedError,
    Receiver,
    RefusedError,
    UnavailableError,
    UnreachableError,
)
from ctxlog.sinks.shipping import FIRST_PAUSE, LONGEST_PAUSE, Shipping

Answer = Callable[[Sequence[bytes]], Mapping[int, str]]


class Script(Receiver):
    """
    A store that answers as it is told, and then takes all; a line `bad` is refused.
    """

    name = "script"
    max_lines = 8

    def __init__(self, answers: Sequence[Answer] = ()) -> None:
        self.answers = list(answers)
        self.stored: list[bytes] = []
        self.sent: list[int] = []
        self.closed = 0

    def send(self, lines: Sequence[bytes], timeout: float) -> Mapping[int, str]:
        assert timeout > 0
        self.sent.append(len(lines))
        if self.answers:
            return self.answers.pop(0)(lines)
        if any(line.startswith(b"bad") for line in lines):
            raise RefusedError("a line is wrong")
        self.stored += lines
        return {}

    def close(self) -> None:
        self.closed += 1


class Lines:
    """
    A source of lines that exist already; no time passes in its pauses.
    """

    def __init__(self, lines: Sequence[bytes], seconds: float | None = None) -> None:
        self.lines = list(lines)
        self.deadline = None if seconds is None else 0.0
        self.seconds = seconds
        self.taken = 0
        self.shipped = self.rejected = self.retried = 0
        self.outcomes: list[tuple[int, int]] = []
        self.pauses: list[tuple[float, bool]] = []

    def take(
        self, max_lines: int, max_bytes: int, linger: float
    ) -> Sequence[bytes] | None:
        assert self.taken == self.shipped + self.rejected
        lines = self.lines[self.taken : self.taken + max_lines]
        self.taken += len(lines)
        return lines or None

    def settle(self, *, shipped: int = 0, rejected: int = 0) -> None:
        self.shipped += shipped
        self.rejected += rejected
        self.outcomes.append((shipped, rejected))

    def retry(self, count: int) -> None:
        self.retried += count

    def pause(self, seconds: float, firm: bool = False) -> None:
        self.pauses.append((seconds, firm))
        if self.seconds is not None:
            self.seconds -= seconds

    def within(self, seconds: float) -> float:
        if self.seconds is None:
            return seconds
        return min(seconds, max(self.seconds, 0.0))


class Notes:
    """What an observer was told."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.batches = 0
        self.rejections: list[tuple[bytes, str]] = []

    def failed(self, error: UnavailableError, since: float) -> None:
        assert since >= 0
        self.failures.append(str(error))

    def settled(self, since: float) -> None:
        assert since >= 0
        self.batches += 1

    def rejected(self, line: bytes, reason: str) -> None:
        self.rejections.append((line, reason))


def numbered(count: int) -> list[bytes]:
    """Return so many lines."""
    return [b"%d\n" % number for number in range(count)]


def ship(receiver: Receiver, source: Lines) -> tuple[bool, Notes]:
    """Send all lines of a source."""
    notes = Notes()
    return Shipping(receiver, source, notes).run(), notes


def failing(error: Exception) -> Answer:
    """Return an answer that is an error."""

    def answer(lines: Sequence[bytes]) -> Mapping[int, str]:
        raise error

    return answer


def test_lines_are_sent_in_batches() -> None:
    """Lines arrive in order, as many at once as the store takes."""
    store, source = Script(), Lines(numbered(20))
    done, notes = ship(store, source)
    assert done
    assert store.stored == numbered(20)
    assert store.sent == [8, 8, 4]
    assert (source.shipped, source.rejected, source.retried) == (20, 0, 0)
    assert notes.batches == 3
    assert store.closed == 1


def test_a_store_that_is_away_is_tried_again() -> None:
    """The pauses become longer, up to a limit, and differ from each other."""
    answers = [failing(UnavailableError("away"))] * 20
    store, source = Script(answers), Lines(numbered(3))
    done, notes = ship(store, source)
    assert done
    assert store.stored == numbered(3)
    assert source.retried == 60
    pauses = [seconds for seconds, _ in source.pauses]
    assert all(FIRST_PAUSE <= seconds <= LONGEST_PAUSE for seconds in pauses)
    assert pauses[0] <= 2 * FIRST_PAUSE
    assert min(pauses[-10:]) >= LONGEST_PAUSE / 2
    assert len(set(pauses)) == 20
    assert notes.failures == ["away"] * 20


def test_pauses_are_short_again_after_a_success() -> None:
    """A store that was back is not waited for longer the next time."""

    def takes(lines: Sequence[bytes]) -> Mapping[int, str]:
        return {}

    away = failing(UnavailableError("away"))
    store, source = Script([*[away] * 8, takes, away]), Lines(numbered(16))
    ship(store, source)
    assert source.pauses[-1][0] <= 2 * FIRST_PAUSE


def test_the_numbers_of_the_application_stay_its_own() -> None:
    """Jitter takes nothing from the generator that an application may have seeded."""
    random.seed(1)
    expected = random.random()
    random.seed(1)
    ship(Script([failing(UnavailableError("away"))]), Lines(numbered(1)))
    assert random.random() == expected


def test_retry_after_is_respected() -> None:
    """A store that asks for a time is not tried before, whoever is in a hurry."""
    store = Script([failing(UnavailableError("busy", retry_after=30.0))])
    source = Lines(numbered(1))

    def pause(seconds: float, firm: bool = False) -> None:
        source.pauses.append((seconds, firm))

    source.pause = pause  # type: ignore[method-assign]
    assert ship(store, source)[0]
    assert source.pauses[0] == (30.0, True)


def test_a_source_that_ends_gives_up_in_time() -> None:
    """At the end there are attempts until the deadline, and none that must wait."""
    away = [failing(UnavailableError("away"))] * 100
    source = Lines(numbered(3), seconds=2.0)
    done, notes = ship(Script(away), source)
    assert not done
    assert 2 <= len(notes.failures) <= 12
    source = Lines(numbered(3), seconds=2.0)
    busy = UnavailableError("busy", retry_after=30.0)
    done, notes = ship(Script([failing(busy)] * 9), source)
    assert not done
    assert len(notes.failures) == 1
    for kind in (UnreachableError, DeniedError):
        source = Lines(numbered(3), seconds=2.0)
        done, notes = ship(Script([failing(kind("refused"))] * 9), source)
        assert not done
        assert notes.failures == ["refused"]
    assert source.pauses == []


def test_wrong_lines_are_found_by_halving() -> None:
    """Of a batch that is refused only the lines arrive that are right, in order."""
    lines = [*numbered(3), b"bad 1\n", *numbered(2), b"bad 2\n", *numbered(9)]
    store, source = Script(), Lines(lines)
    done, notes = ship(store, source)
    assert done
    assert store.stored == [line for line in lines if not line.startswith(b"bad")]
    assert (source.shipped, source.rejected) == (14, 2)
    assert notes.rejections == [
        (b"bad 1\n", "a line is wrong"),
        (b"bad 2\n", "a line is wrong"),
    ]
    assert source.pauses == []


def test_a_receiver_that_fails_at_a_line_loses_only_that() -> None:
    """An unexpected error is taken for a refusal, so that its line is found."""

    class Broken(Script):
        def send(self, lines: Sequence[bytes], timeout: float) -> Mapping[int, str]:
            if b"3\n" in lines:
                raise TypeError("no number")
            return super().send(lines, timeout)

    store, source = Broken(), Lines(numbered(8))
    done, notes = ship(store, source)
    assert done
    assert notes.rejections == [(b"3\n", "TypeError: no number")]
    assert source.shipped == len(store.stored) == 7


def test_an_error_of_the_system_is_no_refusal() -> None:
    """An `OSError` that a receiver lets through is about the connection."""
    store, source = Script([failing(OSError(28, "no space"))]), Lines(numbered(2))
    done, notes = ship(store, source)
    assert done
    assert notes.failures == ["no space"]
    assert store.stored == numbered(2)


def test_lines_that_the_store_names_are_rejected() -> None:
    """A store may refuse single lines and take the others."""
    store = Script([lambda lines: {1: "too old", 3: "too long"}])
    source = Lines(numbered(5))
    done, notes = ship(store, source)
    assert done
    assert notes.rejections == [(b"1\n", "too old"), (b"3\n", "too long")]
    assert (source.shipped, source.rejected) == (3, 2)


def test_what_is_left_is_sent_again() -> None:
    """A store that took some lines gets only the others again, in their order."""
    first = UnavailableError("busy", left=[1, 4], refused={3: "too long"})
    again: list[Sequence[bytes]] = []

    def second(lines: Sequence[bytes]) -> Mapping[int, str]:
        again.append(lines)
        return {}

    source = Lines(numbered(6))
    done, notes = ship(Script([failing(first), second]), source)
    assert done
    assert again == [[b"1\n", b"4\n"]]
    assert source.outcomes == [(1, 0), (4, 1)]
    assert source.retried == 2
    assert notes.rejections == [(b"3\n", "too long")]
    nothing = UnavailableError("busy", left=[])
    source = Lines(numbered(3))
    assert ship(Script([failing(nothing)]), source)[0]
    assert (source.shipped, source.pauses) == (3, [])


def test_empty_batches_are_no_request() -> None:
    """A source may return no lines, to be asked again."""

    class Slow(Lines):
        empty = 3

        def take(
            self, max_lines: int, max_bytes: int, linger: float
        ) -> Sequence[bytes] | None:
            self.empty -= 1
            return [] if self.empty > 0 else super().take(max_lines, max_bytes, linger)

    store = Script()
    assert ship(store, Slow(numbered(1)))[0]
    assert store.sent == [1]


_kinds = st.sampled_from(["away", "refused", "left", "named", "lost", "broken", "good"])


@given(st.lists(_kinds, max_size=60), st.lists(st.booleans(), max_size=50), st.data())
def test_whatever_the_store_answers_every_line_is_accounted_for(
    kinds: list[str], bad: list[bool], data: st.DataObject
) -> None:
    """Right lines arrive, wrong ones are rejected, in order, and the sum is right."""
    lines = [
        b"%s %d\n" % (b"bad" if wrong else b"ok", number)
        for number, wrong in enumerate(bad)
    ]
    stored: list[bytes] = []

    def taken(sent: Sequence[bytes]) -> Mapping[int, str]:
        wrong = {at: "wrong" for at, line in enumerate(sent) if line[:3] == b"bad"}
        stored.extend(line for at, line in enumerate(sent) if at not in wrong)
        return wrong

    def answer(kind: str) -> Answer:
        def act(sent: Sequence[bytes]) -> Mapping[int, str]:
            if kind == "away":
                raise UnavailableError("away")
            if kind == "refused" and any(line[:3] == b"bad" for line in sent):
                raise RefusedError("wrong")
            if kind == "broken" and any(line[:3] == b"bad" for line in sent):
                raise KeyError("wrong")
            if kind == "lost":  # stored, and the answer is lost
                taken(sent)
                raise UnavailableError("half an answer")
            if kind == "left":
                places = st.sets(st.integers(0, len(sent) - 1))
                left = sorted(data.draw(places))
                others = [at for at in range(len(sent)) if at not in left]
                wrong = taken([sent[at] for at in others])
                refused = {others[at]: reason for at, reason in wrong.items()}
                raise UnavailableError("busy", left=left, refused=refused)
            return taken(sent)

        return act

    source = Lines(lines)
    done, notes = ship(Script([*map(answer, kinds), *[taken] * 1000]), source)
    right = [line for line in lines if line[:2] == b"ok"]
    assert done
    assert source.shipped == len(right)
    assert source.shipped + source.rejected == len(lines)
    assert set(stored) == set(right)
    first = [line for at, line in enumerate(stored) if line not in stored[:at]]
    if not {"left"} & set(kinds):
        assert first == right
    if not {"lost"} & set(kinds):
        assert len(stored) == len(right)
        wrong = [line for line in lines if line[:3] == b"bad"]
        assert sorted(line for line, _ in notes.rejections) == sorted(wrong)


def test_an_interrupt_is_none_of_the_lines() -> None:
    """What a signal handler raises ends the loop, and no line is rejected."""
    source = Lines(numbered(2))

    class Stop(BaseException):
        pass

    def stop(lines: Sequence[bytes]) -> Mapping[int, str]:
        raise Stop

    store = Script([stop])
    with pytest.raises(Stop):
        ship(store, source)
    assert (source.shipped, source.rejected, store.closed) == (0, 0, 1)
