"""
One process that measures; `workers.py` starts it.

The lines go to standard output, which the parent has opened. For each line on standard
input one block is measured, and the result, nanoseconds per call (or whatever is
measured), is printed to standard error behind a `=`. It is the time of the process,
with all its threads, and not that of the clock on the wall: what else the machine does
meanwhile does not count.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any

import cases

WARM_UP = 1_000

#: How long a block lasts, in nanoseconds: short, as the speed of a machine drifts.
BLOCK = 15_000_000

#: Calls so many times; returns the nanoseconds of the process that it took.
Calls = Callable[[int], float]


def repeated(fn: Callable[[], object]) -> Calls:
    def calls(times: int) -> float:
        run = range(times)
        started = time.process_time_ns()
        for _ in run:
            fn()
        return time.process_time_ns() - started

    return calls


def blocks(calls: Calls, threads: int = 1) -> Callable[[], float]:
    """Return what measures a block whose length was found by trying."""
    calls(WARM_UP)
    per_call = max(calls(WARM_UP) / WARM_UP, 1)
    # Threads need longer to get into each other's way as they do.
    times = max(round(BLOCK * (5 if threads > 1 else 1) / per_call), 10)
    return lambda: calls(times) / times


def line(name: str, threads: int) -> Callable[[], float]:
    log = cases.CASES[name]()
    calls = repeated(log)
    if cases.FINISH:
        return lambda: written_later(log)
    if threads == 1:
        return blocks(calls)

    def together(times: int) -> float:
        # Each in a copy of this context: some peers do not carry theirs to threads.
        workers = [
            threading.Thread(target=copy_context().run, args=(calls, times // threads))
            for _ in range(threads)
        ]
        started = time.process_time_ns()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return time.process_time_ns() - started

    return blocks(together, threads)


def written_later(log: Callable[[], object], times: int = 2_000) -> float:
    """The one block of a logger that writes later, until all has been written."""
    repeated(log)(100)
    started = time.process_time_ns()
    for _ in range(times):
        log()
    for finish in cases.FINISH:
        finish()
    return (time.process_time_ns() - started) / times


def operation(name: str) -> Callable[[], float]:
    """An operation on the store, inside one with five fields."""
    import ctxlog
    from ctxlog.context.adapter import add_time

    variable: ContextVar[Any] = ContextVar("variable", default=None)
    bound: dict[str, Any] = {**cases.CONTEXT, "a": 1, "b": 2, "c": 3}

    def nothing() -> None:
        pass

    def scope() -> None:
        with ctxlog.scope(order="o-7"):
            pass

    def timed() -> None:
        with ctxlog.timed("render"):
            pass

    @ctxlog.timed("render")
    def decorated() -> None:
        pass

    variable.set(bound)
    if not name.endswith("no request"):
        cases.enter(bound)
    snapshot = ctxlog.Snapshot()
    operations: dict[str, Callable[[], object]] = {
        "ContextVar.get()": variable.get,
        "get_store()": ctxlog.get_store,
        "fields()": ctxlog.fields,
        "bind(order=...)": lambda: ctxlog.bind(order="o-7"),
        "with scope(order=...)": scope,
        "run({...}, fn)": lambda: ctxlog.run(bound, nothing),
        "Snapshot().run(fn)": lambda: snapshot.run(nothing),
        'count("rows", 12)': lambda: ctxlog.count("rows", 12),
        'count("rows", 12), no request': lambda: ctxlog.count("rows", 12),
        'with timed("render")': timed,
        'with timed("render"), no request': timed,
        '@timed("render")': decorated,
        'add_time("db", 1000)': lambda: add_time("db", 1000),
        'add_time("db", 1000), no request': lambda: add_time("db", 1000),
    }
    return blocks(repeated(operations[name]))


def request(name: str, group: str) -> Callable[[], float]:
    """An empty request in process, under one of `middleware.py`'s ways."""
    import middleware

    import ctxlog

    ctxlog.configure(format="json", loggers=["stdlib"])
    ways = {way.name: way.block for way in middleware.GROUPS[group]()}
    return blocks(ways[name])


def retained(name: str, group: str) -> Callable[[], float]:
    """A line that may wait, or a call that may be enabled: a row of `retention.py`."""
    import retention

    return blocks(retention.WAYS[group][name].begin())


def live_stores(what: str, count: int = 10_000) -> float:
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
    parser.add_argument(
        "kind", choices=["line", "operation", "request", "retained", "stores"]
    )
    parser.add_argument("name")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--fields", type=int, help="how many fields the context has")
    parser.add_argument("--event", default="line")
    parser.add_argument("--group", default="asgi", help="of requests, of lines kept")
    chosen = parser.parse_args()
    if chosen.fields is not None:
        more = [(f"field{n}", f"value {n}") for n in range(chosen.fields)]
        cases.CONTEXT = dict([*cases.CONTEXT.items(), *more][: chosen.fields])
    cases.EVENT = chosen.event
    if chosen.kind == "line":
        block = line(chosen.name, chosen.threads)
    elif chosen.kind == "operation":
        block = operation(chosen.name)
    elif chosen.kind == "request":
        block = request(chosen.name, chosen.group)
    elif chosen.kind == "retained":
        block = retained(chosen.name, chosen.group)
    else:
        block = partial(live_stores, chosen.name)
    for _ in sys.stdin:
        os.write(2, f"={block()}\n".encode())
        if cases.FINISH or chosen.kind == "stores":
            break
    sys.stdout.flush()
    logging.shutdown()


if __name__ == "__main__":
    main()
