"""
Files are read through every kind of rotation: no line is missing, and none is there
twice that the store has acknowledged.
"""

from __future__ import annotations

import errno
import gzip
import os
import shutil
import tempfile
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from ctxlog.agent import _files as _files_module
from ctxlog.agent import _followed
from ctxlog.agent._files import Files
from ctxlog.agent._followed import Content
from ctxlog.agent._spill import Spill
from ctxlog.agent._state import Position, State, StateError
from tests.helpers import LIMIT

_FULL = 10_000


def line(number: int, size: int = 0) -> bytes:
    """A line that no other one begins as."""
    return b'{"n":%d,"x":"%s"}\n' % (number, b"x" * (60 + size))


def taken(files: Files, most: int = _FULL) -> list[bytes]:
    """What the loop gets now, and acknowledges."""
    lines = list(files.take(most, 1 << 20, 0.0))
    files.done(len(lines))
    return lines


class _Complaints(list[str]):
    """What was said."""

    def __call__(self, problem: str) -> None:
        """Say it."""
        self.append(problem)


@pytest.fixture
def said() -> _Complaints:
    """What was said."""
    return _Complaints()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log."""
    return tmp_path / "app.log"


class Rotation(RuleBasedStateMachine):
    """
    A program that writes, a rotation, and a ship that is killed at any moment.

    What the store has are the lines that were acknowledged: a batch that was on its way
    when the ship was killed counts as lost there, which is the worst case.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.log = self.folder / "app.log"
        self.number = 0
        self.half = b""
        self.written: list[bytes] = []
        self.arrived: Counter[bytes] = Counter()
        self.order: list[bytes] = []
        self.on_their_way: list[bytes] = []
        self.since_save: set[bytes] = set()
        self.may_repeat: set[bytes] = set()
        self.in_order = True
        self.unseen: set[Path] = set()
        self.removed = self.renamed = False
        self.saved: list[Position] = []
        self.said = _Complaints()

    @initialize(pattern=st.sampled_from(["app.log", "app.log*", "*.log"]))
    def begin(self, pattern: str) -> None:
        """The ship starts, with a name or a pattern."""
        self.names = [str(self.folder / pattern)]
        self.start()

    def start(self) -> None:
        """Start the ship with what was saved."""
        self.files = Files(self.names, saved=self.saved, say=self.said)
        self.unseen.clear()
        self.save()

    def teardown(self) -> None:
        """In the end, everything has arrived."""
        try:
            if hasattr(self, "files"):
                self.end()
        finally:
            shutil.rmtree(self.folder)

    def end(self) -> None:
        """Read all that is left and compare it with what was written."""
        self.acknowledge(1.0)
        self.files.scan()
        while batch := taken(self.files):
            self.arrived.update(batch)
            self.order += batch
        self.files.close()
        if self.half:
            self.written.pop()
        missing = [one for one in self.written if one not in self.arrived]
        assert missing == []
        twice = {one for one, number in self.arrived.items() if number > 1}
        assert twice <= self.may_repeat
        assert set(self.arrived) <= set(self.written)
        if self.in_order:
            assert self.order == self.written
        assert self.said == []

    # The program and the rotation ---------------------------------------------

    @rule(number=st.integers(1, 20), size=st.sampled_from([0, 0, 60, 3000]))
    def write(self, number: int, size: int) -> None:
        """Lines are written."""
        with self.log.open("ab") as file:
            if self.half:
                file.write(self.half)
                self.half = b""
            for _ in range(number):
                self.number += 1
                self.written.append(line(self.number, size))
                file.write(self.written[-1])

    @rule()
    @precondition(lambda self: not self.half)
    def write_half(self) -> None:
        """A line is being written."""
        self.number += 1
        self.written.append(line(self.number, 10))
        with self.log.open("ab") as file:
            file.write(self.written[-1][:9])
        self.half = self.written[-1][9:]

    def is_whole(self) -> bool:
        """No line is being written, and there is a log."""
        return self.log.exists() and not self.half

    def shift(self) -> None:
        """
        Rename the files that were rotated before.

        Nobody can know of a file that came and went before anybody looked.
        """
        self.scan()
        old = [p for p in self.folder.iterdir() if p.name[8:].split(".")[0].isdigit()]
        for path in sorted(old, key=lambda p: -int(p.name.split(".")[2])):
            number, *rest = path.name.split(".")[2:]
            name = ".".join(["app.log", str(int(number) + 1), *rest])
            path.rename(self.folder / name)
            if path in self.unseen:
                self.unseen.remove(path)
                self.unseen.add(self.folder / name)

    @rule(created=st.booleans())
    @precondition(is_whole)
    def rename(self, created: bool) -> None:
        """The log is renamed, and there is a new one, maybe after a while."""
        self.shift()
        self.log.rename(self.folder / "app.log.1")
        self.unseen.add(self.folder / "app.log.1")
        self.renamed = True
        if created:
            self.log.touch()

    @rule()
    @precondition(is_whole)
    def copy_and_truncate(self) -> None:
        """The log is copied, and truncated."""
        self.shift()
        shutil.copy(self.log, self.folder / "app.log.1")
        self.unseen.add(self.folder / "app.log.1")
        os.truncate(self.log, 0)
        self.renamed = False

    @rule()
    @precondition(lambda self: self.renamed and not self.half)
    def write_late(self) -> None:
        """The program has not noticed the renaming."""
        self.number += 1
        self.written.append(line(self.number, 5))
        with (self.folder / "app.log.1").open("ab") as file:
            file.write(self.written[-1])
        self.in_order = False
        self.unseen.add(self.folder / "app.log.1")

    @rule()
    @precondition(lambda self: (self.folder / "app.log.2").exists())
    def compress(self) -> None:
        """A rotated log is compressed."""
        path = self.folder / "app.log.2"
        if path.stat().st_size:
            with gzip.open(f"{path}.gz", "wb") as file:
                file.write(path.read_bytes())
            path.unlink()
            self.unseen.discard(path)
            self.unseen.add(Path(f"{path}.gz"))

    @rule()
    def remove(self) -> None:
        """Rotated logs are removed that the ship could see."""
        for path in self.folder.iterdir():
            if path != self.log and path not in self.unseen:
                path.unlink()
                self.removed = True
                self.renamed &= path.name != "app.log.1"

    # The ship -------------------------------------------------------------------

    @rule()
    def scan(self) -> None:
        """The ship looks which files there are."""
        self.files.scan()
        self.unseen.clear()
        if self.files.has_news:
            self.save()

    @rule(most=st.sampled_from([1, 3, 10, _FULL]))
    def take(self, most: int) -> None:
        """The ship sends a batch."""
        self.on_their_way += self.files.take(most, 1 << 20, 0.0)

    @rule(part=st.sampled_from([0.5, 1.0]))
    def acknowledge(self, part: float) -> None:
        """The store has what was sent, or a part of it."""
        number = int(len(self.on_their_way) * part)
        lines, self.on_their_way = (
            self.on_their_way[:number],
            self.on_their_way[number:],
        )
        self.arrived.update(lines)
        self.order += lines
        self.since_save.update(lines)
        self.files.done(number)

    @rule()
    def save(self) -> None:
        """The positions are saved."""
        self.saved = self.files.positions()
        if not self.on_their_way:
            self.since_save.clear()

    @rule()
    def kill(self) -> None:
        """The ship is killed, and started again."""
        if self.removed:  # what has no name any more is known to this process only
            self.acknowledge(1.0)
            while batch := taken(self.files):
                self.arrived.update(batch)
                self.order += batch
            self.save()
            self.removed = False
        self.files.close()
        if self.since_save or self.on_their_way:
            self.in_order = False
        self.may_repeat |= self.since_save
        self.since_save.clear()
        self.on_their_way.clear()
        self.start()

    @invariant()
    def says_nothing(self) -> None:
        """Nothing is out of reach."""
        assert self.said == []


