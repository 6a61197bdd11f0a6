"""
Several sinks for one line, and what is asked of all sinks together.
"""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Iterator

import pytest

from ctxlog import _endings, sinks
from ctxlog.errors import ConfigError
from ctxlog.line.encoder import LineEncoder
from ctxlog.sinks._fan import Fan, report
from ctxlog.sinks._stream import Stream
from tests.helpers import load_line


class Kept(sinks.Sink):
    """Keeps its lines, and what it was asked."""

    def __init__(self, name: str = "kept", held: int = 0) -> None:
        self.name = name
        self.lines: list[bytes] = []
        self.asked: list[tuple[str, float]] = []
        self.held = held

    def write(self, line: bytes) -> None:
        self.lines.append(line)

    def flush(self, timeout: float) -> int:
        self.asked.append(("flush", timeout))
        return self.held

    def close(self, timeout: float) -> int:
        self.asked.append(("close", timeout))
        return self.held


class Broken(Kept):
    """Raises whatever is asked of it."""

    def write(self, line: bytes) -> None:
        raise RuntimeError("no")

    def flush(self, timeout: float) -> int:
        raise RuntimeError("never")


@pytest.fixture
def fans() -> Iterator[list[Fan]]:
    """Fans that are closed after the test."""
    made: list[Fan] = []
    yield made
    for fan in made:
        fan.close(0)


def test_every_sink_gets_every_line(fans: list[Fan]) -> None:
    """In order, and a stream among them as by a writer of its own."""
    stream, kept = io.StringIO(), Kept()
    fan = Fan([Stream(stream), kept])
    fans.append(fan)
    for number in range(3):
        fan.write(b"%d\n" % number)
    assert stream.getvalue().encode() == b"".join(kept.lines) == b"0\n1\n2\n"
    assert fan.stream is stream


def test_a_sink_that_raises_costs_the_others_nothing(fans: list[Fan]) -> None:
    """Which is said once, by a line on the others."""
    kept = Kept()
    fan = Fan([Broken("broken"), kept], encoder=LineEncoder())
    fans.append(fan)
    fan.write(b"one\n")
    fan.write(b"two\n")
    said, one, two = kept.lines
    assert (one, two) == (b"one\n", b"two\n")
    line = load_line(said)
    assert line["message"] == "broken does not take lines: RuntimeError"
    assert (line["logger"], line["sink"], line["error"]) == (
        *("ctxlog.sinks", "broken", "no"),
    )


