"""
A file whose path may name another file at any time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctxlog import sinks
from ctxlog.errors import ConfigError
from ctxlog.sinks import _file
from ctxlog.sinks._fan import Fan
from tests.helpers import load_line, run_python

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="an open file cannot be renamed there"
)


@pytest.fixture(autouse=True)
def _look_at_every_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test renames and writes within a millisecond."""
    monkeypatch.setattr(_file, "_INTERVAL", 0.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "app.log"


@pytest.fixture
def file(path: Path) -> Iterator[sinks.File]:
    file = sinks.File(path)
    yield file
    file.close(0)


def test_lines_are_appended(file: sinks.File, path: Path) -> None:
    """Whatever is in the file stays; its folders are created."""
    assert path.read_bytes() == b""
    path.write_bytes(b"zero\n")
    file.write(b"one\n")
    assert path.read_bytes() == b"zero\none\n"
    assert file.name == f"file:{path}"


def test_a_renamed_file_is_left(file: sinks.File, path: Path) -> None:
    """The next line is in a new file, and the descriptor is the same."""
    file.write(b"one\n")
    number = file.writer.stream.fileno()
    path.rename(path.with_suffix(".1"))
    file.write(b"two\n")
    assert path.with_suffix(".1").read_bytes() == b"one\n"
    assert path.read_bytes() == b"two\n"
    assert file.writer.stream.fileno() == number
    assert not os.get_inheritable(number)


def test_a_file_that_is_created_by_another_one_is_used(
    file: sinks.File, path: Path
) -> None:
    """As logrotate's `create` does it."""
    file.write(b"one\n")
    path.rename(path.with_suffix(".1"))
    path.touch(mode=0o640)
    file.write(b"two\n")
    assert path.read_bytes() == b"two\n"
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_removed_file_is_created_again(file: sinks.File, path: Path) -> None:
    """Also if its folder is gone."""
    file.write(b"one\n")
    path.unlink()
    path.parent.rmdir()
    file.write(b"two\n")
    assert path.read_bytes() == b"two\n"


def test_a_truncated_file_goes_on_at_its_beginning(
    file: sinks.File, path: Path
) -> None:
    """As logrotate's `copytruncate` does it."""
    file.write(b"one\n")
    os.truncate(path, 0)
    file.write(b"two\n")
    assert path.read_bytes() == b"two\n"


def test_a_file_is_looked_at_once_a_millisecond(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines within that go where the last one went."""
    now = 1.0
    monkeypatch.setattr(_file, "_INTERVAL", 0.001)
    monkeypatch.setattr(_file.time, "monotonic", lambda: now)
    file = sinks.File(path)
    file.write(b"one\n")
    path.rename(path.with_suffix(".1"))
    file.write(b"two\n")
    now += 0.002
    file.write(b"three\n")
    file.close(0)
    assert path.with_suffix(".1").read_bytes() == b"one\ntwo\n"
    assert path.read_bytes() == b"three\n"


def test_the_working_directory_may_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path means the directory of the beginning."""
    monkeypatch.chdir(tmp_path)
    file = sinks.File("app.log")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir("below")
    Path("../app.log").unlink()
    file.write(b"one\n")
    file.close(0)
    assert (tmp_path / "app.log").read_bytes() == b"one\n"
    assert file.name == "file:app.log"


def test_a_closed_file_takes_lines_again(file: sinks.File, path: Path) -> None:
    """The counts go on."""
    file.write(b"one\n")
    assert file.close(0) == 0
    assert file.writer.stream.closed
    file.write(b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"
    assert (file.stats()["written"], file.stats()["shipped"]) == (2, 2)


def test_a_file_that_cannot_be_opened_again(
    file: sinks.File, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its lines go to standard error, which is said once; then it is used again."""
    fan = Fan([file])
    fan.write(b"one\n")
    path.unlink()
    path.mkdir()
    fan.write(b"two\n")
    fan.write(b"three\n")
    said, two, three = capsys.readouterr().err.splitlines()
    assert (two, three) == ("two", "three")
    assert load_line(said)["message"] == (
        f"file:{path} cannot be opened: Is a directory"
    )
    path.rmdir()
    fan.write(b"four\n")
    fan.close(0)
    assert path.read_bytes() == b"four\n"
    counted = file.stats()
    assert (counted["written"], counted["shipped"], counted["dropped"]) == (4, 2, 2)


def test_a_process_that_may_not_look_writes_on(
    file: sinks.File, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has given up its rights since the file was opened."""

    def refused(path: object) -> None:
        raise PermissionError

    file.write(b"one\n")
    monkeypatch.setattr(_file.os, "stat", refused)
    file.write(b"two\n")
    monkeypatch.undo()
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_full_disk(capsys: pytest.CaptureFixture[str]) -> None:
    """The line is on standard error, and counted."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full here")
    file = sinks.File(full)
    file.write(b"one\n")
    assert capsys.readouterr().err == "one\n"
    assert file.stats()["dropped"] == 1
    file.close(0)


def test_a_full_disk_that_standard_error_is_on_as_well(tmp_path: Path) -> None:
    """Lines are counted, and a line says how many as soon as there is room."""
    program = """
import logging, os, resource, signal
import ctxlog
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
ctxlog.configure(format="json", to=["file:app.log", ctxlog.sinks.File(os.devnull)])
os.dup2(os.open("app.log", os.O_WRONLY | os.O_APPEND), 2)
everything = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, everything[1]))
logging.info("one")
logging.info("two")
resource.setrlimit(resource.RLIMIT_FSIZE, everything)
logging.info("three")
counts = ctxlog.sinks.stats()["file:app.log"]
print(counts["written"], counts["shipped"], counts["dropped"])
"""
    done = run_python("-c", program, cwd=tmp_path)
    said, three = (tmp_path / "app.log").read_text().splitlines()
    assert load_line(said)["lost"] == 2
    assert load_line(three)["message"] == "three"
    assert done.stdout == "3 1 2\n"


def test_a_line_in_the_middle_of_a_line_follows_it(
    file: sinks.File, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a signal handler, although the file was renamed between the two."""
    written = os.write

    def interrupted(descriptor: int, part: bytes) -> int:
        monkeypatch.setattr(os, "write", written)
        count = written(descriptor, part[:2])
        path.rename(path.with_suffix(".1"))
        file.write(b"two\n")
        return count

    monkeypatch.setattr(os, "write", interrupted)
    file.write(b"one\n")
    file.write(b"three\n")
    assert path.with_suffix(".1").read_bytes() == b"one\ntwo\n"
    assert path.read_bytes() == b"three\n"


def test_a_file_by_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path, an absolute one, and a URL."""
    monkeypatch.chdir(tmp_path)
    for address in (
        "file:app.log",
        f"file:{tmp_path}/app.log",
        f"file://{tmp_path}/app.log",
    ):
        file = sinks.sink(address)
        file.write(b"one\n")
        file.close(0)
    assert (tmp_path / "app.log").read_bytes() == b"one\n" * 3


def test_a_file_that_cannot_be_opened_is_a_wrong_option(tmp_path: Path) -> None:
    """By its address; `File` itself raises what the system says."""
    with pytest.raises(ConfigError, match="a file that can be opened: Is a directory"):
        sinks.sink(f"file:{tmp_path}")
    with pytest.raises(IsADirectoryError):
        sinks.File(tmp_path)
