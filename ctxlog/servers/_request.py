"""
One request to a server: what all adapters of this folder have in common.

An adapter reads its framework's request into plain values, keeps a `RequestEntry` open
while the request runs, and notes what becomes of it: its status, its user, its end.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import sys
import time
from collections.abc import Callable, Collection
from typing import Any, TypeVar, cast

from ctxlog._ask import ask
from ctxlog._names import COMPLETION_LOGGER, get_names
from ctxlog.carrier import datadog, spans
from ctxlog.carrier.ids import is_safe_header_value, new_request_id
from ctxlog.carrier.received import ReceivedStore
from ctxlog.carrier.trace_context import Trace
from ctxlog.completion.completed import Completed
from ctxlog.completion.line import further_fields, is_heard, log_completion
from ctxlog.context import Store
from ctxlog.context.adapter import (
    Entry,
    View,
    continued,
    entry_store,
    new_lines,
)
from ctxlog.retention import keep, set_store_level, settle
from ctxlog.servers._completion import completion_fields, http_outcome
from ctxlog.servers._details import content_length, header_map
from ctxlog.servers._facts import RequestFacts
from ctxlog.servers._headers import Headers
from ctxlog.servers._options import RequestOptions
from ctxlog.servers._route import templated

_T = TypeVar("_T")

_log = logging.getLogger("ctxlog")
_completion_log = logging.getLogger(COMPLETION_LOGGER)

#: The header that lets scripts of other origins read further ones.
EXPOSE = "Access-Control-Expose-Headers"

#: Functions to call with the error that has ended a request, outside of its store.
failed: list[Callable[[BaseException], object]] = []


class RequestStore(ReceivedStore):
    """
    The store of one request to a server.

    Attributes:
        path: The request's path, without the query string.
        completes: Whether the request gets a completion line from ctxlog, so that the
            server's access line is not needed.
        parameters: The values of the route's parameters, as far as they are known.
        request: The framework's own request, where its adapter learns of it within the
            framework; dropped at the end.
    """

    __slots__ = ("completes", "parameters", "path", "request")

    def __init__(
        self,
        path: str,
        completes: bool,
        fields: dict[str, object],
        trace: Trace | None,
    ) -> None:
        # Not by the classes above, which copy and check what they are given.
        lines = None if new_lines.make is None else new_lines.make()
        self._view = View(fields, time.time_ns(), False, lines)
        self.trace = trace
        self.span_rank = 0
        self.path = path
        self.completes = completes
        self.parameters: Collection[object] = ()
        self.request: object = None

    def enter_route(self, route: str, instead_of: str | None = None) -> None:
        """Bind the route, unless there is one other than *instead_of*."""
        known = self._view.fields.get("route")
        if known is None or known == instead_of:
            self._put({"route": route})


def bind_user(store: Store, user_of: Callable[[], object]) -> None:
    """Bind the user that *user_of* returns, unless there is one. Never raises."""
    if "user" in store:
        return
    user = ask("the user of the request could not be read", None, user_of)
    if user is not None:
        store["user"] = user


def note_route(route: str, *, instead_of: str | None = None) -> None:
    """
    Put the route that matched on all further lines of the active request.

    The first one stands, and so does a `route` that the application has bound.

    Args:
        route: The template, in the framework's notation.
        instead_of: A less exact route that may be replaced: that of a mount.
    """
    store = entry_store()
    if isinstance(store, RequestStore):
        store.enter_route(route, instead_of)


class RequestEntry(Entry, RequestFacts):
    """
    One request from its arrival to its completion line.

    A context manager: inside, the request's fresh store is active, whatever was before.
    Leaving logs the completion line, also by an exception or a cancellation, closes the
    store and puts the context back. It adds no exception of its own. A request that the
    server drives piece by piece runs each with `step()`, and ends with `end()`. An
    adapter extends the class by what it reads of its framework's request at the end.
    The class is long because a request can begin and end in many ways.

    Args:
        options: The adapter's options.
        method: The request's method.
        path: Its path, without the query string: that holds secrets.
        client: The client's address.
        headers: Its headers, as `options.headers` finds them.
        route: The template that matched, if it is known by now.
        identify: Whether the id is chosen now; else the adapter calls `identify()`.
        source: What the option `level` is called with.

    Attributes:
        ending: Called in the store before the completion line, if not None.
    """

    __slots__ = (
        "_around",
        "_began",
        "_chosen_id",
        "_ended",
        "_error",
        "_headers",
        "_started",
        "bytes_in",
        "bytes_out",
        "client",
        "details",
        "ending",
        "method",
        "options",
        "path",
        "response_headers",
        "span",
        "status",
    )

    store: RequestStore

    def __init__(
        self,
        options: RequestOptions,
        method: str,
        path: str,
        client: str | None,
        headers: Headers,
        *,
        route: str | None = None,
        identify: bool = True,
        source: object = None,
    ) -> None:
        fields: dict[str, object] = {}
        trace = replaced = None
        request_id = ""
        if identify and not options.calls_application:
            # A store that is made with its fields is not written to again.
            if headers:
                request_id, replaced = options.choose_id(headers, client)
                trace = options.choose_trace(headers, client)
            else:
                request_id = new_request_id()
            fields[get_names().request_id] = request_id
            if trace is not None:
                fields.update(trace.fields)
        if route is not None:
            fields["route"] = route
        store = RequestStore(path, options.completes(path), fields, trace)
        Entry.__init__(self, store)
        self._started = time.perf_counter()
        self._began: float | None = None
        self._ended: float | None = None
        self._error: BaseException | None = None
        self._around = sys.exc_info()[1]
        self._chosen_id = request_id
        self.span = self.response_headers = None
        self.status = self.bytes_in = self.bytes_out = None
        self._headers = headers
        self.options = options
        self.method = method
        self.path = path
        self.client = client
        self.details = {}
        self.ending: Callable[[], object] | None = None
        if request_id:
            spans.watch(store)
            if headers and store._view.lines is not None:
                store.enter_trace(trace)
                store.enter_rate(options.choose_rate(headers, client))
            if replaced is not None:
                self._say_replaced(replaced)
        else:
            store.expect_id(True)
            if identify:
                self.identify()
        if identify and options.levels.asked:
            self.choose_level(source)

    def identify(self) -> None:
        """Choose the request's id, and take its trace if the client is trusted."""
        store, options, headers = self.store, self.options, self._headers
        # The options' callables log in this request, which has no id yet.
        chosen, replaced = self._within(options.choose_id, headers, self.client)
        store[get_names().request_id] = self._chosen_id = chosen
        store.enter_trace(options.choose_trace(headers, self.client))
        if store._view.lines is not None:
            store.enter_rate(options.choose_rate(headers, self.client))
            store.expect_id(False)
        spans.watch(store)
        if replaced is not None:
            self._say_replaced(replaced)

    def choose_level(self, source: object) -> None:
        """Give the request the level that the options choose, with *source*."""
        levels = self.options.levels
        if levels.has_token(self._headers):
            set_store_level(self.store, logging.DEBUG)
            keep(self.store)  # it was asked for, whatever is sampled
            return
        level = self._within(levels.choose, source)
        if level is not None:
            set_store_level(self.store, level)

    def _say_replaced(self, header: str) -> None:
        message = "the request id in %s was not usable and has been replaced"
        self._within(_log.warning, message, header)

    def user_reader(self) -> Callable[[], object] | None:
        """Return what reads the user to bind at the end; None without a user."""
        return None

    def _reader_of(
        self, source: Any, read: Callable[[Any], object] | None = None
    ) -> Callable[[], object] | None:
        """Return what calls the option `user`, or else *read*, with *source*."""
        read = self.options.user or read
        return None if read is None else functools.partial(read, source)

    def read_parameters(self) -> Collection[object]:
        return self.store.parameters

    def read_request(self) -> object:
        return self.store.request

    def content_length(self) -> int | None:
        """Return the size of the body that the response's headers promise."""
        return content_length(header_map(self.response_headers))

    def note_status(self, status: int | None) -> None:
        """Note the status of the response, as it begins."""
        self.status = status
        if self._began is None and self.options.details.ttfb:
            self._began = time.perf_counter()
        # Where a response begins the tracer's middleware is around, at the end no more.
        if "ddtrace.trace" in sys.modules:
            self.span = datadog.active_span() or self.span

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        try:
            self._complete(error)
        finally:
            Entry.__exit__(self, kind, error, traceback)
        if error is not None:
            for report in failed:
                report(error)

    def run(self, fn: Callable[..., _T], /, *args: Any) -> _T:
        """Call *fn* as `step()` does, and run a coroutine's or generator's body so."""
        return cast(_T, continued(self.step(fn, *args), _Part(self)))

    def raised(self, error: BaseException) -> None:
        """Note what ended a body early: an exception, or a client that left."""
        if isinstance(error, (GeneratorExit, asyncio.CancelledError)):
            self.details["disconnected"] = True
        elif self._error is None:
            self._error = error

    def answered(self) -> None:
        """Note that the response has been sent: the duration ends here."""
        if self._ended is None:
            self._ended = time.perf_counter()

    @property
    def ttfb(self) -> float | None:
        return None if self._began is None else self._began - self._started

    @property
    def duration(self) -> float:
        return (self._ended or self._started) - self._started

    @property
    def pending(self) -> bool:
        """Whether the response has not been sent completely."""
        return self._ended is None

    def end(self, error: BaseException | None = None) -> None:
        """End a request that ran in pieces. Calling it again is a no-op."""
        if self.store.closed:
            return
        error = error or self._error
        # Not kept: they refer to frames that refer to this.
        self._error = self._around = None
        try:
            self._complete(error)
        finally:
            self.done(error)

    def close(
        self,
        close: Callable[[], object] | None,
        *,
        unfinished: bool = False,
        length: int | None = None,
    ) -> None:
        """
        Call `close()` of what the application returned as the last piece, and end.

        Args:
            close: The function; None if the application gave none.
            unfinished: Whether the server has not read the whole body.
            length: The size of a body that the server has sent by itself, if it has.
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
        if length is not None and not (self._error or "disconnected" in self.details):
            self.bytes_out = length
        try:
            if close is not None:
                self.step(close)
        except BaseException as raised:
            self.end(self._error or raised)
            raise
        self.end()

    def echoed_id(self) -> str:
        """Return the id to echo: empty if the application bound an unsafe one."""
        try:
            request_id = self.store[get_names().request_id]
        except KeyError:
            return ""
        if request_id is self._chosen_id:  # it was checked, or made here
            return self._chosen_id
        if isinstance(request_id, str) and is_safe_header_value(request_id):
            return request_id
        return ""

    def echo(self, headers: Any) -> None:
        """Put the id on a response whose headers are a mapping, which are noted."""
        self.response_headers = headers
        request_id = self.echoed_id()
        if not request_id:
            return
        headers[self.options.request_id_header] = request_id
        if self.options.expose_header:
            read_all = getattr(headers, "getall", None)
            given = headers.get(EXPOSE, "")
            values = read_all(EXPOSE, ()) if read_all is not None else [given]
            headers[EXPOSE] = self.options.exposed(values)

    def bind_user(self) -> None:
        """Put the user on the lines from here on, if there is one by now."""
        read = self.user_reader()
        if read is not None:
            self._within(bind_user, self.store, read)

    def _complete(self, error: BaseException | None) -> None:
        # In the store, wherever a cancelled request is cleaned up.
        try:
            self._within(self._finish, error)
        finally:
            self.store.request = None  # which knows the store

    def _finish(self, error: BaseException | None) -> None:
        read = self.user_reader()
        if read is not None:
            bind_user(self.store, read)
        if self.ending is not None:
            self.ending()
        store = self.store
        waits = store._view.lines is not None
        if not (store.completes or waits):
            return
        self.answered()
        status, outcome, usual = self.outcome(error)
        duration, level, fields = self.duration, 0, None
        if store.completes:
            rules = self.options.rules
            level, slow, completed = rules.judge(
                usual, duration, lambda: self._completed(status, duration, error)
            )
            if is_heard(_completion_log, level):
                details = self.options.details
                fields = completion_fields(self, details, status, duration, error)
                if slow:
                    fields["slow"] = True
                if not further_fields(fields, store, rules, completed):
                    fields = None
        if waits:
            failed, shown = usual >= logging.ERROR, 0 if fields is None else level
            settle(store, failed=failed, seconds=duration, level=shown)
        if fields is not None:
            message, args = self.message(outcome)
            log_completion(_completion_log, level, message, args, fields, self.span)

    def _completed(
        self, status: int | str | None, duration: float, error: BaseException | None
    ) -> Completed:
        return Completed(
            method=self.method,
            path=self.path,
            route=self.store.get("route"),
            status=status,
            duration=duration,
            error=error,
            headers=self.read_headers,
            request=self.read_request,
            hidden=self.options.levels.header,
        )

    def message(self, outcome: str) -> tuple[str, tuple[str, ...]]:
        """Return the line's message, as a template of its route and arguments."""
        found = self.read_parameters()
        return templated(self.method, self.path, outcome, found)

    def outcome(self, error: BaseException | None) -> tuple[int | str | None, str, int]:
        """Return the status, the end of the message, and the level."""
        disconnected = "disconnected" in self.details
        return http_outcome(self.status, error, disconnected=disconnected)


class _Part:
    """A runner in an entry whose end is not the end of the request."""

    __slots__ = ("done", "step")

    def __init__(self, entry: RequestEntry) -> None:
        self.step = entry.step
        self.done = entry.note