Rotation.TestCase.settings = hypothesis.settings(stateful_step_count=40)
TestRotation = Rotation.TestCase


# One thing at a time ------------------------------------------------------------------


def _files(log: Path, said: _Complaints, **options: Any) -> Files:
    return Files([str(log)], say=said, **options)


def test_a_renamed_file_is_let_go(
    log: Path, said: _Complaints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is followed for a while; then half a line is taken for a whole one."""
    log.write_bytes(line(1) + b"half")
    files = _files(log, said)
    assert taken(files) == [line(1)]
    log.rename(log.with_name("app.log.1"))
    log.write_bytes(line(2))
    files.scan()
    assert taken(files) == [line(2)]
    assert len(files.positions()) == 2
    monkeypatch.setattr(_files_module, "PATIENCE", -1.0)
    files.scan()
    assert taken(files) == [b"half\n"]
    files.scan()
    (position,) = files.positions()
    assert position.offset == len(line(2))
    files.close()


def test_a_file_that_is_gone(log: Path, said: _Complaints) -> None:
    """What cannot be found again is said, once, and the new file is sent."""
    log.write_bytes(line(1))
    files = _files(log, said)
    taken(files)
    saved = files.positions()
    files.close()
    log.unlink()
    log.write_bytes(line(2))
    files = _files(log, said, saved=saved)
    assert taken(files) == [line(2)]
    assert said == [
        f"{log}: the file that was sent up to byte {len(line(1))} is gone, and with it "
        "whatever was written there after that"
    ]
    files.close()


def test_an_inode_that_is_used_again(log: Path, said: _Complaints) -> None:
    """Another file with the number of a removed one begins at its beginning."""
    log.write_bytes(line(1))
    files = _files(log, said)
    taken(files)
    (saved,) = files.positions()
    files.close()
    log.unlink()
    log.write_bytes(line(2) + line(3))
    found = log.stat()
    reused = replace(saved, device=found.st_dev, inode=found.st_ino)
    files = _files(log, said, saved=[reused])
    assert taken(files) == [line(2), line(3)]
    files.close()


def test_a_device_that_has_another_number(log: Path, said: _Complaints) -> None:
    """After a reboot, the same file is known by its first bytes."""
    log.write_bytes(line(1) + line(2))
    files = _files(log, said)
    taken(files, 1)
    (saved,) = files.positions()
    files.close()
    files = _files(log, said, saved=[replace(saved, device=1, inode=1)])
    assert taken(files) == [line(2)]
    files.close()


def test_a_pattern_is_of_regular_files(log: Path, said: _Complaints) -> None:
    """A folder and a pipe that it matches as well are passed over."""
    log.write_bytes(line(1))
    log.with_name("folder.log").mkdir()
    os.mkfifo(log.with_name("pipe.log"))
    files = Files([str(log.with_name("*.log"))], say=said)
    assert taken(files) == [line(1)]
    assert said == []
    files.close()


def test_more_files_than_may_be_open(
    tmp_path: Path, said: _Complaints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is said once; the others are sent as soon as there is room."""
    for number in range(3):
        (tmp_path / f"{number}.log").write_bytes(line(number))

    def full(self: Content, path: str, descriptor: int | None = None) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(Content, "__init__", full)
        files = Files([str(tmp_path / "*.log")], say=said)
        assert taken(files) == []
    files.scan()
    assert sorted(taken(files)) == [line(number) for number in range(3)]
    assert said == ["ulimit -n: Too many open files"]
    files.close()


def test_positions_of_other_files_are_kept(log: Path, said: _Complaints) -> None:
    """A ship for other files forgets nothing."""
    log.write_bytes(line(1))
    files = _files(log, said)
    taken(files)
    saved = files.positions()
    files.close()
    other = _files(log.with_name("other.log"), said, saved=saved)
    assert other.positions() == saved
    other.close()
    state = State(str(log.with_name("state")))
    state.save(saved)
    spill = Spill(state, 1000, said)
    spill.put([line(2)])
    assert spill.positions()[:1] == saved
    spill.close()
    state.close()


def test_two_names_of_one_file(log: Path, said: _Complaints) -> None:
    """Links to a file are that file."""
    log.write_bytes(line(1))
    log.with_name("link.log").symlink_to(log)
    log.with_name("hard.log").hardlink_to(log)
    files = Files([str(log.with_name("*.log"))], say=said)
    assert taken(files) == [line(1)]
    files.close()


def test_a_copy_of_a_log_is_not_sent(log: Path, said: _Complaints) -> None:
    """`cp app.log app.log.bak` is none of the pattern's files."""
    log.write_bytes(line(1))
    files = Files([f"{log}*"], say=said)
    assert taken(files) == [line(1)]
    shutil.copy(log, log.with_name("app.log.bak"))
    files.scan()
    assert taken(files) == []
    files.close()


def test_a_compressed_file_that_is_named(log: Path, said: _Complaints) -> None:
    """It is read once; a position says how far."""
    packed = log.with_name("app.log.gz")
    packed.write_bytes(gzip.compress(line(1) + line(2) + b"rest"))
    files = _files(packed, said)
    assert taken(files, 1) == [line(1)]
    saved = files.positions()
    files.close()
    files = _files(packed, said, saved=saved)
    assert taken(files) == [line(2), b"rest\n"]
    files.scan()
    assert taken(files) == []
    assert files.unsent == 0
    files.close()


def test_a_compressed_file_that_is_damaged(log: Path, said: _Complaints) -> None:
    """That is said once; what can be read is not sent in part."""
    packed = log.with_name("app.log.gz")
    packed.write_bytes(gzip.compress(line(1) * 1000)[:-20])
    files = _files(packed, said)
    assert taken(files) == taken(files) == []
    assert len(said) == 1
    assert "app.log.gz: " in said[0]
    files.close()


def test_a_line_without_an_end(
    log: Path, said: _Complaints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded: what is no line comes in pieces."""
    monkeypatch.setattr(_followed, "LONGEST", 10_000)
    log.write_bytes(b"x" * 25_000 + b"\n" + line(1))
    files = _files(log, said)
    lines = taken(files)
    assert b"".join(lines).replace(b"\n", b"") == b"x" * 25_000 + line(1)[:-1]
    assert lines[-1] == line(1)
    assert max(map(len, lines)) <= 4 * 10_000
    files.close()


def test_batches_are_bounded_by_bytes(log: Path, said: _Complaints) -> None:
    """A batch has no more bytes than asked for, but for a single line."""
    written = [line(n, size) for n, size in enumerate([0, 900, 90_000, 5000, 0, 900])]
    log.write_bytes(b"".join(written))
    files = _files(log, said, follow=False)
    batches = []
    while batch := files.take(1000, 5000, 0.0):
        files.done(len(batch))
        batches.append(list(batch))
    assert batches == [written[:2], written[2:3], written[3:4], written[4:]]
    files.close()


def test_files_take_turns(tmp_path: Path, said: _Complaints) -> None:
    """A file with many lines does not keep others waiting."""
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_bytes(b"".join(map(line, range(100))))
    files = Files([str(tmp_path / "*.log")], say=said)
    batch = taken(files, 50) + taken(files, 50)
    assert Counter(batch) == Counter({line(number): 2 for number in range(50)})
    files.close()


def test_a_file_that_may_not_be_read(log: Path, said: _Complaints) -> None:
    """It is said once, and tried again."""
    log.mkdir()
    files = _files(log, said)
    files.scan()
    assert said == [f"{log}: is no file"]
    log.rmdir()
    log.write_bytes(line(1))
    files.scan()
    assert taken(files) == [line(1)]
    files.close()


def test_parts_of_a_line_are_waited_for(log: Path, said: _Complaints) -> None:
    """The position stays before the first part until the line is whole."""
    parts = [b"2026-01-31T12:00:00Z stdout P one\n", b"2026-01-31T12:00:00Z stdout F "]
    log.write_bytes(parts[0])
    files = _files(log, said)
    assert taken(files) == []
    (position,) = files.positions()
    assert position.offset == 0
    with log.open("ab") as file:
        file.write(parts[1] + b"two\n")
    assert taken(files) == [
        b'{"timestamp":"2026-01-31T12:00:00Z","message":"onetwo"}\n'
    ]
    (position,) = files.positions()
    assert position.offset == log.stat().st_size
    assert files.counts.torn == 0
    files.close()


def test_parts_of_a_line_that_never_ends(log: Path, said: _Complaints) -> None:
    """At the end of the file the line is sent as it is, and counted."""
    log.write_bytes(b"2026-01-31T12:00:00Z stdout P one\n")
    files = _files(log, said, follow=False)
    assert taken(files) == [b"one\n"]
    assert files.counts.torn == 1
    files.close()


def test_a_wait_ends_with_a_line(log: Path, said: _Complaints) -> None:
    """The loop waits for a file that is not there yet."""
    files = _files(log, said)
    found: list[bytes] = []
    thread = threading.Thread(target=lambda: found.extend(files.take(9, 999, LIMIT)))
    thread.start()
    log.write_bytes(line(1))
    while not found and thread.is_alive():
        files.scan()
        thread.join(0.01)
    thread.join()
    assert found == [line(1)]
    files.close()


def test_what_was_there_is_left_out(log: Path, said: _Complaints) -> None:
    """From the end on: of a file in the middle of its first line, all."""
    log.write_bytes(b"x" * 70_000)
    files = _files(log, said, from_end=True)
    with log.open("ab") as file:
        file.write(b"\n" + line(1))
    assert taken(files) == [b"x" * 70_000 + b"\n", line(1)]
    files.close()
    files = _files(log, said, from_end=True)
    assert taken(files) == []
    files.close()


def test_a_truncated_file_without_a_copy(log: Path, said: _Complaints) -> None:
    """It begins anew; the positions of what was there go with the last answer."""
    log.write_bytes(line(1) + line(2))
    files = _files(log, said)
    assert list(files.take(1, 999, 0.0)) == [line(1)]
    log.write_bytes(line(3))
    files.scan()
    assert len(files.positions()) == 2
    files.done(1)
    assert taken(files) == [line(3)]
    files.scan()
    (position,) = files.positions()
    assert position.offset == len(line(3))
    files.close()


def test_a_file_that_cannot_be_read_any_more(
    log: Path, said: _Complaints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said once, and the others are read."""
    other = log.with_name("other.log")
    log.write_bytes(line(1))
    other.write_bytes(line(2))
    files = Files([str(log), str(other)], say=said)
    read = Content.read

    def broken(self: Content, size: int, place: int) -> bytes:
        if self.stat().st_ino == log.stat().st_ino:
            raise OSError(5, "Input/output error")
        return read(self, size, place)

    monkeypatch.setattr(Content, "read", broken)
    assert taken(files) == [line(2)]
    files.scan()
    monkeypatch.undo()
    assert taken(files) == [line(1)]
    assert said == [f"{log}: Input/output error"]
    files.close()


# On the disk --------------------------------------------------------------------------


def test_a_state_is_one_process_es(tmp_path: Path) -> None:
    """The lock is given back."""
    state = State(str(tmp_path / "state"))
    with pytest.raises(StateError, match="another `ctxlog ship` uses this directory"):
        State(str(tmp_path / "state"))
    saved = [Position("a.log", "a.log", 1, 2, 3, 4, "d")]
    state.save(saved)
    state.close()
    again = State(str(tmp_path / "state"))
    assert again.load() == saved
    again.close()


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"version":2,"files":[]}', '{"version":1}']
)
def test_a_state_that_is_damaged(tmp_path: Path, content: str) -> None:
    """Nothing is sent again without a word."""
    (tmp_path / "positions.json").write_text(content)
    state = State(str(tmp_path))
    with pytest.raises(StateError, match=r"positions.json cannot be read \("):
        state.load()
    state.close()


