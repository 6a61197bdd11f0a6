"""
One request, whatever the interface: what all server adapters have in common.

Shared by the adapters of this folder; imports core only and does no input or output
besides logging. An adapter parses its framework's request into plain values, keeps an
`Exchange` open while the request runs, and tells it what happened.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import sys
import time
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Any, TypeAlias, TypeVar, cast

from ctxlog import _trackers
from ctxlog._interrupts import is_interrupt
from ctxlog._names import COMPLETION_LOGGER, get_names
from ctxlog._unheard import warn_if_unheard
from ctxlog.carrier import datadog, spans
from ctxlog.carrier.ids import (
    is_possible_request_id,
    is_safe_header_value,
    is_valid_request_id,
    new_request_id,
)
from ctxlog.carrier.received import ReceivedStore
from ctxlog.carrier.trace_context import received_trace
from ctxlog.context import Store, run
from ctxlog.context.adapter import Entry, continued, within
from ctxlog.errors import ConfigError
from ctxlog.servers._route import templated

_T = TypeVar("_T")

_log = logging.getLogger("ctxlog")
_completion_log = logging.getLogger(COMPLETION_LOGGER)

#: The header that lets scripts of other origins read further ones.
EXPOSE = "Access-Control-Expose-Headers"

#: Whose ids are used: everybody's, nobody's, those of clients in some networks, or of
#: clients whose address a callable accepts.
Trust: TypeAlias = bool | Iterable[str] | Callable[[str | None], bool]


class RequestStore(ReceivedStore):
    """
    The store of one request to a server.

    Attributes:
        completes: Whether ctxlog is in charge of the one line about the request, so
            that the server's access line is not needed.
        path: The request's path, without the query string.
        parameters: The values of the route's parameters, as far as they are known.
    """

    __slots__ = ("completes", "parameters", "path")

    completes: bool
    path: str
    parameters: Iterable[object]


class RequestOptions:
    """
    The options of all server adapters, checked.

    Trusted are the request id headers and the trace (`traceparent`, or the header of
    another tracing system) only,
    from the clients that `trust` names, and only if they are valid. An id that is not
    used is never logged.

    Args:
        request_id_header: Header of the id, in requests and responses.
        accept_headers: Further headers to take an id from, in this order.
        trust: Whose ids are used: True for everybody's, False for nobody's, networks
            such as `10.0.0.0/8`, or a callable that gets the client's address.
        generator: Makes a new id.
        validator: Whether an id that came in may be used; None for any that fits into
            a header.
        user: Called when the request has ended with what the adapter documents;
            returns the user to bind, or None. Without it the framework's own is taken.
        ignore_paths: Paths without a completion line: as they are, or with `*`.
        completion_line: Whether to log a line when a request has ended.
        expose_header: Whether scripts of other origins may read the id, by
            `Access-Control-Expose-Headers` on every response.

    Raises:
        ConfigError: an option has a value that it cannot have.
    """

    __slots__ = (
        "_ignored",
        "_ignored_patterns",
        "_trusted",
        "accepted",
        "asks_application",
        "asks_for_client",
        "completion_line",
        "expose_header",
        "generator",
        "header",
        "header_bytes",
        "user",
        "validator",
    )

    def __init__(
        self,
        *,
        request_id_header: str = "X-Request-ID",
        accept_headers: Iterable[str] = ("X-Correlation-ID",),
        trust: Trust = True,
        generator: Callable[[], str] | None = None,
        validator: Callable[[str], bool] | None = is_valid_request_id,
        user: Callable[[Any], object] | None = None,
        ignore_paths: Iterable[str] = (),
        completion_line: bool = True,
        expose_header: bool = False,
    ) -> None:
        self.header = _header("request_id_header", request_id_header)
        self.header_bytes = self.header.lower().encode()
        names = _strings("accept_headers", accept_headers)
        accepted = [self.header, *(_header("accept_headers", name) for name in names)]
        self.accepted = tuple(dict.fromkeys(name.lower() for name in accepted))
        self._trusted = _trusted(trust)
        self.asks_for_client = not isinstance(trust, bool)
        self.asks_application = (
            callable(trust)
            or generator is not None
            or validator not in (None, is_valid_request_id)
        )
        self.generator = (
            None if generator is None else checked_callable("generator", generator)
        )
        self.validator = (
            None if validator is None else checked_callable("validator", validator)
        )
        self.user = None if user is None else checked_callable("user", user)
        ignored = _strings("ignore_paths", ignore_paths)
        self._ignored = frozenset(path for path in ignored if "*" not in path)
        self._ignored_patterns = tuple(path for path in ignored if "*" in path)
        self.completion_line = _flag("completion_line", completion_line)
        self.expose_header = _flag("expose_header", expose_header)

    def completes(self, path: str) -> bool:
        """Whether a request of `path` gets a completion line."""
        if not self.completion_line or path in self._ignored:
            return False
        if not self._ignored_patterns:
            return True
        return not any(fnmatchcase(path, wanted) for wanted in self._ignored_patterns)

    def request_id(
        self, values: Callable[[str], list[str]], client: str | None
    ) -> tuple[str, str | None]:
        """
        Return the id of a request, and the header whose id was replaced, if any.

        Args:
            values: Gives a header's values by its name in lower case.
            client: The client's address.
        """
        for name in self.accepted:
            found = values(name)
            if not found:
                continue
            request_id = found[0].strip(" \t")
            # Twice with different values: somebody on the way added one.
            if any(other.strip(" \t") != request_id for other in found[1:]):
                return self.new_id(), name
            if self._is_usable(request_id) and self.trusts(client):
                return request_id, None
            return self.new_id(), name
        return self.new_id(), None

    def new_id(self) -> str:
        """Return a new id: the generator's, or our own if that fails."""
        if self.generator is None:
            return new_request_id()
        try:
            request_id = self.generator()
        except Exception as error:
            if is_interrupt(error):
                raise
            _log.exception("the request id generator failed")
            return new_request_id()
        if is_possible_request_id(request_id):
            return request_id
        _log.warning("the request id generator returned no usable id")
        return new_request_id()

    def _is_usable(self, request_id: str) -> bool:
        if not is_possible_request_id(request_id):
            return False
        if self.validator is None:
            return True
        try:
            return bool(self.validator(request_id))
        except Exception as error:
            if is_interrupt(error):
                raise
            _log.exception("the request id validator failed")
            return False

    def trusts(self, client: str | None) -> bool:
        """Whether what a client says about its request is used."""
        try:
            return self._trusted(client)
        except Exception as error:
            if is_interrupt(error):
                raise
            _log.exception("the trust callable failed")
            return False


