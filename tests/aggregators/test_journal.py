"""
Lines to the journal by its native protocol, and back by `journalctl`.

journald is a socket here, journalctl a script; the real ones are in tests/delivery.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctxlog import aggregators
from ctxlog.aggregators import Condition, Question, Receiver, UnavailableError
from ctxlog.aggregators.journal import JournalReceiver, field_name, priority
from ctxlog.aggregators.split import unwrapped
from ctxlog.errors import ConfigError
from tests.aggregators.test_split import journal
from tests.aggregators.tools import Tool

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="journald is Linux's")


class Journald:
    """What journald gets."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))

    def entry(self) -> dict[str, bytes]:
        """The fields of the next entry."""
        data, descriptors, _, _ = socket.recv_fds(self.socket, 1 << 20, 1)
        if descriptors:
            assert data == b""
            with open(descriptors[0], "rb") as file:
                seals = fcntl.fcntl(file, fcntl.F_GET_SEALS)
                assert seals == 0b1111
                file.seek(0)
                data = file.read()
        fields: dict[str, bytes] = {}
        while data:
            head, _, rest = data.partition(b"\n")
            if b"=" in head:
                name, _, value = head.partition(b"=")
            else:
                name, size = head, int.from_bytes(rest[:8], "little")
                value, rest = rest[8 : 8 + size], rest[9 + size :]
            assert name.decode() not in fields
            fields[name.decode()] = value
            data = rest
        return fields


@pytest.fixture
def journald(tmp_path: Path) -> Iterator[Journald]:
    """A socket where journald would listen."""
    there = Journald(tmp_path / "socket")
    with there.socket:
        yield there


@pytest.fixture
def receiver(journald: Journald) -> Iterator[JournalReceiver]:
    """What sends to it."""
    there = JournalReceiver("program", path=str(journald.path), wait=0.001)
    yield there
    there.close()


def line(**members: object) -> bytes:
    """A line of the default schema."""
    first = {"timestamp": "2026-01-01T00:00:00.000000Z", "level": "INFO"}
    return json.dumps({**first, "message": "m", **members}).encode() + b"\n"


def test_an_entry(journald: Journald, receiver: JournalReceiver) -> None:
    """The journal's own fields, and one for each member; the line is there whole."""
    caller = {"file": "a.py", "line": 7, "function": "f"}
    text = line(
        **{"level": "ERROR", "requestID": "req-1", "logger": "shop", "service": "s"},
        **{"user": {"id": "u1", "isNew": True}, "elapsedMs": 1.5, "caller": caller},
    )
    assert receiver.send([text], 1) == {}
    fields = journald.entry()
    assert fields.pop("CTXLOG_LINE") == text.rstrip(b"\n")
    assert {name: value.decode() for name, value in fields.items()} == {
        "MESSAGE": "m",
        "PRIORITY": "3",
        "SYSLOG_IDENTIFIER": "s",
        "CODE_FILE": "a.py",
        "CODE_LINE": "7",
        "CODE_FUNC": "f",
        "REQUEST_ID": "req-1",
        "LEVEL": "ERROR",
        "LOGGER": "shop",
        "SERVICE": "s",
        "USER_ID": "u1",
        "USER_IS_NEW": "true",
        "ELAPSED_MS": "1.5",
        "CALLER_FILE": "a.py",
        "CALLER_LINE": "7",
        "CALLER_FUNCTION": "f",
    }


def test_text_is_a_message(journald: Journald, receiver: JournalReceiver) -> None:
    """What is no JSON object is an entry of its own; a newline in it is kept."""
    receiver.send([b"one\rtwo\xff\n"], 1)
    assert journald.entry() == {
        "MESSAGE": "one\rtwo\ufffd".encode(),
        "PRIORITY": b"6",
        "SYSLOG_IDENTIFIER": b"program",
    }


def test_newlines_in_values(journald: Journald, receiver: JournalReceiver) -> None:
    """They are sent in the binary form, which has the length before the value."""
    receiver.send([line(message="a\nb=c\n", note="x\n")], 1)
    fields = journald.entry()
    assert (fields["MESSAGE"], fields["NOTE"]) == (b"a\nb=c\n", b"x\n")


