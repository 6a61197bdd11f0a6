"""
Tracebacks are Python's own, whatever an exception is and whatever led to it.
"""

from __future__ import annotations

import builtins
import itertools
import linecache
import signal
import sys
import textwrap
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlog.line import _stacks
from ctxlog.line._tracebacks import format_exception
from tests.helpers import need


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


def endless() -> None:
    endless()


def noted() -> None:
    error = Declined("noted")
    error.__dict__["__notes__"] = ["a note"]
    raise error


def never_raised() -> None:
    raise Declined from RuntimeError("never raised")


RAISING: list[Callable[[], object]] = [
    *(lambda: deep(0), lambda: deep(3), lambda: deep(4), lambda: deep(20)),
    *(caused, during, suppressed, in_a_circle),
    *(its_own_cause, cause_seen_before, noted, never_raised, endless),
    *(lambda: [][0], lambda: open("/does/not/exist"), lambda: 1 / 0),
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


def by_python(error: BaseException) -> str:
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


@pytest.mark.parametrize("call", RAISING)
def test_it_is_pythons_traceback(call: Callable[[], object]) -> None:
    """
    The same text, as long as nothing interrupts it; also when its frames are known.
    """
    error = raised_by(call)
    for _ in range(3):
        assert format_exception(error, str) == by_python(error)


# Ways to call a function that raises, in which Python shows the call differently; and
# what becomes of the exception.
CALLS = [
    *("return CALL", "return 1 + CALL * 2", "return [3][CALL]", "\treturn\tCALL"),
    *("a, b = (CALL), 2", "'日本', CALL, 'ä'  # é", "if (CALL\n    ):\n    pass"),
    *("return max(\n    1,\n    CALL,\n\n    3,\n)", "return f'{CALL}'"),
    *("return eval('CALL')", "return (lambda: CALL)()", "return [CALL for _ in 'ab']"),
    "return (\n    'a'\n    +\n    CALL\n    ['b']\n    (1))",
    "try:\n    CALL\nexcept Exception as error:\n    raise LookupError('x') from error",
    "try:\n    CALL\nexcept Exception:\n    raise Noted('ü') from None",
    "try:\n    CALL\nfinally:\n    undefined.attribute",
    "try:\n    CALL\nexcept Exception as error:\n    raise error",
    "def again(n):\n    return again(n - 1) if n else CALL\nreturn again(DEPTH)",
    "try:\n    CALL\nexcept Exception as error:\n    raise grouped(error)",
]
RAISES = [
    *("raise ValueError('bad')", "raise Noted", "{}['x']", "1 / 0", "''.nothing"),
    *("return numbr, [number for number in '']", "self = Noted; self.ad_note"),
    *("import nothing_there", "from os import pth", "exec('x =')", "assert 1 > 2, 'ä'"),
    *("raise Noted('two\\nlines')", "open('/does/not/exist')", "def f(): f()\nf()"),
]
GIVEN: dict[str, Any] = {
    "grouped": ValueError,
    "Noted": type("Noted", (Exception,), {"__notes__": ["a\nb"], "add_note": 1}),
}
if sys.version_info >= (3, 11):
    GIVEN["grouped"] = lambda error: builtins.ExceptionGroup("some", [error, OSError()])


@st.composite
def sources(draw: st.DrawFn) -> str:
    """
    The source of functions that call each other; the last one, `f0`, raises.
    """
    functions = [draw(st.sampled_from(RAISES))]
    depth = st.sampled_from(["0", "2", "3", "4", "9"])
    for number in range(draw(st.integers(0, 4))):
        body = draw(st.sampled_from(CALLS)).replace("DEPTH", draw(depth))
        functions.append(body.replace("CALL", f"f{number}()"))
    return "\n".join(
        f"def f{number}():\n{textwrap.indent(body, ' ' * draw(st.integers(1, 8)))}\n"
        for number, body in enumerate(functions)
    )


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """
    New paths of sources.
    """
    folder, numbers = tmp_path_factory.mktemp("sources"), itertools.count()
    return lambda: folder / f"source{next(numbers)}.py"


@given(
    source=sources(),
    place=st.sampled_from(["file", "nowhere", "<string>", "<registered>"]),
    changes=st.lists(st.sampled_from(["", "", "longer", "gone", "clear", "limit"])),
)
def test_it_is_pythons_traceback_whatever_is_raised(
    paths: Callable[[], Path], source: str, place: str, changes: list[str]
) -> None:
    """
    The same text at each time, wherever the source is and whatever becomes of it.
    """
    path = paths()
    name = place if place.startswith("<") else str(path)
    if place == "file":
        path.write_text(source, "utf-8")
    if place == "<registered>":
        lines = source.splitlines(True)
        linecache.cache[name] = (len(source), None, lines, name)
    namespace = {"__name__": "made", **GIVEN}
    exec(compile(source, name, "exec"), namespace)
    last = [key for key in namespace if key.startswith("f")][-1]
    for change in ("", "", *changes):
        if change == "longer" and path.exists():
            path.write_text(f"# another line\n{path.read_text('utf-8')}", "utf-8")
        elif change == "gone":
            path.unlink(missing_ok=True)
        elif change == "clear":
            linecache.clearcache()
        error = raised_by(namespace[last])
        with pytest.MonkeyPatch.context() as patch:
            if change == "limit":
                patch.setattr(sys, "tracebacklimit", 2, raising=False)
            shown = format_exception(error, str)
            assert shown == by_python(error)
            assert format_exception(error, str) == shown


@pytest.mark.skipif(sys.version_info >= (3, 11), reason="groups are Python's own")
def test_groups_of_older_pythons_show_their_members() -> None:
    """
    Those of the package exceptiongroup, which changes how Python shows them.
    """
    exceptiongroup: Any = need("exceptiongroup")
    error = exceptiongroup.ExceptionGroup("both", [ValueError("one"), KeyError("two")])
    shown = format_exception(error, str)
    assert shown == by_python(error)
    assert "ValueError: one" in shown


def test_a_frame_is_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Python is asked again only if the source has changed.
    """
    asked: list[object] = []
    real = traceback.format_tb

    def format_tb(*args: Any) -> list[str]:
        asked.append(args)
        return real(*args)

    monkeypatch.setattr(traceback, "format_tb", format_tb)
    monkeypatch.setattr(_stacks, "_known", {})
    for _ in range(5):
        format_exception(raised_by(lambda: deep(0)), str)
    # Nothing is kept while the file is read, which other tests may have done.
    assert len(asked) in (3, 6)


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
