"""
One outgoing call: what all adapters of this folder have in common.

An adapter makes a `Call` before its library sends a request, lets it add the headers,
and notes how it ended.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple, TypedDict, cast
from urllib.parse import urlsplit

from ctxlog._names import get_names
from ctxlog.carrier.fields import checked_fields
from ctxlog.carrier.headers import inject
from ctxlog.context.adapter import begin_time, end_time
from ctxlog.errors import ConfigError

#: The logger of the lines that say how an outgoing call ended.
CLIENT_LOGGER = "ctxlog.client"

_completion_log = logging.getLogger(CLIENT_LOGGER)


class _Hosts(TypedDict):
    hosts: Iterable[str]


class ClientOptions(_Hosts, total=False):
    """The keyword arguments of every client adapter, see `CallOptions`."""

    fields: Iterable[str]
    completion_line: bool


@dataclass(eq=False, kw_only=True)
class CallOptions:
    """
    The options of a client adapter, checked.

    Args:
        hosts: The hosts that get the headers: names as in URLs (`payments`,
            `api.example.com`, `[::1]`), with `*` for any part of one
            (`*.internal`), and with a port to mean only that (`localhost:8001`).
        fields: The names of further fields to send as `baggage`.
        completion_line: Log a line when a call has ended, to any host.

    Raises:
        ConfigError: if an option is invalid.
    """

    hosts: Iterable[str]
    fields: Iterable[str] = ()
    completion_line: bool = False

    def __post_init__(self) -> None:
        hosts = self.hosts
        allowed = "a list of names of hosts, such as api.example.com or *.internal"
        if isinstance(hosts, (str, bytes)) or not isinstance(hosts, Iterable):
            raise ConfigError("hosts", hosts, allowed)
        self.hosts = tuple(hosts)
        for name in self.hosts:
            if not isinstance(name, str) or not name or set(name) & set("/?#@ \t\r\n"):
                raise ConfigError("hosts", name, allowed)
        self.fields = checked_fields(self.fields)
        if not isinstance(self.completion_line, bool):
            raise ConfigError("completion_line", self.completion_line, "True or False")

    def allow(self, url: str) -> bool:
        """Return whether a call of *url* takes the headers along."""
        target = _Target.of(url)
        if not target.host:
            return False
        names = (target.host, f"{target.host}:{target.port}")
        return any(_matches(name, wanted) for wanted in self.hosts for name in names)

    def inject(self, url: str, headers: MutableMapping[str, str]) -> frozenset[str]:
        """Add the headers if the host of *url* may have them; return their names."""
        if not self.allow(url):
            return frozenset()
        before = frozenset(headers)
        inject(headers, fields=self.fields)
        return frozenset(headers) - before


class _Target(NamedTuple):
    """
    The target of a call.

    Attributes:
        host: Its name in lower case, an IPv6 address in brackets; empty without one.
        port: Its port; the scheme's own if the URL has none.
        shown: The host, with the port if the URL has one.
        path: The path, without the query string: that holds secrets.
    """

    host: str
    port: int | None
    shown: str
    path: str

    @classmethod
    def of(cls, url: str) -> _Target:
        """Return the target of a URL; an invalid one has no host."""
        try:
            parts = urlsplit(url)
            said = parts.port
        except ValueError:
            return cls("", None, "", "")
        host = (parts.hostname or "").lower()
        if ":" in host:
            host = f"[{host}]"
        port = said or {"https": 443, "http": 80}.get(parts.scheme)
        return cls(host, port, f"{host}:{said}" if said else host, parts.path)


def _matches(host: str, wanted: str) -> bool:
    wanted = wanted.lower()
    if "*" not in wanted:
        return host == wanted
    # Brackets are of an IPv6 address here, not a choice of characters.
    return fnmatchcase(host, wanted.replace("[", "[[]"))


class Call:
    """
    One outgoing call, from before it is sent until its response has begun.

    Made in the context of the caller, whose request counts and times it. Its methods do
    not raise. It ends once; what comes later is ignored.

    Args:
        options: The adapter's options.
        method: The call's method; may be corrected until the end.
        url: Its URL.
    """

    #: The name of the request's total.
    total = "http"

    __slots__ = (
        "_ended",
        "_milliseconds",
        "_options",
        "_started",
        "_store",
        "_url",
        "method",
    )

    def __init__(self, options: CallOptions, method: str, url: str) -> None:
        self._options = options
        self.method = method
        self._url = url
        self._ended = False
        self._milliseconds: float | None = None
        self._store = begin_time(self.total)
        self._started = time.perf_counter()

    def inject(self, headers: MutableMapping[str, str]) -> frozenset[str]:
        """Add the headers if the host may have them; return their names."""
        return self._options.inject(self._url, headers)

    def answered(self) -> None:
        """Stop the time: the response has begun. The line comes with `end()`."""
        if self._milliseconds is None:
            end_time(self.total, self._store)
            self._milliseconds = (time.perf_counter() - self._started) * 1000

    def end(self, status: int) -> None:
        """Log that a response has begun."""
        level = logging.INFO if status < 400 else logging.WARNING
        self._complete(level, str(status), {"status": status})

    def fail(self, error: BaseException) -> None:
        """Log that there was no response."""
        name = type(error).__name__
        self._complete(logging.WARNING, name, {"error": name})

    def _complete(self, level: int, outcome: str, details: dict[str, object]) -> None:
        self.answered()
        if self._ended or not self._options.completion_line:
            return
        self._ended = True
        target = _Target.of(self._url)
        fields: dict[str, object] = {
            "method": self.method,
            "host": target.shown,
            "path": target.path or "/",
            **details,
            get_names().duration: round(cast(float, self._milliseconds), 3),
        }
        message = f"{self.method} {target.shown}{target.path} {outcome}"
        _completion_log.log(level, message, extra=fields)
