"""
One writer for several sinks, and what is done to all sinks in use.

Private to `sinks/`, which exports `flush` and `stats`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ctxlog._endings import note_line, on_end
from ctxlog._interrupts import is_interrupt
from ctxlog.context.adapter import View
from ctxlog.line.encoder import LineEncoder
from ctxlog.line.event import Encoder, Event
from ctxlog.line.values import safe_str
from ctxlog.line.writer import LineWriter, is_console
from ctxlog.sinks._sink import Sink, Stats
from ctxlog.sinks._stream import Stream

#: The logger of lines about lines.
LOGGER = "ctxlog.sinks"


class Fan:
    """
    Writes each finished line to several sinks.

    It takes the place of a `LineWriter`, below the loggers. Its sinks are in use from
    its first line on until `close()`: `flush()` and `stats()` are about them.

    Args:
        sinks: The sinks.
        made: Those of them that were made for this fan, which `close()` closes.
        encoder: Makes the lines about lines.
        addresses: Those of them that have an address.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        made: Sequence[Sink] = (),
        encoder: Encoder | None = None,
        addresses: Mapping[str, Sink] = MappingProxyType({}),
    ) -> None:
        self.sinks = tuple(sinks)
        self.addresses = addresses
        self.encoder = encoder
        self._made = tuple(made)
        self._takers = tuple(map(_taker, self.sinks))
        self._used = False
        # The sinks that have raised, which is said once.
        self._failed: set[int] = set()
        self._use()

    @property
    def encoder(self) -> Encoder | None:
        """What makes the lines about lines."""
        return self._encoder

    @encoder.setter
    def encoder(self, encoder: Encoder | None) -> None:
        self._encoder = encoder
        for stream in self._streams():
            stream.writer.encoder = encoder

    @property
    def stream(self) -> Any:
        """The console, if the lines go there, or else another stream, or None."""
        streams = [getattr(one, "stream", None) for one in self.sinks]
        known = [one for one in streams if one is not None]
        consoles = [one for one in known if is_console(one)]
        return next(iter(consoles + known), None)

    @property
    def name(self) -> str:
        """The names of the sinks."""
        return ", ".join(map(_name_of, self.sinks))

    def write(self, line: bytes) -> None:
        """Write `line` to every sink. Raises nothing but interrupts."""
        if not self._used:
            self._use()
        interrupt = None
        for taker in self._takers:
            try:
                taker.write(line)
            except BaseException as error:
                # A third-party sink may raise anything. All others get their line, also
                # if a signal handler raises meanwhile.
                if isinstance(error, Exception) and not is_interrupt(error):
                    sink = taker.sink if isinstance(taker, _Guard) else taker
                    self._note(sink, line, error)
                else:
                    interrupt = error
        note_line()
        if interrupt is not None:
            raise interrupt

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Within the block no line of another thread is written to a stream."""
        with contextlib.ExitStack() as locks:
            # Always in the same order: two fans may share streams.
            for stream in sorted(self._streams(), key=id):
                locks.enter_context(stream.writer.together())
            yield

    def flush(self) -> None:
        """Write what the streams have left, after interrupts or losses."""
        for stream in self._streams():
            stream.flush(0)

    def close(self, timeout: float | None = None) -> int:
        """
        Close the sinks that were made for it, and flush all others.

        Sinks that another fan uses are left alone.

        Args:
            timeout: The most seconds to wait, for all of them together; by default, as
                `flush()`.

        Returns:
            The number of lines that are still held, or were given up.
        """
        with _lock:
            others = _sinks_of([fan for fan in _fans if fan is not self])
            # A line that comes meanwhile puts it in use again.
            self._used = False
        elsewhere = {id(one) for one in others}
        left = [one for one in self.sinks if id(one) not in elsewhere]
        made = {id(one) for one in self._made}
        try:
            seconds = _timeout if timeout is None else timeout
            return _wait(left, seconds, lambda sink: id(sink) in made)
        finally:
            with _lock:
                if not self._used:
                    _fans[:] = [fan for fan in _fans if fan is not self]
                _watch_end()

    def _use(self) -> None:
        with _lock:
            self._used = True
            if all(fan is not self for fan in _fans):
                _fans.append(self)
            _watch_end()

    def _streams(self) -> Iterator[Stream]:
        return (one for one in self.sinks if isinstance(one, Stream))

    def _note(self, sink: Sink, line: bytes, error: Exception) -> None:
        """Say once that a sink raises; its line goes to standard error if nowhere."""
        if len(self.sinks) == 1:
            LineWriter(sys.stderr, self.encoder).write(line)
        if id(sink) not in self._failed:
            self._failed.add(id(sink))
            report(
                sink,
                f"{_name_of(sink)} does not take lines: {type(error).__name__}",
                {"error": safe_str(error)},
            )


class _Guard(threading.local):
    """
    Writes to a third-party sink, which may log by itself while it does.

    What is logged in the middle of a line follows it, once: a sink that logs whenever
    it is written to does not come to an end.
    """

    busy = False

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.waiting: deque[bytes] = deque()

    def write(self, line: bytes) -> None:
        """Write one line, and those that are logged meanwhile."""
        if self.busy:
            self.waiting.append(line)
            return
        try:
            self.busy = True
            self.sink.write(line)
        finally:
            try:
                for _ in range(len(self.waiting)):
                    self.sink.write(self.waiting.popleft())
            finally:
                self.waiting.clear()
                self.busy = False


def _taker(sink: Sink) -> Sink | _Guard:
    ours = type(sink).__module__.startswith("ctxlog.sinks.")
    return sink if ours else _Guard(sink)


_lock = threading.RLock()
_fans: list[Fan] = []
_timeout = 2.0


def shared(address: str) -> Sink | None:
    """Return the sink of an address that is in use already, or None."""
    with _lock:
        found = (fan.addresses.get(address) for fan in _fans)
        return next((sink for sink in found if sink is not None), None)


def set_flush_timeout(seconds: float) -> float:
    """Let `flush()`, and the end of the process, wait so long; return what it was."""
    global _timeout
    before, _timeout = _timeout, seconds
    _watch_end()
    return before


def flush(timeout: float | None = None) -> int:
    """
    Wait until the lines that were logged so far are where they go.

    For all sinks in use: all are asked at once, and have the same time.

    Args:
        timeout: The most seconds to wait; by default, `configure(flush_timeout=...)`,
            which is 2.

    Returns:
        The number of lines that are still held.
    """
    return _wait(
        _in_use(), _timeout if timeout is None else timeout, lambda sink: False
    )


def stats() -> dict[str, Stats]:
    """
    Return what became of the lines of each sink in use, by the sink's name.

    Of two sinks with the same name, the second is `NAME (2)`.
    """
    found: dict[str, Stats] = {}
    for sink in _in_use():
        name, number = _name_of(sink), 1
        while name in found:
            number += 1
            name = f"{_name_of(sink)} ({number})"
        found[name] = sink.stats()
    return found


def _in_use() -> list[Sink]:
    with _lock:
        return _sinks_of(_fans)


def _sinks_of(fans: Sequence[Fan]) -> list[Sink]:
    return list({id(sink): sink for fan in fans for sink in fan.sinks}.values())


def _wait(sinks: Sequence[Sink], timeout: float, closes: Callable[[Sink], bool]) -> int:
    """Flush, or close, some sinks within a time for all of them together."""
    deadline = time.monotonic() + timeout
    # Asked first: those that send in a thread go on while another is waited for.
    for sink in sinks:
        _ask(sink, sink.flush, 0)
    held = 0
    for sink in sinks:
        act = sink.close if closes(sink) else sink.flush
        held += _ask(sink, act, max(deadline - time.monotonic(), 0))
    return held


def _ask(sink: Sink, act: Callable[[float], int], timeout: float) -> int:
    try:
        return act(timeout)
    except Exception as error:
        # A third-party sink may raise anything; the others have their turn.
        if is_interrupt(error):
            raise
        name = type(error).__name__
        report(
            sink,
            f"{_name_of(sink)} was not flushed: {name}",
            {"error": safe_str(error)},
        )
        return 0


def _watch_end() -> None:
    on_end(_ship if _fans else None, _timeout)


def _ship(timeout: float, ends: bool) -> None:
    # At the end those that were given are closed, too: nobody else will. Each says what
    # it gives up.
    _wait(_in_use(), timeout, lambda sink: ends)


# Lines about lines ----------------------------------------------------------------


class _Reporting(threading.local):
    busy = False


_reporting = _Reporting()


def report(
    sink: Sink,
    message: str,
    fields: Mapping[str, object] = MappingProxyType({}),
    level: int = logging.WARNING,
) -> bytes:
    """
    Log about a sink, on the other sinks beside it, or else on standard error.

    Never raises. On standard error, too, if each of the others only holds the line: its
    store may be away as well. If one of the others reports on itself at that, its line
    goes to standard error.

    Args:
        sink: The sink; the line's field `sink` is its name.
        message: What happened, in a few words; without credentials.
        fields: Further fields of the line.
        level: The line's level.

    Returns:
        The line, for the sink itself when it is back.
    """
    with _lock:
        fans = [fan for fan in _fans if any(one is sink for one in fan.sinks)]
    encoder = next((fan.encoder for fan in fans if fan.encoder), None) or LineEncoder()
    line = encoder.encode(
        Event(
            *(time.time(), logging.getLevelName(level), level, LOGGER, message),
            *(View({}, None), {"sink": _name_of(sink), **fields}),
        )
    )
    nested = _reporting.busy
    others = [one for one in _sinks_of(fans) if one is not sink and not nested]
    _reporting.busy = True
    try:
        if not any([_takes(one, line) for one in others]):
            LineWriter(sys.stderr, encoder).write(line)
    finally:
        _reporting.busy = nested
    return line


def _takes(sink: Sink, line: bytes) -> bool:
    """Write a line to a sink; return whether it is where it goes already."""
    try:
        sink.write(line)
        return not sink.stats()["held"]
    except Exception as error:
        # A third-party sink; `Fan.write()` says so when it raises for other lines.
        if is_interrupt(error):
            raise
        return False


def _name_of(sink: Sink) -> str:
    try:
        return str(sink.name)
    except Exception as error:
        # A third-party property may raise anything.
        if is_interrupt(error):
            raise
        return type(sink).__name__


def _renew() -> None:
    global _lock, _reporting
    _lock, _reporting = threading.RLock(), _Reporting()


if hasattr(os, "register_at_fork"):  # pragma: no branch (all but Windows)
    os.register_at_fork(after_in_child=_renew)