def test_a_long_line_is_sent_in_memory(
    monkeypatch: pytest.MonkeyPatch, journald: Journald, receiver: JournalReceiver
) -> None:
    """A datagram is bounded: the entry is a sealed file in memory."""
    monkeypatch.setattr("ctxlog.aggregators.journal._SEND_BUFFER", 1 << 16)
    text = line(requestID="req-1", data="x" * 3_000_000)
    assert receiver.send([text, line(message="next")], 1) == {}
    assert journald.entry()["CTXLOG_LINE"] + b"\n" == text
    assert journald.entry()["MESSAGE"] == b"next"


def test_a_line_that_no_journal_takes(
    monkeypatch: pytest.MonkeyPatch, journald: Journald, receiver: JournalReceiver
) -> None:
    """It is refused, the others arrive."""
    monkeypatch.setattr("ctxlog.aggregators.journal._TOO_LONG", 1000)
    refused = receiver.send([line(data="x" * 2000), line(message="next")], 1)
    assert refused == {0: "too long for the journal"}
    assert journald.entry()["MESSAGE"] == b"next"


def test_members_that_are_no_fields(
    journald: Journald, receiver: JournalReceiver
) -> None:
    """Long values are on the line only; where others are missing the entry says so."""
    receiver.send([line(requestID="N/A", long="x" * 2000, none=None, rows=[1, 2])], 1)
    fields = journald.entry()
    assert not {"REQUEST_ID", "LONG", "NONE", "ROWS", "CTXLOG_PARTIAL"} & fields.keys()
    for members in (
        {"a": {"b": {"c": {"d": 1}}}},
        {"spans": [{"id": 1}]},
        {"priority": "high"},
        {"é": 1},
        {f"key{number}": number for number in range(200)},
    ):
        receiver.send([line(**members)], 1)
        fields = journald.entry()
        assert fields["CTXLOG_PARTIAL"] == b"1"
        assert json.loads(fields["CTXLOG_LINE"]).items() >= members.items()
        assert fields["PRIORITY"] == b"6"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("requestID", "REQUEST_ID"),
        ("user.id", "USER_ID"),
        ("http.response.status_code", "HTTP_RESPONSE_STATUS_CODE"),
        ("_ctxlog", "CTXLOG"),
        ("2fa", "FA"),
        ("a-b c", "A_B_C"),
        ("naïve", "NA_VE"),
        ("é", ""),
        ("x" * 99, "X" * 64),
    ],
)
def test_names_of_fields(path: str, name: str) -> None:
    """They are what journald takes."""
    assert field_name(path) == name


def test_priorities() -> None:
    """The levels of logging on syslog's scale; a line without one informs."""
    levels = (60, 50, 40, 30, 25, 20, 10, 5, 0)
    assert [priority(level) for level in levels] == [2, 2, 3, 4, 5, 6, 7, 7, 6]


def test_a_journald_that_does_not_read(
    journald: Journald, receiver: JournalReceiver
) -> None:
    """It is waited for, and the lines that it has are not sent again."""
    lines = [line(message=f"{number} " + "x" * 5000) for number in range(5000)]
    with pytest.raises(UnavailableError, match="takes no lines") as caught:
        receiver.send(lines, 0.05)
    left = caught.value.left
    assert left is not None
    assert 0 < len(left) < 5000
    for number in range(left[0]):
        assert journald.entry()["MESSAGE"].startswith(b"%d " % number)
    assert receiver.send([lines[left[0]]], 1) == {}


def test_no_journald(tmp_path: Path) -> None:
    """Its absence is told, and it is found when it is there."""
    path = tmp_path / "socket"
    receiver = JournalReceiver(path=str(path))
    with pytest.raises(UnavailableError, match="No such file") as caught:
        receiver.send([line()], 1)
    assert list(caught.value.left or ()) == [0]
    journald = Journald(path)
    with journald.socket:
        assert receiver.send([line()], 1) == {}
        assert journald.entry()
    with pytest.raises(UnavailableError, match="refused"):
        receiver.send([line()], 1)
    receiver.close()
    receiver.close()


def test_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """`journal:`, with a name for lines without a service."""
    receiver: Receiver = aggregators.receiver("journal:shop")
    assert isinstance(receiver, JournalReceiver)
    assert receiver.name == "journal:shop"
    monkeypatch.setattr(sys, "argv", [])
    assert aggregators.receiver("journal:").name == "journal:"
    for make in (aggregators.receiver, aggregators.reader):
        with pytest.raises(ConfigError, match="journal:"):
            make("journal://host")


