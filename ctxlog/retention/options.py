"""
The options that say which lines of a request are kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from ctxlog._levels import level_of
from ctxlog.context import Store
from ctxlog.errors import ConfigError, check_seconds


def _is_number(value: object, least: float) -> bool:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and least <= value < math.inf
    )


def _duration(option: str, value: object) -> None:
    if value is not None:
        check_seconds(option, value, "a number of seconds, or None")


def _size(option: str, value: object) -> None:
    if not (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        raise ConfigError(option, value, "a number of bytes")


def _count(option: str, value: object, least: int) -> None:
    if not (isinstance(value, int) and not isinstance(value, bool) and value >= least):
        raise ConfigError(option, value, f"a number of lines, at least {least}")


@dataclass(frozen=True)
class Buffer:
    """
    Keep the lines of a request that are below the level, until they are of use.

    A line from *level* on waits in its request's store if the level of `configure()`
    would discard it. A line at *flush_level* or above lets those of its request go
    first, and every further one is written at once. So do a response of 5xx, an
    exception that leaves the request or task, and a long duration. At the end of the
    request the rest is dropped.

    Args:
        level: The least level of lines that wait.
        flush_level: The level of a line that lets them go.
        flush_slower_than: The duration of a request, in seconds, that lets them go;
            None for no such duration.
        max_bytes: The most bytes that wait for one request; the oldest lines go first.
        total_bytes: The most bytes that wait in the whole process.

    Raises:
        ConfigError: if an option is invalid.
    """

    level: int | str = "DEBUG"
    flush_level: int | str = "ERROR"
    flush_slower_than: float | None = None
    max_bytes: int = 65_536
    total_bytes: int = 67_108_864
    least: int = field(init=False, repr=False)
    flush: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # Of a frozen dataclass, which has no other way.
        object.__setattr__(self, "least", level_of("level", self.level))
        object.__setattr__(self, "flush", level_of("flush_level", self.flush_level))
        _duration("flush_slower_than", self.flush_slower_than)
        _size("max_bytes", self.max_bytes)
        _size("total_bytes", self.total_bytes)


@dataclass(frozen=True)
class Sampling:
    """
    Write a share of the requests whole, and those that matter; of others, one line.

    The share is a function of the request's id, the same in all processes. The lines of
    all other requests wait until the end, or until a line at *keep_level*, a failure, a
    long duration or *keep* decides that the request is written whole.

    Args:
        rate: The share of requests, from 0.0 to 1.0.
        keep_level: The level of a line for which its request is kept.
        keep_slower_than: The duration of a request, in seconds, for which it is kept;
            None for no such duration.
        keep: Called with the store at the end; returns whether the request is kept.
        by: What decides: `id`, or `trace` for the sampled flag of a trace that came in,
            where there is one.
        completion_lines: Write the completion lines of requests that are not kept.
        max_bytes: The most bytes that wait for one request; one with more is kept.
        max_wait: A request that lasts longer, in seconds, is kept.

    Raises:
        ConfigError: if an option is invalid.
    """

    rate: float = 0.1
    keep_level: int | str = "WARNING"
    keep_slower_than: float | None = None
    keep: Callable[[Store], object] | None = None
    by: str = "id"
    completion_lines: bool = True
    max_bytes: int = 65_536
    max_wait: float = 60.0
    least: int = field(init=False, repr=False)
    stands_for: float | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not (_is_number(self.rate, 0.0) and self.rate <= 1.0):
            raise ConfigError("rate", self.rate, "a number from 0.0 to 1.0")
        object.__setattr__(self, "least", level_of("keep_level", self.keep_level))
        _duration("keep_slower_than", self.keep_slower_than)
        if self.keep is not None and not callable(self.keep):
            raise ConfigError("keep", self.keep, "a callable, or None")
        #: How many requests one of the share stands for; None if that is one.
        stands_for = 1 / self.rate if 0 < self.rate < 1 else None
        if stands_for is not None:
            whole = round(stands_for)
            exact = abs(whole * self.rate - 1) < 1e-9
            stands_for = whole if exact else round(stands_for, 6)
        object.__setattr__(self, "stands_for", stands_for)
        if self.by not in ("id", "trace"):
            raise ConfigError("by", self.by, "one of: id, trace")
        if not isinstance(self.completion_lines, bool):
            raise ConfigError(
                "completion_lines", self.completion_lines, "True or False"
            )
        _size("max_bytes", self.max_bytes)
        check_seconds("max_wait", self.max_wait, "a number of seconds")


@dataclass(frozen=True)
class RateLimit:
    """
    Leave out lines of one kind that come too often, and say how many.

    Lines are of one kind if they have one logger, one level and one template: the
    message before its arguments. The first ones in a second are written, then only so
    many in a second, spread evenly. As long as more than *first* lines of a kind come
    in a second, the next second, too, has only *per_second* of them; after a second
    with fewer the kind begins anew. When a second is over, one line for each kind says
    how many were left out.

    Seconds are the same for all kinds: one begins with the first line after a pause.
    An f-string is a template of its own with each value. Beyond 4,096 kinds in one
    second, further kinds are written.

    Args:
        first: How many lines of a kind are written at once.
        per_second: How many more of them are written in a second.

    Raises:
        ConfigError: if an option is invalid.
    """

    first: int = 100
    per_second: int = 10

    def __post_init__(self) -> None:
        _count("first", self.first, 1)
        _count("per_second", self.per_second, 0)
