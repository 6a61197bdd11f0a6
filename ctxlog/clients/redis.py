"""
Commands by redis-py, to Redis and Valkey. Adapter: imports redis and core.
"""

from __future__ import annotations

from typing import Any

from ctxlog._subclass import subclass_of
from ctxlog.context import timed
from ctxlog.errors import requires

with requires("redis"):
    import redis
    from redis import asyncio as redis_asyncio
    from redis.asyncio.client import Pipeline as AsyncPipeline
    from redis.client import Pipeline

__all__ = ["install", "uninstall"]

_time = timed("redis")

# A pipeline is a client, too.
_PIPELINES = (Pipeline, AsyncPipeline)


def install(client: redis.Redis | redis_asyncio.Redis) -> None:
    """
    Count and time the commands of a client, for the request that sends them.

    The request's completion line has them under `redis`:
    `"redis":{"count":3,"ms":1.2}`. A command is a call, until its answer has come: one
    that blocks counts with its waiting time. A pipeline, and so a transaction, is one
    call, with all its commands; what it sends between `watch()` and `multi()` is not
    counted, nor is listening to channels. The client stays what it is: it is given a
    subclass of its class. It lasts until `uninstall(client)`; calling it again is a
    no-op.

    Args:
        client: A `redis.Redis` or `redis.asyncio.Redis`, also one of a Sentinel.

    Raises:
        TypeError: if *client* is not such a client: a client of a cluster is none.
    """
    kind = type(_checked("install", client))
    if kind not in _stock:
        client.__class__ = _timed_class(kind)


def _is_installed(client: object) -> bool | None:
    """Return whether a client of Redis has the adapter; None for other objects."""
    if not isinstance(client, (redis.Redis, redis_asyncio.Redis)):
        return None
    return type(client) in _stock


def uninstall(client: redis.Redis | redis_asyncio.Redis) -> None:
    """Undo `install()`. Without it, a no-op."""
    kind = type(_checked("uninstall", client))
    if kind in _stock:
        client.__class__ = _stock[kind]


def _checked(function: str, client: Any) -> Any:
    kinds = (redis.Redis, redis_asyncio.Redis)
    if isinstance(client, kinds) and not isinstance(client, _PIPELINES):
        return client
    allowed = "a redis.Redis or redis.asyncio.Redis"
    raise TypeError(f"{function}() takes {allowed}, not {client!r}")


# The classes whose calls are timed, by those that they are made of, and these by them.
_timed: dict[type, type] = {}
_stock: dict[type, type] = {}


def _timed_class(kind: type) -> Any:
    """Return a subclass of a client's or a pipeline's class, whose calls are timed."""
    if kind not in _timed:
        is_async = issubclass(kind, redis_asyncio.Redis)
        made = subclass_of(kind)
        if issubclass(kind, _PIPELINES):
            made.execute = _execute_async(made) if is_async else _execute(made)
        else:
            made.execute_command = _command_async(made) if is_async else _command(made)
            made.pipeline = _pipeline(made)
        _stock[made] = kind
        _timed[kind] = made
    return _timed[kind]


def _command(owner: Any) -> Any:
    def execute_command(self: Any, *args: Any, **options: Any) -> Any:
        with _time:
            return super(owner, self).execute_command(*args, **options)

    return execute_command


def _command_async(owner: Any) -> Any:
    async def execute_command(self: Any, *args: Any, **options: Any) -> Any:
        with _time:
            return await super(owner, self).execute_command(*args, **options)

    return execute_command


def _pipeline(owner: Any) -> Any:
    def pipeline(self: Any, *args: Any, **options: Any) -> Any:
        made: Any = super(owner, self).pipeline(*args, **options)
        made.__class__ = _timed_class(type(made))
        return made

    return pipeline


def _execute(owner: Any) -> Any:
    def execute(self: Any, *args: Any, **options: Any) -> Any:
        send = super(owner, self).execute
        if not len(self):  # there is nothing to send
            return send(*args, **options)
        with _time:
            return send(*args, **options)

    return execute


def _execute_async(owner: Any) -> Any:
    async def execute(self: Any, *args: Any, **options: Any) -> Any:
        send = super(owner, self).execute
        if not len(self):
            return await send(*args, **options)
        with _time:
            return await send(*args, **options)

    return execute
