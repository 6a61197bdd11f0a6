"""
Behaviors of a line in its context: whose fields it has, in threads and tasks too.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from ctxlog._names import get_names
from ctxlog.context import Store, bind, detached, fields, run, scope, unbind, wrap
from ctxlog.context.adapter import Entry
from ctxlog.testing._bench import Bench, behavior, has, request, require, same

# Context ----------------------------------------------------------------------


@behavior("A request's fields are on its lines, and gone after it.")
def _stamped(bench: Bench) -> None:
    def handle() -> dict[str, Any]:
        bind(user={"id": "user-123"})
        return bench.line()

    line = run(request("req-A", path="/"), handle)
    has(line, **request("req-A", path="/", user={"id": "user-123"}))
    elapsed = line[get_names().elapsed]
    require(elapsed >= 0, f"{get_names().elapsed} is {elapsed}")
    same(list(bench.line())[5:], [], "fields after the request")


@behavior("What is bound deep down is on the outer code's next line.")
def _bound_deep(bench: Bench) -> None:
    def outer() -> list[dict[str, Any]]:
        first = bench.line()
        copy_context().run(bind, user="u")
        second = bench.line()
        unbind("user")
        return [first, second, bench.line()]

    seen = [line.get("user") for line in run(request("req-A"), outer)]
    same(seen, [None, "u", None], "user, line by line")


@behavior("A field that is bound again shows its new value, once.")
def _bound_again(bench: Bench) -> None:
    def handle() -> list[Any]:
        seen = []
        for attempt in (1, 2, 3):
            bind(attempt=attempt)
            seen.append(bench.line()["attempt"])
        return seen

    same(run({}, handle), [1, 2, 3], "attempt, line by line")


@behavior("A scope's fields are on the lines of its block only.")
def _scoped(bench: Bench) -> None:
    def handle() -> list[Any]:
        with scope(order="o-7"):
            inside = bench.line()
        return [inside.get("order"), bench.line().get("order")]

    same(run(request("req-A"), handle), ["o-7", None], "order, line by line")


@behavior("A request within a request has its own lines, and the outer one its own.")
def _nested(bench: Bench) -> None:
    def outer() -> list[str]:
        inner = run(request("req-B"), bench.line)
        return [inner[get_names().request_id], bench.line()[get_names().request_id]]

    same(run(request("req-A"), outer), ["req-B", "req-A"], "ids, line by line")


@behavior("Detached code has no context.")
def _detached(bench: Bench) -> None:
    def handle() -> list[str]:
        before = bench.line()
        with detached():
            inside = bench.line()
        return [line[get_names().request_id] for line in (before, inside, bench.line())]

    ids = ["req-A", "N/A", "req-A"]
    same(run(request("req-A"), handle), ids, "ids, line by line")


@behavior("The nearer a field is to the log call, the more it counts.")
def _precedence(bench: Bench) -> None:
    def handle() -> dict[str, Any]:
        with scope(b="scope", c="scope", d="scope"):
            return bench.line(
                fields={"d": "call"}, bound={"c": "logger", "d": "logger"}
            )

    line = run(dict.fromkeys("abcd", "store"), handle)
    has(line, a="store", b="scope", c="logger", d="call")


@behavior("A call may name the request that it speaks of.")
def _own_id(bench: Bench) -> None:
    line = run(request("req-A"), bench.line, fields=request("req-B"))
    has(line, **request("req-B"))


@behavior("An id is text, whatever was bound.")
def _id_is_text(bench: Bench) -> None:
    for bound, shown in ((7, "7"), (None, "N/A"), ("x\ny", "x\ny")):
        has(run(request(bound), bench.line), **request(shown))


@behavior("A field with a name of the line's own comes out as fields.<name>.")
def _reserved_names(bench: Bench) -> None:
    elapsed = get_names().elapsed
    names = (
        *("timestamp", "level", "message", "logger", "exception"),
        *(elapsed, "late", get_names().log_error),
    )
    moved = {f"fields.{name}": "mine" for name in names}
    line = run(dict.fromkeys(names, "mine"), bench.line)
    has(line, level="INFO", message="hello", **moved)
    late = bench.line(fields={"late": "mine", elapsed: "mine"})
    has(late, **{"fields.late": "mine", f"fields.{elapsed}": "mine"})


@behavior("A line logged after its request's end says that it is late.")
def _late(bench: Bench) -> None:
    store = Store(request("req-A"))
    with Entry(store):
        in_time = bench.line()
        later = wrap(bench.line)
    line = later()
    require("late" not in in_time, "a line within the request is late")
    has(line, **request("req-A", late=True))


@behavior("A line never changes once it was logged, also while it waits in a queue.")
def _waiting(bench: Bench) -> None:
    def handle() -> None:
        bind(step=1)
        bench.log("first")
        bind(step=2)
        bench.log("second")
        unbind("step")

    run(request("req-A"), handle)
    lines = bench.lines()
    same([line.get("step") for line in lines], [1, 2], "step, line by line")
    same({line[get_names().request_id] for line in lines}, {"req-A"}, "ids")


@behavior("Logging changes neither the store nor what was passed to it.")
def _untouched(bench: Bench) -> None:
    own: dict[str, Any] = {"rows": [1, {"token": "s"}]}

    def handle() -> None:
        before = fields()
        bench.line(fields=own, bound=own)
        same(fields(), before, "the context after a line")

    run(request("req-A", password="s", tree={"a": [1]}), handle)
    same(own, {"rows": [1, {"token": "s"}]}, "the fields after a line")


# Concurrency ------------------------------------------------------------------

_WORKERS, _ROUNDS = 6, 15


def _each_its_own(lines: list[dict[str, Any]]) -> None:
    same(len(lines), _WORKERS * _ROUNDS, "number of lines")
    key = get_names().request_id
    mixed = [line for line in lines if line[key] != f"req-{line['worker']}"]
    require(not mixed, f"{len(mixed)} lines have another request's id")
    rounds = [line["round"] == line["bound"] for line in lines]
    require(all(rounds), "a line has another line's field")


@behavior("Threads that serve requests at once never mix their lines.")
def _threads(bench: Bench) -> None:
    start = threading.Barrier(_WORKERS)

    def work(number: int) -> None:
        start.wait(30)
        for turn in range(_ROUNDS):
            bind(bound=turn)
            bench.log(fields={"worker": number, "round": turn})

    with ThreadPoolExecutor(_WORKERS) as pool:
        for number in range(_WORKERS):
            pool.submit(run, request(f"req-{number}"), work, number)
    _each_its_own(bench.lines())


@behavior("Tasks of one event loop that serve requests at once never mix their lines.")
def _tasks(bench: Bench) -> None:
    async def work(number: int) -> None:
        for turn in range(_ROUNDS):
            bind(bound=turn)
            await asyncio.sleep(0)
            bench.log(fields={"worker": number, "round": turn})

    async def main() -> None:
        requests = (run(request(f"req-{n}"), work, n) for n in range(_WORKERS))
        await asyncio.gather(*requests)

    # In a thread of its own: this one may be running an event loop already.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(main())).result()
    # The event loop may log lines of its own.
    _each_its_own([line for line in bench.lines() if "worker" in line])