def test_a_spill_goes_on_after_a_torn_line(tmp_path: Path, said: _Complaints) -> None:
    """A segment whose process was killed while it wrote is sent to its end."""
    (tmp_path / "0000000000000001.lines").write_bytes(line(1) + b"torn")
    state = State(str(tmp_path))
    spill = Spill(state, 1 << 20, said)
    assert spill.found == len(line(1))
    spill.put([line(2)])
    spill.end()
    assert list(spill.take(100, 1 << 20, 0.0)) == [line(1), b"torn\n", line(2)]
    spill.done(2)
    assert [path.name for path in tmp_path.glob("*.lines")] == [
        "0000000000000002.lines"
    ]
    spill.done(1)
    assert spill.take(100, 1 << 20, 0.0) == []
    assert spill.is_at_end
    assert spill.unsent == 0
    spill.close()
    assert list(tmp_path.glob("*.lines")) == []
    state.close()


def test_a_spill_leaves_files_of_others_alone(
    tmp_path: Path, said: _Complaints
) -> None:
    """A file that is called like a segment but for its number is not ours."""
    other = tmp_path / "access.lines"
    other.write_bytes(line(1))
    state = State(str(tmp_path))
    spill = Spill(state, 1 << 20, said)
    assert spill.found == 0
    spill.put([line(2)])
    spill.end()
    assert list(spill.take(100, 1 << 20, 0.0)) == [line(2)]
    spill.close()
    state.close()
    assert other.read_bytes() == line(1)


