"""
`@entry`: one store per call of a function that the system calls.

A cron job, a command of the command line, a handler on AWS Lambda. The module is
private, since `ctxlog.entry` is the decorator.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, overload

from ctxlog import _endings
from ctxlog._interrupts import is_interrupt
from ctxlog._names import get_names
from ctxlog.carrier.ids import is_possible_request_id, new_request_id
from ctxlog.carrier.received import ReceivedStore
from ctxlog.completion.rules import Completion, CompletionLevel
from ctxlog.context import run
from ctxlog.context.bodies import decorated
from ctxlog.errors import ConfigError
from ctxlog.tasks._task import FAILED, SUCCEEDED, Task, TaskOptions, exit_code

_log = logging.getLogger("ctxlog")

_F = TypeVar("_F", bound=Callable[..., Any])


class _Call(Task):
    """
    One call of an entry point: it ends as the program does.

    Attributes:
        time_left: On AWS Lambda, returns the milliseconds that the invocation has left.
    """

    __slots__ = ("time_left",)

    time_left: Callable[[], int] | None

    def _complete(self, error: BaseException | None) -> None:
        code = exit_code(error)
        if code is not None:
            self.outcome = FAILED if code else SUCCEEDED
        if code:
            self.details[get_names().exit_code] = code
        super()._complete(error)
        if self.time_left is not None:
            # The sandbox is frozen until the next invocation, or for good. A store that
            # does not answer must not use up the time of the invocation.
            _endings.pause(self.time_left() / 2000)


@overload
def entry(fn: _F, /) -> _F: ...
@overload
def entry(
    name: str | None = None,
    /,
    *,
    request_id: str | Callable[..., str | None] | None = None,
    headers: Callable[..., Any] | None = None,
    completion_line: bool = True,
    completion: Completion | None = None,
    completion_level: CompletionLevel | None = None,
    slow: float | None = None,
    **fields: object,
) -> Callable[[_F], _F]: ...
def entry(
    name: Any = None,
    /,
    *,
    request_id: str | Callable[..., str | None] | None = None,
    headers: Callable[..., Any] | None = None,
    completion_line: bool = True,
    completion: Completion | None = None,
    completion_level: CompletionLevel | None = None,
    slow: float | None = None,
    **fields: object,
) -> Any:
    """
    Decorate a function that the system calls: every call runs in a fresh store.

    For cron jobs, commands, AWS Lambda, consumers of one's own. `def`, `async def`,
    generator and async generator functions keep their kind. The store has a new
    `requestID` and the field `task`; it is closed at the end, after one completion line
    from the logger `ctxlog.task` with `durationMs` and `outcome`. An exception goes on
    unchanged. An exception that sets the exit code of the program, as `SystemExit` and
    those of Click and Typer do, has succeeded with 0, else failed with `exitCode`. On
    AWS Lambda sinks ship what they hold before an invocation ends::

        @ctxlog.entry
        def main(): ...

        @ctxlog.entry(request_id=lambda message: message["id"])
        def consume(message): ...

    Args:
        name: The field `task`; the function's name with its module's unless given.
        request_id: The id: a text, or a callable that gets the call's arguments and
            returns it. With None it is a new one, on AWS Lambda the invocation's own.
            What cannot be an id is replaced.
        headers: A callable that gets the call's arguments and returns the headers that
            came with it, for `ctxlog.carrier.extract()`.
        completion_line: Whether to log a line at the end.
        completion: Called with the `ctxlog.completion.Completed` call; returns further
            fields of the line, None for none, or False for no line.
        completion_level: Called with the same; returns the line's level, as a number or
            a name, or None for the usual one.
        slow: From this duration on, in seconds, the line says `slow` and is at least a
            warning.
        fields: The store's first fields.

    Raises:
        ConfigError: if an option is invalid.
    """
    options = TaskOptions(
        completion_line=completion_line,
        completion=completion,
        completion_level=completion_level,
        slow=slow,
    )
    if callable(name) or isinstance(name, classmethod):
        return _Entries(None, request_id, headers, options, fields)(name)
    return _Entries(name, request_id, headers, options, fields)


class _Entries:
    """Opens a task for every call of a function."""

    __slots__ = ("_fields", "_headers", "_name", "_options", "_request_id")

    def __init__(
        self,
        name: object,
        request_id: object,
        headers: object,
        options: TaskOptions,
        fields: Mapping[str, object],
    ) -> None:
        if name is not None and not isinstance(name, str):
            raise ConfigError("name", name, "a string")
        if request_id is not None and not callable(request_id):
            if not is_possible_request_id(request_id):
                raise ConfigError("request_id", request_id, "an id or a callable")
        if headers is not None and not callable(headers):
            raise ConfigError("headers", headers, "a callable")
        self._name = name
        self._request_id = request_id
        self._headers = headers
        self._options = options
        self._fields = fields

    def __call__(self, fn: Any, /) -> Any:
        if isinstance(fn, staticmethod | classmethod):
            return type(fn)(self(fn.__func__))
        name = self._name or _name_of(fn)
        return decorated(fn, lambda *args, **kwargs: self._open(name, args, kwargs))

    def _open(
        self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Task:
        store = ReceivedStore(self._fields)
        # The lines of the callables are this call's, and have no id yet.
        store.expect_id(True)
        received = run(store, self._receive, store, args, kwargs)
        names = get_names()
        if names.id_of(store) is None:
            store[names.request_id] = new_request_id()
        store.expect_id(False)
        call = _Call(store, self._options, name=name)
        if isinstance(received, Mapping):
            call.read_headers = received.items
        context = _lambda_context(args)
        call.time_left = getattr(context, "get_remaining_time_in_millis", None)
        return call

    def _receive(
        self, store: ReceivedStore, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> object:
        """Take the id and the trace of a call, and return its headers."""
        request_id, headers = self._request_id, None
        invocation = getattr(_lambda_context(args), "aws_request_id", None)
        if isinstance(invocation, str):
            # Its runtime sets the variable anew for each invocation.
            parent = os.environ.get("_X_AMZN_TRACE_ID", "")
            store.receive({"x-amzn-trace-id": parent})
        else:
            invocation = None
        if self._headers is not None:
            try:
                headers = self._headers(*args, **kwargs)
                store.receive(headers)
            except Exception as error:
                # The caller's function raises anything. The call goes on without.
                if is_interrupt(error):
                    raise
                _log.exception("the headers of the call could not be read")
        if callable(request_id):
            try:
                request_id = request_id(*args, **kwargs)
            except Exception as error:
                # The caller's function raises anything. The call gets a new id.
                if is_interrupt(error):
                    raise
                _log.exception("the request id of the call could not be read")
                return headers
        if request_id is None:
            request_id = invocation
        if request_id is None:
            return headers
        if is_possible_request_id(request_id):
            store[get_names().request_id] = request_id
        else:
            _log.warning("the request id of the call is not usable")
        return headers


def _lambda_context(args: tuple[Any, ...]) -> object:
    """Return AWS Lambda's second argument, if it is that."""
    # https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    context = args[1] if len(args) == 2 else None
    return context if type(context).__name__ == "LambdaContext" else None


def _name_of(fn: Any) -> str:
    name = getattr(fn, "__qualname__", None) or type(fn).__qualname__
    module = getattr(fn, "__module__", None)
    return str(name) if module in (None, "__main__") else f"{module}.{name}"
