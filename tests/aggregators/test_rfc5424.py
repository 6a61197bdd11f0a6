"""
Lines as messages of RFC 5424, by TCP, TLS, UDP and sockets of the machine.
"""

from __future__ import annotations

import json
import os
import re
import select
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlog import aggregators
from ctxlog.aggregators import Receiver, UnavailableError, UnreachableError, rfc5424
from ctxlog.errors import ConfigError

#: The message as RFC 5424 writes it, section 6.
_MESSAGE = re.compile(
    rb"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z) ([!-~]{1,255}) "
    rb"([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) "
    rb'(-|\[[!#-<>-\\^-~]{1,32}(?: [!#-<>-\\^-~]{1,32}="(?:[^"\\\]]|\\.)*")*\]) (.*)',
    re.DOTALL,
)


def line(**members: object) -> bytes:
    """A line of the default schema."""
    first = {"timestamp": "2026-01-01T00:00:00.123456Z", "level": "INFO"}
    return json.dumps({**first, "message": "m", **members}).encode() + b"\n"


def fields(message: bytes) -> tuple[str, ...]:
    """The parts of a message."""
    match = _MESSAGE.fullmatch(message)
    assert match, message
    return tuple(part.decode() for part in match.groups())


def messages(data: bytes) -> list[bytes]:
    """The messages that came over a connection, by their lengths; all are whole."""
    found = []
    while data:
        size, _, data = data.partition(b" ")
        assert re.fullmatch(rb"[1-9]\d*", size)
        assert len(data) >= int(size)
        found.append(data[: int(size)])
        data = data[int(size) :]
    return found


class Listener:
    """A receiver by TCP, whose connections are had one after the other."""

    def __init__(self) -> None:
        self.open(0)

    def open(self, port: int) -> None:
        """Listen at a port."""
        self.socket = socket.create_server(("127.0.0.1", port))
        self.port = self.socket.getsockname()[1]

    def accept(self) -> socket.socket:
        """Return the next connection."""
        self.socket.settimeout(30)
        there, _ = self.socket.accept()
        there.settimeout(30)
        return there


def read(there: socket.socket, number: int) -> list[bytes]:
    """Return so many messages of a connection."""
    data = b""
    while True:
        data += there.recv(1 << 16)
        try:
            found = messages(data)
        except AssertionError:
            continue
        if len(found) >= number:
            return found


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A receiver by TCP."""
    there = Listener()
    yield there
    there.socket.close()


@pytest.fixture
def receiver(listener: Listener) -> Iterator[Receiver]:
    """What sends to it."""
    there = aggregators.receiver(f"syslog://127.0.0.1:{listener.port}?timeout=20")
    yield there
    there.close()


def test_a_message(listener: Listener, receiver: Receiver) -> None:
    """Its header is of the line, the request is structured data, the line is all."""
    text = line(level="ERROR", requestID="req-1", service="my shop")
    assert receiver.send([text], 20) == {}
    with listener.accept() as there:
        (message,) = read(there, 1)
    priority, moment, host, app, process, kind, data, content = fields(message)
    assert priority == str(1 * 8 + 3)
    assert moment == "2026-01-01T00:00:00.123456Z"
    assert host == re.sub(r"[^!-~]", "_", socket.gethostname())
    assert (app, process, kind) == ("my_shop", str(os.getpid()), "-")
    assert data == '[ctxlog@32473 requestID="req-1"]'
    assert content.encode() + b"\n" == text


def test_lines_that_say_little(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Text, and lines without a request, are messages as well."""
    monkeypatch.setattr(sys, "argv", ["/usr/bin/my app"])
    address = f"syslog://127.0.0.1:{listener.port}?facility=local3&sd=shop@1"
    receiver = aggregators.receiver(address)
    receiver.send([b"plain [text]\n", b'{"level":"debug","requestID":"a"}\n'], 20)
    with listener.accept() as there:
        one, two = map(fields, read(there, 2))
    receiver.close()
    assert (one[0], one[3], one[6], one[7]) == ("158", "my_app", "-", "plain [text]")
    assert (two[0], two[6]) == ("159", '[shop@1 requestID="a"]')


@given(st.text())
def test_structured_data_is_escaped(value: str) -> None:
    """No value ends it: it is read back as it was, but for control characters."""
    shown = rfc5424.escaped(value)
    assert re.fullmatch(r'(?:[^"\\\]]|\\["\\\]])*', shown)
    plain = re.sub(r"\\(.)", r"\1", shown)
    assert plain == re.sub(r"[\x00-\x1f\x7f]", " ", value)


def test_many_lines_in_order(listener: Listener, receiver: Receiver) -> None:
    """Long ones and short ones; each is whole, and the connection stays."""
    texts = [line(n=n, data="x" * (n * 100)) for n in range(100)]
    done = threading.Thread(
        target=lambda: [
            receiver.send(texts[at : at + 10], 20) for at in range(0, 100, 10)
        ]
    )
    done.start()
    with listener.accept() as there:
        found = read(there, 100)
        done.join()
    assert [fields(one)[7].encode() + b"\n" for one in found] == texts


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what was taken")
def test_what_is_not_acknowledged_is_not_taken(listener: Listener) -> None:
    """A receiver that does not read: the lines are sent again later."""
    listener.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    receiver = aggregators.receiver(f"syslog://127.0.0.1:{listener.port}?timeout=0.2")
    texts = [line(data="x" * 500_000) for _ in range(2)]
    with pytest.raises(UnavailableError, match="timed out"):
        receiver.send(texts, 20)
    receiver.close()


