"""
HTTP to a store: one client, whose failures are `UnavailableError` or `RefusedError`.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from ctxlog.aggregators import _tls
from ctxlog.aggregators._address import Address
from ctxlog.aggregators._store import (
    DeniedError,
    RefusedError,
    UnavailableError,
    UnreachableError,
)
from ctxlog.errors import requires

with requires("urllib3", "ship"):
    import urllib3
    from urllib3 import exceptions

#: The options of an address that every store by HTTP knows.
OPTIONS = frozenset({"ca", "cert", "gzip", "key", "timeout"})

#: A store that asks for more is asked again after this many seconds.
LONGEST_RETRY_AFTER = 300.0

# Other answers below 500 are about the lines: not these, which are about the request
# (credentials, the address, how it was sent), and those that ask for another time.
_DENIED = frozenset({401, 402, 403, 404, 405, 407, 421, 426})
_LATER = frozenset({408, 425, 429})

_SHOWN = 200


class Answer(NamedTuple):
    """The answer of a store: its status, headers (any case), and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Client:
    """
    The connections to one store; one thread uses it at a time.

    Args:
        address: Where the store is; its headers are sent with each request, and the
            options of `OPTIONS` are followed.
        port: The store's usual port.

    Raises:
        ConfigError: if an option is invalid.
    """

    def __init__(self, address: Address, port: int) -> None:
        self.address = address
        self._gzip = address.choice("gzip", "true", "false") == "true"
        self._timeout = address.seconds("timeout", 10.0)
        self._headers = {"User-Agent": "ctxlog", **address.headers}
        self._where = address.host, address.port(port)
        self._context = _tls.context(address) if address.tls else None
        self._pool: urllib3.HTTPConnectionPool | None = None

    def _open(self) -> urllib3.HTTPConnectionPool:
        if self._pool is None:
            if self._context is None:
                self._pool = urllib3.HTTPConnectionPool(*self._where, maxsize=1)
            else:
                self._pool = urllib3.HTTPSConnectionPool(
                    *self._where, maxsize=1, ssl_context=self._context
                )
        return self._pool

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """
        Send a request, and return the whole answer to it, whose status is 2xx.

        Args:
            method: `GET`, `POST` ...
            path: The path, with its query.
            body: Compressed, unless the address has `?gzip=false`.
            headers: Further headers; those of the address win.
            timeout: The most seconds for each of connecting and waiting; those of the
                address are the limit.

        Raises:
            UnavailableError: if there was no whole answer, or one that is not about
                what was sent.
            RefusedError: if the answer's status says that the body is wrong.
        """
        with self._sent(method, path, body, headers, timeout) as response:
            try:
                content = response.read(decode_content=True)
            except (exceptions.HTTPError, OSError, ValueError) as error:
                raise _unavailable(error) from None
        return Answer(response.status, response.headers, content)

    def lines(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Iterator[bytes]:
        """
        Send a request, and yield the lines of the answer as they come.

        Arguments and errors are those of `request()`; an error may come after lines.
        """
        with self._sent(method, path, body, headers, timeout) as response:
            rest = b""
            try:
                for part in response.stream(65_536, decode_content=True):
                    *whole, rest = (rest + part).split(b"\n")
                    yield from whole
            except (exceptions.HTTPError, OSError, ValueError) as error:
                raise _unavailable(error) from None
        if rest:
            yield rest

    def close(self) -> None:
        """Close the connections; the next request opens one again."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def _sent(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str] | None,
        timeout: float | None,
    ) -> urllib3.BaseHTTPResponse:
        sent = {**(headers or {}), **self._headers, "Accept-Encoding": "gzip"}
        if body is not None and self._gzip:
            body = gzip.compress(body, 1, mtime=0)
            sent["Content-Encoding"] = "gzip"
        limit = self._timeout if timeout is None else min(timeout, self._timeout)
        try:
            response = self._open().urlopen(
                method,
                path,
                body=body,
                headers=sent,
                retries=False,
                redirect=False,
                preload_content=False,
                timeout=urllib3.Timeout(connect=limit, read=limit),
            )
            if 200 <= response.status < 300:
                return response
            with response:
                content = response.read(decode_content=True)
        except (exceptions.HTTPError, OSError, ValueError) as error:
            raise _unavailable(error) from None
        raise self.failure(Answer(response.status, response.headers, content))

    def failure(self, answer: Answer) -> UnavailableError | RefusedError:
        """Return the error that an answer stands for, which is no success."""
        return failure(answer, self.address)


def failure(answer: Answer, address: Address) -> UnavailableError | RefusedError:
    """
    Return the error that an answer stands for, which is no success.

    Args:
        answer: The answer. It may repeat a credential, which the error does not.
        address: Where it comes from.
    """
    reason = f"it answers {answer.status}"
    body = answer.body[: 10 * _SHOWN].decode("utf-8", "replace")
    text = " ".join(address.without_secrets(body)[:_SHOWN].split())
    if text and text.isprintable():
        reason += f": {text}"
    wait = retry_after(answer.headers.get("Retry-After"))
    if answer.status in _DENIED or 300 <= answer.status < 400:
        return DeniedError(reason, wait)
    if 400 <= answer.status < 500 and answer.status not in _LATER:
        return RefusedError(reason, answer.body)
    return UnavailableError(reason, wait)


def retry_after(value: str | None, now: float | None = None) -> float | None:
    """
    Return the seconds of a `Retry-After` header: a number of them, or a date.

    Args:
        value: The header; None without one.
        now: The time, in seconds since 1970; the present unless given.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isdecimal() and text.isascii():
        return min(float(text[:10]), LONGEST_RETRY_AFTER)
    try:
        then = parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
    seconds = then - (time.time() if now is None else now)
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


def _unavailable(error: Exception) -> UnavailableError:
    """Return why there was no whole answer. An error's own text may show the path."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(error, exceptions.NameResolutionError):
        return UnreachableError("its name is not known")
    if isinstance(error, exceptions.NewConnectionError):
        return UnreachableError(getattr(cause, "strerror", None) or "no connection")
    if isinstance(error, exceptions.ConnectTimeoutError):
        return UnavailableError("no connection in time")
    if isinstance(error, (exceptions.TimeoutError, TimeoutError)):
        return UnavailableError("no answer in time")
    if isinstance(error, exceptions.SSLError):
        reason = _tls.failure(error)
        if reason is not None:
            return DeniedError(reason)
    return UnavailableError("the connection broke off")
