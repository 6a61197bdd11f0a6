"""
Greenlets, in processes of their own: monkey patching cannot be undone.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers import load_line, need, run_python

need("gevent")

_START = """
import contextvars, threading
import gevent, gevent.pool, greenlet
import ctxlog
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
from ctxlog.runtime import gevent as patch, hooks, threads
ctxlog.configure(format="json", threads=False, hooks=False)
patch.install(); patch.install(); hooks.install(); threads.install()
fields = ctxlog.fields
A = {"requestID": "A"}
def fail(): raise ValueError("lost")
"""
_PATCHED = "from gevent import monkey; monkey.patch_all()\n"

pytestmark = pytest.mark.parametrize("start", [_START, _PATCHED + _START])


def test_greenlets_carry_the_context(start: str, tmp_path: Path) -> None:
    """
    Whatever spawns a greenlet, it goes on in the context of the spawning.
    """
    source = """
def work():
    threadpool = gevent.get_hub().threadpool
    raw = greenlet.greenlet(fields)
    raw.gr_context = contextvars.copy_context()
    seen = [
        gevent.spawn(fields).get(),
        gevent.spawn_later(0, fields).get(),
        gevent.pool.Group().spawn(fields).get(),
        *gevent.pool.Pool(1).map(lambda _: fields(), [1, 2]),
        threadpool.spawn(fields).get(),
        threadpool.apply(fields),
        raw.switch(),
    ]
    thread = threading.Thread(target=lambda: seen.append(fields()))
    thread.start(); thread.join()
    with ThreadPoolExecutor(1) as pool:
        seen.append(pool.submit(fields).result())
    assert seen == [A] * 10, seen
    given = gevent.Greenlet(fields)
    given.gr_context = contextvars.Context()
    given.start()
    assert given.get() == {}
ctxlog.run(A, work)
assert gevent.spawn(fields).get() == {}
"""
    run_python("-c", start + source, cwd=tmp_path)


def test_greenlets_do_not_mix(start: str, tmp_path: Path) -> None:
    """
    Of greenlets that take turns, each keeps its own scopes and its request's store.
    """
    source = """
def part(n):
    with ctxlog.scope(n=n):
        ctxlog.bind(**{f"k{n}": n})
        gevent.sleep(0)
        return fields()
def work():
    parts = [gevent.spawn(part, n) for n in range(3)]
    gevent.joinall(parts, raise_error=True)
    assert [p.value["n"] for p in parts] == [0, 1, 2]
    assert fields() == {**A, "k0": 0, "k1": 1, "k2": 2}
ctxlog.run(A, work)
"""
    run_python("-c", start + source, cwd=tmp_path)


def test_workers_keep_nothing(start: str, tmp_path: Path) -> None:
    """
    The workers of pools that are born in a request do not stay in it.
    """
    source = """
pool = ctxlog.run(A, ThreadPool, 1)
assert pool.apply(fields) == {}
jobs = ctxlog.run(A, gevent.get_hub().threadpool.spawn, fields)
assert jobs.get() == A
assert gevent.get_hub().threadpool.apply(fields) == {}
pool.terminate()
"""
    run_python("-c", start + source, cwd=tmp_path)


def test_a_crash_is_a_line(start: str, tmp_path: Path) -> None:
    """
    What gevent prints about a dead greenlet is one line with the id of its request.
    """
    source = """
def work():
    greenlet = gevent.Greenlet(fail); greenlet.name = "g-1"
    greenlet.start(); greenlet.join()
    try: gevent.get_hub().threadpool.apply(fail)
    except ValueError: pass
ctxlog.run(A, work)
gevent.spawn(fail).join()
"""
    done = run_python("-c", start + source, cwd=tmp_path)
    lines = [load_line(line) for line in done.stdout.split("\n")[:-1]]
    assert [line["requestID"] for line in lines] == ["A", "A", "N/A"]
    assert [line["exception"]["message"] for line in lines] == ["lost"] * 3
    assert lines[0]["message"] == "Uncaught exception in greenlet g-1"
    assert done.stderr == ""


def test_uninstall(start: str, tmp_path: Path) -> None:
    """
    Without the patch greenlets inherit nothing, and gevent prints as it did.
    """
    source = """
patch.uninstall()
assert ctxlog.run(A, lambda: gevent.spawn(fields).get()) == {}
gevent.spawn(fail).join()
"""
    done = run_python("-c", start + source, cwd=tmp_path)
    assert done.stdout == ""
    assert "ValueError: lost" in done.stderr
