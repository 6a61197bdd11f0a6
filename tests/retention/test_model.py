"""
Requests in any order, against a simple model of which lines are written when.

The model is a list of what each rule says, for lines that are numbered. What is written
is compared with it after each step: no line is there twice, none is missing, and none
is there that should not be.
"""

from __future__ import annotations

import importlib.util
import io
import itertools
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

import ctxlog
from ctxlog.retention import settle
from ctxlog.retention._sample import in_share
from tests.helpers import load_line

DEBUG, INFO, WARNING, ERROR = 10, 20, 30, 40
LEVELS = st.sampled_from([INFO, DEBUG, DEBUG, DEBUG, INFO, INFO, 5, WARNING, ERROR])

#: The share, the id of a request in it, and of one that is not.
RATE, IN, OUT = 0.5, "req-1", "req-5"
assert in_share(IN, RATE)
assert not in_share(OUT, RATE)
IDS = st.sampled_from([OUT, OUT, IN])

#: The loggers, each of which writes in a way of its own.
WAYS = ["direct", "records"]
WAYS += [name for name in ("structlog", "loguru") if importlib.util.find_spec(name)]


#: Log calls: the level, the way, and whether another thread makes it.
CALLS = st.lists(
    st.tuples(LEVELS, st.sampled_from(WAYS), st.sampled_from([False, False, True])),
    min_size=1,
    max_size=5,
)


def keep(store: ctxlog.Store) -> bool:
    """
    Whether the application keeps a request.
    """
    return "asked for" in store


@dataclass(frozen=True)
class Line:
    """
    A line, by its number; whether it has waited, and the rate that it shows.
    """

    number: int
    buffered: bool = False
    rate: object = None


@dataclass(eq=False)
class Model:
    """
    What is known of one store.

    Attributes:
        store: The store.
        request_id: Its id, if it has one of its own.
        around: The store that it was opened in.
        level: The level that was set for it.
        flushed: Whether its buffer has been flushed.
        fate: `share`, `kept`, `waiting`, `out`; None as long as nothing has asked.
        reason: Whether it has been kept for a reason, though it is one of the share.
        follows: Whether its fate is that of the store around it.
        held: The numbers of the lines in its buffer.
        waiting: Those of the lines that wait to be sampled.
    """

    store: ctxlog.Store
    request_id: str | None
    around: Model | None
    level: int | None = None
    flushed: bool = False
    fate: str | None = None
    rate: object = None
    reason: bool = False
    follows: bool = False
    ended: bool = False
    held: list[int] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)

    def chain(self) -> list[Model]:
        """
        The stores around it and itself, the outermost first.
        """
        around = [] if self.around is None else self.around.chain()
        return [*around, self]


