"""
FastStream consumers and publishers. Adapter: imports FastStream and core.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from ctxlog._patch import Patch
from ctxlog.carrier.ids import new_request_id
from ctxlog.carrier.messages import MESSAGE_HEADER, common_message, unpack
from ctxlog.errors import requires
from ctxlog.tasks._task import SendingOptions, Task, TaskOptions

if TYPE_CHECKING:
    from typing_extensions import Unpack

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
    Let messages carry the context, and give each one a store and a completion line.

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
        options: The options of all adapters of tasks, see `TaskOptions`.

    Raises:
        ConfigError: if an option is invalid.
    """

    def __init__(self, **options: Unpack[SendingOptions]) -> None:
        self._options = TaskOptions(**options)

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
        headers[MESSAGE_HEADER] = self._options.pack(due=time.time())
        # NATS and Redis give messages no ids: the message that a handler returns would
        # have the correlation id of the one that it consumed, and so be the same task.
        headers.setdefault("message_id", new_request_id())
        cmd.headers = headers
        return await call_next(cmd)

    async def consume_scope(self, call_next: Any, msg: Any) -> Any:
        """Open the message's store, once it has been parsed."""
        # A response belongs to the request that waits for it.
        if msg.source_type is not SourceType.RESPONSE:
            store = unpack(_carried(msg))
            if store.due is None:
                store.due = _published(msg.raw_message)
            self._task = self._options.task(
                *(store, _name(self.context), str(msg.message_id)),
                request=lambda: msg,
                headers=lambda: msg.headers.items(),
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
    return common_message(one.get(MESSAGE_HEADER) for one in headers)


def _published(raw: Any) -> float | None:
    """Return when the broker got a message that ctxlog has not sent, if it says so."""
    # NATS knows it of a message that it has stored: that of a JetStream.
    is_stored = str(getattr(raw, "reply", "")).startswith("$JS.ACK.")
    # Else Kafka's or RabbitMQ's; Redis keeps no time.
    found: Any = getattr(raw.metadata if is_stored else raw, "timestamp", None)
    if callable(found):  # confluent-kafka: a kind of time, and the time
        _, found = cast("tuple[int, int]", found())
    if isinstance(found, datetime):
        return found.timestamp()
    return found / 1000 if isinstance(found, (int, float)) else None


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


def install(broker: Any, **options: Unpack[SendingOptions]) -> None:
    """
    Put a `ContextMiddleware` before all other middlewares of a broker.

    It lasts until `uninstall(broker)`; calling it again replaces the options. In this
    process it comes before FastStream's own that logs 'Received' and 'Processed', so
    that these lines have the message's id, for any broker that has a
    `ContextMiddleware`.

    Args:
        broker: Any broker of FastStream.
        options: The options of all adapters of tasks, see `TaskOptions`.

    Raises:
        ConfigError: if an option is invalid.
        TypeError: if *broker* is no broker of FastStream.
    """
    if not hasattr(broker, "insert_middleware"):
        raise TypeError(f"install() takes a broker of FastStream, not {broker!r}")
    middleware = ContextMiddleware(**options)
    uninstall(broker)
    broker.insert_middleware(middleware)
    if hasattr(_Usecase, _BUILD):
        _STACK.install()


def _is_installed(broker: Any) -> bool | None:
    """Return whether a broker of FastStream has the adapter; None for other objects."""
    if not hasattr(type(broker), "insert_middleware"):
        return None
    installed = broker.config.broker_config.broker_middlewares
    return any(isinstance(one, ContextMiddleware) for one in installed)


def uninstall(broker: Any) -> None:
    """Undo `install(broker)`; without it, a no-op."""
    config = broker.config.broker_config
    config.broker_middlewares = tuple(
        one
        for one in config.broker_middlewares
        if not isinstance(one, ContextMiddleware)
    )
