"""
Processes and pools of the standard library go on in the context that started them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import run_python

PROGRAM = """
import json, logging, multiprocessing, os, queue, sys
from concurrent.futures import ProcessPoolExecutor
from logging.handlers import QueueHandler, QueueListener

import ctxlog
from ctxlog.tasks.processes import ContextCall, Initializer, install, uninstall


def work(x):
    logging.getLogger("work").info("working on %s", x)
    return ctxlog.fields()


def fail():
    raise ValueError("broken")


def put(results):
    results.put(ctxlog.fields())


def consume(jobs, results):
    while (carried := jobs.get()) is not None:
        with ctxlog.adopt(carried) as job:
            results.put([job, ctxlog.fields()])
    results.put(None)


def log_to(records):
    ctxlog.install_record_factory()
    root = logging.getLogger()
    root.handlers[:] = [QueueHandler(records)]
    root.setLevel(logging.INFO)


def run(request_id, fn, *args):
    return ctxlog.run({"requestID": request_id, "token": "s3cr3t"}, fn, *args)


def main(context):
    found = {}
    install()
    pools = []

    def first():
        forget = Initializer()
        pools.append(ProcessPoolExecutor(1, mp_context=context, initializer=forget))
        return pools[0].submit(work, 1).result()

    found["submit"] = run("req-A", first)
    (pool,) = pools
    found["again"] = run("req-B", lambda: pool.submit(work, 1).result())
    found["map"] = run("req-C", lambda: list(pool.map(work, [1, 2])))
    found["nobody"] = pool.submit(work, 1).result()
    results = context.Queue()
    process = context.Process(target=put, args=(results,))
    run("req-D", process.start)
    found["process"] = results.get(timeout=30)
    process.join()
    with run("req-E", context.Pool, 1, Initializer()) as many:
        found["pool"] = run("req-F", lambda: [
            many.apply(work, (1,)), *many.map(work, [1]), *many.starmap(work, [(1,)]),
            *many.imap(work, [1]), *many.imap_unordered(work, [1]),
            many.map_async(work, [1]).get()[0], many.apply_async(work, (1,)).get(),
        ])
        found["pool of nobody"] = many.apply(work, (1,))
    try:
        run("req-G", lambda: pool.submit(fail).result())
    except ValueError as error:
        found["error"] = str(error)
    uninstall()
    found["uninstalled"] = run("req-H", lambda: pool.submit(work, 1).result())
    found["call"] = run("req-I", lambda: pool.submit(ContextCall(work), 1).result())
    pool.shutdown()

    jobs, results = context.Queue(), context.Queue()
    worker = run("req-J", lambda: context.Process(target=consume, args=(jobs, results)))
    run("req-J", worker.start)
    run("req-K", lambda: jobs.put(ctxlog.carry("one")))
    run("req-L", lambda: jobs.put(ctxlog.carry("two")))
    jobs.put("three")
    jobs.put(None)
    found["queue"] = list(iter(lambda: results.get(timeout=30), None))
    worker.join()

    records = context.Queue()
    lines = []

    class Collecting(logging.Handler):
        def emit(self, record):
            lines.append(json.loads(formatter.format(record)))

    formatter = ctxlog.JsonFormatter()
    listener = QueueListener(records, Collecting())
    listener.start()
    install()
    initializer = Initializer(log_to, records)
    with ProcessPoolExecutor(1, mp_context=context, initializer=initializer) as pool:
        run("req-M", lambda: pool.submit(work, 1).result())
    uninstall()
    listener.stop()
    found["lines"] = [[line["message"], line["requestID"]] for line in lines]
    print(json.dumps(found))


if __name__ == "__main__":
    main(multiprocessing.get_context(sys.argv[1]))
"""

METHODS = ["spawn"] if sys.platform == "win32" else ["fork", "spawn", "forkserver"]


@pytest.fixture(scope="module", params=METHODS)
def found(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Return the results of a program, by each way to start a process."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    (folder / "program.py").write_text(PROGRAM, encoding="utf-8")
    printed = run_python("-W", "ignore", "program.py", request.param, cwd=folder).stdout
    result: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return result


def ids(fields: list[dict[str, Any]]) -> set[object]:
    """The ids of several jobs."""
    return {one.get("requestID") for one in fields}


def test_a_job_has_the_context_of_who_submitted_it(found: dict[str, Any]) -> None:
    """A pool's process that is used again has each time the context of the job."""
    assert found["submit"]["requestID"] == "req-A"
    assert found["again"]["requestID"] == "req-B"
    assert ids(found["map"]) == {"req-C"}


def test_secrets_are_redacted_on_the_way(found: dict[str, Any]) -> None:
    """A pickled message holds no secret."""
    assert found["submit"]["token"] == "[redacted]"


def test_a_job_of_nobody_has_none(found: dict[str, Any]) -> None:
    """Not even that of the request in which the pool was made and forked."""
    assert found["nobody"] == {}
    assert found["pool of nobody"] == {}


def test_a_process_has_the_context_of_its_start(found: dict[str, Any]) -> None:
    """`Process.start()` carries it to the target."""
    assert found["process"]["requestID"] == "req-D"


def test_every_way_of_a_pool(found: dict[str, Any]) -> None:
    """`multiprocessing.Pool` carries it by all its methods."""
    assert len(found["pool"]) == 7
    assert ids(found["pool"]) == {"req-F"}


def test_what_a_job_raises_comes_back(found: dict[str, Any]) -> None:
    """An exception is the caller's, as without ctxlog."""
    assert found["error"] == "broken"


def test_uninstall(found: dict[str, Any]) -> None:
    """Afterwards a job has no context; a function may be bound by hand."""
    assert found["uninstalled"] == {}
    assert found["call"]["requestID"] == "req-I"


def test_items_of_a_queue(found: dict[str, Any]) -> None:
    """A worker, started in some request, handles each item in the item's context."""
    (one, first), (two, second), (three, third) = found["queue"]
    assert (one, two, three) == ("one", "two", "three")
    assert (first["requestID"], second["requestID"]) == ("req-K", "req-L")
    assert len(third["requestID"]) == 32


def test_lines_that_a_process_puts_into_a_queue(found: dict[str, Any]) -> None:
    """`QueueHandler` and `QueueListener` keep the id of where the line was logged."""
    assert found["lines"] == [["working on 1", "req-M"]]
