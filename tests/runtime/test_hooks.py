"""
Crash lines: every hook in a process of its own, since hooks are the whole process's.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from ctxlog.runtime import hooks
from tests.helpers import load_line, need, run_python

_START = """
import asyncio, gc, logging, sys, threading
import ctxlog
from ctxlog.runtime import hooks
ctxlog.configure(format="json", threads=False, hooks=False)
hooks.install()
def request(name, fn, *args):
    return ctxlog.run({"requestID": name}, fn, *args)
"""


def _crash(
    source: str, cwd: Path, status: int = 0, start: str = _START
) -> tuple[list[dict[str, Any]], str]:
    """Run *source* with the hooks installed; return its lines and standard error."""
    done = run_python("-c", start + source, cwd=cwd, check=False)
    assert done.returncode == status, done.stderr
    return [load_line(line) for line in done.stdout.split("\n")[:-1]], done.stderr


def _ids(lines: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(line["requestID"], line["exception"]["type"]) for line in lines]


def test_an_uncaught_exception_is_one_line(tmp_path: Path) -> None:
    """
    The exception that ends a program is a line of its request, and nothing else.
    """
    lines, stderr = _crash("request('A', lambda: 1 // 0)", tmp_path, 1)
    assert _ids(lines) == [("A", "ZeroDivisionError")]
    assert lines[0]["level"] == "CRITICAL"
    assert lines[0]["logger"] == "ctxlog.crash"
    assert lines[0]["message"] == "Uncaught exception"
    assert "late" not in lines[0]
    assert stderr == ""


@pytest.mark.parametrize(
    "silence",
    [
        "logging.getLogger().handlers.clear()",
        "logging.disable(logging.CRITICAL)",
        "logging.getLogger('ctxlog.crash').propagate = False",
        "logging.getLogger().handlers[:] = [logging.NullHandler()]",
    ],
)
def test_python_reports_what_no_handler_takes(silence: str, tmp_path: Path) -> None:
    """
    Without a handler Python's own traceback is printed.
    """
    lines, stderr = _crash(f"{silence}\n1 // 0", tmp_path, 1)
    assert lines == []
    assert "ZeroDivisionError" in stderr


def test_ends_that_are_no_crashes(tmp_path: Path) -> None:
    """
    `SystemExit` and `KeyboardInterrupt` are left to Python, in a thread too.
    """
    thread = """
t = threading.Thread(target=sys.exit, args=("bye",)); t.start(); t.join()
"""
    lines, stderr = _crash(f"{thread}sys.exit(3)", tmp_path, 3)
    assert (lines, stderr) == ([], "")
    done = run_python(
        "-c", _START + "raise KeyboardInterrupt", cwd=tmp_path, check=False
    )
    assert done.stdout == ""
    assert "KeyboardInterrupt" in done.stderr


_OVER = "sys.excepthook = lambda *a: print('over', file=sys.stderr)\n"


def test_a_hook_over_ours_that_calls_no_other(tmp_path: Path) -> None:
    """
    A crash that only another library's hook gets is a line, too, after that hook.
    """
    lines, stderr = _crash(f"{_OVER}request('A', lambda: 1 // 0)", tmp_path, 1)
    assert _ids(lines) == [("A", "ZeroDivisionError")]
    assert (lines[0]["level"], lines[0]["message"]) == (
        "CRITICAL",
        "Uncaught exception",
    )
    assert stderr == "over\n"


@pytest.mark.parametrize(
    "end",
    [
        pytest.param("sys.exit(1)", id="an exit"),
        pytest.param("raise KeyboardInterrupt", id="an interrupt"),
        pytest.param("hooks.uninstall()\n1 // 0", id="hooks that are uninstalled"),
        pytest.param("sys.ps1 = '> '\n1 // 0", id="an interactive interpreter"),
    ],
)
def test_what_is_no_crash_of_the_program(end: str, tmp_path: Path) -> None:
    """
    Under a hook of another library there is no line about anything but a crash.
    """
    done = run_python("-c", _START + _OVER + end, cwd=tmp_path, check=False)
    assert done.returncode != 0
    assert done.stdout == ""


def test_an_exception_that_was_caught_is_no_crash(tmp_path: Path) -> None:
    """
    What a test runner keeps for its debugger, as the interpreter does, is no crash.
    """
    source = f"""{_OVER}
