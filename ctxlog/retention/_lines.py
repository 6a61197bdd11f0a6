"""
The lines of one store: which are written, which wait, and which are dropped.
"""

from __future__ import annotations

import threading
import time
from itertools import groupby
from typing import TypeAlias

from ctxlog._ask import ask
from ctxlog._names import BUFFERED, COMPLETION_LOGGERS, get_names
from ctxlog.context import Store
from ctxlog.context.adapter import View, within
from ctxlog.line.event import Encoder
from ctxlog.line.writer import Writer
from ctxlog.retention._held import Held, Queue, as_formatted
from ctxlog.retention._policy import NEVER, Policy
from ctxlog.retention._sample import failed_by, in_share

#: What becomes of a line: it is written, it waits, it is dropped.
WRITE, HOLD, DROP = "write", "hold", "drop"

# What is known about the request. Nothing, until its first line or its end;
_UNDECIDED = "undecided"
# that its lines wait for its end;
_WAITING = "waiting"
# that it is one of the share;
_SHARE = "share"
# that it is written, for a reason or since nothing is sampled;
_KEPT = "kept"
# that it is not.
_OUT = "out"

# What is to be done with the lines that wait: a line more, or one of these. All lines,
_FLUSH = "flush"
# or the usual ones, are written;
_KEEP = "keep"
# the usual ones are dropped,
_LEAVE_OUT = "leave out"
# or all.
_END = "end"
_Order: TypeAlias = "str | tuple[bool, int, Held]"


