"""
Collecting lines from all loggers, whatever is configured.
"""

from __future__ import annotations

import importlib
import io
import json
import logging
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Generic, TypeVar, overload

from ctxlog._names import Names, get_names
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
    them hands on to another is one line. Nobody else loses a line: what is configured
    writes what it would have written. Lines of all threads are collected. Blocks may be
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
        self._undo: list[Callable[[], None]] = []

    def __enter__(self) -> CapturedLines:
        lines = CapturedLines()
        closing = [tap.open(self._level, lines.add) for tap in _taps()]

        def close() -> None:
            for one in closing:
                one()

        self._undo.append(close)
        return lines

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._undo.pop()()


_Take = Callable[[bytes], None]


class _Passing(threading.local):
    """Whether this thread is handing on an event that was taken already."""

    on = False


_passing = _Passing()


class _Newest(Generic[_T]):
    """What `make` makes, made anew when the process has other names."""

    def __init__(self, make: Callable[[], _T]) -> None:
        self._make = make
        self._names: Names | None = None

    def __call__(self) -> _T:
        names = get_names()
        if self._names is not names:
            self._made, self._names = self._make(), names
        return self._made


class _Tap:
    """
    Takes the events of one logging library, as lines, for any number of takers.

    At the library's own code, since what is configured may change while lines are
    collected, and is nobody's to change for that.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._takers: dict[object, tuple[int, _Take]] = {}

    def open(self, level: int, take: _Take) -> Callable[[], None]:
        """Give lines from `level` on to `take`; return what ends that."""
        key = object()
        with self._lock:
            if not self._takers:
                self._install()
            self._takers = {**self._takers, key: (level, take)}

        def close() -> None:
            with self._lock:
                self._takers = {k: v for k, v in self._takers.items() if k is not key}
                if not self._takers:
                    self._uninstall()

        return close

    def _give(self, level: int, line: bytes) -> None:
        for least, take in self._takers.values():
            if level >= least:
                take(line)

    def _install(self) -> None:
        raise NotImplementedError

    def _uninstall(self) -> None:
        raise NotImplementedError


class _StdlibTap(_Tap):
    """Between the loggers of stdlib logging and their handlers."""

    def _install(self) -> None:
        is_enabled = self._is_enabled = logging.Logger.isEnabledFor
        call_handlers = self._call_handlers = logging.Logger.callHandlers
        formatter = _Newest(stdlib.JsonFormatter)

        def enabled(logger: logging.Logger, level: int) -> bool:
            least = min((least for least, _ in self._takers.values()), default=level)
            return level >= least or is_enabled(logger, level)

        def call(logger: logging.Logger, record: logging.LogRecord) -> None:
            if _passing.on:
                passed = True
            else:
                passed = False
                self._give(record.levelno, formatter().encode(record))
            if is_enabled(logger, record.levelno):
                _passing.on = True
                try:
                    call_handlers(logger, record)
                finally:
                    _passing.on = passed

        self._replace(enabled, call)

    def _uninstall(self) -> None:
        self._replace(self._is_enabled, self._call_handlers)

    @staticmethod
    def _replace(is_enabled: Any, call_handlers: Any) -> None:
        logger_class: Any = logging.Logger
        logger_class.isEnabledFor = is_enabled
        logger_class.callHandlers = call_handlers


class _StructlogTap(_Tap):
    """Where all of structlog's loggers begin to process an event."""

    def __init__(self, adapter: Any) -> None:
        super().__init__()
        self._renderer = _Newest(adapter.JsonRenderer)
        self._structlog = adapter.structlog
        self._base = adapter.structlog.BoundLoggerBase

    def _install(self) -> None:
        proxy = self._proxy = self._base._proxy_to_logger

        def proxied(bound: Any, method: str, event: Any = None, **fields: Any) -> Any:
            self._take(bound, method, event, fields)
            passed, _passing.on = _passing.on, True
            try:
                return proxy(bound, method, event, **fields)
            finally:
                _passing.on = passed

        self._base._proxy_to_logger = proxied

    def _uninstall(self) -> None:
        self._base._proxy_to_logger = self._proxy

    def _take(self, bound: Any, method: str, event: Any, fields: Any) -> None:
        event_dict = {**bound._context, **fields, "event": event}
        known = current_view().fields  # the bridge's among them
        for name, value in self._structlog.contextvars.get_contextvars().items():
            if name not in known:
                event_dict.setdefault(name, value)
        line = self._renderer().encode(bound._logger, method, event_dict)
        level = logging.getLevelName(json.loads(line)["level"])
        self._give(level if isinstance(level, int) else logging.INFO, line)


class _LoguruTap(_Tap):
    """A further sink of loguru's."""

    def __init__(self, adapter: Any) -> None:
        super().__init__()
        self._adapter = adapter

    def _install(self) -> None:
        taken = threading.local()
        lines = _Lines(lambda line: self._give(taken.level, line))
        sink = _Newest(lambda: self._adapter.JsonSink(lines))

        def take(record: Any) -> bool:
            if not _passing.on:
                taken.level = record["level"].no
                sink().take(record)
            return False

        # The filter takes the record, so that loguru need not format it.
        self._id = self._adapter.logger.add(
            sink(), level=0, format=lambda record: "", filter=take
        )

    def _uninstall(self) -> None:
        try:
            self._adapter.logger.remove(self._id)
        except ValueError:
            pass  # the application has removed all sinks


class _Lines(io.RawIOBase):
    """A stream that hands on what is written to it."""

    def __init__(self, take: _Take) -> None:
        self._take = take

    def write(self, line: Any) -> int:
        self._take(bytes(line))
        return len(line)


_known: dict[str, _Tap] = {"stdlib": _StdlibTap()}


def _taps() -> list[_Tap]:
    kinds: dict[str, Callable[[Any], _Tap]]
    kinds = {"structlog": _StructlogTap, "loguru": _LoguruTap}
    for name, kind in kinds.items():
        if name not in _known:
            try:
                adapter = importlib.import_module(f"ctxlog.loggers.{name}")
            except MissingDependencyError:
                continue
            _known.setdefault(name, kind(adapter))
    return list(_known.values())
