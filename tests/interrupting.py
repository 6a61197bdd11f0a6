"""
Programs that are interrupted while they log, by Ctrl-C or by time limits.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from tests.helpers import clean_environment, load_line

__all__ = ["INTERRUPTED", "LIMITS", "interrupted"]

#: Five threads log until Ctrl-C.
INTERRUPTED = """
import logging, signal, sys, threading
import ctxlog

ctxlog.configure(format="json")
log = logging.getLogger("shop")

def work():
    while not stopping:
        log.info("a line", extra={"rows": list(range(20))})

stopping = False
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
try:
    log.info("ready")
    while True:
        log.info("a line of the main thread")
except KeyboardInterrupt:
    stopping = True
for thread in threads:
    thread.join()
log.info("the end")
"""

#: Many time limits, each in the middle of log calls of one kind of logger. Prints how
#: many were swallowed, how many left something behind, and whether a lock is held.
LIMITS = """
import json, random, signal, sys, threading
import ctxlog
from ctxlog.context import get_store
from ctxlog.line.values import reading

class TimeLimit(Exception):
    pass

def limit(number, frame):
    global fired
    fired = True
    raise TimeLimit

class Slow:
    def __str__(self):
        return "".join(str(number) for number in range(200))

class Failure(Exception):
    pass

def failing():
    try:
        raise Failure("declined")
    except Failure:
        log.exception("failed")

kind, count, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
ctxlog.configure(format="json", loggers=[kind], stream=open(path, "w"))
if kind == "loguru":
    from loguru import logger as log
    fields = lambda **fields: log.bind(**fields).info("a line")
    arguments = lambda value: log.info("{}", value)
elif kind == "structlog":
    import structlog
    log = structlog.get_logger("shop")
    fields = lambda **fields: log.info("a line", **fields)
    arguments = lambda value: log.info("%s", value)
else:
    import logging
    log = logging.getLogger("shop")
    fields = lambda **fields: log.info("a line", extra=fields)
    arguments = lambda value: log.info("%s", value)

calls = [
    lambda: fields(order=Slow(), items=[{"n": n} for n in range(30)]),
    lambda: arguments(Slow()),
    lambda: fields(text="x" * 20000),
    failing,
]
signal.signal(signal.SIGALRM, limit)
random.seed(1)
swallowed, leaked = 0, 0

def until_limited(turn):
    try:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0002, 0.002))
        while not fired:
            ctxlog.run({"requestID": f"req-{turn}"}, calls[turn % len(calls)])
    except TimeLimit:
        return 0
    return 1

def requests():
    global fired, swallowed, leaked
    for turn in range(count):
        fired = False
        here = get_store()
        # In a block of its own: some of the loop's instructions are in no block.
        try:
            swallowed += until_limited(turn)
        except TimeLimit:
            pass
        leaked += get_store() is not here
        leaked += reading.reader is not None or reading.depth != 0

requests()
# A lock that is held would keep this thread for ever.
last = threading.Thread(target=lambda: fields(last=True), daemon=True)
last.start()
last.join(60)
print(json.dumps([swallowed, leaked, last.is_alive()]))
"""


def interrupted(
    source: str, folder: Path, after_lines: int, python: str = sys.executable
) -> list[dict[str, Any]]:
    """
    Run a program, press Ctrl-C so many lines after its "ready", and return all lines.

    Fails if it does not end.
    """
    process = subprocess.Popen(
        [python, "-I", "-c", source],
        cwd=folder,
        env=clean_environment(),
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    # Ends the reading below if the process does not end by itself.
    late = threading.Timer(60, process.kill)
    late.start()
    try:
        lines = []
        while b'"ready"' not in (line := process.stdout.readline()):
            lines.append(line)
        lines += [line, *(process.stdout.readline() for _ in range(after_lines))]
        process.send_signal(signal.SIGINT)
        lines += process.stdout
        assert process.wait() == 0, "it hangs, or has failed"
    finally:
        late.cancel()
        process.kill()
        process.wait()
        process.stdout.close()
    return [load_line(line) for line in lines]
