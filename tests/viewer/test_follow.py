"""
`ctxlog follow`: lines as they are written, through all that happens to log files.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlog.aggregators.split import unwrapped
from ctxlog.viewer.query.criteria import Criterion, failing
from ctxlog.viewer.query.watch import Watch
from ctxlog.viewer.read.tail import Seen, Tail, _Merged, followed
from ctxlog.viewer.recognize.keys import Names
from ctxlog.viewer.recognize.record import Record
from ctxlog.viewer.show.look import Look
from ctxlog.viewer.show.printing import LinePrinter
from tests.aggregators.test_split import cri
from tests.helpers import LIMIT, clean_environment


def line(request: str, message: str, level: str = "INFO", **more: object) -> str:
    """A line as ctxlog writes it."""
    fields = {
        "timestamp": "2026-11-25T06:50:00.000000Z",
        "level": level,
        "requestID": request,
        "message": message,
        **more,
    }
    return json.dumps(fields, separators=(",", ":")) + "\n"


class Following:
    """A running `ctxlog follow` and what it has printed."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-Im", "ctxlog", "follow", *arguments],
            env=clean_environment(PYTHONUTF8="1"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        self.printed: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for text in self.process.stdout:
            with self._changed:
                self.printed.append(text)
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def until(self, enough: Callable[[list[str]], bool]) -> list[str]:
        """Return the output, once it is enough."""
        with self._changed:
            assert self._changed.wait_for(lambda: enough(self.printed), LIMIT), (
                self.printed
            )
            return list(self.printed)

    def until_text(self, text: str) -> list[str]:
        """Return the output, once this text is in it."""
        return self.until(lambda printed: any(text in one for one in printed))


@contextmanager
def following(*arguments: str) -> Iterator[Following]:
    """Follow for the duration of the block."""
    running = Following(*arguments)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.communicate(timeout=LIMIT)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A file with one line."""
    path = tmp_path / "app.log"
    path.write_text(line("req-0", "old"), encoding="utf-8")
    return path


def append(path: Path, *lines: str) -> None:
    """Write lines at the end of a file."""
    with path.open("a", encoding="utf-8") as file:
        file.writelines(lines)


def started(running: Following, path: Path) -> None:
    """Return when the file is being followed: with a line that is printed."""
    number = 0
    while not any("begun" in one for one in running.printed):
        number += 1
        append(path, line("req-0", f"begun {number}"))
        with running._changed:
            running._changed.wait(0.1)
    assert running.process.poll() is None


def test_new_lines_are_printed(log: Path) -> None:
    """Lines written from now on are printed, earlier ones are not."""
    with following(str(log)) as running:
        started(running, log)
        append(log, line("req-A", "one"), line("req-B", "two"))
        printed = running.until_text("two")
    assert not any("old" in one for one in printed)
    (one,) = [text for text in printed if "one" in text]
    assert one == "06:50:00.000  INFO      req-A         one\n"


def test_all_that_is_there(log: Path) -> None:
    """With `--all` it begins with what the file has."""
    with following(str(log), "--all") as running:
        running.until_text("old")


def test_several_files_in_the_order_of_time(tmp_path: Path) -> None:
    """Each file keeps the order of its lines, and what stands below one stays there."""

    def at(second: int, message: str) -> str:
        time = f"2026-11-25T06:50:0{second}.000000Z"
        return line("req-A", message, timestamp=time)

    one, other = tmp_path / "one.log", tmp_path / "other.log"
    append(one, at(1, "a1"), at(4, "a4"), "Traceback\n", "  below a4\n", at(6, "a6"))
    append(other, at(2, "b2"), at(5, "b5"), at(3, "b3"), at(7, "b7"))
    with following(str(one), str(other), "--all") as running:
        printed = running.until_text("b7")
    shown = ["a1", "b2", "a4", "Traceback", "below a4", "b5", "b3", "a6", "b7"]
    assert [text.split("req-A")[-1].strip() for text in printed] == shown


def test_a_file_that_is_written_while_another_one_is_read(tmp_path: Path) -> None:
    """A line waits for one more look at the others, which may have earlier ones."""
    early, late = tmp_path / "early.log", tmp_path / "late.log"
    append(late, "2\n")
    early.touch()
    written: list[bytes] = []

    def time_of(text: bytes) -> float | None:
        if not written:  # by then `early` has been looked at
            append(early, "1\n")
        written.append(text)
        return float(text) if text.strip().isdigit() else None

    names = [str(early), str(late)]
    lines = followed(names, from_start=True, time_of=time_of)
    assert [next(lines)[1] for _ in range(2)] == [b"1\n", b"2\n"]
    lines.close()


def test_what_stands_below_a_line_may_come_later(tmp_path: Path) -> None:
    """It has the time of that line, and comes before all that is later."""
    first, other = tmp_path / "first.log", tmp_path / "other.log"
    append(first, "3\n")
    append(other, "5\n")

    def time_of(text: bytes) -> float | None:
        return float(text) if text.strip().isdigit() else None

    names = [str(other), str(first)]
    lines = followed(names, from_start=True, time_of=time_of)
    assert next(lines)[1] == b"3\n"
    append(first, "below 3\n", "6\n")
    append(other, "4\n")
    found = [next(lines)[1] for _ in range(4)]
    assert found == [b"5\n", b"below 3\n", b"4\n", b"6\n"]
    lines.close()


def test_one_file_waits_for_nothing(tmp_path: Path) -> None:
    """Its lines are handed over as they are read, and their times are not needed."""
    log = tmp_path / "app.log"
    append(log, "2\n", "1\n")

    def time_of(text: bytes) -> float | None:
        raise AssertionError(text)

    lines = followed([str(log)], from_start=True, time_of=time_of)
    assert [next(lines)[1] for _ in range(2)] == [b"2\n", b"1\n"]
    lines.close()


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),  # which file
            st.one_of(st.none(), st.integers(0, 9)),  # the time
            st.booleans(),  # whether it is looked at after that
        ),
        max_size=40,
    )
)
def test_whatever_files_write_each_keeps_its_lines(
    written: list[tuple[int, int | None, bool]],
) -> None:
    """No line is lost or twice, and none of a file comes before one above it."""
    waiting: list[list[bytes]] = [[], [], []]
    merged = _Merged(lambda text: None if b"x" in text else float(text.split()[0]))
    found: list[tuple[str, bytes]] = []

    def look() -> None:
        new = [(str(number), iter(lines)) for number, lines in enumerate(waiting)]
        found.extend(merged.look(new))
        waiting[:] = [[], [], []]

    whole: dict[str, list[bytes]] = {"0": [], "1": [], "2": []}
    for number, (file, time, looked) in enumerate(written):
        text = f"{'x' if time is None else time} {number}\n".encode()
        waiting[file].append(text)
        whole[str(file)].append(text)
        if looked:
            look()
    look()
    look()
    for name, lines in whole.items():
        assert [text for one, text in found if one == name] == lines


def test_another_day(tmp_path: Path) -> None:
    """Its date stands above its first line."""
    log = tmp_path / "app.log"
    append(
        log,
        line("a", "one", timestamp="2026-01-31T23:59:59.000000Z"),
        line("a", "two", timestamp="2026-02-01T00:00:00.000000Z"),
        line("a", "three", timestamp="2026-02-01T00:00:01.000000Z"),
    )
    with following(str(log), "--all") as running:
        printed = running.until_text("three")
    assert [text.split()[-1] for text in printed] == [
        *("one", "2026-02-01", "two", "three")
    ]


def test_a_line_that_a_collector_splits(tmp_path: Path) -> None:
    """It is printed whole, if the file is rotated between its parts as well."""
    path = tmp_path / "app.log"
    text = line("req-A", "m" * 40_000).encode()
    one, two, three = cri(text)
    path.write_bytes(one)
    tail = Tail(str(path), from_start=True)
    assert list(tail.read()) == []
    path.rename(tmp_path / "app.log.1")
    path.write_bytes(two)
    assert list(tail.read()) == []
    with path.open("ab") as file:
        file.write(three)
    assert [unwrapped(each) for each in tail.read()] == [text]
    tail.close()


def test_a_file_that_is_rotated(log: Path) -> None:
    """After a rename the new file of the name is read, and the old one to its end."""
    with following(str(log)) as running:
        started(running, log)
        old = log.rename(log.with_suffix(".1"))
        append(old, line("req-A", "last of the old"))
        log.write_text(line("req-A", "first of the new"), encoding="utf-8")
        printed = running.until_text("first of the new")
        append(log, line("req-A", "second of the new"))
        running.until_text("second of the new")
    assert any("last of the old" in one for one in printed)


def test_a_file_that_is_truncated(log: Path) -> None:
    """After a truncation (copytruncate) it is read from its new beginning."""
    with following(str(log)) as running:
        started(running, log)
        log.write_text("", encoding="utf-8")
        append(log, line("req-A", "new"))
        running.until_text("new")


def test_a_file_that_appears_later(tmp_path: Path) -> None:
    """A file need not be there yet; everything in it is printed."""
    path = tmp_path / "later.log"
    other = tmp_path / "now.log"
    other.touch()
    with following(str(path), str(other)) as running:
        started(running, other)
        path.write_text(line("req-A", "first"), encoding="utf-8")
        running.until_text("first")


def _written(path: Path, *messages: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.writelines(line("r1", message) for message in messages)


def test_a_directory(tmp_path: Path) -> None:
    """All files of text are followed, also those that appear later, and no others."""
    (tmp_path / "deep").mkdir()
    _written(tmp_path / "a.log", "of before")
    _written(tmp_path / "deep" / "b.log", "of before")
    with following(str(tmp_path)) as process:
        started(process, tmp_path / "a.log")
        (tmp_path / "x.bin").write_bytes(b"\0\1\2\n")
        (tmp_path / "x.gz").write_bytes(b"\x1f\x8b\n" * 9)
        (tmp_path / "empty.log").touch()
        _written(tmp_path / ".hidden", "hidden")
        _written(tmp_path / "deep" / "b.log", "of a folder")
        _written(tmp_path / "c.log", "first", "second")
        process.until_text("of a folder")
        process.until_text("second")
        _written(tmp_path / "empty.log", "no longer empty")
        printed = process.until_text("no longer empty")
    text = "".join(printed)
    assert text.count("first") == 1
    assert "of before" not in text
    assert "hidden" not in text
    assert "x1f" not in text


def test_a_directory_whose_files_are_rotated(tmp_path: Path) -> None:
    """No line is printed twice, and none is lost, whatever the names are."""
    log, first = tmp_path / "app.log", tmp_path / "app.log.1"
    _written(log, "of before")
    _written(first, "of before")
    with following(str(tmp_path), "--all") as process:
        process.until(lambda printed: "".join(printed).count("of before") == 2)
        for number in range(1, 4):
            log.replace(tmp_path / "app-2.log" if number == 2 else first)
            _written(log, f"line {number}")
            process.until_text(f"line {number}")
        (tmp_path / "app.log.2").write_bytes(log.read_bytes())  # and is truncated then
        log.write_bytes(b"")
        _written(tmp_path / "last.log", "last")
        process.until_text("last")
        _written(log, "after it")
        printed = process.until_text("after it")
    messages = [text.split()[3:5] for text in printed]
    assert sorted(messages) == sorted(
        [["of", "before"]] * 2
        + [["line", str(number)] for number in range(1, 4)]
        + [["last"], ["after", "it"]]
    )


def test_what_was_read_under_another_name(tmp_path: Path) -> None:
    """A file that was renamed goes on where it was left; its successor is a new one."""
    log, old = tmp_path / "a.log", tmp_path / "b.log"
    seen: Seen = {}
    log.write_bytes(b"1\n2\n")
    tail = Tail(str(log), from_start=True, seen=seen)
    assert list(tail.read()) == [b"1\n", b"2\n"]
    log.replace(old)
    other = Tail(str(old), from_start=True, seen=seen)
    with old.open("ab") as file:
        file.write(b"3\n")
    log.write_bytes(b"4\n5\n6\n")
    assert [*other.read(), *tail.read()] == [b"3\n", b"4\n", b"5\n", b"6\n"]
    tail.close()
    other.close()


def test_a_file_with_the_number_of_a_deleted_one(tmp_path: Path) -> None:
    """Another content is that of another file, and all of it is read."""
    log = tmp_path / "a.log"
    log.write_bytes(b"1\n2\n3\n")
    there = log.stat()
    seen: Seen = {(there.st_dev, there.st_ino): (4, b"7\n8\n")}
    tail = Tail(str(log), from_start=True, seen=seen)
    assert list(tail.read()) == [b"1\n", b"2\n", b"3\n"]
    tail.close()


def test_standard_input_ends_it() -> None:
    """Of a pipe it prints what comes, and ends with it."""
    with following("-") as running:
        text = line("req-A", "one") + "a banner\n" + line("req-B", "two")
        assert running.process.stdin
        running.process.stdin.write(text)
        running.process.stdin.close()
        running.process.wait(LIMIT)
        running._reader.join(LIMIT)
        assert running.process.stderr
        assert running.process.stderr.read() == ""
        running.process.stdin = None
    assert running.process.returncode == 0
    assert len(running.printed) == 3


def test_errors_let_a_requests_lines_go(log: Path) -> None:
    """With `--errors` a request is printed, whole, when it fails, and goes on."""
    with following(str(log), "--errors", "--json") as running:
        bad = [line("bad", "one"), line("bad", "two", "ERROR"), line("bad", "three")]
        # Until it is being followed, since nothing is printed that does not fail.
        number = 0
        while not running.printed:
            number += 1
            append(log, line(f"begin-{number}", "begun", "ERROR"))
            with running._changed:
                running._changed.wait(0.1)
        append(log, bad[0], line("good", "one"), bad[1], line("good", "two"), bad[2])
        printed = running.until(lambda printed: bad[2] in printed)
    assert [one for one in printed if '"bad"' in one] == bad
    assert not any("good" in one for one in printed)


def test_ctrl_c_ends_it_quietly(log: Path) -> None:
    """It ends without a traceback."""
    with following(str(log)) as running:
        started(running, log)
        running.process.send_signal(signal.SIGINT)
        running.process.wait(LIMIT)
        assert running.process.stderr
        assert running.process.stderr.read() == ""
    assert running.process.returncode == 130


def test_a_reader_that_leaves_ends_it_quietly(log: Path) -> None:
    """`| head` ends it without a complaint."""
    command = f"{sys.executable} -Im ctxlog follow --all {log} | head -n 1"
    done = subprocess.Popen(
        ["sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert done.stdout
    assert "old" in done.stdout.readline()
    while done.poll() is None:
        append(log, line("req-A", "more"))
        try:
            done.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
    _, errors = done.communicate(timeout=LIMIT)
    assert errors == ""


# A file -------------------------------------------------------------------------


def test_a_line_that_is_not_complete_waits(tmp_path: Path) -> None:
    """A line is read when its newline is there, and not before."""
    path = tmp_path / "app.log"
    path.touch()
    tail = Tail(str(path), from_start=True)
    append(path, "half a ")
    assert list(tail.read()) == []
    append(path, "line\nand")
    assert list(tail.read()) == [b"half a line\n"]
    tail.close()


def test_what_a_rotated_file_leaves_unfinished(tmp_path: Path) -> None:
    """A torn last line is not lost."""
    path = tmp_path / "app.log"
    path.write_bytes(b"whole\ntorn")
    tail = Tail(str(path), from_start=True)
    assert list(tail.read()) == [b"whole\n"]
    path.rename(tmp_path / "app.log.1")
    path.write_bytes(b"new\n")
    assert list(tail.read()) == [b"torn", b"new\n"]
    tail.close()


@given(st.lists(st.binary(max_size=20).filter(lambda b: b"\n" not in b), max_size=30))
def test_any_pieces_make_the_same_lines(pieces: list[bytes]) -> None:
    """However a file grows, its lines are the same."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "app.log")
        open(path, "wb").close()
        tail = Tail(path, from_start=True)
        found: list[bytes] = []
        with open(path, "ab", buffering=0) as file:
            for number, piece in enumerate(pieces):
                file.write(piece)
                if number % 3 == 0:
                    file.write(b"\n")
                found.extend(tail.read())
        tail.close()
        with open(path, "rb") as file:
            whole = file.read()
    expected = [part + b"\n" for part in whole.split(b"\n")[:-1]]
    assert found == expected


# What is printed, and when ------------------------------------------------------


def watched(watch: Watch, *lines: str) -> list[bytes]:
    """Return the output of a watch for these lines."""
    return [shown.line for one in lines for shown in watch.add("f", one.encode())]


def test_all_criteria_must_hold_for_some_line() -> None:
    """They may hold on different lines of the request."""
    told = Criterion(lambda record, _: record.message == "told")
    watch = Watch(Names(), [failing, told])
    one, two, three = line("a", "told"), line("a", "x"), line("a", "bad", "ERROR")
    assert watched(watch, one, two) == []
    assert watched(watch, three) == [x.encode() for x in (one, two, three)]


def test_the_beginning_of_an_id() -> None:
    """Only requests whose id begins so are printed."""
    watch = Watch(Names(), [], wanted=["req-A"])
    wanted = line("req-A1", "one")
    assert watched(watch, wanted, line("req-B", "two")) == [wanted.encode()]


def test_slow_requests() -> None:
    """A request is printed once it has taken so long."""
    watch = Watch(Names(), [], slow=0.5)
    late = line("a", "late").replace("06:50:00.0", "06:50:00.6")
    assert watched(watch, line("a", "early")) == []
    assert len(watched(watch, late)) == 2


def test_what_is_not_json_belongs_to_the_line_above() -> None:
    """A traceback is printed with its request, and only then."""
    watch = Watch(Names(), [failing])
    bad = line("bad", "broken", "ERROR")
    assert watched(watch, line("good", "one"), "not of a failing one\n") == []
    assert watched(watch, bad, "Traceback\n") == [bad.encode(), b"Traceback\n"]


def test_errors_outside_of_requests() -> None:
    """A start that fails is printed with its traceback; other such lines are not."""
    watch = Watch(Names(), [failing])
    bad = '{"level":"CRITICAL","message":"no database"}\n'
    usual = '{"level":"INFO","message":"starting"}\n'
    assert watched(watch, usual, "below\n") == []
    assert watched(watch, bad, "Traceback\n") == [bad.encode(), b"Traceback\n"]
    assert watched(watch, usual, "below\n") == []


def test_requests_that_are_named_are_all_that_is_printed() -> None:
    """Nothing outside of requests has such an id."""
    watch = Watch(Names(), [failing], wanted=["req-A"])
    assert watched(watch, '{"level":"ERROR","message":"no database"}\n') == []


def test_what_is_held_back_has_a_limit() -> None:
    """The oldest requests are dropped first; memory stays bounded."""
    watch = Watch(Names(), [failing], most_held=1000)
    for number in range(100):
        assert watched(watch, line(f"r{number}", "x" * 50)) == []
    assert watch._size <= 1200
    assert len(watched(watch, line("r99", "bad", "ERROR"))) == 2
    assert len(watched(watch, line("r0", "bad", "ERROR"))) == 1


def test_a_field_of_the_line_above_is_not_repeated() -> None:
    """Requests that interleave have their own lines above."""
    printer = LinePrinter(Look())

    def text(request: str, message: str, **fields: object) -> str:
        members = {"level": "INFO", "requestID": request, "message": message, **fields}
        line = json.dumps(members).encode()
        [record] = Record.read(line, Names())
        return printer.text(line, record).split(request, 1)[1].strip()

    assert text("r1", "one", order="o-7") == "one  order=o-7"
    assert text("r2", "one", order="o-7") == "one  order=o-7"
    assert text("r1", "two", order="o-7") == "two"
    assert text("r1", "three", order="o-8", rows=0) == "three  order=o-8 rows=0"
