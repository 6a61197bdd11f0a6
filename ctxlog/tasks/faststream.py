"""
FastStream consumers and publishers. Adapter: imports FastStream and core.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ctxlog._patch import Patch
from ctxlog.carrier.ids import new_request_id
from ctxlog.carrier.messages import MESSAGE_HEADER, unpack
from ctxlog.errors import requires
from ctxlog.tasks._task import Task, TaskOptions

with requires("faststream"):
    from faststream import BaseMiddleware
    from faststream.message.source_type import SourceType

try:
    from faststream._internal.endpoint.subscriber import SubscriberUsecase as _Usecase
except ImportError:  # a later release may have moved it
    _Usecase = None  # type: ignore[assignment, misc]

__all__ = ["ContextMiddleware", "install", "uninstall"]


class ContextMiddleware:
    """
    Lets messages carry the context, and gives each one a store and a completion line.

    For `RedisBroker(middlewares=[ContextMiddleware()])` and any other broker, before
    all others, in the processes that publish and in those that consume. A message is
    published with the id and the trace of the request that does so, in the header
    `ctxlog`; it is consumed in a fresh store with that `requestID`, or a new one if no
    request has sent it, and with `taskID` (the message's id), `task` (the handler's
    name) and `parentTaskID`. A batch of messages of several requests has a new id. The
    messages that handlers return carry that store, too. FastStream logs its own
    'Received', 'Processed' and the error of a handler before and after all middlewares
    of the application: they have no id unless `install()` has been called.

    Args:
        fields: The names of further fields to send along, redacted.
        completion_line: Whether to log a line when a message has been consumed, from
            the logger `ctxlog.task`.

    Raises:
        ConfigError: if an option is invalid.
    """

    def __init__(
        self, *, fields: Iterable[str] = (), completion_line: bool = True
    ) -> None:
        self._options = TaskOptions(fields=fields, completion_line=completion_line)

    def __call__(self, msg: Any, /, *, context: Any) -> _Scope:
        """Return the middleware of one message, as FastStream asks for it."""
        return _Scope(msg, context=context, options=self._options)


class _Scope(BaseMiddleware):
    """One message, published or consumed."""

    def __init__(self, msg: Any, /, *, context: Any, options: TaskOptions) -> None:
        super().__init__(msg, context=context)
        self._options = options
        self._task: Task | None = None

    async def publish_scope(self, call_next: Any, cmd: Any) -> Any:
        """Let a message carry the context."""
        headers = {**(cmd.headers or {})}
        headers[MESSAGE_HEADER] = self._options.pack()
        # NATS and Redis give messages no ids: the message that a handler returns would
        # have the correlation id of the one that it consumed, and so be the same task.
        headers.setdefault("message_id", new_request_id())
        cmd.headers = headers
        return await call_next(cmd)

    async def consume_scope(self, call_next: Any, msg: Any) -> Any:
        """Open the message's store, once it has been parsed."""
        # A response belongs to the request that waits for it.
        if msg.source_type is not SourceType.RESPONSE:
            self._task = self._options.task(
                unpack(_carried(msg)), _name(self.context), str(msg.message_id)
            )
            self._task.__enter__()
        return await call_next(msg)

    async def __aexit__(self, *error: Any) -> bool | None:
        """Close the store, after the handler's result has been published."""
        task, self._task = self._task, None
        if task is not None:
            task.__exit__(*(error or (None, None, None)))
        return False


def _carried(msg: Any) -> object:
    headers = [msg.headers, *msg.batch_headers]
    found = {one.get(MESSAGE_HEADER) for one in headers} - {None}
    return found.pop() if len(found) == 1 else None


def _name(context: Any) -> str:
    handler = context.get_local("handler_")
    return str(getattr(getattr(handler, "calls", None), "name", None) or "subscriber")


def _ours_first(stack: Any, subscriber: Any) -> tuple[Any, ...]:
    found = stack(subscriber)
    ours = tuple(one for one in found if isinstance(one, ContextMiddleware))
    return ours + tuple(one for one in found if one not in ours)


# FastStream puts the middleware that logs before all others, and has no option for it:
# every message that a handler takes would have two lines without an id.
_BUILD = "_SubscriberUsecase__build__middlewares_stack"
_STACK = Patch(_Usecase, _BUILD, _ours_first)


def install(
    broker: Any, *, fields: Iterable[str] = (), completion_line: bool = True
) -> None:
    """
    Put a `ContextMiddleware` before all other middlewares of a broker.

    It lasts until `uninstall(broker)`; calling it again replaces the options. In this
    process it comes before FastStream's own that logs 'Received' and 'Processed', so
    that these lines have the message's id, for any broker that has a
    `ContextMiddleware`.

    Args:
        broker: Any broker of FastStream.
        fields: The names of further fields to send along, redacted.
        completion_line: Whether to log a line when a message has been consumed.

    Raises:
        ConfigError: if an option is invalid.
        TypeError: if *broker* is no broker of FastStream.
    """
    if not hasattr(broker, "insert_middleware"):
        raise TypeError(f"install() takes a broker of FastStream, not {broker!r}")
    middleware = ContextMiddleware(fields=fields, completion_line=completion_line)
    uninstall(broker)
    broker.insert_middleware(middleware)
    if hasattr(_Usecase, _BUILD):
        _STACK.install()


def uninstall(broker: Any) -> None:
    """Undo `install(broker)`; without it, a no-op."""
    config = broker.config.broker_config
    config.broker_middlewares = tuple(
        one
        for one in config.broker_middlewares
        if not isinstance(one, ContextMiddleware)
    )