# Reading --------------------------------------------------------------------------


def native(text: bytes, number: int = 1) -> bytes:
    """An entry of ctxlog's, as `journalctl -o json --all` shows it."""
    members = {"__CURSOR": f"s=1;i={number}", "__REALTIME_TIMESTAMP": "1"}
    members |= {"MESSAGE": "m", "CTXLOG_LINE": text.decode().rstrip("\n")}
    return json.dumps(members).encode() + b"\n"


@pytest.fixture
def journalctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    """A journalctl that says what it is told."""
    return Tool("journalctl", tmp_path, monkeypatch)


def test_lines_of_both_ways(journalctl: Tool) -> None:
    """Lines that came by standard output are joined; text of other programs is not."""
    one, two = line(requestID="req-1"), line(data="x" * 100_000)
    sshd = b'{"__CURSOR":"s=1;i=5","MESSAGE":"session opened"}\n'
    journalctl.prints(native(one), *journal(two), sshd, next(journal(two)))
    reader = aggregators.reader("journal:")
    *lines, torn = reader.lines(Question())
    assert lines == [one, two]
    assert two.startswith(torn.rstrip(b"\n"))
    assert not reader.as_written
    assert journalctl.calls() == [
        "--quiet --no-pager --output=json --all --output-fields=MESSAGE,CTXLOG_LINE,"
        "PRIORITY,_STREAM_ID,_LINE_BREAK,CONTAINER_ID_FULL,CONTAINER_PARTIAL_MESSAGE"
    ]


def test_where_it_looks(journalctl: Tool, tmp_path: Path) -> None:
    """A unit, whose text is of its lines; a directory or a file of another journal."""
    journalctl.prints(b'{"__CURSOR":"s=1","MESSAGE":"Traceback"}\n')
    unit = aggregators.reader("journal:shop.service")
    assert list(unit.lines(Question())) == [b"Traceback\n"]
    assert unit.as_written
    for path, option in ((tmp_path, "--directory"), (tmp_path / "a", "--file")):
        reader = aggregators.reader(f"journal:{path}")
        assert f" {option}={path} " in reader.explain(Question())
    assert "--unit=shop.service" in journalctl.calls()[0]


_OTHERS = (
    " + CTXLOG_PARTIAL=1 + _TRANSPORT=stdout + _TRANSPORT=syslog"
    " + _COMM=dockerd + _COMM=conmon"
)


@pytest.mark.parametrize(
    ("condition", "matches"),
    [
        (
            Condition("request", "in", ("a", "b"), ("requestID", "trace_id", "none")),
            "REQUEST_ID=a + REQUEST_ID=b + TRACE_ID=a + TRACE_ID=b",
        ),
        (
            Condition("request", "begins", ("ab",), ("correlationId",)),
            "REQUEST_ID=ab + REQUEST_ID=abc + REQUEST_ID=abd",
        ),
        (
            Condition("path", "begins", ("ab",), ("requestID",)),
            "REQUEST_ID=abc + REQUEST_ID=abd",
        ),
        (Condition("x", "contains", ("cd", "bd"), ("requestID",)), "REQUEST_ID=abd"),
        (Condition("status", "between", ("500", "599"), ("status",)), "STATUS=503"),
        (
            Condition("level", "in", ("error", "CRITICAL", "50"), ("level",)),
            "PRIORITY=0 + PRIORITY=1 + PRIORITY=2 + PRIORITY=3",
        ),
        (Condition("text", "contains", ("abc",)), None),
        (Condition("timestamp", "in", ("2026",), ("timestamp",)), None),
        (Condition("user", "in", ("x" * 2000,), ("requestID",)), None),
        (Condition("request", "in", ("a\nb",), ("requestID",)), None),
        (Condition("request", "in", ("a\0b",), ("requestID",)), None),
        (Condition("request", "in", ("a\ud800",), ("requestID",)), None),
        (
            Condition("user", "in", tuple(map(str, range(2000))), ("requestID",)),
            None,
        ),
    ],
)
def test_what_it_is_asked(
    journalctl: Tool, condition: Condition, matches: str | None
) -> None:
    """What has an index is asked for, beside what came other ways; the rest is not."""
    journalctl.prints(b"REQUEST_ID\nTRACE_ID\nSTATUS\n", when="--fields")
    journalctl.prints(b"abc\nxab\nabd\n", when="--field=REQUEST_ID")
    journalctl.prints(b"200\n503\nOK\n", when="--field=STATUS")
    journalctl.prints(native(line()))
    question = Question((condition,), since=10.5, until=20.0)
    reader = aggregators.reader("journal:")
    assert list(reader.lines(question)) == [line()]
    asked = journalctl.calls()[-1].partition("_MESSAGE ")[2]
    wanted = "" if matches is None else f" {matches}{_OTHERS}"
    assert asked == f"--since=@10 --until=@321{wanted}"
    assert "--since=@10" in reader.explain(question)


