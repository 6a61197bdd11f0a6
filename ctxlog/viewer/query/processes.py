"""
Scans of sources, shared between as many processes as help.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ctxlog.viewer.query.needles import Briefly, Scan
from ctxlog.viewer.query.scan import pieces
from ctxlog.viewer.read.progress import LEAST
from ctxlog.viewer.read.source import BROKEN, Source

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_T = TypeVar("_T")

#: Files of fewer bytes are read sooner than other processes start.
_LARGE = LEAST
_PART = 16 << 20
_MOST_PROCESSES = 8


def is_large(size: int) -> bool:
    """Whether it takes a while to read so many bytes."""
    return size >= _LARGE


def found(
    source: Source,
    lines: Scan | Briefly,
    then: Callable[[Iterable[Any]], _T],
    *,
    processes: int | None = None,
    part: int | None = None,
) -> Iterator[tuple[int, _T]]:
    """
    Do as `scan` does, by several processes where the source is large.

    Args:
        source: What is read.
        lines: Which lines.
        then: What to make of some lines that come one after the other, in the process
            that found them; a function that can be pickled.
        processes: How many; None for as many as there are processors, if it helps.
        part: How many bytes a process reads at once; None for what is best.

    Raises:
        OSError: the source cannot be read.
    """
    if processes is None:
        processes = 1
        if is_large(source.size or 0):
            processes = min(_processors(), _MOST_PROCESSES)
    if not source.size or source.is_collected:  # a device has no size
        for size, hits in pieces(source, lines):
            yield size, then(hits)
        return
    parts = list(source.parts(part or _PART))
    if processes > 1:
        number = min(processes, len(parts))
        workers = _workers(source.name, lines, then, parts, number)
        if workers:
            yield from _in_turn(workers, parts)
            return
    for begin, end in parts:
        yield end - begin, _made(source, lines, then, begin, end)


def _made(
    source: Source,
    lines: Scan | Briefly,
    then: Callable[[Iterable[Any]], _T],
    begin: int,
    end: int,
) -> _T:
    """Return what is made of the lines of a part."""
    found = pieces(source, lines, begin, end)
    return then(hit for _, hits in found for hit in hits)


def can_fork() -> bool:
    """Whether other processes begin as a copy of this one, with all that it has."""
    return sys.platform == "linux" and threading.active_count() == 1


def of_processes() -> Any:
    """Return what starts other processes, as `multiprocessing` has it."""
    # imported here: most files are small
    import multiprocessing

    return multiprocessing.get_context("fork" if can_fork() else "spawn")


@contextmanager
def uninterrupted(context: Any) -> Iterator[None]:
    """
    Let processes that are started within leave Ctrl-C to this one, which ends them.

    Otherwise it may meet them before they ignore it, and they print a traceback.

    Args:
        context: What starts them, as `multiprocessing` has it.
    """
    if sys.platform == "win32":
        yield
        return
    if context.get_start_method() == "spawn":
        from multiprocessing import resource_tracker

        # It comes first: to start it with the first process would unblock the signal.
        resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# This process's ends of the pipes: a forked process inherits them.
_receivers: list[Connection] = []


class _Worker(Generic[_T]):
    """
    Another process, which sends the result of each of its parts.

    It needs no locks, and ends by itself when its results are no longer read. An
    executor of `concurrent.futures` takes as long (1 to 5 % more on 491 MB), but holds
    the results of all parts that are done, and its processes outlive a killed parent.
    """

    def __init__(
        self,
        name: str,
        lines: Scan | Briefly,
        then: Callable[[Iterable[Any]], _T],
        parts: Sequence[tuple[int, int]],
    ) -> None:
        context = of_processes()
        self._receiver, sender = context.Pipe(duplex=False)
        _receivers.append(self._receiver)
        self._process = context.Process(
            target=_work, args=(sender, name, lines, then, parts), daemon=True
        )
        try:
            with sender, uninterrupted(context):
                self._process.start()
        except OSError:
            self._close()
            raise

    def next(self) -> _T:
        """Return what it has made of its next part, or raise what it has raised."""
        try:
            made, error = self._receiver.recv()
        except EOFError:
            raise OSError("a process that read it was ended") from None
        if error is not None:
            raise error
        result: _T = made
        return result

    def end(self) -> None:
        """End it, whatever it does."""
        self._process.terminate()
        self._close()
        self._process.join()

    def _close(self) -> None:
        _receivers.remove(self._receiver)
        self._receiver.close()


def _workers(
    name: str,
    lines: Scan | Briefly,
    then: Callable[[Iterable[Any]], _T],
    parts: Sequence[tuple[int, int]],
    number: int,
) -> list[_Worker[_T]]:
    """So many processes that share the parts; none where the system has none left."""
    workers: list[_Worker[_T]] = []
    try:
        for first in range(number):
            workers.append(_Worker(name, lines, then, parts[first::number]))
    except (ImportError, OSError):
        for worker in workers:
            worker.end()
        return []
    return workers


def _in_turn(
    workers: Sequence[_Worker[_T]], parts: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, _T]]:
    try:
        for number, (begin, end) in enumerate(parts):
            yield end - begin, workers[number % len(workers)].next()
    finally:
        for worker in workers:
            worker.end()


def _work(
    sender: Connection,
    name: str,
    lines: Scan | Briefly,
    then: Callable[[Iterable[Any]], _T],
    parts: Sequence[tuple[int, int]],
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other one is told, too
    # Otherwise it would not notice that the last reader is gone.
    for receiver in _receivers:
        receiver.close()
    source = Source(name)
    try:
        for begin, end in parts:
            sender.send((_made(source, lines, then, begin, end), None))
    except BrokenPipeError:
        return
    except BROKEN as error:
        sender.send((None, error))


def _processors() -> int:
    """How many processors this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not everywhere
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
