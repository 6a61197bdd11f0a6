"""
One measurement, in a process of its own; `bench.py` starts it.

The lines go to standard output, which the parent has opened; the result, nanoseconds
per line (or whatever is measured), is one number on standard error. It is the time of
the process, with all its threads, and not that of the clock on the wall: what else the
machine does meanwhile does not count.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Any

import cases

WARM_UP = 1_000


def timed(fn: Callable[[], object], times: int) -> float:
    """Nanoseconds of the process per call, over many calls in a row."""
    run = range(times)
    started = time.process_time_ns()
    for _ in run:
        fn()
    return (time.process_time_ns() - started) / times


def line(name: str, lines: int, threads: int) -> float:
    log = cases.CASES[name]()
    timed(log, WARM_UP)
    if threads == 1 and not cases.FINISH:
        return timed(log, lines)
    started = time.process_time_ns()
    share = lines // threads
    # Each in a copy of this context, since some peers do not carry theirs to threads.
    workers = [
        threading.Thread(target=copy_context().run, args=(timed, log, share))
        for _ in range(threads)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for finish in cases.FINISH:
        finish()
    return (time.process_time_ns() - started) / (share * threads)


def operation(name: str, times: int) -> float:
    """An operation on the store, inside one with five fields."""
    import ctxlog

    variable: ContextVar[Any] = ContextVar("variable", default=None)
    bound: dict[str, Any] = {**cases.CONTEXT, "a": 1, "b": 2, "c": 3}

    def nothing() -> None:
        pass

    def scope() -> None:
        with ctxlog.scope(order="o-7"):
            pass

    def inside() -> float:
        variable.set(bound)
        snapshot = ctxlog.Snapshot()
        operations: dict[str, Callable[[], object]] = {
            "ContextVar.get()": variable.get,
            "get_store()": ctxlog.get_store,
            "fields()": ctxlog.fields,
            "bind(order=...)": lambda: ctxlog.bind(order="o-7"),
            "with scope(order=...)": scope,
            "run({...}, fn)": lambda: ctxlog.run(bound, nothing),
            "Snapshot().run(fn)": lambda: snapshot.run(nothing),
        }
        chosen = operations[name]
        timed(chosen, WARM_UP)
        return timed(chosen, times)

    return ctxlog.run(bound, inside)


def live_stores(what: str, count: int) -> float:
    """Ten thousand requests at once: bytes for each, or nanoseconds to open it."""
    import ctxlog
    from ctxlog.context.adapter import Entry

    entries: list[Any] = []
    tracemalloc.start() if what == "bytes" else None
    before = tracemalloc.get_traced_memory()[0] if what == "bytes" else 0
    started = time.process_time_ns()
    for number in range(count):
        fields = {"requestID": f"{number:032x}", "a": 1, "b": 2, "c": 3, "d": 4}
        entries.append(Entry(ctxlog.Store(fields)))
    elapsed = time.process_time_ns() - started
    if what == "bytes":
        # Without the list and the ids themselves, which every logger would hold.
        own = tracemalloc.get_traced_memory()[0] - before
        own -= sys.getsizeof(entries) + count * sys.getsizeof("0" * 32)
        return own / count
    return elapsed / count


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["line", "operation", "stores"])
    parser.add_argument("name")
    parser.add_argument("--times", type=int, default=20_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--fields", type=int, help="how many fields the context has")
    parser.add_argument("--event", default="line")
    chosen = parser.parse_args()
    if chosen.fields is not None:
        more = [(f"field{n}", f"value {n}") for n in range(chosen.fields)]
        cases.CONTEXT = dict([*cases.CONTEXT.items(), *more][: chosen.fields])
    cases.EVENT = chosen.event
    if chosen.kind == "line":
        result = line(chosen.name, chosen.times, chosen.threads)
    elif chosen.kind == "operation":
        result = operation(chosen.name, chosen.times)
    else:
        result = live_stores(chosen.name, chosen.times)
    sys.stdout.flush()
    logging.shutdown()
    print(json.dumps(result), file=sys.__stderr__)


if __name__ == "__main__":
    main()
