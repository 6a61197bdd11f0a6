"""
What one line costs: ctxlog against the standard library, as ratios in one run.

Run it with `python benchmarks/bench.py`. Every case runs in a process of its own, in
turn over several rounds; the medians are compared. All write to the null device.
"""

from __future__ import annotations

import platform
import statistics
import subprocess
import sys

ROUNDS = 5
LINES = 20_000

SETUP = {
    "stdlib, constant string": """
handler = logging.StreamHandler(open(os.devnull, "w"))
handler.setFormatter(logging.Formatter("x", validate=False))
""",
    "stdlib, plain text": """
handler = logging.StreamHandler(open(os.devnull, "w"))
handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
""",
    "python-json-logger and a filter": """
from pythonjsonlogger.orjson import OrjsonFormatter
handler = logging.StreamHandler(open(os.devnull, "w"))
handler.setFormatter(OrjsonFormatter("%(asctime)s %(levelname)s %(message)s"))
handler.addFilter(lambda record: record.__dict__.update(ctxlog.fields()) or True)
""",
    "ctxlog": """
handler = ctxlog.LineHandler(open(os.devnull, "w"))
handler.setFormatter(ctxlog.JsonFormatter())
ctxlog.install_record_factory()
""",
}

PROGRAM = """
import logging, os, time
import ctxlog
{setup}
log = logging.getLogger("shop.users")
log.addHandler(handler)
log.setLevel("INFO")
log.propagate = False

def work():
    extra = {{"rows": 3, "cached": True}}
    started = time.perf_counter_ns()
    for _ in range({lines}):
        log.info("Fetching details for user %s", "user-123", extra=extra)
    print((time.perf_counter_ns() - started) / {lines})

ctxlog.run({{"requestID": "req-A", "user": {{"id": "u", "name": "Alice"}}}}, work)
"""


def measure(setup: str) -> float:
    program = PROGRAM.format(setup=setup, lines=LINES)
    done = subprocess.run(
        [sys.executable, "-Ic", program], stdout=subprocess.PIPE, text=True, check=True
    )
    return float(done.stdout)


def main() -> None:
    times: dict[str, list[float]] = {name: [] for name in SETUP}
    for _ in range(ROUNDS):
        for name, setup in SETUP.items():
            times[name].append(measure(setup))
    medians = {name: statistics.median(found) for name, found in times.items()}
    base = medians["stdlib, constant string"]
    print(f"Python {platform.python_version()}, {platform.machine()}\n")
    print("| case | ns per line | ratio |\n|---|---|---|")
    for name, median in medians.items():
        print(f"| {name} | {median:.0f} | {median / base:.2f} |")


if __name__ == "__main__":
    main()
