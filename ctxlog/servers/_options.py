"""
The options of all server adapters: whose ids are used, and what is logged.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

from ctxlog._ask import ask
from ctxlog._names import CAMEL
from ctxlog.carrier.ids import (
    is_possible_request_id,
    is_valid_request_id,
    new_request_id,
)
from ctxlog.carrier.rates import RATE_HEADER, received_rate
from ctxlog.carrier.trace_context import Trace, received_trace
from ctxlog.completion.rules import (
    Completion,
    CompletionLevel,
    CompletionOptions,
    CompletionRules,
)
from ctxlog.errors import ConfigError
from ctxlog.servers._details import CompletionFields, is_header_name
from ctxlog.servers._headers import READ_BY_ALL, HeaderReader, Headers
from ctxlog.servers._levels import LevelRules, RequestLevel

_log = logging.getLogger("ctxlog")

_RATE = RATE_HEADER.lower()

#: Whose ids are used: those of all clients or of none, of clients in some networks, or
#: of clients whose address a callable accepts.
Trust: TypeAlias = bool | Iterable[str] | Callable[[str | None], bool]


class ServerOptions(CompletionOptions, total=False):
    """The keyword arguments of every server adapter, see `RequestOptions`."""

    request_id_header: str
    accept_headers: Iterable[str]
    trust: Trust
    generator: Callable[[], str] | None
    validator: Callable[[str], bool] | None
    user: Callable[[Any], object] | None
    ignore_paths: Iterable[str]
    completion_line: bool
    completion_fields: Iterable[str]
    expose_header: bool
    level: RequestLevel | None
    debug_header: str | None
    debug_token: str | None


@dataclass(eq=False, kw_only=True)
class RequestOptions:
    """
    The options of a server adapter, checked.

    The request id and the trace (`traceparent`, or the header of another tracing
    system) are used only if they are valid, and only from clients that *trust* accepts.
    An id that is not used is never logged.

    Args:
        request_id_header: The header of the id, in requests and responses.
        accept_headers: Further headers to take an id from, in this order.
        trust: Whose ids are used: True for those of all clients, False for those of
            none, networks such as `10.0.0.0/8`, or a callable that gets the client's
            address.
        generator: Makes a new id.
        validator: Decides if an id from a client is used; None for every id that fits
            into a header.
        user: Called at the end of the request with what the adapter documents; returns
            the user to bind, or None. Without it the framework's own user is bound.
        ignore_paths: Paths without a completion line; `*` stands for any characters.
        completion_line: Log a line when a request has ended.
        completion_fields: Which further fields the line has: `bytesOut` by default.
        completion: Called with the `ctxlog.completion.Completed` request; returns
            further fields of the line, None for none, or False for no line.
        completion_level: Called with the same; returns the line's level, as a number or
            a name, or None for the usual one.
        slow: From this duration on, in seconds, the line says `slow` and is at least a
            warning.
        expose_header: Let scripts of other origins read the id: the header is named in
            `Access-Control-Expose-Headers` on every response.
        level: Called at the beginning of the request with what the adapter documents;
            returns the level of the request's lines, as a number or a name, or None for
            the usual one.
        debug_header: A header by which a request has the level DEBUG, if its value is
            *debug_token*; *level* is not asked then. No line ever shows the header.
        debug_token: The value, a secret of at least 16 characters. It is compared in
            constant time, and does not depend on *trust*.

    Raises:
        ConfigError: if an option is invalid.
    """

    request_id_header: str = "X-Request-ID"
    accept_headers: Iterable[str] = ("X-Correlation-ID",)
    trust: Trust = True
    generator: Callable[[], str] | None = None
    validator: Callable[[str], bool] | None = is_valid_request_id
    user: Callable[[Any], object] | None = None
    ignore_paths: Iterable[str] = ()
    completion_line: bool = True
    completion_fields: Iterable[str] = (CAMEL.bytes_out,)
    completion: Completion | None = None
    completion_level: CompletionLevel | None = None
    slow: float | None = None
    expose_header: bool = False
    level: RequestLevel | None = None
    debug_header: str | None = None
    debug_token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        names = [_header("request_id_header", self.request_id_header)]
        for name in _strings("accept_headers", self.accept_headers):
            names.append(_header("accept_headers", name))
        #: The headers that an id is taken from, in lower case and in this order.
        self.accepted = tuple(dict.fromkeys(name.lower() for name in names))
        #: Which requests have a level of their own.
        self.levels = LevelRules(
            *(self.level, self.debug_header, self.debug_token),
            taken=frozenset({*self.accepted, *READ_BY_ALL}),
        )
        hidden = self.levels.header
        #: Finds those, and the headers of a trace and a rate, among all of a request.
        self.headers = HeaderReader((*self.accepted, *([hidden] if hidden else ())))
        #: The name of the header with the id, as ASGI has names.
        self.header_bytes = self.request_id_header.lower().encode()
        if not isinstance(self.trust, bool):
            self._is_trusted = _predicate(self.trust)
        #: Whether the client's address decides if its id is used.
        self.needs_client = not isinstance(self.trust, bool)
        #: Whether code of the application decides on the id.
        self.calls_application = (
            callable(self.trust)
            or self.generator is not None
            or self.validator not in (None, is_valid_request_id)
        )
        for option in ("generator", "validator", "user"):
            value = getattr(self, option)
            if value is not None and not callable(value):
                raise ConfigError(option, value, "a callable")
        ignored = _strings("ignore_paths", self.ignore_paths)
        self._ignored = frozenset(path for path in ignored if "*" not in path)
        self._ignored_patterns = tuple(path for path in ignored if "*" in path)
        for option in ("completion_line", "expose_header"):
            value = getattr(self, option)
            if not isinstance(value, bool):
                raise ConfigError(option, value, "True or False")
        asked_for = _strings("completion_fields", self.completion_fields)
        #: What the completion line has if it is asked for.
        self.details = CompletionFields(asked_for, hidden)
        #: What becomes of the completion line.
        self.rules = CompletionRules(
            completion=self.completion,
            completion_level=self.completion_level,
            slow=self.slow,
        )

    def completes(self, path: str) -> bool:
        """Return whether a request of *path* gets a completion line."""
        if not self.completion_line or path in self._ignored:
            return False
        patterns = self._ignored_patterns
        return not patterns or not any(fnmatchcase(path, one) for one in patterns)

    def choose_id(self, headers: Headers, client: str | None) -> tuple[str, str | None]:
        """
        Return the id of a request, and the header whose id was replaced, if any.

        Args:
            headers: What `headers` has found.
            client: The client's address.
        """
        for name in self.accepted:
            found = headers.get(name)
            if not found:
                continue
            request_id = found[0].strip(" \t")
            # Two different values: a proxy on the way added one.
            is_single = all(other.strip(" \t") == request_id for other in found[1:])
            if is_single and self._is_usable(request_id) and self.trusts(client):
                return request_id, None
            return self._new_id(), name
        return self._new_id(), None

    def choose_trace(self, headers: Headers, client: str | None) -> Trace | None:
        """Return the trace that came with a request, if the client is trusted."""
        trace = received_trace(headers)
        return trace if trace is not None and self.trusts(client) else None

    def choose_rate(self, headers: Headers, client: str | None) -> float | None:
        """Return how many requests one stands for, as a trusted client says."""
        rate = received_rate(headers.get(_RATE, ()))
        return rate if rate is not None and self.trusts(client) else None

    def _new_id(self) -> str:
        if self.generator is None:
            return new_request_id()
        failure = "the request id generator failed"
        request_id = ask(failure, new_request_id(), self.generator)
        if is_possible_request_id(request_id):
            return request_id
        _log.warning("the request id generator returned no usable id")
        return new_request_id()

    def _is_usable(self, request_id: str) -> bool:
        if not is_possible_request_id(request_id):
            return False
        validator = self.validator
        if validator is None or validator is is_valid_request_id:
            return validator is None or is_valid_request_id(request_id)
        failure = "the request id validator failed"
        return ask(failure, False, lambda: bool(validator(request_id)))

    def exposed(self, values: Iterable[str]) -> str:
        """
        Return `Access-Control-Expose-Headers` with the id's header.

        Args:
            values: The header's values on the response.
        """
        header = self.request_id_header
        names = [name.strip() for value in values for name in value.split(",")]
        names = [name for name in names if name]
        if header.lower() not in (name.lower() for name in names):
            names.append(header)
        return ", ".join(names)

    def trusts(self, client: str | None) -> bool:
        """Return whether the headers of a client are used."""
        if isinstance(self.trust, bool):
            return self.trust
        return ask("the trust callable failed", False, lambda: self._is_trusted(client))


def _header(option: str, name: object) -> str:
    if isinstance(name, str) and is_header_name(name):
        return name
    raise ConfigError(option, name, "the name of a header (RFC 9110, section 5.1)")


def _strings(option: str, values: object) -> tuple[str, ...]:
    if isinstance(values, Iterable) and not isinstance(values, (str, bytes)):
        listed = tuple(values)
        if all(isinstance(value, str) for value in listed):
            return listed
    raise ConfigError(option, values, "a list of strings")


def _predicate(trust: object) -> Callable[[str | None], bool]:
    """Return the function that tells if the client of an address is trusted."""
    if callable(trust):
        return lambda client: bool(trust(client))
    names = _strings("trust", trust)
    try:
        networks = [ipaddress.ip_network(name) for name in names]
    except ValueError as error:
        allowed = f"True, False, networks or a callable; {error}"
        raise ConfigError("trust", trust, allowed) from None

    def in_networks(client: str | None) -> bool:
        try:
            address = ipaddress.ip_address(client or "")
        except ValueError:  # a Unix socket, a test client's name
            return False
        return any(address in network for network in networks)

    return in_networks
