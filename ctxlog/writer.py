"""
Where lines go: one stream, one write per line. Core: standard library only.
"""

from __future__ import annotations

import io
import os
import select
import sys
import threading
import weakref
from collections.abc import Iterator
from typing import Any, TextIO

__all__ = ["LineWriter", "is_console"]


class LineWriter:
    """
    Writes finished lines to a stream, each by one write.

    Shared by all loggers that write to one stream. To a file, a pipe or a terminal the
    bytes go by the descriptor, unbuffered: nothing is left to flush at exit, and what
    `print` left in the stream's buffer comes first. A line that cannot be written (a
    full disk, a closed pipe) goes to standard error instead. Safe from any thread and
    after a fork; a signal handler may write while the interrupted code does.

    Args:
        stream: A text or binary stream; `sys.stdout` as it is now unless given.
    """

    __slots__ = ("__weakref__", "_descriptor", "_flush", "_lock", "_torn", "stream")

    def __init__(self, stream: Any = None) -> None:
        self.stream = sys.stdout if stream is None else stream
        self._descriptor = _descriptor_of(self.stream)
        self._flush: Any = getattr(self.stream, "flush", None)
        self._torn = False
        self._lock = threading.RLock()
        _writers.add(self)

    def write(self, line: bytes) -> None:
        """Write `line`, which ends with a newline. Never raises."""
        # Not `with`, which costs twice as much. The lock may be renewed meanwhile.
        lock = self._lock
        lock.acquire()
        try:
            if self._descriptor is None:
                _write_text(self.stream, line)
                return
            if self._torn:
                line = b"\n" + line
            try:
                # What print() left in the stream comes first. Flushing a closed stream
                # raises: its number may be another file's by now.
                self._flush()
                written = os.write(self._descriptor, line)
            except BlockingIOError:  # a full pipe that was made non-blocking
                written = 0
            if written != len(line):
                self._write_rest(self._descriptor, line, written)
            elif self._torn:
                self._torn = False
        except Exception:  # a foreign stream may raise anything
            self._rescue(line)
        finally:
            lock.release()

    def renew_lock(self) -> None:
        """Forget who holds the lock: in a forked child nobody would release it."""
        self._lock = threading.RLock()

    def _write_rest(self, descriptor: int, line: bytes, written: int) -> None:
        try:
            while written < len(line):
                try:
                    self._flush()
                    written += os.write(descriptor, line[written:])
                except BlockingIOError:
                    _wait_until_writable(descriptor)
            self._torn = False
        except OSError:
            # Part of it has been written: the next line begins on a new one.
            self._torn = self._torn or written > 0
            raise

    def _rescue(self, line: bytes) -> None:
        stream: TextIO | None = sys.stderr
        if stream is None or stream is self.stream:
            return
        try:
            _write_text(stream, line)
        except Exception:
            return  # neither stream takes anything: there is nowhere left to say so


_writers: weakref.WeakSet[LineWriter] = weakref.WeakSet()


def _renew_locks() -> None:
    for writer in list(_writers):
        writer.renew_lock()


if hasattr(os, "register_at_fork"):  # pragma: no branch (all but Windows)
    os.register_at_fork(after_in_child=_renew_locks)


def _descriptor_of(stream: Any) -> int | None:
    """
    Return the descriptor of `stream` if writing to it is as good as to the stream.

    Only for these very types: others that have a `fileno()` may compress, copy or
    convert what is written to them (`gzip`, a notebook's output, a tee).
    """
    raw = stream
    try:
        if type(raw) is io.TextIOWrapper:
            raw = raw.buffer
        if type(raw) is io.BufferedWriter:
            raw = raw.raw
        return raw.fileno() if type(raw) is io.FileIO else None
    except ValueError:  # closed, or detached
        return None


def _wait_until_writable(descriptor: int) -> None:
    if hasattr(select, "poll"):  # select() takes no descriptor over 1023
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        poll.poll(1000)
    else:
        select.select((), (descriptor,), (), 1.0)


def _write_text(stream: Any, line: bytes) -> None:
    """Write `line` to any stream, binary or text. Raises what the stream does."""
    if isinstance(stream, (io.RawIOBase, io.BufferedIOBase)):
        stream.write(line)
    else:
        text = line.decode("utf-8", "replace")
        try:
            stream.write(text)
        except UnicodeEncodeError:  # a text stream with a narrow encoding
            stream.write(text.encode("ascii", "backslashreplace").decode())
        except TypeError:  # a binary stream that is none of io's
            stream.write(line)
    flush = getattr(stream, "flush", None)
    if flush is not None:
        flush()


def is_console(stream: Any) -> bool:
    """
    Whether `stream` is standard output or error, by any name. Never raises.

    `/dev/stdout`, opened anew, is one as well: another descriptor of the same file.
    """
    if stream is None:
        return False
    standard = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    if any(stream is one for one in standard):
        return True
    try:
        opened = os.fstat(stream.fileno())
    except Exception:  # no such method, or one that raises anything
        return False
    return any(os.path.samestat(opened, one) for one in _standard_files())


def _standard_files() -> Iterator[os.stat_result]:
    for descriptor in (1, 2):
        try:
            yield os.fstat(descriptor)
        except OSError:  # closed
            continue