def keep():
    try:
        1 // 0
    except ZeroDivisionError as error:
        sys.last_value = error
keep()
"""
    lines, _ = _crash(source, tmp_path)
    assert lines == []


def test_hooks_of_others_are_called(tmp_path: Path) -> None:
    """
    A hook that was there before, and one that is put over ours, both get the crash.
    """
    before = """
import sys, threading
sys.excepthook = lambda *a: print("before", a[0].__name__, file=sys.stderr)
threading.excepthook = lambda a: print("thread", a.exc_type.__name__, file=sys.stderr)
sys.unraisablehook = lambda a: print("del", a.exc_type.__name__, file=sys.stderr)
"""
    source = """
ours = sys.excepthook
sys.excepthook = lambda *a: (print("over", file=sys.stderr), ours(*a))
t = threading.Thread(target=lambda: [][0]); t.start(); t.join()
class Bad:
    def __del__(self): {}[0]
Bad()
1 // 0
"""
    lines, stderr = _crash(source, tmp_path, 1, start=before + _START)
    assert [line["exception"]["type"] for line in lines] == [
        "IndexError",
        "KeyError",
        "ZeroDivisionError",
    ]
    assert stderr.split("\n")[:-1] == [
        "thread IndexError",
        "del KeyError",
        "over",
        "before ZeroDivisionError",
    ]


def test_a_thread_that_ends_by_an_exception(tmp_path: Path) -> None:
    """
    The line names the thread and has the id of the request that the thread worked for.
    """
    source = """
