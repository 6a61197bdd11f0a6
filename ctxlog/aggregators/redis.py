"""
Redis and Valkey: lines as entries of a stream.

By redis-py 8 (https://redis.readthedocs.io), after `XADD`
(https://redis.io/docs/latest/commands/xadd, https://valkey.io/commands/xadd). An entry
has the fields `line`, as it was written, and `request_id`. With `?partitions=8` the
lines are divided by the request's id among the streams `NAME:0` to `NAME:7`, so that
those of a request are in one.

A line counts as sent when the server has answered with its entry's id, which means that
it is in its memory: how soon it is on disk is up to `appendfsync` there. Lines whose
answer was lost are stored twice.
"""

from __future__ import annotations

import zlib
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

with requires("redis"):
    import redis
    from redis import exceptions
    from redis.backoff import NoBackoff
    from redis.retry import Retry

_PORT = 6379

# Writing ----------------------------------------------------------------------------

_OPTIONS = frozenset(
    {"ca", "cert", "db", "key", "maxlen", "partitions", "password", "timeout", "user"}
)

#: No right, wrong credentials, or none.
_DENIED = (
    exceptions.AuthenticationError,
    exceptions.AuthorizationError,
    exceptions.NoPermissionError,
)


def receiver(address: Address) -> Receiver:
    """
    Return the writing side.

    Args:
        address: `redis://host:6379/stream`; `?maxlen=1000000` keeps about so many
            entries, `?user=NAME&password=$VARIABLE` are the credentials.

    Raises:
        ConfigError: if it has no name of a stream, or an option is invalid.
    """
    address.check_options(_OPTIONS)
    return _Receiver(address)


class _Receiver(Receiver):
    def __init__(self, address: Address) -> None:
        self.name = address.name
        self._stream = address.path.strip("/")
        if not self._stream:
            raise address.error("a stream, as redis://host:6379/logs")
        self._partitions = _number(address, "partitions") or 1
        self._maxlen = _number(address, "maxlen")
        self._timeout = address.seconds("timeout", 10.0)
        self._settings = _settings(address)
        self._client: redis.Redis | None = None
        self._limit = 0.0

    def send(self, lines: Sequence[bytes], timeout: float) -> Mapping[int, str]:
        try:
            answers = self._add(read(lines), min(timeout, self._timeout))
        except exceptions.TimeoutError:
            raise UnavailableError("no answer in time") from None
        except _DENIED as error:
            raise DeniedError(_reason(error)) from None
        except exceptions.ConnectionError as error:
            denied = _tls.failure(error)
            if denied is not None:
                raise DeniedError(denied) from None
            refused = isinstance(error.__cause__ or error.__context__, OSError)
            kind = UnreachableError if refused else UnavailableError
            raise kind(_reason(error)) from None
        except exceptions.RedisError as error:
            raise UnavailableError(_reason(error)) from None
        # Errors of the server are about itself or the stream: no line is wrong.
        left = [place for place, of in enumerate(answers) if isinstance(of, Exception)]
        if left:
            first = answers[left[0]]
            kind = DeniedError if isinstance(first, _DENIED) else UnavailableError
            raise kind(_reason(first), left=left)
        return {}

    def _add(self, lines: Sequence[Line], limit: float) -> list[Any]:
        pipeline = self._open(limit).pipeline(transaction=False)
        for line in lines:
            entry: dict[Any, Any] = {"line": line.raw}
            if line.request_id is not None:
                entry["request_id"] = line.request_id.encode("utf-8", "replace")
            pipeline.xadd(self._key(line), entry, maxlen=self._maxlen)
        return list(pipeline.execute(raise_on_error=False))

    def _key(self, line: Line) -> str:
        if self._partitions == 1:
            return self._stream
        key = (line.request_id or "").encode("utf-8", "replace")
        return f"{self._stream}:{zlib.crc32(key) % self._partitions}"

    def _open(self, limit: float) -> redis.Redis:
        if self._client is None or self._limit != limit:
            self.close()
            self._limit = limit
            self._client = redis.Redis(
                socket_timeout=limit, socket_connect_timeout=limit, **self._settings
            )
        return self._client

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()


def _reason(error: BaseException) -> str:
    cause = error.__cause__ or error.__context__
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(error)[:200] or type(error).__name__


def _number(address: Address, name: str, least: int = 1) -> int | None:
    text = address.options.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and least <= int(text[:12]) < 2**31):
        allowed = f"{name} as a whole number of at least {least}"
        raise address.error(allowed, f"?{name}={text[:12]}")
    return int(text)


def _settings(address: Address) -> dict[str, Any]:
    option = address.options.get
    settings: dict[str, Any] = {
        "host": address.host,
        "port": address.port(_PORT),
        "username": option("user"),
        "password": option("password"),
        "db": _number(address, "db", 0) or 0,
        "client_name": "ctxlog",
        # What is sent again is the caller's to decide.
        "retry": Retry(NoBackoff(), 0),
    }
    if address.tls:
        settings.update(
            ssl=True,
            ssl_ca_certs=option("ca"),
            ssl_certfile=option("cert"),
            ssl_keyfile=option("key"),
        )
    return settings