def test_the_only_sink_raises(
    fans: list[Fan], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its lines go to standard error."""
    fan = Fan([Broken("broken")], encoder=LineEncoder())
    fans.append(fan)
    fan.write(b"one\n")
    fan.write(b"two\n")
    one, said, two = capsys.readouterr().err.splitlines()
    assert (one, two) == ("one", "two")
    assert "broken does not take lines" in load_line(said)["message"]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_reaches_the_program_after_all_sinks(
    fans: list[Fan], kind: type[BaseException]
) -> None:
    """A line that one sink has got is in all of them."""

    class Interrupted(Kept):
        def write(self, line: bytes) -> None:
            raise kind

    kept = Kept()
    fan = Fan([Interrupted(), kept])
    fans.append(fan)
    with pytest.raises(kind):
        fan.write(b"one\n")
    assert kept.lines == [b"one\n"]


def test_all_sinks_are_asked_before_one_is_waited_for(fans: list[Fan]) -> None:
    """They share one deadline; what is still held is the sum."""

    class Slow(Kept):
        def flush(self, timeout: float) -> int:
            threading.Event().wait(timeout)
            return super().flush(timeout)

    slow, kept = Slow("slow", held=2), Kept(held=3)
    fans.append(Fan([slow, kept]))
    assert sinks.flush(timeout=0.05) == 5
    assert slow.asked[0] == kept.asked[0] == ("flush", 0)
    assert 0 < slow.asked[1][1] <= 0.05
    assert kept.asked[1][1] == 0


def test_a_sink_that_cannot_be_flushed_is_said(fans: list[Fan]) -> None:
    """The others are flushed."""
    kept = Kept(held=1)
    fans.append(Fan([Broken("broken"), kept]))
    assert sinks.flush(timeout=0) == 1
    assert load_line(kept.lines[0])["message"] == (
        "broken was not flushed: RuntimeError"
    )


def test_counts_are_by_name(fans: list[Fan]) -> None:
    """Each sink of all fans counts once; the second of a name has a number."""
    kept, stream = Kept(), Stream(io.StringIO())
    fans += [Fan([kept, stream]), Fan([kept, Kept()])]
    fans[0].write(b"one\n")
    counted = sinks.stats()
    assert sorted(counted) == ["StringIO", "kept", "kept (2)"]
    for _ in range(2):  # looking does not count
        assert sinks.stats()["StringIO"]["written"] == 1
    assert counted["StringIO"]["shipped"] == 1


def test_a_line_that_a_stream_does_not_take_is_counted(
    fans: list[Fan], capsys: pytest.CaptureFixture[str]
) -> None:
    """It goes to standard error."""
    stream = io.StringIO()
    fan = Fan([Stream(stream)])
    fans.append(fan)
    fan.write(b"one\n")
    stream.close()
    fan.write(b"two\n")
    counted = sinks.stats()["StringIO"]
    assert (counted["written"], counted["shipped"], counted["dropped"]) == (2, 1, 1)
    assert capsys.readouterr().err == "two\n"


def test_a_sink_has_an_address(capsys: pytest.CaptureFixture[str]) -> None:
    """Of an address that is none, the error says what one looks like."""
    sinks.sink("stdout").write(b"out\n")
    sinks.sink("stderr").write(b"err\n")
    assert capsys.readouterr() == ("out\n", "err\n")
    with pytest.raises(ConfigError, match=r"invalid value for to: 'app\.log'"):
        sinks.sink("app.log")


def test_closing_flushes_what_was_given() -> None:
    """It closes what was made for the fan, and leaves alone what another one uses."""
    made, given, shared = Kept("made"), Kept("given"), Kept("shared")
    other = Fan([shared], made=[shared])
    fan = Fan([made, given, shared], made=[made, shared])
    fan.close(1.0)
    assert [act for act, _ in made.asked] == ["flush", "close"]
    assert [act for act, _ in given.asked] == ["flush", "flush"]
    assert shared.asked == []
    assert list(sinks.stats()) == ["shared"]
    other.close(1.0)
    assert [act for act, _ in shared.asked] == ["flush", "close"]
    assert sinks.stats() == {}
    fan.write(b"late\n")
    assert list(sinks.stats()) == ["made", "given", "shared"]
    fan.close(0)


def test_a_report_goes_to_the_others(fans: list[Fan]) -> None:
    """It is returned for the sink itself, and without others is on standard error."""
    kept, other = Kept("shop"), Kept("other")
    fans.append(Fan([kept, other], encoder=LineEncoder(static={"service": "shop"})))
    line = report(kept, "3 lines were dropped", {"dropped": 3})
    assert kept.lines == []
    assert other.lines == [line]
    said = load_line(line)
    assert (said["level"], said["service"], said["dropped"], said["sink"]) == (
        *("WARNING", "shop", 3, "shop"),
    )


def test_a_report_without_others(capsys: pytest.CaptureFixture[str]) -> None:
    """It goes to standard error."""
    report(Kept("alone"), "3 lines were dropped")
    assert load_line(capsys.readouterr().err)["sink"] == "alone"


def test_a_report_that_the_others_only_hold(
    fans: list[Fan], capsys: pytest.CaptureFixture[str]
) -> None:
    """It is on standard error, too: the stores of all sinks may be away."""

    class Holding(Kept):
        def stats(self) -> sinks.Stats:
            return {**super().stats(), "held": len(self.lines)}

    one, two = Holding("one"), Holding("two")
    fans.append(Fan([one, two]))
    line = report(one, "3 lines were dropped")
    assert two.lines == [line]
    assert capsys.readouterr().err.encode() == line


def test_sinks_that_report_on_each_other_end(
    fans: list[Fan], capsys: pytest.CaptureFixture[str]
) -> None:
    """The second report goes to standard error."""

    class Full(Kept):
        def write(self, line: bytes) -> None:
            report(self, "full")

    one, two = Full("one"), Full("two")
    fans.append(Fan([one, two]))
    report(one, "full")
    assert load_line(capsys.readouterr().err)["sink"] == "two"


def test_a_sink_that_logs_whenever_it_is_written_to(fans: list[Fan]) -> None:
    """A line in the middle of a line follows it; those about that one do not."""
    kept = Kept()

    class Logging(Kept):
        def write(self, line: bytes) -> None:
            fans[0].write(b"about " + line)
            super().write(line)

    logs = Logging()
    fans.append(Fan([logs, kept]))
    fans[0].write(b"one\n")
    fans[0].write(b"two\n")
    assert logs.lines == [b"one\n", b"about one\n", b"two\n", b"about two\n"]
    assert [line for line in kept.lines if not line.startswith(b"about")] == [
        *(b"one\n", b"two\n"),
    ]


def test_a_sink_that_cannot_even_say_its_name(fans: list[Fan]) -> None:
    """A log call raises for nothing of it."""

    class Hostile(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    class Nameless(Broken):
        name = property(lambda self: 1 / 0)  # type: ignore[assignment]

        def __init__(self) -> None:
            pass

        def write(self, line: bytes) -> None:
            raise Hostile

    kept = Kept()
    fans.append(Fan([Nameless(), kept], encoder=LineEncoder()))
    fans[0].write(b"one\n")
    assert load_line(kept.lines[0])["sink"] == "Nameless"
    assert "Nameless" in sinks.stats()


def test_a_line_that_comes_while_it_closes_is_not_forgotten(fans: list[Fan]) -> None:
    """Its sink is in use again, and flushed at the end."""

    class Logging(Kept):
        def close(self, timeout: float) -> int:
            fan.write(b"late\n")
            return super().close(timeout)

    late = Logging("late")
    fan = Fan([late], made=[late])
    fans.append(fan)
    fan.close(0)
    assert list(sinks.stats()) == ["late"]
    late.close = lambda timeout: 0  # type: ignore[method-assign]


@pytest.mark.skipif(sys.platform == "win32", reason="fork")
def test_a_forked_child_counts_from_nothing(fans: list[Fan]) -> None:
    """Its lines are its own."""
    import os

    fan = Fan([Stream(io.StringIO())])
    fans.append(fan)
    fan.write(b"one\n")
    child = os.fork()
    if not child:
        fan.write(b"two\n")
        fan.write(b"three\n")
        os._exit(sinks.stats()["StringIO"]["written"])
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2


def test_a_line_that_is_logged_at_the_end_is_shipped_at_once(
    fans: list[Fan], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hooks of an ending close what is in use, and so does each line after them."""
    monkeypatch.setattr(_endings, "_heard", 0.0)
    kept = Kept()
    fans.append(Fan([kept]))
    fans[0].write(b"one\n")
    _endings.pause(1.0)
    assert [act for act, _ in kept.asked] == ["flush", "flush"]
    _endings.end()
    fans[0].write(b"two\n")
    assert [act for act, _ in kept.asked].count("close") == 2
    fans[0].close(0)
    kept.asked.clear()
    _endings.end()
    assert kept.asked == []
