"""
The end of a process: held lines are shipped, whatever `atexit` is left out.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctxlog import _endings
from tests.helpers import run_python

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")


class Held:
    """
    Lines that are held, and a clock that goes on while they are shipped.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self.takes = 0.0
        self.asked: list[tuple[float, bool]] = []

    def ship(self, seconds: float, ends: bool) -> None:
        self.asked.append((round(seconds, 3), ends))
        self.now += min(self.takes, seconds)
        # A sink logs about what it does.
        _endings.note_line()
        _endings.end()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    held = Held()
    monkeypatch.setattr(_endings.time, "monotonic", lambda: held.now)
    _endings.on_end(held.ship, 2.0)
    yield held
    _endings.on_end(None)
    _endings._heard = 0.0


def test_nothing_happens_where_nothing_is_held(held: Held) -> None:
    """Without a sink in use, an ending does not even begin."""
    _endings.on_end(None)
    _endings.end()
    _endings.pause()
    _endings.on_end(held.ship)
    _endings.note_line()
    assert held.asked == []


def test_the_hooks_of_one_ending_share_its_time(held: Held) -> None:
    """What a hook has waited for, the next one does not; a later ending has all."""
    held.takes = 0.5
    _endings.end()
    held.now += 5.0  # something else ends
    held.takes = 7.0  # the store is dead
    _endings.end()
    _endings.end()
    held.now += 10.0  # the program goes on
    _endings.end()
    waits = [2.0, 1.5, 0.0, 2.0]
    assert held.asked == [(seconds, True) for seconds in waits]


def test_the_last_lines_are_shipped_at_once(held: Held) -> None:
    """A server says last that it has ended; a program that goes on logs as before."""
    _endings.note_line()
    assert held.asked == []
    _endings.end()
    _endings.note_line()
    held.now += 9.0
    _endings.note_line()
    assert len(held.asked) == 3
    held.now += 10.0
    _endings.note_line()
    assert len(held.asked) == 3


def test_a_line_of_another_thread_waits_for_the_next_hook(held: Held) -> None:
    """The thread of a sink cannot wait for itself."""
    _endings.end()
    thread = threading.Thread(target=_endings.note_line)
    thread.start()
    thread.join()
    assert len(held.asked) == 1


def test_a_process_that_may_be_frozen_ships_and_goes_on(held: Held) -> None:
    """It may have less time than an ending has, and none of it counts for one."""
    held.takes = 7.0
    _endings.pause()
    _endings.pause(0.5)
    _endings.note_line()
    _endings.end()
    assert held.asked == [(2.0, False), (0.5, False), (2.0, True)]


def test_a_signal_in_the_middle_of_an_ending(held: Held) -> None:
    """Its handler's exception goes on when the lines are shipped, in the same time."""

    def ship(seconds: float, ends: bool) -> None:
        held.ship(seconds, ends)
        if len(held.asked) == 1:
            held.now += 0.5
            raise SystemExit(0)

    _endings.on_end(ship, 2.0)
    with pytest.raises(SystemExit):
        _endings.end()
    _endings.end()
    assert held.asked == [(2.0, True), (1.5, True), (1.5, True)]


@needs_fork
def test_a_forked_child_has_an_ending_of_its_own(tmp_path: Path) -> None:
    """The time of the parent's ending is not the child's."""
    done = run_python(
        "-c",
        "import os, time\n"
        "from ctxlog import _endings\n"
        "def ship(seconds, ends):\n"
        "    print(seconds, flush=True)\n"
        "    time.sleep(0.01)\n"
        "_endings.on_end(ship)\n"
        "_endings.end()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    _endings.end()\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0)\n"
        "_endings.on_end(None)\n",
        cwd=tmp_path,
    )
    assert done.stdout.split() == ["2.0", "2.0"]


PROCESSES = """
import os, sys
from ctxlog import _endings


def ship(seconds, ends):
    os.write(1, b"%d\\n" % os.getpid())


def work(depth=0):
    import multiprocessing
    if depth:
        child = multiprocessing.get_context(sys.argv[1]).Process(target=work)
        child.start()
        child.join()


_endings.on_end(ship)

if __name__ == "__main__":
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context(sys.argv[1])
    kind = sys.argv[2]
    if kind == "process":
        child = context.Process(target=work, args=(int(sys.argv[3]),))
        child.start()
        child.join()
    elif kind == "executor":
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            pool.submit(work).result()
    else:
        pool = context.Pool(1)
        pool.apply(work)
        pool.close()
        pool.join()
    os.write(1, b"end\\n")
"""


def test_a_program_that_just_ends_ships(tmp_path: Path) -> None:
    """`atexit` is the first of all hooks, and on_end(None) takes it away."""
    program = "from ctxlog import _endings\n"
    program += "_endings.on_end(lambda *_: print('end'))\n"
    assert run_python("-c", program * 2, cwd=tmp_path).stdout == "end\n"
    program += "_endings.on_end(None)\n"
    assert run_python("-c", program, cwd=tmp_path).stdout == ""


@pytest.mark.parametrize("start", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize(
    ("kind", "depth", "count"),
    [("process", 0, 1), ("process", 1, 2), ("executor", 0, 1), ("pool", 0, 1)],
)
@needs_fork
def test_processes_of_multiprocessing_ship_before_they_end(
    start: str, kind: str, depth: int, count: int, tmp_path: Path
) -> None:
    """Most end by `os._exit`; a process of theirs has its own ending, too."""
    program = tmp_path / "program.py"
    program.write_text(PROCESSES)
    done = run_python(str(program), start, kind, str(depth), cwd=tmp_path)
    shipped, end = done.stdout.split("end")
    # Some call what `atexit` has, as well, as the main process does at last.
    assert len(set(shipped.split())) == count
    assert len(end.split()) == 1


@needs_fork
def test_nothing_is_shipped_that_is_held_no_more(tmp_path: Path) -> None:
    """A process that stops holding lines ends without."""
    source = PROCESSES.replace(
        "def work(depth=0):", "def work(depth=0):\n    _endings.on_end(None)"
    )
    program = tmp_path / "program.py"
    program.write_text(source)
    done = run_python(str(program), "fork", "process", "0", cwd=tmp_path)
    first, _ = done.stdout.split()  # the main process has more to end
    assert first == "end"
