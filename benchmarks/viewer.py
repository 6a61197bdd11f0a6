"""
What finding requests in a large log file costs, beside the tools that one would take.

`python benchmarks/viewer.py [--requests N] [--rounds N] [--write]`. The file is made
anew: N requests of 50 lines, 200 of them at once, 2 in a hundred fail (100,000 requests
are 5 million lines, about 1.2 GB). Each command runs in turn, several rounds; medians
of the time that passed, of the processor time that it and its children took, and the
most resident memory of one of them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import date, datetime, timezone
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks-viewer.md"
LINES = 50
AT_ONCE = 200

LOOP = """
import json, sys
failing = set()
for line in open(sys.argv[1], "rb"):
    event = json.loads(line)
    if event["level"] == "ERROR":
        failing.add(event["requestID"])
print(len(failing))
"""

JQ = """
jq 'select(.level == "ERROR") | {(.requestID): true}' "$1" | jq -s add > "$1.ids"
jq -c --slurpfile ids "$1.ids" 'select($ids[0][.requestID])' "$1"
"""


def generate(path: Path, requests: int) -> str:
    """Write the file; return the id of a request in its middle."""
    chance = random.Random(1)
    active: list[list[object]] = []
    made, moment, middle = 0, 1767225600.0, ""
    with path.open("wb") as file:
        while made < requests or active:
            while made < requests and len(active) < AT_ONCE:
                request_id = f"{chance.getrandbits(128):032x}"
                active.append([request_id, made, 0, chance.random() < 0.02])
                middle = request_id if made == requests // 2 else middle
                made += 1
            request = chance.choice(active)
            request_id, number, step, fails = request
            assert isinstance(step, int)
            request[2] = step = step + 1
            moment += 0.0001
            last = step == LINES
            bad = bool(fails) and (last or step == LINES - 10)
            stamp = datetime.fromtimestamp(moment, timezone.utc).isoformat()
            event = {
                "timestamp": stamp.replace("+00:00", "Z"),
                "level": "ERROR" if bad else "INFO",
                "requestID": request_id,
                "message": f"step {step} of the work on order o-{number}",
                "logger": "ctxlog.request" if last else "shop.orders",
                "user": {"id": f"user-{number}", "name": "Alice"},
                "elapsedMs": 1.5,
                "rows": 3,
            }
            if last:
                status = 500 if bad else 200
                event |= {"method": "POST", "path": "/orders", "status": status}
                event["durationMs"] = 12.5
                active.remove(request)
            file.write(json.dumps(event, separators=(",", ":")).encode() + b"\n")
    return middle


@dataclass
class Taken:
    """What one run of a command took."""

    seconds: float
    processor: float
    memory: int


def take(command: list[str]) -> Taken:
    """Run a command; its output goes nowhere."""
    with open(os.devnull, "wb") as nowhere:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=nowhere)
        _, code, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(code)
    if process.returncode not in (0, 1):
        raise SystemExit(f"{command} ended with {process.returncode}")
    processor = usage.ru_utime + usage.ru_stime
    return Taken(time.perf_counter() - began, processor, usage.ru_maxrss // 1024)


def first_output(command: list[str]) -> float:
    """The seconds until a command prints something."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.read(1)
    taken = time.perf_counter() - began
    process.kill()
    process.communicate()
    return taken


def commands(path: Path, middle: str) -> dict[str, list[str]]:
    """What is measured, by name."""
    ctxlog = [sys.executable, "-m", "ctxlog"]
    found = {
        "ctxlog show -r ID": [*ctxlog, "show", str(path), "-r", middle, "--json"],
        "grep ID": ["grep", middle, str(path)],
        "ctxlog show --errors": [*ctxlog, "show", str(path), "--errors", "--json"],
        "Python, json.loads on each line": [sys.executable, "-c", LOOP, str(path)],
        "ctxlog top": [*ctxlog, "top", str(path)],
        "ctxlog --help": [*ctxlog, "--help"],
    }
    if shutil.which("rg"):
        found["rg ID"] = ["rg", middle, str(path)]
    if shutil.which("jq"):
        found["jq, two passes"] = ["sh", "-c", JQ, "sh", str(path)]
    return found


def main() -> None:
    """Measure, print, and write the page if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "app.log"
        middle = generate(path, chosen.requests)
        size = path.stat().st_size / 1e6
        measured: dict[str, list[Taken]] = {}
        for _ in range(chosen.rounds):
            for name, command in commands(path, middle).items():
                measured.setdefault(name, []).append(take(command))
        first = {
            name: statistics.median(
                first_output(commands(path, middle)[name]) for _ in range(chosen.rounds)
            )
            for name in ("ctxlog show -r ID", "ctxlog show --errors")
        }
    loop = measured["Python, json.loads on each line"]
    against = statistics.median(one.seconds for one in loop)
    rows = [
        "| command | seconds | processor seconds | to the Python loop | MB resident |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, taken in measured.items():
        processor = statistics.median(one.processor for one in taken)
        seconds = statistics.median(one.seconds for one in taken)
        memory = max(one.memory for one in taken)
        rows.append(
            f"| {name} | {seconds:.2f} | {processor:.2f} | {seconds / against:.3f} "
            f"| {memory} |"
        )
    text = (
        f"{chosen.requests:,} requests, {chosen.requests * LINES:,} lines, "
        f"{size:,.0f} MB; medians of {chosen.rounds} rounds on {os.cpu_count()} CPUs, "
        f"{platform.system()}, Python {platform.python_version()}, "
        f"{date.today().isoformat()}.\n\n"
        + "\n".join(rows)
        + "\n\n"
        + "".join(
            f"The first output of `{name}` comes after {seconds:.2f} s.\n"
            for name, seconds in first.items()
        )
    )
    print(text)
    if chosen.write:
        page = PAGE.read_text(encoding="utf-8")
        head, _, tail = page.partition("<!-- begin -->\n")
        _, _, tail = tail.partition("<!-- end -->\n")
        PAGE.write_text(
            f"{head}<!-- begin -->\n{text}<!-- end -->\n{tail}", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
