"""
Tracebacks are Python's own, whatever an exception is and whatever led to it.
"""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable
from types import FrameType

import pytest

from ctxlog.line._tracebacks import format_exception


class Declined(Exception):
    pass


class Silent(Exception):
    def __str__(self) -> str:
        return ""


class Long(Exception):
    def __str__(self) -> str:
        return "first\nsecond"


def deep(levels: int) -> None:
    if levels:
        deep(levels - 1)
    raise Declined("deep")


def caused() -> None:
    try:
        int("x")
    except ValueError as error:
        raise Declined("caused") from error


def during() -> None:
    try:
        caused()
    except Declined:
        raise LookupError("during") from None or Long()


def suppressed() -> None:
    try:
        caused()
    except Declined:
        raise Silent from None


def in_a_circle() -> None:
    one, other = ValueError("one"), KeyError("other")
    one.__cause__, other.__context__ = other, one
    raise one


def its_own_cause() -> None:
    error = ValueError("own")
    error.__cause__ = error
    raise error


def cause_seen_before() -> None:
    one, other, third = ValueError("one"), KeyError("other"), OSError(2, "third")
    one.__cause__, other.__cause__, other.__context__ = other, one, third
    raise one


def noted() -> None:
    error = Declined("noted")
    error.__dict__["__notes__"] = ["a note"]
    raise error


def never_raised() -> None:
    raise Declined from RuntimeError("never raised")


RAISING: list[Callable[[], object]] = [
    *(lambda: deep(0), lambda: deep(20), caused, during, suppressed, in_a_circle),
    *(its_own_cause, cause_seen_before, noted, never_raised),
    *(lambda: {}["x"], lambda: open("/does/not/exist"), lambda: 1 / 0),
    *(lambda: exec("x ="), lambda: exec("undefined"), lambda: "".nothing),  # type: ignore[attr-defined]
]


def raised_by(call: Callable[[], object]) -> BaseException:
    """
    What *call* raises.
    """
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize("call", RAISING)
def test_it_is_pythons_traceback(call: Callable[[], object]) -> None:
    """
    The same text, as long as nothing interrupts it.
    """
    error = raised_by(call)
    expected = traceback.format_exception(type(error), error, error.__traceback__)
    assert format_exception(error, str) == "".join(expected)


def test_an_exception_that_was_never_raised() -> None:
    """
    It has no stack to show.
    """
    assert format_exception(ValueError("made"), str) == "ValueError: made\n"


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no such signal")
def test_its_text_may_be_interrupted() -> None:
    """
    Python's own swallows what a signal handler raises meanwhile.
    """

    class Limit(Exception):
        pass

    class Slow(Exception):
        def __str__(self) -> str:
            signal.raise_signal(signal.SIGALRM)
            return "slow"

    def limit(number: int, frame: FrameType | None) -> None:
        raise Limit

    before = signal.signal(signal.SIGALRM, limit)
    try:
        with pytest.raises(Limit):
            format_exception(Slow(), str)
    finally:
        signal.signal(signal.SIGALRM, before)