class RequestLines:
    """
    What becomes of the lines of one store.

    A line is *usual* if it is written where nothing of this room is on, by its level,
    and below the level otherwise. Safe from any thread, and in a signal handler that
    logs while its thread does.

    One thread at a time changes what waits, and no other waits for it: it leaves its
    order to that thread. For the lines are written meanwhile, and whoever waited might
    be in the middle of writing a line itself: a stream that logs, or a finalizer.

    Args:
        policy: What the process does.

    Attributes:
        latest: The context of the latest line that waits, by its encoder: as it was,
            and as the line can be made of it later.
        level: The least level of usual lines, if the store has one of its own.
        rate: The number of requests that each line stands for; None if that is one.
        began: When the store was made, on the clock of `time.monotonic()`.
        identified: Whether the store has its id by now, if it is to have one. Lines
            before that decide nothing, and are written.
        trace_sampled: Whether the caller records the trace that came in; None without
            a trace.
    """

    __slots__ = (
        *("__weakref__", "_below", "_busy", "_dropped", "_enclosing", "_ended"),
        *("_flushed", "_follows", "_going", "_held", "_least", "_lock", "_orders"),
        *("_policy", "_pool", "_reason", "_received", "_sampled", "_settled"),
        *("_trigger", "_usual", "_waiting", "began", "identified", "latest", "level"),
        *("rate", "trace_sampled"),
    )

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        # That of another process, after a fork, has the lines of that one.
        self._pool = policy.pool
        # Held by the thread that changes what waits; busy while it does.
        self._lock = threading.RLock()
        self._busy = False
        # What is to be done then: lists, since adding to one is atomic.
        self._orders: list[_Order] = []
        self._held: Queue | None = None
        self._waiting: Queue | None = None
        # The lines that are being written: the rest of them, after an interrupt.
        self._going: list[Held] = []
        # How many lines have been dropped of those for each writer, until that is said.
        self._dropped: dict[Writer, int] | None = None
        self._enclosing: RequestLines | None = None
        self._received: float | None = None
        # Whether the store is a part of the request that encloses it.
        self._follows = False
        self._flushed = self._ended = self._settled = self._reason = False
        self._sampled = _KEPT if policy.sampling is None else _UNDECIDED
        self.identified = True
        self.latest: dict[Encoder, tuple[View, View]] = {}
        self.trace_sampled: bool | None = None
        self.began = time.monotonic()
        self.level: int | None = None
        self.rate: float | None = None
        self._decide_verdicts()

    # Which lines there are -----------------------------------------------------------

    def wants(self, level: int, usual: bool) -> bool:
        """
        Return whether a line is to be made.

        Args:
            level: Its level.
            usual: Whether it is made where nothing of this room is on.
        """
        if self.level is not None:
            usual = level >= self.level
        return usual or level >= self._least

    def verdict(self, logger: str, level: int, usual: bool, view: View) -> str:
        """
        Return what becomes of a line; let those that wait go first if it says so.

        Args:
            logger: The name of its logger. The store's completion line does not wait.
            level: Its level.
            usual: Whether it is usual, by the level that holds for its logger here.
            view: Its context.

        Returns:
            `WRITE`; `HOLD`, for `hold()`; or `DROP`.
        """
        if level >= self._trigger:
            self._act_on(level, view)
        if usual:
            verdict = self._usual
            if verdict is not WRITE and logger in COMPLETION_LOGGERS:
                return WRITE if self._writes_completion_line() else DROP
            return verdict
        return self._below if level >= self._least else DROP

    def hold(self, usual: bool, size: int, line: Held) -> bool:
        """
        Keep a line for later, and return True; or False if it is to be written now.

        Args:
            usual: Whether it is usual, as for `verdict()`.
            size: About how many bytes of memory it takes.
            line: The line.
        """
        if self._pool is not self._policy.pool:
            self.renew()
        waits, lock = True, self._lock
        # As `_carry_on()`, without the calls.
        try:
            if lock.acquire(False) and not self._busy:
                try:
                    self._busy = True
                    queue = self._held
                    if (
                        self._below is HOLD
                        and not usual
                        and queue is not None
                        and size <= queue.room
                    ):
                        queue.put(size, line)  # as nearly always
                    else:
                        waits = self._hold(usual, size, line)
                finally:
                    self._busy = False
            else:
                self._orders.append((usual, size, line))
        finally:
            try:
                lock.release()
            except RuntimeError:
                pass
        if self._orders:
            self._carry_on()
        return waits

    def marks(self, writer: Writer) -> dict[str, object] | None:
        """
        Return further fields of a line that is written now; None for none.

        Args:
            writer: Writes it.
        """
        dropped = self._dropped
        if self.rate is None and (dropped is None or not self._flushed):
            return None
        names = get_names()
        marks: dict[str, object] = {}
        if dropped and self._flushed:
            count = dropped.pop(writer, 0)
            if count:
                marks[names.dropped_lines] = count
        if self.rate is not None:
            marks[names.sample_rate] = self.rate
        return marks

    # What is decided ------------------------------------------------------------------

    def enter(self, enclosing: View) -> None:
        """Take note of the view of the store that this one is opened over."""
        lines = enclosing.lines
        if isinstance(lines, RequestLines) and lines is not self:
            if lines._sampled is _UNDECIDED:
                lines._decide(enclosing)
            self._enclosing = lines

    def receive(self, rate: float) -> None:
        """
        Take over what another process has decided: the request is kept.

        Args:
            rate: How many requests it stands for; 1 if it is kept for a reason.
        """
        self._received = rate

    def outgoing(self, view: View) -> float | None:
        """Return what other processes are told, for `receive()`; None for nothing."""
        if self._policy.sampling is None:
            return None
        if self._sampled is _UNDECIDED:
            self._decide(view)
        if self._sampled not in (_SHARE, _KEPT):
            return None
        return self.rate or 1

    def flush(self) -> None:
        """Write what waits, after the lines of enclosing stores, and all others."""
        for lines in self._chain():
            lines._order(_FLUSH)

    def keep(self) -> None:
        """Write the request's usual lines, those that wait and all others."""
        for lines in self._chain():
            lines._order(_KEEP)

    def settle(
        self, store: Store, *, failed: bool, seconds: float, level: int = 0
    ) -> None:
        """
        Decide about the request, which is about to end; the first time counts.

        Args:
            store: The store.
            failed: Whether it has failed.
            seconds: How long it took.
            level: The level of its completion line.
        """
        if self._settled:
            return
        self._settled = True
        buffer, sampling = self._policy.buffer, self._policy.sampling
        flushes = buffer is not None and (
            failed
            or level >= buffer.flush
            or _reaches(seconds, buffer.flush_slower_than)
        )
        if flushes:
            self.flush()
        if sampling is None:
            return
        if self._sampled is _UNDECIDED:
            self._decide(store._view)
        if (
            failed
            or flushes
            or self._reason
            or level >= sampling.least
            or _reaches(seconds, sampling.keep_slower_than)
            or self._sampled is _KEPT
            or self._is_asked_for(store)
        ):
            self.keep()
            # Its completion line stands for itself: it would have come anyway.
            self.rate = None
        elif self._sampled is _WAITING:
            self._order(_LEAVE_OUT)

    def finish(self, store: Store, error: BaseException | None) -> None:
        """Decide about a store that has ended, as `settle()` does."""
        seconds = time.monotonic() - self.began
        self.settle(store, failed=failed_by(error), seconds=seconds)

    def fail(self, error: BaseException) -> None:
        """Let what waits go, if an exception that leaves the store is a failure."""
        if failed_by(error):
            self.flush()

    def end(self) -> None:
        """Drop what still waits: the store has ended."""
        self._order(_END)

    def renew(self) -> None:
        """In a forked child: what waits is the parent's to write."""
        self._pool = self._policy.pool
        self._lock = threading.RLock()
        self._busy = False
        self._orders, self._going = [], []
        self._held = self._waiting = self._dropped = None

    # Inside ---------------------------------------------------------------------------

    def _decide_verdicts(self) -> None:
        """Take from what is known what becomes of the next line."""
        buffer, sampling = self._policy.buffer, self._policy.sampling
        sampled, triggers = self._sampled, [NEVER]
        if buffer is None:
            below = DROP
        elif self._flushed:
            below = WRITE
        elif self._ended:
            below = DROP
        else:
            below = HOLD
            triggers.append(buffer.flush)
        if sampling is not None:
            if sampled is _UNDECIDED:
                triggers.append(-NEVER)
            elif sampled is not _KEPT and not self._reason:
                triggers.append(sampling.least)
        if self._going:
            triggers.append(-NEVER)  # the next line has to follow them
        # Together with each other as far as that matters: a line asks for one of them.
        self._below = below
        self._least = NEVER if below is DROP else self._policy.least
        self._usual = HOLD if sampled is _WAITING else WRITE
        if sampled is _OUT:
            self._usual = DROP
        self._trigger = min(triggers)

    def _act_on(self, level: int, view: View) -> None:
        """Let a line of a level decide."""
        buffer, sampling = self._policy.buffer, self._policy.sampling
        if self._sampled is _UNDECIDED:
            self._decide(view)
        if self._going:
            self._order(_FLUSH if self._flushed else _KEEP)
        if buffer is not None and level >= buffer.flush and not self._ended:
            self.flush()
        elif sampling is not None and level >= sampling.least:
            self.keep()

    def _decide(self, view: View) -> None:
        """Decide whether the request is one of the share."""
        sampling = self._policy.sampling
        assert sampling is not None
        request_id = get_names().id_of(view.fields)
        with self._policy.lock:
            if self._sampled is not _UNDECIDED or not self.identified:
                return
            enclosing = self._enclosing
            if self._policy.stopped:
                self._sampled = _KEPT
            elif self._received is not None:
                self._sampled = _SHARE
                self.rate = self._received if self._received > 1 else None
            elif sampling.by == "trace" and self.trace_sampled is not None:
                self._sampled = _SHARE if self.trace_sampled else _WAITING
                self.rate = sampling.stands_for if self.trace_sampled else None
            elif request_id is None and enclosing is not None:
                self._follows = True
                self._sampled, self.rate = enclosing._sampled, enclosing.rate
            elif in_share(request_id, sampling.rate):
                self._sampled, self.rate = _SHARE, sampling.stands_for
            else:
                self._sampled = _WAITING
            if self._ended and self._sampled is _WAITING:
                self._sampled = _OUT
            self._decide_verdicts()

    def _writes_completion_line(self) -> bool:
        sampling = self._policy.sampling
        return sampling is None or sampling.completion_lines

    def _is_asked_for(self, store: Store) -> bool:
        sampling = self._policy.sampling
        keep = None if sampling is None else sampling.keep
        if keep is None:
            return False
        # What it logs belongs to the request, though that may have been left already.
        # A request about which nobody can tell is kept.
        return within(store, ask, "keep failed", True, lambda: bool(keep(store)))

    def _chain(self) -> list[RequestLines]:
        """Return the lines of the stores around this one, the outermost first."""
        chain: list[RequestLines] = []
        lines: RequestLines | None = self
        while lines is not None and all(one is not lines for one in chain):
            chain.append(lines)
            lines = lines._enclosing
        return chain[::-1]

    def _hold(self, usual: bool, size: int, line: Held) -> bool:
        verdict = self._usual if usual else self._below
        if verdict is not HOLD:
            return verdict is DROP
        policy = self._policy
        if usual:
            sampling = policy.sampling
            assert sampling is not None
            queue = self._waiting
            if queue is None:
                queue = self._waiting = Queue(policy.pool, sampling.max_bytes)
                policy.note(self)
            # A stream may have more than there is room for, and last for hours.
            if time.monotonic() - self.began > sampling.max_wait or (
                size > queue.room and not queue.fits(size, len(policy.holding))
            ):
                self._release(flush=False)
                return False
        else:
            buffer = policy.buffer
            assert buffer is not None
            queue = self._held
            if queue is None:
                queue = self._held = Queue(policy.pool, buffer.max_bytes)
                policy.note(self)
            if size > queue.room and not queue.fits(size, len(policy.holding)):
                has_room, dropped = queue.make_room(size, len(policy.holding))
                if not has_room:
                    dropped.append(line)
                counts = self._dropped
                if counts is None:
                    counts = self._dropped = {}
                for one in dropped:
                    counts[one[2]] = counts.get(one[2], 0) + 1
                if not has_room:
                    return True
        queue.put(size, line)
        return True

    def _order(self, order: _Order) -> None:
        """Have something done: by this thread, or by the one that does something."""
        if self._pool is not self._policy.pool:
            self.renew()
        self._orders.append(order)
        self._carry_on()

    def _carry_on(self) -> None:
        """Do what is to be done, unless another thread, or this one, does already."""
        lock = self._lock
        # Again, if an order came as another thread was about to stop.
        while self._orders:
            # Written so that whatever a signal handler raises leaves the lock free: it
            # is not waited for, so that only the thread that has it can release it.
            try:
                if not lock.acquire(False) or self._busy:
                    return
                try:
                    self._busy = True
                    while self._orders:
                        self._carry_out_first()
                finally:
                    self._busy = False
            finally:
                try:
                    lock.release()
                except RuntimeError:
                    pass

    def _carry_out_first(self) -> None:
        order = self._orders[0]
        if not isinstance(order, str):
            # Removed first: a line is never written twice.
            del self._orders[0]
            if not self._hold(*order):
                self._going.append(order[2])
                self._write_going()
            return
        # Removed when it is done: after an interrupt it is done again.
        if order is _LEAVE_OUT:
            self._leave_out()
        elif order is _END:
            self._end()
        else:
            self._release(flush=order is _FLUSH)
        del self._orders[0]

    def _release(self, *, flush: bool) -> None:
        """Write what waits, and have nothing wait any more."""
        if flush and self._policy.buffer is not None and not self._ended:
            self._flushed = True
        if self._sampled is _SHARE:
            self._reason = True
        else:
            self._sampled = _KEPT
        held, released = self._held, [self._waiting]
        if self._flushed:
            held, released = None, [self._waiting, self._held]
        going = [*self._going]
        for queue in released:
            if queue is not None:
                going += [line for _, line in queue.lines]
        going.sort(key=_created)
        # One step, since a signal handler may raise after each call.
        self._going, self._waiting, self._held = going, None, held
        try:
            self._write_going()
        finally:
            if self._held is None and self._waiting is None:
                self._policy.forget(self)
            # From here on others are written at once, after these.
            self._decide_verdicts()

    def _leave_out(self) -> None:
        """Drop what waits, unless it is a part of a request that waits as well."""
        enclosing = self._enclosing if self._follows else None
        self._sampled = _OUT
        self._decide_verdicts()
        waiting = self._waiting
        if waiting and enclosing is not None and enclosing._sampled is not _OUT:
            while waiting.lines:
                size, line = waiting.lines.pop(0)
                if enclosing._usual is not HOLD or not enclosing.hold(True, size, line):
                    self._going.append(line)
            self._write_going()
        self._waiting = None

    def _end(self) -> None:
        if self._going:
            self._write_going()
        self._ended = True
        if self._sampled is _WAITING:
            self._sampled = _OUT
        self._decide_verdicts()
        self._held = self._waiting = None
        self.latest = {}
        self._policy.forget(self)

    def _write_going(self) -> None:
        """Write lines that have waited, those for one place together."""
        going, names = self._going, get_names()
        dropped = self._dropped if self._flushed else None
        more: dict[str, object] = {BUFFERED: True}
        made: list[tuple[Writer, bytes]] = []
        # The first line for each writer, which says how many are missing before it.
        first: dict[Writer, int] = {}
        for number, held in enumerate(going):
            marks, writer = more, held[2]
            if dropped and writer not in first and held[1] is not as_formatted:
                first[writer] = number
                if writer in dropped:
                    marks = {**more, names.dropped_lines: dropped[writer]}
            made.append((writer, held[1](held, marks)))
        written = 0
        try:
            for writer, together in groupby(made, key=_writer):
                with writer.together():
                    for one, line in together:
                        # Noted first: a line is never written twice.
                        written += 1
                        one.write(line)
        finally:
            # An interrupt leaves the rest to the next order.
            del going[:written]
            for writer, number in first.items():
                if dropped and number < written:
                    dropped.pop(writer, None)


def _created(line: Held) -> float:
    created: float = line[0]
    return created


def _reaches(seconds: float, limit: float | None) -> bool:
    return limit is not None and seconds >= limit


def _writer(made: tuple[Writer, bytes]) -> Writer:
    return made[0]
