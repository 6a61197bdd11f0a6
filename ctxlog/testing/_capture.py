"""
Collecting lines from all loggers, whatever is configured.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, TypeVar, overload

from ctxlog._names import get_names
from ctxlog._patch import Patch
from ctxlog.context.adapter import current_view
from ctxlog.errors import ConfigError, MissingDependencyError
from ctxlog.line.encoder import LineEncoder
from ctxlog.loggers import stdlib

_T = TypeVar("_T")

_SHOWN = 5


class CapturedLines(Sequence[dict[str, Any]]):
    """
    The lines that were logged, each as the dict that its JSON reads back as.

    A sequence, in the order of the events; it keeps what it has after the block that
    collected it. Safe from any thread.

    Attributes:
        raw: The same lines as bytes, each with its newline.
    """

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self._lines: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        return self._lines[index]

    def __len__(self) -> int:
        return len(self._lines)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._lines!r}>"

    def add(self, line: bytes) -> None:
        """Append a line, as bytes with its newline."""
        read = json.loads(line)
        with self._lock:
            self.raw.append(line)
            self._lines.append(read)

    def clear(self) -> None:
        """Forget the lines so far."""
        with self._lock:
            self.raw.clear()
            self._lines.clear()

    def assert_stamped(self, **fields: object) -> None:
        """
        Assert that there are lines, and that every one has these fields and values.

        Values may be what was bound or what the line shows: `UUID(...)` is its text.
        Without any field: that every line has the id of a request.

        Raises:
            AssertionError: no line was logged, or some lack a field; it says which line
                lacks what.
        """
        __tracebackhide__ = True
        with self._lock:
            lines = list(self._lines)
        if not lines:
            raise AssertionError("no line was logged, so none is stamped")
        wanted = {name: _as_read_back(value) for name, value in fields.items()}
        wrong = [
            f"  line {number}, {_summary(line)}: {'; '.join(lacks)}"
            for number, line in enumerate(lines)
            if (lacks := _lacks(line, wanted))
        ]
        if wrong:
            shown = "\n".join(wrong[:_SHOWN])
            if len(wrong) > _SHOWN:
                shown += f"\n  and {len(wrong) - _SHOWN} more"
            raise AssertionError(
                f"{len(wrong)} of {len(lines)} lines are not stamped:\n{shown}"
            )


class _Encoder(LineEncoder):
    """An encoder of lines whatever becomes of their requests."""

    takes_all = True


_PLAIN = LineEncoder()
_MISSING_ID = "N/A"


def _as_read_back(value: object) -> object:
    # Under a key that no redaction hides.
    return json.loads(_PLAIN.json({"v": value}, 262_144))["v"]


def _summary(line: dict[str, Any]) -> str:
    message = str(line.get("message"))
    shown = message if len(message) <= 60 else message[:57] + "..."
    return f"{line.get('level')} {line.get('logger')} {shown!r}"


def _lacks(line: dict[str, Any], wanted: dict[str, object]) -> list[str]:
    if not wanted:
        names = get_names()
        if names.id_of(line) in (None, _MISSING_ID):
            return [f"it has no {names.request_id}"]
        return []
    return [
        f"{name} is {line[name]!r}, not {value!r}"
        if name in line
        else f"it has no {name} ({value!r} expected)"
        for name, value in wanted.items()
        if name not in line or line[name] != value
    ]


class capture_lines:
    """
    A context manager that collects what is logged in its block, by any logger.

    It gives the `CapturedLines`. Lines of stdlib logging, structlog and loguru (those
    that are installed) have the context that they were logged in, in the default
    schema, whether or not ctxlog or any handler is configured. An event that one of
    them hands on to another is one line. Other handlers write what they would have
    written. Lines of all threads are collected. Blocks may be
    nested; after the block all is as before.

    Configuring stdlib logging or structlog within the block takes nothing away;
    `loguru.logger.remove()` without a number ends the collecting of loguru's lines.

    Args:
        level: The least level to collect: a name or a number. Loggers of stdlib logging
            and sinks whose own level is higher do not matter; structlog's loggers that
            filter by level do so before anybody sees the event, and a logger that is
            disabled has no lines.

    Raises:
        ConfigError: there is no such level.
    """

    def __init__(self, level: int | str = "DEBUG") -> None:
        number = logging.getLevelName(level) if isinstance(level, str) else level
        if type(number) is not int:
            raise ConfigError("level", level, "the name of a level, or a number")
        self._level = number
        self._undo: list[list[Callable[[], None]]] = []

    def __enter__(self) -> CapturedLines:
        lines = CapturedLines()
        self._undo.append(list(_open(self._level, lines.add)))
        return lines

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for close in self._undo.pop():
            close()


_Take = Callable[[bytes], None]


class _Passing(threading.local):
    """
    What this thread does.

    Attributes:
        on: Whether it is handing on an event that was taken already.
        asks: Whether it asks what is logged without any taker.
    """

    on = asks = False


_passing = _Passing()


class _Tap:
    """
    The events of one logging library, as lines, for any number of takers.

    It sits in the library's own code: the configuration may change while lines are
    collected, and stays as it is.

    Args:
        install: Begins to give lines with their level to the function that it is
            called with; returns the function that ends it.
    """

    def __init__(self, install: Callable[[_Tap], Callable[[], None]]) -> None:
        self._install = install
        self._lock = threading.Lock()
        self._takers: dict[object, tuple[int, _Take]] = {}
        self._uninstall: Callable[[], None]

    def open(self, level: int, take: _Take) -> Callable[[], None]:
        """Give lines from *level* on to *take*; return the function that ends that."""
        key = object()
        with self._lock:
            if not self._takers:
                self._uninstall = self._install(self)
            self._takers = {**self._takers, key: (level, take)}

        def close() -> None:
            with self._lock:
                self._takers = {k: v for k, v in self._takers.items() if k is not key}
                if not self._takers:
                    self._uninstall()

        return close

    def give(self, level: int, line: bytes) -> None:
        """Give a line to the takers of its level."""
        for least, take in self._takers.values():
            if level >= least:
                take(line)

    def takes(self, level: int) -> bool:
        """Whether a taker wants lines of this level."""
        return not _passing.asks and any(
            level >= least for least, _ in self._takers.values()
        )


def _tap_stdlib(tap: _Tap) -> Callable[[], None]:
    """Take records between the loggers of stdlib logging and their handlers."""
    watcher = _Watcher(tap)

    def enabled(below: Any, logger: logging.Logger, level: int) -> Any:
        return tap.takes(level) or below(logger, level)

    def call(below: Any, logger: logging.Logger, record: logging.LogRecord) -> None:
        passed = _passing.on
        watcher.give(record)
        if _is_enabled_for(logger, record.levelno):
            _passing.on = True
            try:
                below(logger, record)
            finally:
                _passing.on = passed

    patches = [
        Patch(logging.Logger, "isEnabledFor", enabled),
        Patch(logging.Logger, "callHandlers", call),
    ]

    def uninstall() -> None:
        stdlib.watch(None)
        for patch in patches:
            patch.uninstall()

    for patch in patches:
        patch.install()
    stdlib.watch(watcher)
    return uninstall


class _Watcher:
    """Gives records to the takers of a tap: also those that wait, or are dropped."""

    def __init__(self, tap: _Tap) -> None:
        self.takes = tap.takes
        self._tap = tap
        self._formatter = _per_names(stdlib.JsonFormatter)

    def give(self, record: logging.LogRecord) -> None:
        """Give a record, unless it is an event that was taken already."""
        if not _passing.on:
            self._tap.give(record.levelno, self._formatter().encode(record))


def _is_enabled_for(logger: logging.Logger, level: int) -> bool:
    """Return whether a line is logged without any taker."""
    before, _passing.asks = _passing.asks, True
    try:
        return logger.isEnabledFor(level)
    finally:
        _passing.asks = before


def _tap_structlog(tap: _Tap) -> Callable[[], None]:
    """Take events where all of structlog's loggers begin to process them."""
    adapter: Any = importlib.import_module("ctxlog.loggers.structlog")
    renderer = _per_names(lambda: adapter.JsonRenderer(encoder=_Encoder()))
    base = adapter.structlog.BoundLoggerBase
    proxy = base._proxy_to_logger

    def take(bound: Any, method: str, event: Any, fields: Any) -> None:
        event_dict = {**bound._context, **fields, "event": event}
        known = current_view().fields  # the bridge's among them
        for name, value in adapter.structlog.contextvars.get_contextvars().items():
            if name not in known:
                event_dict.setdefault(name, value)
        line = renderer().encode(bound._logger, method, event_dict)
        level = logging.getLevelName(json.loads(line)["level"])
        tap.give(level if isinstance(level, int) else logging.INFO, line)

    def proxied(bound: Any, method: str, event: Any = None, **fields: Any) -> Any:
        take(bound, method, event, fields)
        passed, _passing.on = _passing.on, True
        try:
            return proxy(bound, method, event, **fields)
        finally:
            _passing.on = passed

    def uninstall() -> None:
        base._proxy_to_logger = proxy

    base._proxy_to_logger = proxied
    return uninstall


def _tap_loguru(tap: _Tap) -> Callable[[], None]:
    """Take records by a further sink of loguru's."""
    adapter: Any = importlib.import_module("ctxlog.loggers.loguru")
    sink = _per_names(adapter.JsonSink)

    def take(record: Any) -> bool:
        if not _passing.on:
            tap.give(record["level"].no, sink().encode(record))
        return False

    # The filter takes the record, so that loguru need not format it.
    number = adapter.logger.add(sink(), level=0, format=lambda record: "", filter=take)

    def uninstall() -> None:
        # The application may have removed all sinks.
        with contextlib.suppress(ValueError):
            adapter.logger.remove(number)

    return uninstall


def _per_names(make: Callable[[], _T]) -> Callable[[], _T]:
    """Return a function that makes it anew when the process has other names."""
    made = functools.lru_cache(maxsize=1)(lambda names: make())
    return lambda: made(get_names())


_TAPS = tuple(_Tap(install) for install in (_tap_stdlib, _tap_structlog, _tap_loguru))


def _open(level: int, take: _Take) -> Iterator[Callable[[], None]]:
    for tap in _TAPS:
        # structlog and loguru may not be installed.
        with contextlib.suppress(MissingDependencyError):
            yield tap.open(level, take)
