"""
Lines that Docker, a runtime of Kubernetes or journald has split are joined again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlog.aggregators.split import (
    Joined,
    Joiner,
    is_collected,
    may_have_parts,
    unwrapped,
)

_TIME = "2026-01-01T00:00:00.123456789Z"


def docker(text: bytes, stream: str = "stdout", size: int = 16384) -> Iterator[bytes]:
    """A line as Docker's json-file driver writes it: parts of so many bytes."""
    for start in range(0, len(text), size):
        log = text[start : start + size].decode("utf-8", "replace")
        entry = {"log": log, "stream": stream, "time": _TIME}
        written = json.dumps(entry, separators=(",", ":"), ensure_ascii=False)
        yield written.encode() + b"\n"


def cri(text: bytes, stream: str = "stdout", size: int = 16384) -> Iterator[bytes]:
    """A line as containerd writes it."""
    text = text.removesuffix(b"\n")
    for start in range(0, len(text) or 1, size):
        tag = b"F" if start + size >= len(text) else b"P"
        head = f"{_TIME} {stream} ".encode()
        yield head + tag + b" " + text[start : start + size] + b"\n"


def journal(text: bytes, stream: str = "stdout", size: int = 49152) -> Iterator[bytes]:
    """A line as `journalctl -o json --all` shows what journald has split."""
    text = text.removesuffix(b"\n")
    for start in range(0, len(text), size):
        part = text[start : start + size]
        try:
            message: str | list[int] = part.decode()
        except UnicodeDecodeError:
            message = list(part)
        entry = {"__CURSOR": f"s=1;i={start}", "__REALTIME_TIMESTAMP": "1", "_PID": "7"}
        entry |= {"MESSAGE": message, "PRIORITY": "6", "_STREAM_ID": stream}
        if start + size < len(text):
            entry["_LINE_BREAK"] = "line-max"
        yield json.dumps(entry).encode() + b"\n"


def docker_journal(
    text: bytes, stream: str = "stdout", size: int = 16384
) -> Iterator[bytes]:
    """The same by Docker's journald driver."""
    text = text.removesuffix(b"\n")
    for start in range(0, len(text), size):
        entry: dict[str, object] = {"__CURSOR": str(start), "CONTAINER_ID_FULL": "c1"}
        entry["__REALTIME_TIMESTAMP"] = "1"
        entry |= {"MESSAGE": text[start : start + size].decode("utf-8", "replace")}
        entry |= {"PRIORITY": "6" if stream == "stdout" else "3"}
        if start + size < len(text):
            entry["CONTAINER_PARTIAL_MESSAGE"] = "true"
        yield json.dumps(entry).encode() + b"\n"


Split = Callable[..., Iterator[bytes]]
SPLITS: dict[str, Split] = {
    "docker": docker,
    "cri": cri,
    "journal": journal,
    "docker's journal": docker_journal,
}


def joined(entries: Sequence[bytes]) -> list[Joined]:
    """All lines of some entries."""
    joiner = Joiner()
    found = [one for entry in entries for one in joiner.add(entry)]
    return [*found, *joiner.end()]


@pytest.fixture(params=SPLITS)
def split(request: pytest.FixtureRequest) -> Split:
    """How each collector splits a line."""
    return SPLITS[request.param]


def _line(size: int, **more: object) -> bytes:
    members = {"level": "ERROR", "message": "m" * size, "requestID": "req-1", **more}
    return json.dumps(members).encode() + b"\n"


def test_a_long_line_is_whole(split: Split) -> None:
    """Its parts come as the one line that the application wrote."""
    text = _line(150_000, path="C:\\new\n\\")
    entries = list(split(text))
    assert len(entries) > 3
    (one,) = joined(entries)
    assert not one.torn
    assert unwrapped(one.line) == text
    assert all(is_collected(entry) for entry in entries)
    assert may_have_parts(b"".join(entries))
    # It is written as its collector writes an undivided line.
    assert joined([one.line]) == [one]
    assert not may_have_parts(one.line)


def test_short_lines_pass_as_they_are(split: Split) -> None:
    """Nothing is read or written anew."""
    entries = list(split(_line(10))) * 3
    assert joined(entries) == [Joined(entry, False) for entry in entries]
    assert not may_have_parts(b"".join(entries))


@pytest.mark.parametrize(
    "line", [b'{"requestID":"a"}\n', b"text\n", b"\n", b"2026-01-01T00:00:00Z begin\n"]
)
def test_lines_of_other_formats_pass(line: bytes) -> None:
    """Also between the parts of one that is split."""
    head, *rest = docker(_line(20_000))
    assert joined([line]) == [Joined(line, False)]
    assert joined([head, line, *rest])[0] == Joined(line, False)
    assert unwrapped(line) == line
    assert not may_have_parts(line)
    assert not is_collected(line)