class Requests(RuleBasedStateMachine):
    """
    Any number of requests, which log, nest, fail and end.
    """

    stores = Bundle("stores")

    def __init__(self) -> None:
        super().__init__()
        self.stream = io.BytesIO()
        self.read = 0
        self.number = 0
        self.expected: list[Line] = []
        self.found: list[Line] = []
        self.buffer = self.sampling = False
        self.loggers: dict[str, Callable[[int, int], None]] = {}

    @initialize(
        target=stores,
        on=st.sampled_from([(True, True), (True, False), (False, True)]),
        request_id=IDS,
    )
    def configure(self, on: tuple[bool, bool], request_id: str) -> Model:
        self.buffer, self.sampling = on
        ctxlog.configure(
            stream=self.stream,
            format="json",
            buffer=ctxlog.Buffer(flush_slower_than=5.0) if self.buffer else None,
            sampling=(
                ctxlog.Sampling(rate=RATE, keep=keep, keep_slower_than=5.0)
                if self.sampling
                else None
            ),
        )
        direct = logging.getLogger("retention.model")
        direct.addHandler(ctxlog.LineHandler(self.stream))
        direct.propagate = False
        records = logging.getLogger("retention.root")
        self.loggers = {
            "direct": lambda level, n: direct.log(level, "line %d", n),
            "records": lambda level, n: records.log(level, f"line {n}"),
        }
        if "structlog" in WAYS:
            import structlog

            log = structlog.stdlib.get_logger("retention.structlog")
            names = {5: "debug", 10: "debug", 20: "info", 30: "warning", 40: "error"}
            self.loggers["structlog"] = lambda level, n: getattr(log, names[level])(
                f"line {n}"
            )
        if "loguru" in WAYS:
            from loguru import logger

            self.loggers["loguru"] = lambda level, n: logger.log(
                "TRACE" if level == 5 else logging.getLevelName(level), f"line {n}"
            )
        return self.begin(request_id)

    def teardown(self) -> None:
        ctxlog.unconfigure()
        logging.getLogger("retention.model").handlers.clear()

    # The rules ------------------------------------------------------------------------

    @rule(target=stores, request_id=IDS)
    def begin(self, request_id: str) -> Model:
        """
        A request begins.
        """
        return Model(ctxlog.Store(requestID=request_id), request_id, None)

    @rule(
        target=stores,
        around=stores,
        request_id=st.sampled_from([None, None, IN, OUT]),
    )
    def nest(self, around: Model, request_id: str | None) -> Model:
        """
        A store is opened within another one.
        """
        fields: dict[str, object] = {"part": 1}
        if request_id is not None:
            fields["requestID"] = request_id
        store = ctxlog.Store(fields)
        ctxlog.run(around.store, ctxlog.run, store, list)
        self.decide(around)
        return Model(store, request_id, around)

    @rule(one=stores, calls=CALLS)
    def log(self, one: Model, calls: list[tuple[int, str, bool]]) -> None:
        """
        Something is logged in a request, also in one that has ended.
        """
        for call in calls:
            self.log_line(one, *call)

    @rule(one=stores, other=stores, calls=CALLS)
    def log_in_turns(
        self, one: Model, other: Model, calls: list[tuple[int, str, bool]]
    ) -> None:
        """
        Two requests log, now the one and now the other.
        """
        for call in calls:
            self.log_line(one, *call)
            self.log_line(other, *call)

    def log_line(self, one: Model, level: int, way: str, thread: bool) -> None:
        """
        One line, by one of the loggers; by another thread of the request, perhaps.
        """
        if way == "structlog":
            level = max(level, DEBUG)
        self.number += 1
        args = (one.store, self.loggers[way], level, self.number)
        if thread:
            other = threading.Thread(target=ctxlog.run, args=args)
            other.start()
            other.join()
        else:
            ctxlog.run(*args)
        least = INFO if one.level is None else one.level
        usual = level >= least
        below = self.buffer and level >= DEBUG and (one.flushed or not one.ended)
        if not (usual or below):
            return
        self.decide(one)
        if self.buffer and level >= ERROR and not (one.flushed or one.ended):
            self.flush(one)
        elif self.sampling and level >= WARNING:
            self.keep(one)
        self.expect(one, usual, self.number)

    @rule(level=LEVELS, way=st.sampled_from(WAYS))
    def log_outside(self, level: int, way: str) -> None:
        """
        Something is logged outside of any request.
        """
        self.number += 1
        self.loggers[way](level, self.number)
        if level >= INFO:
            self.expected.append(Line(self.number))

    @rule(one=stores, level=st.sampled_from([None, DEBUG, INFO, ERROR, 0]))
    def ask_for_more(self, one: Model, level: int | None) -> None:
        """
        A request has a level of its own from here on, or is flushed.
        """
        if level == 0:
            ctxlog.run(one.store, ctxlog.flush_buffer)
            self.flush(one)
        else:
            ctxlog.run(one.store, ctxlog.set_level, level)
            one.level = level

    @rule(
        one=stores,
        failed=st.sampled_from([False, False, False, True]),
        seconds=st.sampled_from([1.0, 1.0, 1.0, 5.0]),
        asked_for=st.sampled_from([False, False, False, True]),
        level=st.sampled_from([INFO, INFO, INFO, 0, WARNING, ERROR]),
    )
    def end(
        self, one: Model, failed: bool, seconds: float, asked_for: bool, level: int
    ) -> None:
        """
        A request ends as adapters end it: with a decision, and a completion line.
        """
        if one.ended:
            return
        self.number += 1
        if asked_for:
            one.store["asked for"] = True
        settle(one.store, failed=failed, seconds=seconds, level=level)
        if level:
            completion = logging.getLogger("ctxlog.request")
            ctxlog.run(one.store, completion.log, level, f"line {self.number}")
        one.store.close()
        self.settle(one, failed, seconds >= 5.0, asked_for, level)
        if level:
            self.complete(one, level)
        one.ended = True
        one.held, one.waiting = [], []

    # The model ------------------------------------------------------------------------

    def decide(self, one: Model) -> None:
        """
        Something asks whether the request is one of the share.
        """
        if one.fate is not None:
            return
        if not self.sampling:
            one.fate = "kept"
        elif one.request_id is None:
            assert one.around is not None
            self.decide(one.around)
            one.follows = True
            one.fate, one.rate = one.around.fate, one.around.rate
        elif one.request_id == IN:
            one.fate, one.rate = "share", 2
        else:
            one.fate = "waiting"
        if one.ended and one.fate == "waiting":
            one.fate = "out"

    def flush(self, one: Model) -> None:
        """
        All lines that wait are written, of the stores around it, too.
        """
        for store in one.chain():
            if self.buffer and not store.ended:
                store.flushed = True
            self.release(store)

    def keep(self, one: Model) -> None:
        """
        The usual lines that wait are written, of the stores around it, too.
        """
        if one.fate == "kept" or one.reason:
            return
        for store in one.chain():
            self.release(store)

    def release(self, store: Model) -> None:
        """
        What waits is written in its order.
        """
        if store.fate == "share":
            store.reason = True
        else:
            store.fate = "kept"
        numbers, store.waiting = store.waiting, []
        if store.flushed:
            numbers, store.held = [*numbers, *store.held], []
        self.expected += [Line(n, True) for n in sorted(numbers)]

    def expect(self, one: Model, usual: bool, number: int) -> None:
        """
        A line is written, or waits, or is dropped.
        """
        if not usual:
            if one.flushed:
                self.expected.append(Line(number, False, one.rate))
            elif not one.ended:
                one.held.append(number)
        elif one.fate == "waiting":
            one.waiting.append(number)
        elif one.fate != "out":
            self.expected.append(Line(number, False, one.rate))

    def settle(
        self, one: Model, failed: bool, slow: bool, asked_for: bool, level: int
    ) -> None:
        """
        The end of a request decides.
        """
        flushes = self.buffer and (failed or slow or level >= ERROR)
        if flushes:
            self.flush(one)
        if not self.sampling:
            return
        self.decide(one)
        reasons = failed, slow, asked_for, level >= WARNING, one.reason
        if any(reasons) or flushes or one.fate == "kept":
            for store in one.chain():
                self.release(store)
            one.rate = None
        elif one.fate == "waiting":
            one.fate = "out"
            waiting, one.waiting = one.waiting, []
            around = one.around
            if one.follows and around is not None and around.fate != "out":
                for number in waiting:
                    if around.fate == "waiting":
                        around.waiting.append(number)
                    else:
                        self.expected.append(Line(number, True))

    def complete(self, one: Model, level: int) -> None:
        """
        The completion line is written, unless it is below the level and waits.
        """
        usual = level >= (INFO if one.level is None else one.level)
        if usual or (self.buffer and one.flushed):
            self.expected.append(Line(self.number, False, one.rate))

    # The comparison -------------------------------------------------------------------

    @invariant()
    def what_is_written_is_what_the_model_says(self) -> None:
        """
        After each step, line by line.
        """
        data = self.stream.getvalue()
        lines = [load_line(line) for line in data[self.read :].splitlines()]
        self.read = len(data)
        # Two lines of one moment may change places where they waited in two queues.
        found = [
            line
            for _, together in itertools.groupby(lines, lambda one: one["timestamp"])
            for line in sorted(map(self.line, together), key=lambda one: one.number)
        ]
        self.found += found
        assert self.found == self.expected
        numbers = [one.number for one in self.found]
        assert len(numbers) == len(set(numbers))

    @staticmethod
    def line(event: dict[str, Any]) -> Line:
        """
        A line as the model knows it.
        """
        number = int(event["message"].removeprefix("line "))
        return Line(number, event.get("buffered", False), event.get("sampleRate"))


TestRequests = Requests.TestCase
TestRequests.settings = settings(stateful_step_count=40)
