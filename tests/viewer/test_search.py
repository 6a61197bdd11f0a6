"""
Finding by bytes finds what reading every line would.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxlog.aggregators.split import unwrapped
from ctxlog.viewer.commands._options import add_choice
from ctxlog.viewer.group.summary import Row
from ctxlog.viewer.query.criteria import failing
from ctxlog.viewer.query.findings import Rows
from ctxlog.viewer.query.needles import Every, Ids
from ctxlog.viewer.query.processes import found
from ctxlog.viewer.query.scan import scan
from ctxlog.viewer.query.search import Reader
from ctxlog.viewer.read.source import Block, Hit, Source
from ctxlog.viewer.recognize.keys import Names
from ctxlog.viewer.recognize.record import Record
from tests.aggregators.test_split import cri

# Tests may run in a process with threads; the command line has none.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")

_IDS = st.sampled_from([*(f"req-{n}" for n in range(30)), 'a"b', "ä", "7", "x,y"])
_LEVELS = st.sampled_from(["INFO", "error", "Warning", "FATAL", "panic", "ERROR+2"])


def _ctxlog(request: str, level: str) -> dict[str, Any]:
    return {"level": level, "requestID": request, "message": "m"}


def _structlog(request: str, level: str) -> dict[str, Any]:
    return {"event": "m", "request_id": request, "level": level}


def _pino(request: str, level: str) -> dict[str, Any]:
    number = 50 if level.lower() in ("error", "fatal", "panic") else 30
    return {"level": number, "req": {"id": request}, "msg": "m"}


def _google(request: str, level: str) -> dict[str, Any]:
    return {"severity": level, "message": "m", "trace_id": request}


def _nobody(request: str, level: str) -> dict[str, Any]:
    return {"level": level, "message": f'"requestID":"{request}"'}


def _twice(request: str, level: str) -> dict[str, Any]:
    return {"requestID": request, "level": level, "inner": {"requestID": "req-1"}}


def _inside_first(request: str, level: str) -> dict[str, Any]:
    return {"inner": {"requestID": "req-1"}, "requestID": request, "level": level}


def _traced(request: str, level: str) -> dict[str, Any]:
    return {"trace_id": "t-1", "request_id": request, "level": level}


def _batch(request: str, level: str) -> dict[str, Any]:
    def record(name: str) -> dict[str, Any]:
        value = {"stringValue": name}
        return {
            "severityText": level,
            "attributes": [{"key": "requestID", "value": value}],
        }

    records = [record("other"), record(request)]
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}


def _outside(request: str, level: str) -> dict[str, Any]:
    return {"requestID": "N/A", "level": level, "trace_id": request}


def _docker(request: str, level: str) -> dict[str, Any]:
    text = json.dumps(_ctxlog(request, level)) + "\n"
    return {"log": text, "stream": "stdout", "time": "2026-01-01T00:00:00Z"}


def _journal(request: str, level: str) -> dict[str, Any]:
    text = json.dumps(_google(request, level), ensure_ascii=False)
    return {"__REALTIME_TIMESTAMP": "1767225600000000", "MESSAGE": text}


_ALL_SHAPES = [
    _ctxlog,
    _structlog,
    _pino,
    _google,
    _nobody,
    _twice,
    _inside_first,
    _traced,
    _outside,
    _batch,
    _docker,
    _journal,
]
_SHAPES = st.sampled_from(_ALL_SHAPES)
_SPACED = st.sampled_from([(",", ":"), (", ", ": ")])


@st.composite
def _line(draw: st.DrawFn) -> bytes:
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(st.sampled_from([b"Traceback", b"{torn", b"", b"\xff\xfe", b"{}"]))
    members = draw(_SHAPES)(draw(_IDS), draw(_LEVELS))
    if kind == 2:
        members["level"] = draw(st.sampled_from([30, 50, 60, 100]))
    if kind == 1:
        members["status"] = draw(st.sampled_from([200, 503, "500"]))
    if kind in (1, 3, 4):
        members["route"] = draw(st.sampled_from(["/a", "/b/{c}", "", None]))
    if kind in (1, 4):
        members["durationMs"] = draw(st.sampled_from([0, 1.5, 20]))
        members["db"] = draw(st.sampled_from([{"count": 2, "ms": 0.1}, 3, "x"]))
    separators = draw(_SPACED)
    ascii_only = draw(st.booleans())
    text = json.dumps(members, separators=separators, ensure_ascii=ascii_only)
    return text.encode()


def _slow(lines: list[bytes], wanted: set[str]) -> dict[str, list[bytes]]:
    """Return the result of reading every line."""
    found: dict[str, list[bytes]] = {}
    for line in lines:
        for record in Record.read(line, Names()):
            if record.request in wanted:
                assert record.request is not None
                found.setdefault(record.request, []).append(line.rstrip(b"\n"))
    return found


def _collected(reader: Reader, wanted: set[str]) -> dict[str, list[bytes]]:
    with reader.collect(wanted) as found:
        return {
            request.id: [entry.line.rstrip(b"\n") for entry in request.entries]
            for request in found
        }


@settings(max_examples=2 * settings().max_examples)
@given(st.lists(_line(), max_size=80), st.booleans(), st.sets(_IDS, min_size=1))
def test_the_lines_of_wanted_requests(
    parts: list[bytes], unfinished: bool, wanted: set[str]
) -> None:
    """However many are wanted, and whatever stands beside them."""
    content = b"\n".join(parts) + (b"" if unfinished else b"\n")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "app.log"
        path.write_bytes(content)
        reader = Reader([Source(str(path))], Names())
        found = _collected(reader, wanted)
    assert found == _slow(content.split(b"\n"), wanted)


@settings(max_examples=2 * settings().max_examples)
@given(
    st.lists(st.tuples(_SHAPES, _IDS), min_size=1, max_size=6),
    st.integers(1, 20),
    st.sets(st.sampled_from([f"req-{n}" for n in range(30)]), min_size=9),
    _SPACED,
)
def test_files_of_few_shapes(
    shapes: list[tuple[Callable[[str, str], dict[str, Any]], str]],
    repeats: int,
    wanted: set[str],
    separators: tuple[str, str],
) -> None:
    """More than a few requests in files whose lines are alike, or change later."""
    lines = [
        json.dumps(shape(request, "INFO"), separators=separators).encode()
        for shape, request in shapes
        for _ in range(repeats)
    ]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "app.log"
        path.write_bytes(b"\n".join(lines))
        found = _collected(Reader([Source(str(path))], Names()), wanted)
    assert found == _slow(lines, wanted)


@settings(max_examples=10, deadline=None)
@given(st.lists(_line(), min_size=1, max_size=80), st.booleans(), st.integers(1, 300))
def test_several_processes_find_the_same(
    parts: list[bytes], unfinished: bool, size: int
) -> None:
    """Wherever the pieces of the file end that each of them reads."""
    content = b"\n".join(parts) + (b"" if unfinished else b"\n")
    wanted = {f"req-{number}" for number in range(20)}
    lines = Ids(wanted, Names())

    def meant(pieces: Iterable[tuple[int, list[Hit]]]) -> list[Hit]:
        return [
            hit
            for _, hits in pieces
            for hit in hits
            if any(one.request in wanted for one in Record.read(hit.line, Names()))
        ]

    with TemporaryDirectory() as folder:
        path = Path(folder) / "app.log"
        path.write_bytes(content)
        source = Source(str(path))
        by_one = meant(scan(source, lines))
        by_two = meant(found(source, lines, list, processes=2, part=size))
    assert by_two == by_one


@pytest.mark.parametrize("what", ["_BLOCK", "part"])
@pytest.mark.parametrize("size", range(20, 130, 9))
@pytest.mark.parametrize("every", [False, True])
def test_text_that_names_its_request_stays_below_its_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    every: bool,
    size: int,
    what: str,
) -> None:
    """Also where a block, or a part of the file, ends within that text."""
    path = tmp_path / "app.log"
    line = b'{"requestID":"req-1"}\n'
    below = [b"Traceback: req-1\n", b"  File req-1\n", b"Refused: req-1\n"]
    path.write_bytes((line + b"".join(below)) * 20)
    if what == "_BLOCK":
        monkeypatch.setattr("ctxlog.viewer.read.source._BLOCK", size)
    part = size if what == "part" else None
    lines = Every(Names()) if every else Ids({"req-1"}, Names())
    pieces = found(Source(str(path)), lines, list, processes=1, part=part)
    hits = [hit for _, some in pieces for hit in some if hit.line == line]
    assert [hit.below for hit in hits] == [below] * 20


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("size", [10, 64, 1000])
def test_every_line_of_many_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, packed: bool
) -> None:
    """Each is found once, also the last one of a block of nothing but objects."""
    for name in ("_BLOCK", "_HEAD"):
        monkeypatch.setattr(f"ctxlog.viewer.read.source.{name}", size)
    content = [f'{{"requestID":"r-{number}"}}\n'.encode() for number in range(200)]
    path = tmp_path / "app.log"
    data = b"".join(content)
    path.write_bytes(gzip.compress(data) if packed else data)
    hits = [hit for _, some in scan(Source(str(path)), Every(Names())) for hit in some]
    assert [hit.line for hit in hits] == content
    assert [hit.position for hit in hits] == [
        sum(map(len, content[:number])) for number in range(200)
    ]


@settings(deadline=None)
@given(st.lists(_line(), max_size=60), st.integers(1, 300))
def test_rows_of_pieces_are_the_rows_of_the_whole(
    parts: list[bytes], size: int
) -> None:
    """The rows of `top` are the same, however the file is divided."""
    hits = [Hit(number, line, []) for number, line in enumerate(parts)]
    make = Rows(Names())
    whole, _, torn = make(hits)
    merged: dict[str, Row] = {}
    merged_torn: list[int] = []
    for start in range(0, len(hits), size):
        rows, _, more = make(hits[start : start + size])
        merged_torn += more
        for request, row in rows.items():
            if merged.setdefault(request, row) is not row:
                merged[request].merge(row)
    assert merged_torn == torn
    assert [*merged] == [*whole]
    for request, row in whole.items():
        for name in Row.__slots__:
            assert getattr(merged[request], name) == getattr(row, name)


def test_a_system_without_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no process can be started this one reads it all."""

    def refuse(*_: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("multiprocessing.process.BaseProcess.start", refuse)
    path = tmp_path / "app.log"
    path.write_text('{"requestID":"req-1"}\n' * 3)
    source = Source(str(path))
    lines = Ids({"req-1"}, Names())
    hits = [hit for _, hits in found(source, lines, list, processes=2) for hit in hits]
    assert len(hits) == 3


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_is_killed_is_a_problem_of_the_file(tmp_path: Path) -> None:
    """It is not passed over: what it should have found is missing."""
    path = tmp_path / "app.log"
    path.write_text('{"requestID":"req-1"}\n' * 3)
    source = Source(str(path))
    with pytest.raises(OSError, match="was ended"):
        list(found(source, Ids({"req-1"}, Names("requestID")), _die, processes=2))


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Other processes are copies of this one, which has threads of the tests' own.

    One that begins anew would have to import the scans of this module.
    """
    target = "ctxlog.viewer.query.processes.can_fork"
    monkeypatch.setattr(target, lambda: sys.platform == "linux")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_file_that_vanishes_is_a_problem_of_the_file(
    tmp_path: Path, forked: None
) -> None:
    """An exception of another process is raised here."""
    path = tmp_path / "app.log"
    path.write_text('{"requestID":"req-1"}\n' * 300)
    source = Source(str(path))
    pieces = found(source, _Vanishing(str(path)), list, processes=2, part=100)
    with pytest.raises(FileNotFoundError):
        list(pieces)


@dataclass
class _Vanishing:
    """Takes the file away while it is read."""

    path: str

    def __call__(self, block: Block) -> Iterator[int]:
        Path(self.path).unlink(missing_ok=True)
        return Every()(block)


_KILLED = """
import sys
from ctxlog.viewer.query import processes
from ctxlog.__main__ import main
processes._LARGE, processes._PART = 1, 4096
processes._processors = lambda: 4
sys.exit(main(["show", sys.argv[1], "--errors", "--json"]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_no_process_outlives_the_one_that_was_killed(tmp_path: Path) -> None:
    """Its helpers end, and with them the pipe that they share, wherever they are."""
    path = tmp_path / "app.log"
    text = "x" * 1000
    lines = (
        f'{{"requestID":"req-{n}","level":"ERROR","message":"{text}"}}\n'
        for n in range(5000)
    )
    path.write_text("".join(lines))
    process = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(path)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.read(1)
    process.kill()
    process.communicate(timeout=30)  # returns when the last reader has closed the pipe


@pytest.mark.parametrize("below", [b"", b"  below\n"])
def test_many_lines_are_kept_on_disk(
    below: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines of any length collected beyond some size are read back unchanged."""
    monkeypatch.setattr("ctxlog.viewer.group.storage._IN_MEMORY", 100)
    path = tmp_path / "app.log"
    lines = [
        f'{{"time":"2026-01-31T12:00:00.{number:03}Z","requestID":"req-{number % 7}",'
        f'"message":"{"n" * number**2}"}}\n'.encode()
        + below * (number % 3)
        for number in range(100)
    ]
    path.write_bytes(b"".join(lines))
    with Reader([Source(str(path))], Names()).collect(None) as kept:
        read = {request.id: list(request.lines()) for request in kept}
    assert read == {f"req-{number}": lines[number::7] for number in range(7)}


@pytest.mark.parametrize(
    "option",
    ["--user=alice", "--path=/ord*/o-?", "--status=5xx", "--field=order=o-7"],
)
@settings(deadline=None)
@given(st.data())
def test_what_is_looked_for_by_its_bytes(option: str, data: st.DataObject) -> None:
    """An option finds the requests that it would find if every line were read."""
    value = st.sampled_from(
        ["alice", "Alice", 'a"b', "o-7", "/orders/o-1", 503, "500", 200, None, True]
    )
    keys = st.sampled_from(["user", "user.id", "path", "url", "status", "order"])
    members = st.dictionaries(keys, value, max_size=4)
    lines = [
        json.dumps({**one, "requestID": f"req-{number}"}).encode()
        for number, one in enumerate(data.draw(st.lists(members, max_size=20)))
    ]
    parser = argparse.ArgumentParser()
    add_choice(parser)
    (criterion,) = parser.parse_args([option]).criteria
    with TemporaryDirectory() as folder:
        path = Path(folder) / "app.log"
        path.write_bytes(b"\n".join(lines))
        reader = Reader([Source(str(path))], Names())
        matching = list(reader.matching([criterion]))
    records = [(Record.read(line, Names())[0], line) for line in lines]
    assert sorted(matching) == sorted(
        {str(one.request) for one, line in records if criterion.holds(one, line)}
    )


def test_a_key_that_means_more_comes_later(tmp_path: Path) -> None:
    """A file that begins with traces alone, and later has requests as well."""
    path = tmp_path / "app.log"
    with path.open("w") as file:
        text = "x" * 1000
        file.writelines(
            f'{{"trace_id":"t-1","message":"{text}"}}\n' for _ in range(9000)
        )
        file.writelines(
            f'{{"trace_id":"t-1","request_id":"req-{n}","message":"m"}}\n'
            for n in range(30)
        )
    reader = Reader([Source(str(path))], Names())
    assert len(_collected(reader, {f"req-{n}" for n in range(30)})) == 30


def test_an_escape_in_an_id(tmp_path: Path) -> None:
    """An id is found however its characters are written."""
    path = tmp_path / "app.log"
    path.write_text('{"requestID":"re\\u0071-1"}\n{"requestID":"req-2"}\n')
    reader = Reader([Source(str(path))], Names())
    assert len(_collected(reader, {f"req-{n}" for n in range(30)})) == 2


@settings(max_examples=2 * settings().max_examples)
@given(st.lists(_line(), max_size=80))
def test_the_requests_that_failed(parts: list[bytes]) -> None:
    """A request is one that failed by its bytes just if it is by its records."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "app.log"
        path.write_bytes(b"\n".join(parts) + b"\n")
        found = set(Reader([Source(str(path))], Names()).matching([failing]))
    records = [record for line in parts for record in Record.read(line, Names())]
    expected = {record.request for record in records if record.failed}
    assert found == expected - {None}


def test_a_schema_that_changes_later(tmp_path: Path) -> None:
    """Lines that are of another shape than the file's first ones are found as well."""
    path = tmp_path / "app.log"
    first = b'{"requestID":"req-%d","message":"one"}\n'
    second = b'{"request_id": "req-%d", "event": "two"}\n'
    filler = b'{"requestID":"other","message":"' + b"x" * 1000 + b'"}\n'
    with path.open("wb") as file:
        file.writelines(first % number for number in range(20))
        file.writelines([filler] * 9000)
        file.writelines(second % number for number in range(20))
    reader = Reader([Source(str(path))], Names())
    found = _collected(reader, {f"req-{number}" for number in range(20)})
    assert {len(lines) for lines in found.values()} == {2}
    assert len(found) == 20


def test_a_file_with_split_lines_is_read_in_one_piece(tmp_path: Path) -> None:
    """Where a part of it began the middle of a line could not be told from another."""
    text = json.dumps({"requestID": "req-1", "message": "m" * 90_000}).encode() + b"\n"
    path = tmp_path / "app.log"
    path.write_bytes(b"".join(cri(text)) * 3)
    source = Source(str(path))
    lines = Ids({"req-1"}, Names("requestID"))
    pieces = found(source, lines, list, processes=2, part=20_000)
    hits = [hit for _, made in pieces for hit in made]
    assert [unwrapped(hit.line) for hit in hits] == [text] * 3