def _flag(option: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ConfigError(option, value, "True or False")


def _header(option: str, name: object) -> str:
    tokens = "!#$%&'*+-.^_`|~"
    if (
        isinstance(name, str)
        and name.isascii()
        and name
        and all(c.isalnum() or c in tokens for c in name)
    ):
        return name
    raise ConfigError(option, name, "the name of a header (RFC 9110, section 5.1)")


def _strings(option: str, values: object) -> tuple[str, ...]:
    if isinstance(values, Iterable) and not isinstance(values, (str, bytes)):
        listed = tuple(values)
        if all(isinstance(value, str) for value in listed):
            return listed
    raise ConfigError(option, values, "a list of strings")


def checked_callable(option: str, value: Any) -> Any:
    """Return `value`, the value of `option`, which must be a callable."""
    if callable(value):
        return value
    raise ConfigError(option, value, "a callable")


def _trusted(trust: object) -> Callable[[str | None], bool]:
    if isinstance(trust, bool):
        return lambda client: trust
    if callable(trust):
        return lambda client: bool(trust(client))
    try:
        networks = [ipaddress.ip_network(name) for name in _strings("trust", trust)]
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


def bind_user(store: Store, user_of: Callable[[], object]) -> None:
    """Bind the user that `user_of` returns, unless there is one. Never raises."""
    if "user" in store:
        return
    try:
        user = user_of()
    except Exception as error:
        if is_interrupt(error):
            raise
        _log.exception("the user of the request could not be read")
        return
    if user is not None:
        store["user"] = user


class _Part:
    """A runner in an entry that does not end it."""

    __slots__ = ("done", "step")

    def __init__(self, entry: Entry) -> None:
        self.step = entry.step
        self.done = entry.note


#: Called with the error that has ended a request, outside of its store.
failed: list[Callable[[BaseException], object]] = []


class Exchange:
    """
    One request from its arrival to its completion line.

    A context manager: inside, the request's fresh store is active, whatever was before.
    Leaving logs the completion line, also by an exception or a cancellation, closes the
    store and puts the context back. It adds no exception of its own. A request that the
    server drives piece by piece runs each with `step()`, and ends with `end()`.

    Args:
        options: The adapter's options.
        method: The request's method.
        path: Its path, without the query string: that holds secrets.
        client: The client's address.
        values: Gives a request header's values by its name in lower case.
        user_of: What `options.user` (else the adapter itself) makes the user of; None
            when it has none.

    Attributes:
        ending: What is called in the store before the completion line, if anything.
        parameters: Gives the values of the route's parameters once that is known, if
            the adapter knows it.
    """

    __slots__ = (
        "_around",
        "_datadog",
        "_ended",
        "_entry",
        "_error",
        "_given_id",
        "_names",
        "_options",
        "_started",
        "_user_of",
        "client",
        "details",
        "ending",
        "method",
        "parameters",
        "path",
        "_status",
        "store",
    )

    def __init__(
        self,
        options: RequestOptions,
        *,
        method: str,
        path: str,
        client: str | None,
        values: Callable[[str], list[str]],
        user_of: Callable[[], object] | None = None,
    ) -> None:
        self._options = options
        self._user_of = user_of
        self._ended: float | None = None
        self._error: BaseException | None = None
        self._around = sys.exc_info()[1]
        self.method = method
        self.path = path
        self.client = client
        self._datadog: Any = None
        self.status = None
        self.details: dict[str, object] = {}
        self.ending: Callable[[], object] | None = None
        self.parameters: Callable[[], Iterable[object]] | None = None
        self._names = names = get_names()
        if options.asks_application:
            # What the options' callables log is this request's, and has no id yet.
            store = RequestStore()
            request_id, replaced = run(store, options.request_id, values, client)
            store[names.request_id] = request_id
        else:
            request_id, replaced = options.request_id(values, client)
            store = RequestStore({names.request_id: request_id})
        self.store = store
        self._given_id = request_id
        self._entry = Entry(store)
        came = received_trace(values)
        if came is not None and options.trusts(client):
            store.enter_trace(came)
        spans.watch(store)
        store.completes = options.completes(path)
        store.path = path
        store.parameters = ()
        self._started = time.perf_counter()
        if replaced is not None:
            message = "the request id in %s was not usable and has been replaced"
            run(store, _log.warning, message, replaced)

    @property
    def status(self) -> int | None:
        """The status of the response, None until it begins."""
        return self._status

    @status.setter
    def status(self, status: int | None) -> None:
        self._status = status
        # Where a response begins the tracer's middleware is around, at the end no more.
        if "ddtrace.trace" in sys.modules:
            self._datadog = datadog.active_span() or self._datadog

    def __enter__(self) -> Exchange:
        self._entry.__enter__()
        return self

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        try:
            self._complete(error)
        finally:
            self._entry.__exit__(kind, error, traceback)
        if error is not None:
            for told in failed:
                told(error)

    def step(self, fn: Callable[..., _T], /, *args: Any) -> _T:
        """
        Call `fn`, a piece of the request, in the store and return what it returns.

        Nothing is left behind afterwards, except that the server's own lines are the
        request's until it ends. What `fn` raises remembers the request.
        """
        return self._entry.step(fn, *args)

    def run(self, fn: Callable[..., _T], /, *args: Any) -> _T:
        """As `step()`, and so does the body of a coroutine or generator of `fn`'s."""
        result = continued(self._entry.step(fn, *args), _Part(self._entry))
        return cast(_T, result)

    def end(self, error: BaseException | None = None) -> None:
        """End one that ran in pieces, as leaving the block does. Twice is once."""
        if self.store.closed:
            return
        error = error or self._error
        # Not kept: they refer to frames that refer to this.
        self._error = self._around = None
        try:
            self._complete(error)
        finally:
            self._entry.done(error)

    @property
    def pending(self) -> bool:
        """Whether the response has not been sent completely."""
        return self._ended is None

    @property
    def header(self) -> str:
        """The name of the header that the response echoes the id in."""
        return self._options.header

    @property
    def header_bytes(self) -> bytes:
        """The same, in lower case, as ASGI has it."""
        return self._options.header_bytes

    @property
    def request_id(self) -> str:
        """The id to echo: the store's, empty if the application bound an unsafe one."""
        request_id = self.store.get(self._names.request_id)
        if request_id is self._given_id:  # it was checked, or made here
            return self._given_id
        if isinstance(request_id, str) and is_safe_header_value(request_id):
            return request_id
        return ""

    @property
    def exposes(self) -> bool:
        """Whether the response names the id's header for scripts of other origins."""
        return self._options.expose_header

    def exposed(self, values: Iterable[str]) -> str:
        """
        Return `Access-Control-Expose-Headers` with the id's header.

        Args:
            values: What the response has there.
        """
        names = [name.strip() for value in values for name in value.split(",")]
        names = [name for name in names if name]
        if self.header.lower() not in (name.lower() for name in names):
            names.append(self.header)
        return ", ".join(names)

    def echo(self, headers: Any) -> None:
        """Put the id on a response whose headers are a mapping."""
        if not self.request_id:
            return
        headers[self.header] = self.request_id
        if self.exposes:
            read_all = getattr(headers, "getall", None)
            given = headers.get(EXPOSE, "")
            values = read_all(EXPOSE, ()) if read_all is not None else [given]
            headers[EXPOSE] = self.exposed(values)

    def raised(self, error: BaseException) -> None:
        """Note what a body raised, or was stopped by: a client that left stops it."""
        if isinstance(error, (GeneratorExit, asyncio.CancelledError)):
            self.details["disconnected"] = True
        elif self._error is None:
            self._error = error

    def close(
        self, close: Callable[[], object] | None, *, unfinished: bool = False
    ) -> None:
        """
        Call `close()` of what the application returned as the last piece, and end.

        Args:
            close: What to call.
            unfinished: Whether the server has not read the whole body.
        """
        self.answered()
        # Servers close in a `finally`: this is why they could not send the response.
        error = sys.exc_info()[1]
        if self._error is None and error is not self._around:
            if isinstance(error, (OSError, GeneratorExit)):
                self.details["disconnected"] = True
            else:
                self._error = error
        if self._error is None and unfinished:
            self.details["disconnected"] = True
        try:
            if close is not None:
                self.step(close)
        except BaseException as raised:
            self.end(self._error or raised)
            raise
        self.end()

    def answered(self) -> None:
        """Say that the response has been sent: the duration ends here."""
        if self._ended is None:
            self._ended = time.perf_counter()

    def _complete(self, error: BaseException | None) -> None:
        # In the store, wherever a cancelled request is cleaned up.
        within(self.store, self._finish, error)

    def _finish(self, error: BaseException | None) -> None:
        if self._user_of is not None:
            bind_user(self.store, self._user_of)
        if self.ending is not None:
            self.ending()
        if self.store.completes:
            self._log_completion(error)

    def bind_user(self) -> None:
        """Put the user on the lines from here on, if there is one by now."""
        if self._user_of is not None:
            run(self.store, bind_user, self.store, self._user_of)

    def _log_completion(self, error: BaseException | None) -> None:
        self.answered()
        ended = self._ended or self._started
        status, outcome, level = self._outcome(error)
        fields: dict[str, object] = {"method": self.method, "path": self.path}
        if status is not None:
            fields["status"] = status
        fields[self._names.duration] = round((ended - self._started) * 1000, 3)
        if self.client is not None:
            fields["client"] = self.client
        fields.update(self.details)
        if error is not None:
            fields["error"] = type(error).__name__
        log = _completion_log
        warn_if_unheard(log)
        if log.isEnabledFor(level):
            # As `log.log()` does it, which would look for the caller: it is known.
            _trackers.watch()
            message, args = self._message(outcome)
            about = (log.name, level, *_PLACE, message, args, None, _FUNCTION, fields)
            if self._datadog is None:
                log.handle(log.makeRecord(*about))
            else:
                with datadog.lent_span(self._datadog):
                    log.handle(log.makeRecord(*about))

    def _message(self, outcome: str) -> tuple[str, tuple[str, ...]]:
        """The message, as a template of its route and arguments."""
        read = self.parameters
        found = self.store.parameters if read is None else read()
        return templated(self.method, self.path, outcome, found)

    def _outcome(
        self, error: BaseException | None
    ) -> tuple[int | str | None, str, int]:
        """The status, how the message ends, and the level."""
        status = self.status
        failed = isinstance(error, Exception)
        if status is None and failed:
            status = 500  # what the server answers
        if status is None:
            return None, "cancelled" if error else "no response", logging.WARNING
        if failed or status >= 500:
            level = logging.ERROR
        elif status >= 400 or error is not None or self.details.get("disconnected"):
            level = logging.WARNING
        else:
            level = logging.INFO
        return status, str(status), level


# Where completion lines are logged.
_CODE = Exchange._log_completion.__code__
_PLACE = (_CODE.co_filename, _CODE.co_firstlineno)
_FUNCTION = _CODE.co_name
