"""
What finding requests in a large log file costs, beside the tools that one would take.

`python benchmarks/viewer.py [--requests N] [--rounds N] [--write]`. The files are made
anew, one as ctxlog writes it and one as pino does: N requests of 50 lines, 200 of them
at once, 2 in a hundred fail (8,500 requests are 425,000 lines, about 100 MB; 85,000
about 1 GB). Each command runs in turn, several rounds; medians of the processor time
that it and its children took in user mode, as a ratio to that of a Python loop of
`json.loads` right before it, since a shared machine is slower at times; and the most
resident memory of one process.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
from datetime import date, datetime, timezone
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks-viewer.md"
LINES = 50
AT_ONCE = 200

LOOP = """
import json, sys
for line in open(sys.argv[1], "rb"):
    json.loads(line)
"""


def generate(path: Path, requests: int, *, pino: bool = False) -> str:
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
            if pino:
                event = _pinos(event, moment)
            file.write(json.dumps(event, separators=(",", ":")).encode() + b"\n")
    return middle


def _pinos(event: dict[str, object], moment: float) -> dict[str, object]:
    """Return what pino would have written."""
    found: dict[str, object] = {
        "level": 50 if event["level"] == "ERROR" else 30,
        "time": round(moment * 1000),
        "pid": 7,
        "hostname": "web-1",
        "req": {"id": event["requestID"], "method": "POST", "url": "/orders"},
        "user": event["user"],
        "rows": event["rows"],
    }
    if "status" in event:
        found["res"] = {"statusCode": event["status"]}
        found["responseTime"] = event["durationMs"]
    return {**found, "msg": event["message"]}


#: What is measured, by name: the words of the command, and the ratio that it may have.
COMMANDS: dict[str, tuple[list[str], float]] = {
    "show -r ID": (["show", "-r", "ID"], 0.10),
    "timeline -r ID": (["timeline", "-r", "ID"], 0.10),
    "show --errors": (["show", "--errors"], 0.25),
    "show -g PATTERN": (["show", "-g", "order o-471[0-9]$"], 0.15),
    "show --since": (["show", "--since", "2100-01-01T00:00:00Z"], 0.35),
    "show --level": (["show", "--level", "error"], 0.35),
    "show --field": (["show", "--field", "rows=4711"], 0.35),
    "show --path": (["show", "--path", "/nowhere/*"], 0.35),
    "show --slow": (["show", "--slow", "1h"], 0.35),
    "top": (["top"], 0.8),
    "top --by path": (["top", "--by", "path"], 0.8),
    "show": (["show"], 3.0),
}


def take(command: list[str]) -> tuple[float, int]:
    """Run a command; return its processor seconds and its memory in MB."""
    with open(os.devnull, "wb") as nowhere:
        process = subprocess.Popen(command, stdout=nowhere)
        _, code, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(code)
    if process.returncode not in (0, 1):
        raise SystemExit(f"{command} ended with {process.returncode}")
    return usage.ru_utime, usage.ru_maxrss // 1024


def measured(path: Path, middle: str, rounds: int) -> str:
    """Return the table of a file, as Markdown."""
    ratios: dict[str, list[float]] = {name: [] for name in COMMANDS}
    memory = dict.fromkeys(COMMANDS, 0)
    for _ in range(rounds):
        for name, ((command, *words), _) in COMMANDS.items():
            loop, _ = take([sys.executable, "-c", LOOP, str(path)])
            options = [middle if word == "ID" else word for word in words]
            full = [sys.executable, "-m", "ctxlog", command, str(path), *options]
            seconds, most = take(full)
            ratios[name].append(seconds / loop)
            memory[name] = max(memory[name], most)
    rows = ["| command | ratio | goal | MB resident |", "| --- | ---: | ---: | ---: |"]
    for name, (_, goal) in COMMANDS.items():
        ratio = statistics.median(ratios[name])
        rows.append(f"| `{name}` | {ratio:.2f} | {goal:.2f} | {memory[name]} |")
    return "\n".join(rows)


def main() -> None:
    """Measure, print, and write the page if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=8_500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    texts = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "app.log"
        for name, pino in (("ctxlog", False), ("pino", True)):
            middle = generate(path, chosen.requests, pino=pino)
            size = path.stat().st_size / 1e6
            table = measured(path, middle, chosen.rounds)
            texts.append(f"{size:,.0f} MB as {name} writes them:\n\n{table}\n")
    rounds = "1 round" if chosen.rounds == 1 else f"medians of {chosen.rounds} rounds"
    text = (
        f"{chosen.requests:,} requests, {chosen.requests * LINES:,} lines; "
        f"{rounds} on {os.cpu_count()} CPUs, {platform.system()}, "
        f"Python {platform.python_version()}, {date.today().isoformat()}.\n\n"
        + "\n".join(texts)
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