def test_a_request_that_the_journal_does_not_have(journalctl: Tool) -> None:
    """It is asked for all the same: lines may come before the question does."""
    journalctl.prints(b"MESSAGE\n", when="--fields")
    condition = Condition("request", "begins", ("req-A",), ("requestID",))
    explained = aggregators.reader("journal:").explain(Question((condition,)))
    assert explained.endswith(f" REQUEST_ID=req-A{_OTHERS}")


def test_limits_and_order(journalctl: Tool) -> None:
    """The newest come first if they are asked for, and only so many."""
    texts = [line(timestamp=f"2026-01-01T00:00:0{n}Z", n=n) for n in range(5)]
    journalctl.prints(*map(native, texts))
    reader = aggregators.reader("journal:")
    assert list(reader.lines(Question(limit=2))) == texts[:2]
    assert list(reader.lines(Question(order="newest", limit=2))) == texts[:2:-1]


def test_following(journalctl: Tool) -> None:
    """Each look goes on after the last entry, wherever in a split line that is."""
    one, two = line(n=1), line(data="x" * 60_000)
    head, tail = journal(two)
    journalctl.prints(native(line(n=0), 7), when="--lines=1")
    journalctl.prints(native(one, 8), head, when="--after-cursor=s=1;i=7")
    journalctl.prints(tail, when="--after-cursor=s=1;i=0")
    reader = aggregators.reader("journal:")
    cursor = reader.follow(Question())
    assert list(cursor.read()) == []
    assert list(cursor.read()) == [one]
    assert [unwrapped(each) for each in cursor.read()] == [two]
    assert list(cursor.read()) == []
    assert "--after-cursor=s=1;i=49152" in journalctl.calls()[-1]
    cursor.close()


def test_following_from_the_start(journalctl: Tool) -> None:
    """All that there is comes first; of an empty journal, all that comes."""
    question = Question(since=5.0)
    reader = aggregators.reader("journal:")
    empty = reader.follow(question)
    assert list(empty.read()) == []
    journalctl.prints(b"damaged\n", native(line()), when="--since=@5")
    assert list(reader.follow(question, from_start=True).read())[-1] == line()
    assert list(empty.read())[-1] == line()


def test_without_journalctl(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is said in one sentence."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match="^journalctl is not installed$"):
        list(aggregators.reader("journal:").lines(Question()))
    there = tmp_path / "journalctl"
    there.touch()
    with pytest.raises(UnavailableError, match="does not start: Permission denied"):
        list(aggregators.reader("journal:").lines(Question()))


def test_a_journalctl_that_fails(journalctl: Tool) -> None:
    """What it says last is the reason."""
    journalctl.fails("Failed to open /x: No such file or directory")
    with pytest.raises(UnavailableError, match="^Failed to open /x: No such file"):
        list(aggregators.reader("journal:/x").lines(Question()))
    journalctl.fails("")
    with pytest.raises(UnavailableError, match="^journalctl ends with 1$"):
        list(aggregators.reader("journal:/x").lines(Question()))


def test_a_reader_that_has_enough(journalctl: Tool) -> None:
    """The tool is ended."""
    journalctl.prints(*map(native, [line(n=n) for n in range(50)]), forever=True)
    lines = aggregators.reader("journal:").lines(Question(limit=3))
    assert len(list(lines)) == 3
    assert stat.S_ISREG(os.stat(journalctl.path).st_mode)
