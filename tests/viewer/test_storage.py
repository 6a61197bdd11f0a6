"""
Bytes that are kept until they are asked for, in memory and on disk.
"""

from __future__ import annotations

from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlog.viewer.group.storage import Storage

LINES = [f"{number} {'x' * number**2}\n".encode() for number in range(100)]


@pytest.fixture(params=["in memory", "on disk", "on disk of Windows"])
def storage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """A place to keep bytes at."""
    if request.param != "in memory":
        monkeypatch.setattr("ctxlog.viewer.group.storage._IN_MEMORY", 100)
    if request.param == "on disk of Windows":
        monkeypatch.setattr("ctxlog.viewer.group.storage._pread", None)
    return Storage()


def test_lines_of_any_length_are_read_back(storage: Storage) -> None:
    """Each from where it begins, in any order."""
    with closing(storage):
        places = []
        for line in LINES:
            places.append(storage.end)
            storage.write(line)
        for place, line in reversed([*zip(places, LINES, strict=True)]):
            assert storage.line(place) == line
            assert storage.read(place, len(line)) == line


def test_more_can_be_kept_after_something_was_read(storage: Storage) -> None:
    """It stands behind all that there is."""
    with closing(storage):
        for line in LINES:
            storage.write(line)
            assert storage.line(0) == LINES[0]
        assert storage.read(0, storage.end) == b"".join(LINES)


@given(st.lists(st.binary(max_size=40), max_size=20), st.data())
def test_any_piece_is_read_back(pieces: list[bytes], data: st.DataObject) -> None:
    """Bytes are what they were, also those beyond the last one: none."""
    whole = b"".join(pieces)
    begin = data.draw(st.integers(0, len(whole)))
    size = data.draw(st.integers(0, len(whole) + 5))
    with closing(Storage()) as storage:
        for piece in pieces:
            storage.write(piece)
        assert storage.end == len(whole)
        assert storage.read(begin, size) == whole[begin : begin + size]
