"""
NATS JetStream: lines as messages, with the request's id as last token of the subject.

By nats-py 2.16 (https://nats-io.github.io/nats.py, `JetStreamContext.publish_async`).
A line goes to `SUBJECT.ID`, so that a consumer with that filter gets one request; to
`SUBJECT.-` if it is of none. It counts as sent when the stream has acknowledged it.

Messages have no id of ours: within its window a stream would drop one of two equal
lines. So lines whose acknowledgement was lost are stored twice.

The client needs an event loop. It runs only while lines are sent, so that no further
thread is there; a connection that was idle for a minute, and has answered no ping of
the server, is opened anew.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ctxlog.aggregators import _tls
from ctxlog.aggregators._address import Address
from ctxlog.aggregators._line import Line, read
from ctxlog.aggregators._store import (
    DeniedError,
    Receiver,
    UnavailableError,
    UnreachableError,
)
from ctxlog.errors import requires

with requires("nats"):
    import nats.errors
    import nats.js.errors
    from nats.aio.client import Client
    from nats.js import JetStreamContext

_PORT = 4222

# Writing ----------------------------------------------------------------------------

_OPTIONS = frozenset(
    {"ca", "cert", "credentials", "key", "password", "timeout", "token", "user"}
)
_SUBJECT = re.compile(r"[^\s.*>]+(\.[^\s.*>]+)*")
_NO_TOKEN = re.compile(r"[\s.*>\x00-\x1f\x7f]")
#: Seconds; the server pings every two minutes, and closes when two went unanswered.
_IDLE = 60.0
#: The most seconds that a connection may take to close.
_CLOSING = 1.0
#: Its code for a message that is longer than the stream's `max_msg_size`.
_TOO_LONG = 10054
#: Wrong credentials, or TLS at one end alone.
_DENIED = (
    nats.errors.AuthorizationError,
    nats.errors.InvalidUserCredentialsError,
    nats.errors.SecureConnRequiredError,
    nats.errors.SecureConnWantedError,
)


def receiver(address: Address) -> Receiver:
    """
    Return the writing side.

    Args:
        address: `nats://host:4222,other:4222/subject`; `?user=NAME&password=$VARIABLE`,
            `?token=$VARIABLE` or `?credentials=FILE` are the credentials.

    Raises:
        ConfigError: if it has no subject, or an option is invalid.
    """
    address.check_options(_OPTIONS)
    return _Receiver(address)


class _Receiver(Receiver):
    def __init__(self, address: Address) -> None:
        self.name = address.name
        self._subject = address.path.strip("/")
        if not _SUBJECT.fullmatch(self._subject):
            raise address.error("a subject, as nats://host:4222/logs")
        self._servers = [
            f"{'tls' if address.tls else 'nats'}://{one}"
            for one in address.hosts_and_ports(_PORT)
        ]
        self._timeout = address.seconds("timeout", 10.0)
        self._options = _options(address)
        self._connection: _Connection | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = 0

    def send(self, lines: Sequence[bytes], timeout: float) -> Mapping[int, str]:
        if self._process != os.getpid():  # a fork shares no connection
            self._connection = self._loop = None
            self._process = os.getpid()
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        deadline = time.monotonic() + min(timeout, self._timeout)
        return self._loop.run_until_complete(self._send(read(lines), deadline))

    async def _send(self, lines: Sequence[Line], deadline: float) -> dict[int, str]:
        connection = await self._connected(deadline)
        refused: dict[int, str] = {}
        acks: dict[int, asyncio.Future[Any]] = {}
        reason = "no acknowledgement in time"
        longest = connection.client.max_payload
        for place, line in enumerate(lines):
            if len(line.raw) > longest:
                refused[place] = f"longer than the server's limit of {longest} bytes"
                continue
            try:
                acks[place] = await connection.stream.publish_async(
                    self._subject_of(line),
                    line.raw,
                    wait_stall=max(deadline - time.monotonic(), 0.01),
                )
            except (nats.errors.Error, OSError) as failure:
                reason = _reason(failure)
                break
        await connection.wait(list(acks.values()), deadline)
        left: list[int] = []
        for place in range(len(lines)):
            if place in refused:
                continue
            ack = acks.get(place)
            error = None if ack is None else _error(ack)
            if error is not None and getattr(error, "err_code", None) == _TOO_LONG:
                refused[place] = _reason(error)
            elif ack is None or not ack.done() or error is not None:
                left.append(place)
                reason = reason if error is None else _reason(error)
        connection.used = time.monotonic()
        if left:
            await self._disconnect()
            kind = DeniedError if reason == _NO_STREAM else UnavailableError
            raise kind(reason, left=left, refused=refused)
        return refused

    def _subject_of(self, line: Line) -> str:
        token = _NO_TOKEN.sub("_", line.request_id or "-")
        return f"{self._subject}.{token[:200]}"

    async def _connected(self, deadline: float) -> _Connection:
        connection = self._connection
        if connection is not None and (
            not connection.client.is_connected
            or time.monotonic() - connection.used > _IDLE
        ):
            await self._disconnect()
        if self._connection is None:
            self._connection = await self._connect(deadline)
        return self._connection

    async def _connect(self, deadline: float) -> _Connection:
        failure: UnavailableError = UnreachableError("no server")
        for server in self._servers:
            connection = _Connection()
            left = max(deadline - time.monotonic(), 0.1)
            try:
                await asyncio.wait_for(
                    connection.open(server, left, self._options), left
                )
            except (nats.errors.Error, OSError, asyncio.TimeoutError) as error:
                cause = connection.error or error
                failure = _failure(cause)
                await connection.close()
            else:
                return connection
        raise failure

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def close(self) -> None:
        loop, self._loop = self._loop, None
        if loop is not None and self._process == os.getpid():
            loop.run_until_complete(self._disconnect())
            loop.close()
        self._connection = None


class _Connection:
    """A connection that does not reconnect by itself."""

    def __init__(self) -> None:
        self.client = Client()
        self.stream: JetStreamContext
        self.error: BaseException | None = None
        self.used = time.monotonic()
        self._closed = asyncio.get_running_loop().create_future()

    async def open(
        self, server: str, timeout: float, options: Mapping[str, Any]
    ) -> None:
        await self.client.connect(
            servers=[server],
            name="ctxlog",
            allow_reconnect=False,
            error_cb=self._note,
            closed_cb=self._note_closed,
            **{**options, "connect_timeout": timeout},
        )
        self.stream = self.client.jetstream()

    async def wait(self, acks: Sequence[asyncio.Future[Any]], deadline: float) -> None:
        """Wait until all are there, the connection is closed, or the time is over."""
        waiting = {*acks}
        while waiting and not self._closed.done():
            left = deadline - time.monotonic()
            if left <= 0:
                return
            await asyncio.wait(
                {self._closed, *waiting},
                timeout=left,
                return_when=asyncio.FIRST_COMPLETED,
            )
            waiting = {ack for ack in waiting if not ack.done()}

    async def close(self) -> None:
        try:
            # After a handshake that has failed it would wait for ever.
            await asyncio.wait_for(self.client.close(), _CLOSING)
        except (nats.errors.Error, OSError, asyncio.TimeoutError):
            pass  # it is gone already

    async def _note(self, error: BaseException) -> None:
        # The client's own callback would log it: a line that goes to itself.
        self.error = error

    async def _note_closed(self) -> None:
        if not self._closed.done():
            self._closed.set_result(None)


def _error(ack: asyncio.Future[Any]) -> BaseException | None:
    return ack.exception() if ack.done() and not ack.cancelled() else None


_NO_STREAM = "no stream takes this subject"


def _failure(error: BaseException) -> UnavailableError:
    """Return why there is no connection."""
    denied = _tls.failure(error)
    # While it connects, the client knows the server's refusal as a text only.
    is_refusal = "authorization violation" in str(error).lower()
    if denied is None and (is_refusal or isinstance(error, _DENIED)):
        denied = _reason(error)
    if denied is not None:
        return DeniedError(denied)
    if isinstance(error, OSError) and not isinstance(error, TimeoutError):
        return UnreachableError(_reason(error))
    return UnavailableError(_reason(error))


def _reason(error: BaseException) -> str:
    if isinstance(error, nats.js.errors.NoStreamResponseError):
        return _NO_STREAM
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _options(address: Address) -> dict[str, Any]:
    names = {name: name for name in ("user", "password", "token")}
    names["credentials"] = "user_credentials"
    found: dict[str, Any] = {
        names[name]: of for name, of in address.options.items() if name in names
    }
    if address.tls:
        found["tls"] = _tls.context(address)
    return found