def test_a_receiver_that_starts_again(listener: Listener, receiver: Receiver) -> None:
    """A connection that was closed is noticed before lines are lost in it."""
    receiver.send([line(n=1)], 20)
    with listener.accept() as there:
        read(there, 1)
    receiver.send([line(n=2)], 20)
    with listener.accept() as there:
        assert len(read(there, 1)) == 1
        # It is reset, as if something had not been read.
        linger = struct.pack("ii", 1, 0)
        there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    receiver.send([line(n=3)], 20)
    with listener.accept() as there:
        assert len(read(there, 1)) == 1
        listener.socket.close()
    with pytest.raises(UnreachableError, match="refused"):
        receiver.send([line(n=4)], 20)
    listener.open(listener.port)
    receiver.send([line(n=4)], 20)
    with listener.accept() as there:
        assert len(read(there, 1)) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what was taken")
def test_a_reset_while_lines_are_on_their_way(listener: Listener) -> None:
    """It is noticed: the lines count as not taken."""
    receiver = aggregators.receiver(f"syslog://127.0.0.1:{listener.port}?timeout=20")

    def reset() -> None:
        with listener.accept() as there:
            there.recv(1)  # and leaves the rest

    thread = threading.Thread(target=reset)
    thread.start()
    with pytest.raises(UnavailableError, match="reset|Broken pipe"):
        receiver.send([line(data="x" * 8_000_000)], 20)
    thread.join()


def test_no_time_at_all(listener: Listener, receiver: Receiver) -> None:
    """It is not tried."""
    with pytest.raises(UnavailableError, match="timed out"):
        receiver.send([line()], 0)


def test_datagrams() -> None:
    """By UDP each message is a datagram; one that is too long is refused."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        there.bind(("127.0.0.1", 0))
        there.settimeout(30)
        port = there.getsockname()[1]
        receiver = aggregators.receiver(f"syslog://127.0.0.1:{port}?transport=udp")
        texts = [line(n=1), line(data="x" * 70_000), line(n=2)]
        refused = receiver.send(texts, 20)
        assert list(refused) == [1]
        assert "too many for a datagram" in refused[1]
        for text in (texts[0], texts[2]):
            assert fields(there.recv(1 << 16))[7].encode() + b"\n" == text
    # The system tells of a port that nobody listens at when one more is sent.
    with pytest.raises(UnreachableError, match="refused"):
        receiver.send([line()] * 100, 20)
    receiver.close()
    receiver.close()


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no such sockets here")
def test_a_socket_of_the_machine(tmp_path: Path) -> None:
    """`syslog:/dev/log`, or the path of another socket."""
    path = tmp_path / "log"
    receiver = aggregators.receiver(f"syslog:{path}")
    with pytest.raises(UnreachableError, match="No such file"):
        receiver.send([line()], 20)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as there:
        there.bind(str(path))
        assert receiver.send([line(n=1)], 20) == {}
        assert fields(there.recv(1 << 16))[7].encode() + b"\n" == line(n=1)
        lines = [line(data="x" * 1000)] * 5000
        with pytest.raises(UnavailableError, match="timed out") as caught:
            receiver.send(lines, 0.05)
        left = caught.value.left
        assert left is not None
        number = 0
        while select.select([there], [], [], 0)[0]:
            there.recv(1 << 16)
            number += 1
        assert number == left[0]
    receiver.close()


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("syslog://h?facility=x", "kern, user"),
        ("syslog://h?sd=a%20b", "sd to be a name"),
        ("syslog://h?sd=a%5D", "sd to be a name"),
        ("syslog://h?transport=x", "tcp or udp"),
        ("syslog://h?colour=x", "one of the options"),
        ("syslog://h/path", "one host"),
        ("syslog://a,b", "one host"),
        ("syslogs://h?transport=udp", "needs a connection"),
        ("syslogs://h?ca=/none", "files of certificates"),
    ],
)
def test_addresses_that_are_wrong(address: str, complaint: str) -> None:
    """What is allowed is said."""
    with pytest.raises(ConfigError, match=complaint):
        aggregators.receiver(address)


def test_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address without credentials is the name; nothing is connected."""
    for address in ("syslog://h:5", "syslogs://h", "syslog:", "syslog:/run/x"):
        assert aggregators.receiver(address).name == address
    monkeypatch.setattr(sys, "argv", [""])
    aggregators.receiver("syslog:")


def test_tls_needs_a_certificate_that_is_trusted(listener: Listener) -> None:
    """What answers in another way is not given any line."""
    receiver = aggregators.receiver(f"syslogs://127.0.0.1:{listener.port}?timeout=20")

    def answer() -> None:
        with listener.accept() as there:
            there.recv(1 << 16)
            there.sendall(b"no TLS\n")

    thread = threading.Thread(target=answer)
    thread.start()
    with pytest.raises(UnavailableError):
        receiver.send([line()], 20)
    thread.join()
    assert ssl.HAS_TLSv1_2
