"""
Where lines go: one stream, one write per line.
"""

from __future__ import annotations

import logging
import os
import select
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ctxlog._interrupts import is_interrupt
from ctxlog.context.adapter import View
from ctxlog.line import _streams
from ctxlog.line.event import Encoder, Event

# A line of this size is written to a pipe as a whole or not at all (POSIX).
_AT_ONCE: int = getattr(select, "PIPE_BUF", 512)


class Writer(Protocol):
    """What the loggers write their lines with."""

    @property
    def encoder(self) -> Encoder | None:
        """What makes the lines about lines."""

    @encoder.setter
    def encoder(self, encoder: Encoder | None) -> None: ...

    @property
    def stream(self) -> Any:
        """The stream that the lines go to, None without one."""

    def write(self, line: bytes) -> None:
        """Write `line`, which ends with a newline. Raises nothing but interrupts."""

    def together(self) -> AbstractContextManager[object]:
        """Return a block within which no line of another thread is written."""
        ...

    def flush(self) -> None:
        """Write what is left, after interrupts or losses."""

    def close(self, timeout: float | None = None) -> int:
        """Give back what was opened for it; return how many lines were given up."""
        ...


class LineWriter:
    """
    Writes finished lines to a stream, each by one write.

    Shared by all loggers that write to one stream. To a file, a pipe or a terminal the
    bytes go by the descriptor, unbuffered: nothing is left to flush at exit, and what
    `print` left in the stream's buffer comes first. Safe from any thread and after a
    fork. A line that is logged in the middle of another one, by a signal handler or a
    finalizer, is written when that one is whole.

    A line that cannot be written (a full disk, a closed pipe) goes to standard error
    instead. Where that takes none either, lines are counted; as soon as one can be
    written again, a line says how many were lost. A stream that hands what is written
    to it to a logger is passed by: lines go to `sys.__stdout__`.

    Args:
        stream: A text or binary stream; unless given, `sys.stdout` as it is when a line
            is written.
        encoder: Makes the line that says how many were lost.

    Attributes:
        missed: How many lines the stream did not take.
    """

    __slots__ = ("__weakref__", "_aim", "_follows", "encoder", "missed")

    def __init__(self, stream: Any = None, encoder: Encoder | None = None) -> None:
        self.encoder = encoder
        self.missed = 0
        self._follows = stream is None
        # The stream that is meant, and where its lines go; changed together.
        self._aim: tuple[Any, _Output]
        self._turn_to(sys.stdout if stream is None else stream)

    @property
    def stream(self) -> Any:
        """Where the lines go."""
        return sys.stdout if self._follows else self._aim[0]

    def write(self, line: bytes) -> None:
        """Write `line`, which ends with a newline. Raises nothing but interrupts."""
        stream, output = self._aim
        if self._follows and stream is not sys.stdout:
            output = self._turn_to(sys.stdout)
        lock = output.lock
        # As `with lock`, which costs twice as much.
        try:
            lock.acquire()
            if output.busy:
                output.waiting.append(line)
                return
            written = 0
            try:
                output.busy = True
                if output.ready and len(line) <= _AT_ONCE:
                    # Text that print() left in it comes first. Flushing a closed
                    # stream raises: its number may be another file's by now.
                    output.flush()
                    written = os.write(output.descriptor, line)
                if written != len(line):
                    output.put(line, written)
            except Exception as error:
                # A closed or full stream, or a third-party one, may raise anything:
                # what it does not take goes elsewhere.
                if is_interrupt(error):
                    raise
                output.note(error)
                output.put(line)  # once more, with care
            finally:
                # Busy until there is nothing left: lines keep their order.
                try:
                    if output.waiting:
                        output.put_waiting()
                finally:
                    output.busy = False
        finally:
            # What a signal handler raises leaves `acquire` without the lock if that was
            # waiting for it, and with the lock otherwise.
            try:
                lock.release()
            except RuntimeError:
                pass
        if output.refused:
            self._rescue(output)

    def together(self) -> AbstractContextManager[object]:
        """Return a block within which no line of another thread is written."""
        return self._aim[1].lock

    def flush(self) -> None:
        """Write what is left, after interrupts or losses."""
        output = self._aim[1]
        if output.waiting or output.refused or output.lost:
            output.write(b"")
            self._rescue(output)

    def close(self, timeout: float | None = None) -> int:
        """Write what is left; the stream is its owner's to close."""
        self.flush()
        return 0

    def turn_to(self, stream: Any) -> None:
        """Write the lines that come to another stream."""
        self._turn_to(stream)

    def reopen(self, descriptor: int) -> bool:
        """
        Let the stream's own descriptor refer to another open file, between two lines.

        Args:
            descriptor: That of the other file; it may be closed afterwards.

        Returns:
            Whether it does: not if this is called in the middle of a line.
        """
        output = self._aim[1]
        with output.lock:
            if output.busy:
                return False
            os.dup2(descriptor, output.descriptor, inheritable=False)
            output.begin()
            return True

    def rescue(self, line: bytes) -> None:
        """Write elsewhere a line that the stream cannot be given."""
        output = self._aim[1]
        output.refused.append(line)
        self._rescue(output)

    def _turn_to(self, stream: Any) -> _Output:
        output = _Output.of(stream)
        if output.logs:
            output = _Output.of(sys.__stdout__)
        self._aim = stream, output
        return output

    def _rescue(self, output: _Output) -> None:
        """Write elsewhere what a stream has not taken."""
        # Libraries that replace standard error close what they have put there.
        others = [sys.stderr, sys.__stderr__]
        if output.logs:
            others.insert(0, sys.__stdout__)
            self._turn_to(self._aim[0])
        elif self._follows and output.descriptor is None:
            # It may have been closed since it was looked at.
            others[:0] = [sys.stdout, sys.__stdout__]
        while output.refused:
            try:
                line = output.refused.popleft()
            except IndexError:  # another thread has taken the last one
                return
            self.missed += bool(line)
            lost = output.lost
            text = self._lost_line(lost) + line if lost else line
            if any(_Output.of(other).takes(text, output) for other in others):
                output.lose(-lost, self._lost_line)
            else:
                output.lose(bool(line), self._lost_line)

    def _lost_line(self, count: int) -> bytes:
        message = f"{count} lines could not be written and are lost"
        if self.encoder is None:
            return b'{"level":"WARNING","logger":"ctxlog","message":"%s"}\n' % (
                message.encode()
            )
        level = ("WARNING", logging.WARNING, "ctxlog")
        view = View({}, None)
        return self.encoder.encode(
            Event(time.time(), *level, message, view, {"lost": count})
        )


