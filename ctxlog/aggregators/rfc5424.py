"""
Syslog: lines as messages of RFC 5424, by TCP, TLS, UDP or a socket of the machine.

After RFC 5424 (the message; the request's id is structured data, the JSON line is MSG),
RFC 6587 section 3.4.1 (octet counting over TCP), RFC 5425 (the same over TLS) and RFC
5426 (one message a datagram).

Syslog has no answer. Over TCP a message counts as taken when the kernel of the receiver
has acknowledged it, where this kernel can say so (Linux). What a receiver had not read
by then is lost if it is killed.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ctxlog.aggregators import _tls
from ctxlog.aggregators._address import Address
from ctxlog.aggregators._line import Line
from ctxlog.aggregators._program import program
from ctxlog.aggregators._store import (
    DeniedError,
    Receiver,
    UnavailableError,
    UnreachableError,
)

if sys.platform == "linux":
    import fcntl
    import termios

    def _unacknowledged(there: socket.socket) -> int:
        """Return how many bytes the other side has not acknowledged."""
        # SIOCOUTQ, which has the number of TIOCOUTQ.
        size = fcntl.ioctl(there.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
        return int.from_bytes(size, sys.byteorder)

else:

    def _unacknowledged(there: socket.socket) -> int:
        """Return 0: this system does not say."""
        return 0


_OPTIONS = frozenset(
    {"app", "ca", "cert", "facility", "key", "sd", "timeout", "transport"}
)
_DEVICE = "/dev/log"
_PORT, _TLS_PORT = 514, 6514
#: By UDP in IPv4, and what a socket of the machine takes without further ado.
_LONGEST_DATAGRAM = 65_507
_SEND_BUFFER = 1 << 20
_FIRST_PAUSE, _LONGEST_PAUSE = 0.0002, 0.02

_FACILITIES = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp"),
    *("cron", "authpriv", "ftp", "ntp", "security", "console", "clock"),
    *(f"local{number}" for number in range(8)),
)
_SEVERITIES = ((50, 2), (40, 3), (30, 4), (25, 5), (20, 6), (1, 7))
_INFO = 6
#: A name of our own in structured data needs a number that IANA has given. We have
#: none: this one is for examples (RFC 5612), and `?sd=` names yours.
_STRUCTURED = "ctxlog@32473"


def receiver(address: Address) -> Receiver:
    """
    Return the writing side.

    Args:
        address: `syslog://host:514` by TCP, with `?transport=udp` by UDP;
            `syslogs://host:6514` by TLS; `syslog:` for `/dev/log`, `syslog:/PATH` for
            another socket of this machine. Options: `facility` (`user`), `app` for the
            APP-NAME of lines without a service, `sd` for the name of the structured
            data, `timeout`, and with TLS `ca`, `cert` and `key`, which are files.

    Raises:
        ConfigError: if an option is invalid.
    """
    address.check_options(_OPTIONS)
    form = Form(address)
    if not address.hosts:
        return _Datagrams(address, form, address.path or _DEVICE)
    if len(address.hosts) > 1 or address.path.strip("/"):
        raise address.error("one host and no path, as syslog://logs:514")
    transport = address.choice("transport", "tcp", "udp")
    if transport == "tcp":
        return _Stream(address, form)
    if address.tls:
        raise address.error("no transport=udp with TLS: it needs a connection")
    return _Datagrams(address, form, (address.host, address.port(_PORT)))


class Form:
    """
    How lines become messages.

    Args:
        address: Its options are followed.
    """

    def __init__(self, address: Address) -> None:
        facility = address.options.get("facility", "user")
        if facility not in _FACILITIES:
            raise address.error(f"one of {', '.join(_FACILITIES)}", "?facility=")
        self._facility = _FACILITIES.index(facility) * 8
        self._app = _printable(address.options.get("app") or program(), 48)
        self._structured = address.options.get("sd", _STRUCTURED)
        if not re.fullmatch(r"[!#-<>-\\^-~]{1,32}", self._structured):
            raise address.error("sd to be a name as ctxlog@32473", "?sd=")
        self._middle = _printable(socket.gethostname(), 255)

    def message(self, line: bytes) -> bytes:
        """Return a line as a message."""
        read = Line(line)
        level = read.level
        severity = next((of for least, of in _SEVERITIES if level >= least), _INFO)
        app = _printable(read.service or self._app, 48)
        head = (
            f"<{self._facility + severity}>1 {_time(read.time)} {self._middle} {app} "
            f"{os.getpid()} - {self._data(read)} "
        )
        return head.encode("utf-8", "replace") + read.raw

    def _data(self, line: Line) -> str:
        request = line.request_id
        if request is None:
            return "-"
        return f'[{self._structured} requestID="{escaped(request)}"]'


def escaped(value: str) -> str:
    """
    Return a value of structured data, without the quotes.

    Control characters are none: a message may end at a newline.
    """
    value = re.sub(r"[\x00-\x1f\x7f]", " ", value)
    return re.sub(r'(["\\\]])', r"\\\1", value)


def _printable(text: str, most: int) -> str:
    """Return a text as fields of the header allow it: ASCII without spaces."""
    return re.sub(r"[^!-~]", "_", text)[:most] or "-"


def _time(nanoseconds: int | None) -> str:
    """Return a time as RFC 5424 has it: no more digits than microseconds."""
    if nanoseconds is None:
        nanoseconds = time.time_ns()
    seconds, rest = divmod(nanoseconds // 1000, 1_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:06}Z"


class _Sender(Receiver):
    """
    Has a socket, and opens it when it is needed.

    Args:
        address: The address.
        form: How lines become messages.
    """

    def __init__(self, address: Address, form: Form) -> None:
        self.name = address.name
        self._form = form
        self._socket: socket.socket | None = None

    def close(self) -> None:
        there, self._socket = self._socket, None
        if there is not None:
            there.close()


class _Datagrams(_Sender):
    """
    Sends each message as a datagram.

    Args:
        address: The address.
        form: How lines become messages.
        where: The host and the port, or the path of a socket of this machine.
    """

    def __init__(
        self, address: Address, form: Form, where: tuple[str, int] | str
    ) -> None:
        super().__init__(address, form)
        self._where = where

    def send(self, lines: Sequence[bytes], timeout: float) -> Mapping[int, str]:
        refused: dict[int, str] = {}
        for place, line in enumerate(lines):
            message = self._form.message(line)
            if len(message) > _LONGEST_DATAGRAM:
                refused[place] = f"{len(message)} bytes are too many for a datagram"
                continue
            try:
                self._opened(timeout).send(message)
            except OSError as error:
                self.close()
                left = range(place, len(lines))
                kind = UnavailableError
                if isinstance(error, (ConnectionRefusedError, FileNotFoundError)):
                    kind = UnreachableError
                raise kind(_reason(error), left=left, refused=refused) from None
        return refused

    def _opened(self, timeout: float) -> socket.socket:
        there = self._socket
        if there is None:
            there = self._socket = self._open()
        there.settimeout(timeout)
        return there

    def _open(self) -> socket.socket:
        if isinstance(self._where, str):
            there = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            target: Any = self._where
        else:
            found = socket.getaddrinfo(*self._where, type=socket.SOCK_DGRAM)
            family, kind, protocol, _, target = found[0]
            there = socket.socket(family, kind, protocol)
        try:
            there.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            there.connect(target)
        except BaseException:
            there.close()
            raise
        return there


class _Stream(_Sender):
    """
    Sends messages over a connection, each with its length before it.

    Args:
        address: The address.
        form: How lines become messages.
    """

    def __init__(self, address: Address, form: Form) -> None:
        super().__init__(address, form)
        self._timeout = address.seconds("timeout", 10.0)
        port = _TLS_PORT if address.tls else _PORT
        self._where = address.host, address.port(port)
        self._context = _tls.context(address) if address.tls else None

    def send(self, lines: Sequence[bytes], timeout: float) -> Mapping[int, str]:
        messages = map(self._form.message, lines)
        data = b"".join(b"%d %b" % (len(one), one) for one in messages)
        end = time.monotonic() + min(timeout, self._timeout)
        try:
            there = self._connected(end)
            there.settimeout(_left(end))
            there.sendall(data)
            _wait_until_taken(there, end)
        except OSError as error:
            # A part of a message may be there: the next one needs a connection anew.
            self.close()
            denied = _tls.failure(error)
            if denied is not None:
                raise DeniedError(denied) from None
            kind = UnavailableError
            if isinstance(error, (ConnectionRefusedError, socket.gaierror)):
                kind = UnreachableError
            raise kind(_reason(error)) from None
        return {}

    def _connected(self, end: float) -> socket.socket:
        there = self._socket
        if there is not None:
            try:
                if not _has_ended(there):
                    return there
            except OSError:  # of what was sent before: that has been waited for
                pass
            self.close()
        there = socket.create_connection(self._where, _left(end))
        try:
            # The last piece of a batch would wait for the others to be acknowledged.
            there.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            there.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if self._context is not None:
                host, _ = self._where
                there = self._context.wrap_socket(there, server_hostname=host)
        except BaseException:
            there.close()
            raise
        self._socket = there
        return there


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _has_ended(there: socket.socket) -> bool:
    """
    Return whether the other side has closed a connection: it says nothing else.

    Raises:
        OSError: if it has reset it, as a receiver does that leaves something unread.
    """
    there.setblocking(False)
    try:
        return there.recv(1) == b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return False


def _wait_until_taken(there: socket.socket, end: float) -> None:
    """
    Wait until the other side has acknowledged what was sent.

    Raises:
        OSError: if it has not, or has reset the connection.
    """
    pause = _FIRST_PAUSE
    while _unacknowledged(there):
        _has_ended(there)
        if time.monotonic() > end:
            raise TimeoutError("timed out")
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
    _has_ended(there)


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
