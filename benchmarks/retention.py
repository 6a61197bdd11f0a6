"""
What lines cost that a request may keep or drop, and calls that a request may enable.

`python benchmarks/retention.py` prints Markdown; names of groups choose some. Each row
has a process of its own, and those of a group take turns, as in `bench.py`. A row
serves requests of fifty lines each: opening and closing the store is a part of it, and
so is dropping what waits at the end.
"""

from __future__ import annotations

import argparse
import logging
import platform
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import cases
from goals import Goal, judged
from ratios import FEWEST, Failed, middle, ratio
from workers import Row, in_turn, progress

import ctxlog
from ctxlog.retention._sample import in_share

WAITING = "a line that may wait"
CALLS = "a disabled call"
WRITTEN = "DEBUG, written"
DROPPED = "DEBUG, buffered and dropped"
FLUSHED = "DEBUG, buffered and flushed"
INFO = "INFO"
INFO_BUFFER = "INFO, a buffer on"
INFO_SHARE = "INFO, of a request of the share"
INFO_OUT = "INFO, of a request that is left out"
STOCK_CALL = "the library alone"
ALL_OFF = "ctxlog, everything off"
ABOVE = "ctxlog, a buffer from INFO on"
BESIDE = "ctxlog, another request has a level of its own"

Log = Callable[[], object]

#: Calls so many times; returns the nanoseconds of the process that it took.
Calls = Callable[[int], float]

#: The lines of one request.
LINES = 50


class Way(NamedTuple):
    """
    One way to log, and what is done with the line.

    Attributes:
        logger: Which logger.
        event: What is logged, as that logger's function below names it.
        options: Those of `configure()`; None for the library without ctxlog.
        calls: Makes of the function that logs once one that logs many times.
        fields: The fields of each request.
    """

    logger: str
    event: str
    options: dict[str, Any] | None
    calls: Callable[[Log, dict[str, Any]], Calls]
    fields: dict[str, Any] = cases.CONTEXT

    def begin(self) -> Calls:
        """Set this process up, and return what is measured."""
        if self.options is not None:
            ctxlog.configure(format="json", loggers=[self.logger], **self.options)
        events = LOGGERS[self.logger](self.options is None)
        return self.calls(events[self.event], self.fields)


# What is logged -------------------------------------------------------------------


def stdlib(stock: bool) -> dict[str, Log]:
    log = logging.getLogger("shop.users")
    if stock:
        log = cases.stdlib_logger(logging.StreamHandler(sys.stdout))
    extra = {"rows": 3, "hit": True}
    return {
        "debug": lambda: log.debug("loaded %s rows of %s", 3, "orders"),
        "debug, extra": lambda: log.debug("loaded %s rows", 3, extra={**extra}),
        "info": lambda: log.info("loaded %s rows of %s", 3, "orders"),
    }


def structlog(stock: bool) -> dict[str, Log]:
    import structlog

    if stock:
        cases.structlog_bytes()
    log = structlog.get_logger("shop.users").bind()
    return {
        "debug": lambda: log.debug("loaded rows", rows=3, table="orders"),
        "info": lambda: log.info("loaded rows", rows=3, table="orders"),
    }


def loguru(stock: bool) -> dict[str, Log]:
    from loguru import logger

    if stock:
        cases.loguru_null()
    return {
        "debug": lambda: logger.debug("loaded {} rows of {}", 3, "orders"),
        "info": lambda: logger.info("loaded {} rows of {}", 3, "orders"),
    }


LOGGERS: dict[str, Callable[[bool], dict[str, Log]]] = {
    "stdlib": stdlib,
    "structlog": structlog,
    "loguru": loguru,
}


# How it is logged -----------------------------------------------------------------


