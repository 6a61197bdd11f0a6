"""
What a stamped line costs, as ratios in one run.

`python benchmarks/bench.py` prints Markdown; `--write` puts it into docs/benchmarks.md,
in place of what is there for the same version of Python.
Every case runs in a process of its own, all of them in turn over several rounds, so
that a machine whose speed drifts is as unfair to one as to the other. Compared are the
medians. Peers that are not installed, or do not run on this Python, are named.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import cases

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "benchmarks.md"

CONSTANT = "stdlib, constant string"
PLAIN = "stdlib, plain text"
PJL = "python-json-logger, orjson"
OURS = "ctxlog, stdlib"

#: What is compared with what, and what the ratio should be at most.
GOALS = [
    (OURS, CONSTANT, 1.05),
    (OURS, PJL, 0.56),
    ("ctxlog, structlog", "structlog, orjson to bytes", 0.60),
    ("ctxlog, loguru", "loguru, serialize", 0.46),
    ("ctxlog, loguru", "loguru, null sink", 1.30),
    (OURS, "structguru", 1.0),
    ("ctxlog, structlog", "structguru", 1.0),
]

OPERATIONS = [
    "ContextVar.get()",
    "get_store()",
    "fields()",
    "bind(order=...)",
    "with scope(order=...)",
    "run({...}, fn)",
    "Snapshot().run(fn)",
]


class Case(NamedTuple):
    """One row: what to measure, and how."""

    kind: str
    name: str
    sink: str = "null"
    options: tuple[str, ...] = ()


class Failed(NamedTuple):
    """A case that does not run here, and why."""

    why: str


def measure(case: Case, times: int, folder: Path) -> float:
    """Measure once, in a new process."""
    command = [sys.executable, str(HERE / "measure.py"), case.kind, case.name]
    command += ["--times", str(times), *case.options]
    reader = None
    if case.sink == "pipe":
        reader = subprocess.Popen(
            ["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        output = reader.stdin
    elif case.sink == "file":
        output = open(folder / "lines.log", "wb")
    else:
        output = open(os.devnull, "wb")
    assert output is not None
    try:
        done = subprocess.run(
            command,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        output.close()
        if reader is not None:
            reader.wait()
    last = done.stderr.strip().splitlines()[-1:] or ["it printed nothing"]
    if done.returncode != 0:
        raise RuntimeError(last[0])
    return float(last[0])


def run(
    rows: Sequence[Case], rounds: int, times: int, folder: Path
) -> dict[Case, float | Failed]:
    """Measure all rows in turn, several times; return the medians."""
    found: dict[Case, list[float]] = {row: [] for row in rows}
    failed: dict[Case, Failed] = {}
    for number in range(rounds):
        for row in rows:
            if row in failed:
                continue
            _progress(f"round {number + 1} of {rounds}: {row.name}")
            try:
                found[row].append(measure(row, times, folder))
            except (RuntimeError, ValueError, subprocess.TimeoutExpired) as error:
                failed[row] = Failed(str(error).strip().splitlines()[0][:120])
    return {row: failed.get(row) or statistics.median(found[row]) for row in rows}


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text:<78}", end="\r", file=sys.stderr)


def version(name: str) -> str:
    package = cases.PACKAGES.get(name)
    if package is None:
        return f"Python {platform.python_version()}"
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return f"{package}, not installed"


def table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    head, *body = rows
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in body:
        yield f"| {' | '.join(row)} |"


def lines_report(rounds: int, times: int, folder: Path) -> Iterator[str]:
    rows = [Case("line", name) for name in cases.CASES]
    medians = {
        row.name: found for row, found in run(rows, rounds, times, folder).items()
    }
    base = medians[CONSTANT]
    assert isinstance(base, float)
    shown = [("line", "version", "ns per line", "ratio")]
    for name, found in medians.items():
        if isinstance(found, Failed):
            shown.append((name, version(name), "-", f"not measured: {found.why}"))
        else:
            ratio = f"{found / base:.2f}"
            shown.append((name, version(name), f"{found:,.0f}", ratio))
    yield "### One line\n"
    yield "To the null device; ratios are to the standard library's constant string.\n"
    yield from table(shown)
    yield "\n### ctxlog against its peers\n"
    goals = [("line", "against", "ratio", "goal")]
    for ours, theirs, most in GOALS:
        a, b = medians[ours], medians[theirs]
        ratio = (
            "-" if isinstance(a, Failed) or isinstance(b, Failed) else f"{a / b:.2f}"
        )
        goals.append((ours, theirs, ratio, f"{most:.2f}"))
    yield from table(goals)


def variants_report(rounds: int, times: int, folder: Path) -> Iterator[str]:
    names = [CONSTANT, PLAIN, PJL, OURS]
    variants: list[tuple[str, str, tuple[str, ...]]] = [
        ("null device", "null", ()),
        ("a file", "file", ()),
        ("a pipe, read by another process", "pipe", ()),
        ("2 threads", "null", ("--threads", "2")),
        ("1 context field", "null", ("--fields", "1")),
        ("10 context fields", "null", ("--fields", "10")),
        ("50 context fields", "null", ("--fields", "50")),
        ("with an exception", "null", ("--event", "exception")),
        ("a disabled level", "null", ("--event", "disabled")),
    ]
    rows = {
        (what, name): Case("line", name, sink, options)
        for what, sink, options in variants
        for name in names
    }
    medians = run(list(rows.values()), rounds, times // 2, folder)
    shown = [("ns per line", *names)]
    for what, _, _ in variants:
        found = [medians[rows[what, name]] for name in names]
        texts = ["-" if isinstance(one, Failed) else f"{one:,.0f}" for one in found]
        shown.append((what, *texts))
    yield "\n### Sinks, threads, fields, exceptions\n"
    yield from table(shown)


def store_report(rounds: int, times: int, folder: Path) -> Iterator[str]:
    rows = [Case("operation", name) for name in OPERATIONS]
    medians = run(rows, rounds, times * 5, folder)
    base = medians[rows[0]]
    shown = [("operation", "ns", "ratio to `ContextVar.get()`")]
    for row in rows:
        found = medians[row]
        assert isinstance(found, float), found
        assert isinstance(base, float), base
        shown.append((f"`{row.name}`", f"{found:,.0f}", f"{found / base:.1f}"))
    yield "\n### The store\n"
    yield from table(shown)
    stores = [Case("stores", "bytes"), Case("stores", "ns")]
    size, cost = run(stores, rounds, 10_000, folder).values()
    assert isinstance(size, float), size
    assert isinstance(cost, float), cost
    yield (
        f"\n10,000 stores at once, each with five fields: {size:,.0f} bytes and "
        f"{cost:,.0f} ns each."
    )


def web_report() -> Iterator[str]:
    """The web application, in a process of its own: its libraries may be missing."""
    command = [sys.executable, str(HERE / "web.py")]
    _progress("a web application")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    yield f"\n{done.stdout.rstrip()}"
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["it printed nothing"]
        yield f"### A web application\n\nNot measured: {last[0]}"


def title() -> str:
    """The heading of a version's section."""
    version = ".".join(platform.python_version_tuple()[:2])
    return f"## {platform.python_implementation()} {version}"


def report(rounds: int, times: int) -> Iterator[str]:
    today = datetime.date.today().isoformat()
    yield f"{title()}\n"
    yield f"Made by `python benchmarks/bench.py --write` on {today}:"
    yield f"{platform.python_implementation()} {platform.python_version()},"
    yield f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs,"
    yield f"medians of {rounds} rounds of {times:,} lines in turn,"
    yield "in nanoseconds of the process's own time.\n"
    with tempfile.TemporaryDirectory() as folder:
        for part in (lines_report, variants_report, store_report):
            yield from part(rounds, times, Path(folder))
    yield from web_report()


def replaced(page: str, section: str) -> str:
    """Put a section into a page, in place of the one with the same heading."""
    before, heading, after = f"{page.rstrip()}\n\n".partition(f"{title()}\n")
    if heading:
        following = after.find("\n## ")
        after = "" if following < 0 else after[following:]
    return f"{before}{section}{after}".rstrip() + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--lines", type=int, default=20_000)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    chosen = parser.parse_args()
    section = "\n".join(report(chosen.rounds, chosen.lines)) + "\n"
    print(section)
    if chosen.write:
        PAGE.write_text(replaced(PAGE.read_text(), section))


if __name__ == "__main__":
    main()
