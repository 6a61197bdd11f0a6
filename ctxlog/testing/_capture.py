"""
Collecting lines from all loggers, whatever is configured.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, overload

from ctxlog.errors import ConfigError
from ctxlog.line import REQUEST_ID, LineEncoder
from ctxlog.loggers import stdlib

__all__ = ["CapturedLines", "capture_lines"]

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
        if line.get(REQUEST_ID, _MISSING_ID) == _MISSING_ID:
            return [f"it has no {REQUEST_ID}"]
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

    It gives the `CapturedLines`. Lines of stdlib logging, structlog and loguru have
    the context that they were logged in, in the default schema, whether or not ctxlog
    or any handler is configured, and also if that changes meanwhile. Nobody else's
    lines are lost: what is configured writes what it would have written. Lines of all
    threads are collected. Blocks may be nested; after the block all is as before.

    Args:
        level: The least level to collect: a name or a number. Loggers whose own level
            is higher are collected all the same; those that are disabled are not.

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
        self._undo.append(_tap.open(self._level, lines.add))
        return lines

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._undo.pop()()


_Take = Callable[[bytes], None]


class _Tap:
    """
    Takes every record of stdlib logging, between the loggers and their handlers.

    Of the class `Logger` itself: what loggers, handlers and levels are configured
    stays untouched, and may change while lines are collected.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._takers: dict[object, tuple[int, _Take]] = {}
        self._is_enabled = logging.Logger.isEnabledFor
        self._call_handlers = logging.Logger.callHandlers

    def open(self, level: int, take: _Take) -> Callable[[], None]:
        """Give records from `level` on to `take`, as lines; return what ends that."""
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

    def _install(self) -> None:
        is_enabled = self._is_enabled = logging.Logger.isEnabledFor
        call_handlers = self._call_handlers = logging.Logger.callHandlers
        formatter = stdlib.JsonFormatter()

        def enabled(logger: logging.Logger, level: int) -> bool:
            least = min((least for least, _ in self._takers.values()), default=level)
            return level >= least or is_enabled(logger, level)

        def call(logger: logging.Logger, record: logging.LogRecord) -> None:
            takers = self._takers.values()
            takes = [take for least, take in takers if record.levelno >= least]
            if takes:
                line = formatter.encode(record)
                for take in takes:
                    take(line)
            if is_enabled(logger, record.levelno):
                call_handlers(logger, record)

        self._replace(enabled, call)

    def _uninstall(self) -> None:
        self._replace(self._is_enabled, self._call_handlers)

    @staticmethod
    def _replace(is_enabled: Any, call_handlers: Any) -> None:
        logger_class: Any = logging.Logger
        logger_class.isEnabledFor = is_enabled
        logger_class.callHandlers = call_handlers


_tap = _Tap()