def _timed(request: Log, lines: int) -> Calls:
    """Return what serves requests that log so many lines each."""

    def calls(times: int) -> float:
        count = max(times // lines, 1)
        started = time.process_time_ns()
        for _ in range(count):
            request()
        return (time.process_time_ns() - started) * times / (count * lines)

    return calls


def dropped(log: Log, fields: dict[str, Any]) -> Calls:
    """Requests that end well."""

    def work() -> None:
        for _ in range(LINES):
            log()

    return _timed(lambda: ctxlog.run(fields, work), LINES)


def flushed(log: Log, fields: dict[str, Any]) -> Calls:
    """Requests of two hundred lines that are flushed at the end."""
    lines = 200

    def work() -> None:
        for _ in range(lines):
            log()
        ctxlog.flush_buffer()

    return _timed(lambda: ctxlog.run(fields, work), lines)


def inside(log: Log, fields: dict[str, Any]) -> Calls:
    """One long request, as for what logs nothing."""
    cases.enter(fields)

    def calls(times: int) -> float:
        run = range(times)
        started = time.process_time_ns()
        for _ in run:
            log()
        return time.process_time_ns() - started

    return calls


def beside(log: Log, fields: dict[str, Any]) -> Calls:
    """The same, after another request was given a level of its own."""
    ctxlog.run({}, ctxlog.set_level, "DEBUG")
    return inside(log, fields)


# The rows -------------------------------------------------------------------------

_RATE = 0.1
_SHARE, _OUT = (
    next(
        {**cases.CONTEXT, "requestID": f"{number:032x}"}
        for number in range(1_000)
        if in_share(f"{number:032x}", _RATE) is wanted
    )
    for wanted in (True, False)
)


def _ways(logger: str) -> Iterator[tuple[str, str, Way]]:
    """Yield the groups, the names and the rows of one logger."""
    buffer = {"buffer": ctxlog.Buffer(max_bytes=1_000_000)}
    sampling = {"sampling": ctxlog.Sampling(_RATE)}
    lines = f"{WAITING}, {logger}"
    for event in ("debug", "debug, extra") if logger == "stdlib" else ("debug",):
        more = event.removeprefix("debug")
        debug = {"level": "DEBUG"}
        yield lines, WRITTEN + more, Way(logger, event, debug, dropped)
        yield lines, DROPPED + more, Way(logger, event, buffer, dropped)
    yield lines, FLUSHED, Way(logger, "debug", buffer, flushed)
    yield lines, INFO, Way(logger, "info", {}, dropped)
    yield lines, INFO_BUFFER, Way(logger, "info", buffer, dropped)
    yield lines, INFO_SHARE, Way(logger, "info", sampling, dropped, _SHARE)
    yield lines, INFO_OUT, Way(logger, "info", sampling, dropped, _OUT)
    calls = f"{CALLS}, {logger}"
    high = {"level": "WARNING", "buffer": ctxlog.Buffer(level="INFO")}
    yield calls, STOCK_CALL, Way(logger, "debug", None, inside)
    yield calls, ALL_OFF, Way(logger, "debug", {}, inside)
    yield calls, ABOVE, Way(logger, "debug", high, inside)
    yield calls, BESIDE, Way(logger, "debug", {}, beside)


WAYS: dict[str, dict[str, Way]] = {}
for _logger in LOGGERS:
    for _group, _name, _way in _ways(_logger):
        WAYS.setdefault(_group, {})[_name] = _way


GOALS = [
    *(
        Goal(f"{WAITING}, {logger}", DROPPED + more, WRITTEN + more, 0.60, 0.50)
        for logger, more in (
            *(("stdlib", ""), ("stdlib", ", extra")),
            *(("structlog", ""), ("loguru", "")),
        )
    ),
    *(
        Goal(f"{CALLS}, {logger}", call, STOCK_CALL, 1.05, 1.00)
        for logger in ("stdlib", "structlog")
        for call in (ALL_OFF, ABOVE, BESIDE)
    ),
]


def report(groups: list[str], rounds: int, turns: int) -> Iterator[str]:
    yield f"{platform.python_implementation()} {platform.python_version()}, medians of"
    yield f"{rounds} rounds of new processes with {turns} turns each.\n"
    results = {}
    for group in groups:
        progress(group)
        rows = [Row(n, "retained", options=("--group", group)) for n in WAYS[group]]
        found = results[group] = in_turn(rows, rounds, turns)
        base = WRITTEN if WRITTEN in found else STOCK_CALL
        yield f"#### {group[0].upper()}{group[1:]}\n"
        yield f"| | ns | ratio to {base} |\n|---|---|---|"
        for name, samples in found.items():
            if isinstance(samples, Failed):
                yield f"| {name} | {samples} | |"
            else:
                figure = f"{middle(samples):.0f}"
                yield f"| {name} | {figure} | {ratio(samples, found[base])} |"
        yield ""
    for goal, ours, verdict in judged(results, GOALS):
        if goal.group in groups:
            yield f"- {goal}: {ours} (at most {goal.limit}): {verdict}."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="*", help=f"of {'; '.join(WAYS)}")
    parser.add_argument("--rounds", type=int, default=FEWEST)
    parser.add_argument("--turns", type=int, default=17)
    chosen = parser.parse_args()
    unknown = set(chosen.groups) - set(WAYS)
    if unknown:
        parser.error(f"no group: {', '.join(sorted(unknown))}")
    groups = chosen.groups or list(WAYS)
    for line in report(groups, chosen.rounds, chosen.turns):
        print(line, flush=True)


if __name__ == "__main__":
    main()