def test_a_spill_has_segments(tmp_path: Path, said: _Complaints) -> None:
    """What the store has is removed; a position is in the first one that is left."""
    state = State(str(tmp_path))
    spill = Spill(state, 8000, said)
    for number in range(90):
        spill.put([line(number)])
    names = sorted(path.name for path in tmp_path.glob("*.lines"))
    assert len(names) == 7
    assert len(spill.take(20, 1 << 20, 0.0)) == 20
    spill.done(20)
    assert sorted(path.name for path in tmp_path.glob("*.lines")) == names[1:]
    state.save(spill.positions())
    spill.close()
    again = Spill(state, 8000, said)
    assert list(again.take(100, 1 << 20, 0.0)) == [line(n) for n in range(20, 90)]
    again.close()
    state.close()


def test_a_spill_on_a_full_disk(
    tmp_path: Path, said: _Complaints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that was written in part is taken back, dropped and counted."""
    state = State(str(tmp_path))
    spill = Spill(state, 1 << 20, said)
    spill.put([line(1)])
    write = os.write

    def full(file: int, data: bytes) -> int:
        if len(data) < 20:
            raise OSError(28, "No space left on device")
        return write(file, data[:-10])

    monkeypatch.setattr(os, "write", full)
    spill.put([line(2)])
    spill.put([line(3)])
    monkeypatch.undo()
    spill.put([line(4)])
    spill.end()
    assert list(spill.take(9, 999, 0.0)) == [line(1), line(4)]
    assert spill.dropped == 2
    assert said == [f"{tmp_path}: No space left on device; lines are dropped"]
    spill.close()
    state.close()