class _Output:
    """
    What is known of one stream; one for all writers of that stream.

    Attributes:
        stream: The stream.
        lock: Held while a line is written.
        busy: Whether the thread that holds the lock is in the middle of a line.
        waiting: Lines that were logged there meanwhile, in that thread.
        refused: Lines that the stream did not take.
        lost: How many lines nothing took.
        logs: Whether the stream hands what is written to it to a logger.
        descriptor: Where the bytes go; None if writing to it is not as good as writing
            to the stream.
        ready: Whether a short line may be written at once.
        flush: Flushes the stream.
    """

    __slots__ = (
        *("__weakref__", "_blocks", "_line", "_lost_line", "_torn", "_written"),
        *("busy", "descriptor", "flush", "lock", "logs", "lost", "ready", "refused"),
        *("stream", "waiting"),
    )

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.lock = threading.RLock()
        self.busy = False
        self.waiting: deque[bytes] = deque()
        self.refused: deque[bytes] = deque()
        self.lost = 0
        self.descriptor: Any = _streams.descriptor_of(stream)
        self.logs = self.descriptor is None and _streams.logs(stream)
        self.flush: Callable[[], object] = _streams.nothing
        if self.descriptor is not None:
            self.flush = stream.flush
        self._blocks = self.descriptor is None or _streams.blocks(self.descriptor)
        self.ready = self.descriptor is not None and self._blocks
        self._lost_line: Callable[[int], bytes] | None = None
        # The line that is being written in parts, and the parts' sizes.
        self._line = b""
        self._written: list[int] = []
        self._torn = False

    @classmethod
    def of(cls, stream: Any) -> _Output:
        """Return what is known of `stream`."""
        with _outputs_lock:
            known = _outputs.get(id(stream))
            if known is None:
                known = _outputs[id(stream)] = cls(stream)
                if stream is sys.__stdout__ or stream is sys.__stderr__:
                    # It knows whether a line there is unfinished.
                    _standard.append(known)
            return known

    def write(self, line: bytes) -> None:
        """Write `line`, or keep it in `refused`, or in `waiting`."""
        with self.lock:
            if self.busy:
                self.waiting.append(line)
                return
            try:
                self.busy = True
                self.put(line)
            finally:
                try:
                    if self.waiting:
                        self.put_waiting()
                finally:
                    self.busy = False

    def takes(self, line: bytes, instead_of: _Output) -> bool:
        """Write a line that another stream has refused; return whether that worked."""
        if self is instead_of or self.logs:
            return False
        self.write(line)
        try:
            self.refused.remove(line)
        except ValueError:  # written, or another thread writes it elsewhere
            return True
        return False

    def lose(self, count: int, lost_line: Callable[[int], bytes]) -> None:
        """Count lines that nothing took; a negative number, if that has been said."""
        with self.lock:
            self.lost = max(self.lost + count, 0)
            self._lost_line = lost_line
            self.ready = False

    def renew(self) -> None:
        """In a forked child: what the parent was doing is the parent's to finish."""
        self.lock = threading.RLock()
        if self.busy:
            self.busy, self._line = False, b""
            self._written.clear()
        self.waiting.clear()
        self.refused.clear()
        self.lost = 0

    def begin(self) -> None:
        """Take note that nothing has been written to the file yet."""
        self._written.clear()
        self._torn = False

    def put(self, line: bytes, written: int = 0) -> None:
        """Write `line`, of which some bytes may be written, or keep it in `refused`."""
        try:
            if self.lost and self._lost_line is not None:
                lost = self.lost
                self._send(self._lost_line(lost), 0)
                self.lost -= lost
            if line:
                self._send(line, written)
        except Exception as error:
            # A third-party stream may raise anything: the line is kept, for another.
            if is_interrupt(error):
                raise
            self.refused.append(line)

    def note(self, error: Exception) -> None:
        """Take note that the descriptor does not block, and what that has done."""
        if isinstance(error, BlockingIOError):
            self._blocks = False
            if getattr(error, "characters_written", 0):
                # Text of print() that was too long has been cut by its stream.
                self._torn = True

    def put_waiting(self) -> None:
        """Write what was logged in the middle of a line."""
        count = len(self.waiting)
        while self.waiting:
            if count == 0 and self.descriptor is None:
                # The stream logs whenever it is written to, without an end.
                self.refused.extend(self.waiting)
                self.waiting.clear()
                break
            count -= 1
            self.put(self.waiting.popleft())

    def _send(self, line: bytes, written: int) -> None:
        if self.descriptor is None:
            self._give(line)
            return
        self.ready = False
        if not written:
            self._flush_printed()
        begun = sum(self._written)
        if begun:
            # The line before was interrupted, or the disk was full.
            self._torn = not self._line[:begun].endswith(b"\n")
            self._written.clear()
        if self._torn:
            line = b"\n" + line
        self._line, self._written = line, [written] if written else []
        while written < len(line):
            try:
                # The size is noted before Python runs a signal handler, which may raise
                # an exception: there is no instruction between the two.
                self._written.extend(
                    map(os.write, (self.descriptor,), (line[written:],))
                )
            except BlockingIOError as error:
                if is_interrupt(error):
                    raise
                self.note(error)
                _streams.wait_until_writable(self.descriptor)
                if self.stream.closed:
                    raise ValueError("the stream was closed meanwhile") from None
            written = sum(self._written)
        self._written.clear()
        self._torn = False
        self.ready = self._blocks and not self.lost

    def _flush_printed(self) -> None:
        """Flush the stream, however long that takes."""
        while True:
            try:
                if not self._blocks:
                    # The text layer drops what does not fit into the buffer below. So
                    # that is emptied before, and there must be room for a part.
                    getattr(self.stream, "buffer", self.stream).flush()
                    _streams.wait_until_writable(self.descriptor)
                self.flush()
                return
            except BlockingIOError as error:
                if is_interrupt(error):
                    raise
                self.note(error)
                _streams.wait_until_writable(self.descriptor)

    def _give(self, line: bytes) -> None:
        """Write to a stream by its own method."""
        if self.logs or _streams.is_writing(self.stream):
            raise ValueError("the stream logs what is written to it")
        _streams.write_text(self.stream, line)
        echoes = [logged for logged in self.waiting if _streams.echoes(logged, line)]
        if echoes:
            self.logs = True
            for echo in echoes:
                self.waiting.remove(echo)
            raise ValueError("the stream logs what is written to it")


_outputs: weakref.WeakValueDictionary[int, _Output] = weakref.WeakValueDictionary()
_outputs_lock = threading.RLock()
_standard: list[_Output] = []


def _renew_outputs() -> None:
    global _outputs_lock
    _outputs_lock = threading.RLock()
    for output in list(_outputs.values()):
        output.renew()


if hasattr(os, "register_at_fork"):  # pragma: no branch (all but Windows)
    os.register_at_fork(after_in_child=_renew_outputs)


def is_console(stream: Any) -> bool:
    """
    Return whether `stream` is standard output or error, by any name. Never raises.

    `/dev/stdout`, opened anew, is one as well: another descriptor of the same file.
    """
    if stream is None:
        return False
    standard = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    if any(stream is one for one in standard):
        return True
    try:
        opened = os.fstat(stream.fileno())
    except Exception:
        # A third-party stream has no such method, or one that raises anything.
        return False
    return any(os.path.samestat(opened, one) for one in _standard_files())


def _standard_files() -> Iterator[os.stat_result]:
    for descriptor in (1, 2):
        try:
            yield os.fstat(descriptor)
        except OSError:  # closed
            continue