def work():
    request("T", lambda: 1 // 0)
t = threading.Thread(target=work, name="worker"); t.start(); t.join()
"""
    lines, stderr = _crash(source, tmp_path)
    assert _ids(lines) == [("T", "ZeroDivisionError")]
    assert lines[0]["message"] == "Uncaught exception in thread worker"
    assert stderr == ""


def test_finalizers(tmp_path: Path) -> None:
    """
    What fails when a reference is dropped is of who dropped it; what the garbage
    collector finalizes in another request has no id rather than that one's.
    """
    source = """
gc.disable()
class Bad:
    def __init__(self, cycle): self.cycle = cycle and self
    def __del__(self): 1 // 0
def drop(): Bad(False)
request("A", drop)
request("B", lambda: Bad(True) and None)
request("C", gc.collect)
"""
    lines, stderr = _crash(source, tmp_path)
    assert [line["requestID"] for line in lines] == ["A", "N/A"]
    assert "Bad.__del__" in lines[0]["message"]
    assert stderr == ""


_LOOP = """
async def fails(): raise ValueError("task")
async def asked():
    loop = asyncio.get_running_loop()
    loop.call_soon(lambda: 1 // 0)
    task = asyncio.ensure_future(fails())
    cycle = [task]; cycle.append(cycle); del task
    await asyncio.sleep(0.001)
async def other():
    gc.collect()
    future = asyncio.get_running_loop().create_future()
    future.set_exception(OSError()); del future
    asyncio.get_running_loop().call_exception_handler(
        {"message": "own", "exception": KeyError()})
async def main():
    gc.disable()
    await request("A", asked)
    await request("B", other)
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_what_event_loops_report(loop: str, tmp_path: Path) -> None:
    """
    A callback's and a task's exception have the id of the request that they were for,
    also when the garbage collector finds them in another; a bare future's has none.
    """
    install = ""
    if loop == "uvloop":
        need("uvloop")
        install = "from ctxlog.runtime import uvloop as patch; patch.install()\n"
    run = f"import {loop}\nloop = {loop}.new_event_loop()\n"
    run += "loop.run_until_complete(main())\nloop.close()\n"
    lines, _ = _crash(install + _LOOP + run, tmp_path)
    assert _ids(lines) == [
        ("A", "ZeroDivisionError"),
        ("A", "ValueError"),
        ("N/A", "OSError"),
        ("B", "KeyError"),
    ]
    assert {line["logger"] for line in lines} == {"asyncio"}
    if loop == "uvloop":
        # Given back: a second time only the exception's own memory counts.
        undone = "patch.uninstall()\nassert 'call_exception_handler' not in "
        undone += "vars(uvloop.Loop)\n"
        _crash(install + _LOOP + run + undone, tmp_path)


def test_a_custom_exception_handler_has_its_say() -> None:
    """
    A loop's own handler is called instead of asyncio's, in the culprit's context.
    """
    seen: list[object] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: seen.append(ctxlog.fields()))
        ctxlog.run({"requestID": "A"}, loop.call_soon, lambda: 1 // 0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    hooks.install()
    try:
        asyncio.run(main())
    finally:
        hooks.uninstall()
    assert seen == [{"requestID": "A"}]


def test_a_task_that_was_destroyed_while_pending() -> None:
    """
    The context is the task's, not that of a task that waited for it.
    """
    seen: list[object] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        task = ctxlog.run(
            {"requestID": "A"}, lambda: loop.create_task(asyncio.sleep(60))
        )
        ctxlog.run({"requestID": "B"}, task.add_done_callback, print)
        loop.set_exception_handler(lambda *_: seen.append(ctxlog.fields()))
        loop.call_exception_handler({"message": "destroyed", "task": task})
        loop.call_exception_handler({"message": "strange", "task": object()})
        task.remove_done_callback(print)
        task.cancel()

    hooks.install()
    try:
        ctxlog.run({"requestID": "C"}, lambda: asyncio.run(main()))
    finally:
        hooks.uninstall()
    assert seen == [{"requestID": "A"}, {}]


class _Evil:
    @property
    def _context(self) -> None:
        raise RuntimeError


def test_a_strange_task_has_no_context() -> None:
    """
    A task of another library, whose context cannot be read, gets no id.
    """
    seen: list[object] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: seen.append(ctxlog.fields()))
        loop.call_exception_handler({"message": "strange", "task": _Evil()})

    hooks.install()
    try:
        ctxlog.run({"requestID": "C"}, lambda: asyncio.run(main()))
    finally:
        hooks.uninstall()
    assert seen == [{}]


def test_hostile_exceptions(tmp_path: Path) -> None:
    """
    An exception that cannot be shown has its line with the id, as has one that can hold
    no attribute; a group has the id of its members.
    """
    source = """
class Mute(Exception):
    def __str__(self): raise RuntimeError
class Rigid(Exception):
    def __setattr__(self, name, value): raise RuntimeError
class Group(Exception):
    def __init__(self, *members): self.exceptions = members
def fail(error): raise error
def work(error):
    request("A", fail, error)
def grouped():
    try: work(ValueError())
    except ValueError as error: caught = error
    raise Group(caught)
for target, args in [(work, [Mute()]), (work, [Rigid()]), (grouped, [])]:
    t = threading.Thread(target=target, args=args); t.start(); t.join()
"""
    lines, stderr = _crash(source, tmp_path)
    assert _ids(lines) == [("A", "Mute"), ("A", "Rigid"), ("A", "Group")]
    assert stderr == ""


def test_faults_at_shutdown_are_not_lost(tmp_path: Path) -> None:
    """
    What a module's object raises when the interpreter ends is a line or a traceback.
    """
    source = """
class Bad:
    def __del__(self): raise ValueError("at the very end")
bad = Bad()
"""
    done = run_python("-c", _START + source, cwd=tmp_path)
    assert "at the very end" in done.stdout + done.stderr


def test_a_handler_that_raises_leaves_it_to_python(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    If logging itself fails, the hook that was there before gets the exception.
    """

    class Failing(logging.Handler):
        def handle(self, record: Any) -> bool:
            raise RuntimeError

    seen: list[object] = []
    logger = logging.getLogger("ctxlog.crash")
    monkeypatch.setattr(sys, "excepthook", lambda *args: seen.append(args[0]))
    logger.addHandler(Failing())
    hooks.install()
    sys.excepthook(ValueError, ValueError(), None)
    hooks.uninstall()
    assert seen == [ValueError]


def test_uninstall_gives_back_every_hook() -> None:
    """
    After any number of installs, one `uninstall` leaves what was there.
    """

    def state() -> list[object]:
        loop = asyncio.BaseEventLoop.call_exception_handler
        return [sys.excepthook, threading.excepthook, sys.unraisablehook, loop]

    before = state()
    hooks.uninstall()
    hooks.install()
    hooks.install()
    assert all(new is not old for new, old in zip(state(), before, strict=True))
    hooks.uninstall()
    hooks.uninstall()
    assert state() == before


@pytest.mark.parametrize("library", ["gevent", "uvloop"])
def test_a_missing_library_is_named(library: str, tmp_path: Path) -> None:
    """
    Without its library an adapter says which extra installs it.
    """
    source = f"""
import sys
sys.modules["{library}"] = None
try:
    import ctxlog.runtime.{library}
except ImportError as error:
    print(type(error).__name__, error.name, error.extra)
"""
    done = run_python("-c", source, cwd=tmp_path)
    assert done.stdout == f"MissingDependencyError {library} {library}\n"


_GENERATORS = """
log = logging.getLogger("app")
async def rows(name):
    try:
        while True:
            yield 1
    finally:
        log.info("closed %s", name)
held = []
async def begin(name):
    generator = rows(name)
    await generator.__anext__()
    held.append(generator)
async def begin_in_a_cycle(name):
    generator = rows(name)
    await generator.__anext__()
    cycle = [generator]
    cycle.append(cycle)
async def leave(name):
    async for _ in rows(name):
        break
kept = []
async def keep(name):
    kept.append(rows(name))
    await kept[0].__anext__()
async def main():
    await request("kept", keep, "kept")
    await request("dropped", begin, "dropped")
    request("other", held.clear)
    await request("left", leave, "left")
    await request("cycle", begin_in_a_cycle, "cycle")
    await request("another", begin_in_a_cycle, "another")
    request("other", gc.collect)
    for _ in range(5):
        await pause()
"""
_LOOPS = {
    "asyncio": "pause = lambda: asyncio.sleep(0)\nasyncio.run(main())",
    "uvloop": """
import uvloop
from ctxlog.runtime import uvloop as ours
ours.install()
pause = lambda: asyncio.sleep(0)
uvloop.run(main())
""",
    "trio": """
import trio
from ctxlog.runtime import trio as ours
ours.install()
pause = trio.lowlevel.checkpoint
trio.run(main)
""",
}


@pytest.mark.parametrize("loop", list(_LOOPS))
def test_an_abandoned_generator_is_closed_where_it_was_begun(
    loop: str, tmp_path: Path
) -> None:
    """
    And not in the request that dropped the last reference, or where the loop ends.
    """
    need(loop)
    lines, stderr = _crash(_GENERATORS + _LOOPS[loop], tmp_path, 0, _START)
    assert stderr == ""
    assert {(line["message"], line["requestID"]) for line in lines} == {
        ("closed dropped", "dropped"),
        ("closed left", "left"),
        ("closed cycle", "cycle"),
        ("closed another", "another"),
        ("closed kept", "kept"),
    }


_INTERRUPTED = """
from contextvars import ContextVar

others = [ContextVar(f"other{n}") for n in range(60)]
mine = ContextVar("mine")
async def rows():
    try:
        while True:
            yield 1
    finally:
        pass
async def work(name):
    lost = 0
    for variable in others:
        variable.set(name)
    for _ in range(3):
        for allocations in range(14):
            gc.disable()
            generator = rows()
            await generator.__anext__()
            cycle = [generator]
            cycle.append(cycle)
            del generator
            value = object()
            gc.set_threshold(gc.get_count()[0] + allocations + 1, 1000, 1000)
            del cycle
            gc.enable()
            mine.set(value)  # the collector comes, now and then within it
            gc.disable()
            lost += mine.get() is not value
            lost += ctxlog.fields().get("requestID") != name
            lost += sum(variable.get(None) != name for variable in others)
            gc.collect()
            await asyncio.sleep(0)
    return lost
async def main():
    works = (request(str(number), work, str(number)) for number in range(5))
    print(sum(await asyncio.gather(*works)))
asyncio.run(main())
"""


def test_what_interrupts_a_context_leaves_it_whole(tmp_path: Path) -> None:
    """
    The collector may come in the middle of a `ContextVar.set()`, up to Python 3.11.
    """
    done = run_python("-c", _START + _INTERRUPTED, cwd=tmp_path)
    assert done.stdout == "0\n"