def test_two_streams_go_on_by_turns(split: Split) -> None:
    """Standard output and error are split independently of each other."""
    one, two = _line(150_000), _line(140_000)
    pairs = zip(split(one), split(two, "stderr"), strict=False)
    entries = [entry for pair in pairs for entry in pair]
    rest = list(split(one))[len(entries) // 2 :]
    found = joined([*entries, *rest])
    assert sorted(unwrapped(each.line) for each in found) == sorted([one, two])


def test_a_line_that_never_ends_is_torn(split: Split) -> None:
    """Its text is given when no more comes, and where it began is known till then."""
    text = _line(150_000)
    *parts, _ = split(text)
    joiner = Joiner()
    assert joiner.held_from is None
    for place, part in enumerate(parts, 5):
        assert joiner.add(part, place) == []
        assert joiner.held_from == 5
    (one,) = joiner.end()
    assert one.torn
    assert text.startswith(one.line.removesuffix(b"\n"))
    assert joiner.held_from is None
    assert joiner.end() == []


def test_a_container_that_starts_again() -> None:
    """Docker appends to the same file: the line that was being written is torn."""
    torn = next(docker(b'{"requestID":"a","mess'))
    begin = list(docker(_line(10)))
    assert joined([torn, *begin]) == [
        Joined(b'{"requestID":"a","mess\n', True),
        Joined(begin[0], False),
    ]
    # What is written in pieces is no such line.
    pieces = [*docker(b'{"requestID":'), *docker(b'"a"}\n')]
    assert [unwrapped(one.line) for one in joined(pieces)] == [b'{"requestID":"a"}\n']


def test_characters_that_are_cut() -> None:
    """journald and containerd keep their bytes; Docker has replaced them."""
    text = b"x" * 16383 + "é".encode() + b"\n"
    assert [unwrapped(one.line) for one in joined(list(cri(text)))] == [text]
    (one,) = joined(list(journal(text, size=16384)))
    assert unwrapped(one.line) == text
    (one,) = joined(list(docker(text)))
    assert unwrapped(one.line).decode() == "x" * 16383 + "\ufffd\ufffd\n"


def test_bytes_that_are_no_text() -> None:
    """A message that journalctl shows as numbers stays one."""
    text = b"\xff" * 100 + b"\n"
    (one,) = joined(list(journal(text, size=60)))
    assert json.loads(one.line)["MESSAGE"] == [255] * 100
    assert unwrapped(one.line) == text


@pytest.mark.parametrize("name", ["eof", "pid-change", "nul"])
def test_other_ends_of_a_line_in_the_journal(name: str) -> None:
    """Only `line-max` goes on."""
    entry = {"__CURSOR": "s=1", "MESSAGE": "a", "_STREAM_ID": "x", "_LINE_BREAK": name}
    line = json.dumps(entry).encode() + b"\n"
    assert joined([line]) == [Joined(line, False)]


@pytest.mark.parametrize("message", [None, ["a", "b"], [1, 256], 7])
def test_entries_of_the_journal_without_text(message: object) -> None:
    """A message that is too long for `-o json` alone, or several, pass."""
    entry = {"__CURSOR": "s=1", "MESSAGE": message, "_LINE_BREAK": "line-max"}
    line = json.dumps(entry).encode() + b"\n"
    assert joined([line]) == [Joined(line, False)]
    assert unwrapped(line) == line


def test_what_is_damaged_passes() -> None:
    """A torn entry is no part."""
    for text in (b'{"log":"abc', b'{"log":"abc"}\n', b'{"log":"a","_LINE_BREAK":[\n'):
        assert joined([text]) == [Joined(text, False)]
        assert unwrapped(text) == text


def test_memory_is_bounded() -> None:
    """What is too long comes in pieces; of too many streams the first is given up."""
    text = _line(50_000)
    joiner = Joiner(most_bytes=40_000)
    found = [one for entry in cri(text) for one in joiner.add(entry)]
    assert [one.torn for one in found] == [True, False]
    assert unwrapped(found[0].line)[:-1] + unwrapped(found[1].line) == text
    joiner = Joiner()
    for number in range(300):
        head = next(journal(b"x" * 100 + b"\n", str(number), 50))
        joiner.add(head, number)
    assert joiner.held_from == 44
    assert len(joiner.end()) == 256


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["stdout", "stderr"]),
            st.text(st.characters(exclude_characters="\n")),
        )
    ),
    st.integers(1, 9),
)
def test_any_text_is_what_was_written(texts: list[tuple[str, str]], size: int) -> None:
    """Of journald and containerd no byte is lost, wherever they cut."""
    for split in (cri, journal):
        written = [(f"{text}.\n".encode("utf-8", "replace"), to) for to, text in texts]
        entries = [entry for text, to in written for entry in split(text, to, size)]
        found = joined(entries)
        assert [unwrapped(one.line) for one in found] == [text for text, _ in written]
        assert not any(one.torn for one in found)


@given(
    st.lists(st.text(st.sampled_from('ab\\n"{\x00é'), max_size=30)), st.integers(1, 9)
)
def test_the_quick_look_misses_no_part(texts: list[str], size: int) -> None:
    """Where it finds none every entry is a whole line."""
    for split in SPLITS.values():
        entries = [
            entry for text in texts for entry in split(f"{text}.\n".encode(), size=size)
        ]
        if not may_have_parts(b"".join(entries)):
            assert joined(entries) == [Joined(entry, False) for entry in entries]
