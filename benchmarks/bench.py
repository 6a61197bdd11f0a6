"""
What a stamped line and a request cost, as ratios that a noisy machine cannot bend.

`python benchmarks/bench.py` prints Markdown; `--quick` only the goals (three minutes),
`--write` puts the section of this Python into docs/benchmarks.md. If a goal is missed
(`goals.py`), it says which and exits with 1, but not in CI. Peers that are not
installed, or do not run on this Python, are named.

Every row has a process of its own; those of a group are alive at once and take turns
(`workers.py`), several rounds with new processes each. Times are the process's own.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import cases
import goals
from goals import (
    CONSTANT,
    CORRELATION_ID,
    FULL,
    GOALS,
    LINE,
    OURS,
    OWN_TIME,
    PER_SECOND,
    PJL,
    PLAIN,
    QUIET,
    STOCK,
    Found,
    Outcome,
)
from ratios import FEWEST, Failed, middle, ratio
from workers import Row, in_turn, progress

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"

#: Variants of a line: where it goes, and further arguments of `measure.py`.
VARIANTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "a file": ("file", ()),
    "a pipe, read by another process": ("pipe", ()),
    goals.TWO_THREADS: ("null", ("--threads", "2")),
    goals.FOUR_THREADS: ("null", ("--threads", "4")),
    "1 context field": ("null", ("--fields", "1")),
    "10 context fields": ("null", ("--fields", "10")),
    "50 context fields": ("null", ("--fields", "50")),
    goals.EXCEPTION: ("null", ("--event", "exception")),
    goals.DISABLED: ("null", ("--event", "disabled")),
}

GET = "ContextVar.get()"
OPERATIONS = [
    GET,
    "get_store()",
    "fields()",
    "bind(order=...)",
    "with scope(order=...)",
    "run({...}, fn)",
    "Snapshot().run(fn)",
    'count("rows", 12)',
    'count("rows", 12), no request',
    'with timed("render")',
    'with timed("render"), no request',
    '@timed("render")',
    'add_time("db", 1000)',
    'add_time("db", 1000), no request',
]

STORE, STORES, WEB = "the store", "stores", "HTTP"


def groups() -> dict[str, list[Row]]:
    """Return what is measured together, in turn."""
    compared = [CONSTANT, PLAIN, PJL, OURS, STOCK]
    return {
        LINE: [Row(name) for name in cases.CASES],
        **{
            title: [Row(name, sink=sink, options=options) for name in compared]
            for title, (sink, options) in VARIANTS.items()
        },
        STORE: [Row(name, "operation") for name in OPERATIONS],
        goals.REQUEST: [Row(name, "request") for name in (CORRELATION_ID, QUIET, FULL)],
        goals.COMPLETION: [
            Row(name, "request", options=("--group", goals.COMPLETION))
            for name in (goals.SAME_BYTES, goals.WITH_ROUTE)
        ],
    }


def of_goals(rows: Mapping[str, Sequence[Row]]) -> dict[str, list[Row]]:
    """Return the part that the goals need."""
    needed = {
        title: {name for goal in GOALS if goal.group == title for name in goal[1:3]}
        for title in rows
    }
    return {
        title: [row for row in rows[title] if row.name in names]
        for title, names in needed.items()
        if names
    }


class Effort(NamedTuple):
    """How often to measure: rounds of new processes, turns in each."""

    rounds: int
    turns: int
    web_turns: int


QUICK = Effort(FEWEST, 17, 6)
LONG = Effort(9, 31, 12)


def measured(effort: Effort, quick: bool) -> dict[str, Found]:
    rows = of_goals(groups()) if quick else groups()
    results: dict[str, Found] = {}
    for title, members in rows.items():
        progress(title)
        results[title] = in_turn(members, effort.rounds, effort.turns)
    if not quick:
        stores = [Row("bytes", "stores"), Row("ns", "stores")]
        results[STORES] = in_turn(stores, effort.rounds, 1)
    results.update(web_results(effort, quick))
    return results


def web_results(effort: Effort, quick: bool) -> dict[str, Found]:
    try:
        import web
        import web_app
    except ImportError as error:
        print(f"HTTP is not measured: {error}", file=sys.stderr)
        return {}
    of_web = [goal for goal in GOALS if goal.group in (PER_SECOND, OWN_TIME)]
    named = {name for goal in of_web for name in goal[1:3]}
    ways = [way for way in web_app.WAYS if not quick or way in named]
    return web.measured(ways, effort.rounds, effort.web_turns)


# The page -----------------------------------------------------------------------


def version(name: str) -> str:
    package = cases.PACKAGES.get(name)
    if package is None:
        return f"Python {platform.python_version()}"
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return f"{package}, not installed"


def table(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    head, *body = rows
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in body:
        yield f"| {' | '.join(row)} |"


def goals_table(outcomes: Iterable[Outcome]) -> Iterator[str]:
    shown = [("what", "line", "against", "ratio", "goal", "aim", "")]
    for goal, found, verdict in outcomes:
        limit = f"at {'least' if goal.at_least else 'most'} {goal.limit:.2f}"
        names = goal.group, goal.ours, goal.theirs
        said = f"**{verdict}**" if verdict == "missed" else verdict
        shown.append((*names, str(found), limit, f"{goal.aim:.2f}", said))
    yield "### Goals\n"
    yield from table(shown)


def lines_table(found: Found) -> Iterator[str]:
    yield "\n### One line\n"
    yield "To the null device; ratios are to the standard library's constant string.\n"
    shown = [("line", "version", "ns per line", "ratio")]
    for name, samples in found.items():
        figure = "-" if isinstance(samples, Failed) else f"{middle(samples):,.0f}"
        shown.append(
            (name, version(name), figure, str(ratio(samples, found[CONSTANT])))
        )
    yield from table(shown)


def variants_table(results: Mapping[str, Found]) -> Iterator[str]:
    yield "\n### Sinks, threads, fields, exceptions\n"
    yield "Nanoseconds per line, and ratios to the standard library's constant string"
    yield "under the same conditions.\n"
    first, *others = results[next(iter(VARIANTS))]
    shown = [("", first, *others)]
    for title in VARIANTS:
        found = results[title]
        base = found[CONSTANT]
        cost = str(base) if isinstance(base, Failed) else f"{middle(base):,.0f}"
        ratios = [str(ratio(found[name], base)) for name in others]
        shown.append((title, cost, *ratios))
    yield from table(shown)


def store_table(found: Found, stores: Found) -> Iterator[str]:
    yield "\n### The store\n"
    shown = [("operation", "ns", f"ratio to `{GET}`")]
    for name, samples in found.items():
        figure = "-" if isinstance(samples, Failed) else f"{middle(samples):,.0f}"
        shown.append((f"`{name}`", figure, str(ratio(samples, found[GET]))))
    yield from table(shown)
    size, cost = stores.values()
    assert not isinstance(size, Failed), size
    assert not isinstance(cost, Failed), cost
    yield (
        f"\n10,000 stores at once, each with five fields: {middle(size):,.0f} bytes "
        f"and {middle(cost):,.0f} ns each."
    )


def title() -> str:
    """The heading of a version's section."""
    version = ".".join(platform.python_version_tuple()[:2])
    return f"## {platform.python_implementation()} {version}"


def report(
    results: Mapping[str, Found], outcomes: Iterable[Outcome], effort: Effort
) -> Iterator[str]:
    today = datetime.date.today().isoformat()
    yield f"{title()}\n"
    yield f"Made by `python benchmarks/bench.py --write` on {today}:"
    yield f"{platform.python_implementation()} {platform.python_version()},"
    yield f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs,"
    yield f"{effort.rounds} rounds of {effort.turns} turns"
    yield f"({effort.web_turns} of the web application). A ratio is the median of the"
    yield "rounds, with the interval that it lies in with 95 % confidence.\n"
    yield from goals_table(outcomes)
    if STORE not in results:
        return
    yield from lines_table(results[LINE])
    yield from variants_table(results)
    yield from store_table(results[STORE], results[STORES])
    if PER_SECOND in results:
        import web

        yield ""
        yield from web.table(results)
    yield from requests_tables()


def requests_tables() -> Iterator[str]:
    """What an empty request costs under each adapter, in turns of one process."""
    progress("an empty request")
    command = [sys.executable, str(Path(__file__).with_name("middleware.py"))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    yield f"\n{done.stdout.rstrip()}"


def replaced(page: str, section: str) -> str:
    """Put a section into a page, in place of the one with the same heading."""
    before, heading, after = f"{page.rstrip()}\n\n".partition(f"{title()}\n")
    if heading:
        following = after.find("\n## ")
        after = "" if following < 0 else after[following:]
    return f"{before}{section}{after}".rstrip() + "\n"


def complaint(outcomes: Iterable[Outcome]) -> str | None:
    """Return what to exit with: the goals that are missed, or None."""
    missed = [f"{goal}: {found}" for goal, found, said in outcomes if said == "missed"]
    return "\n".join(["Missed:", *missed]) if missed else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only the goals")
    parser.add_argument("--rounds", type=int, help=f"at least {FEWEST}")
    parser.add_argument("--turns", type=int)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    chosen = parser.parse_args()
    if chosen.quick and chosen.write:
        parser.error("--write needs all tables")
    if chosen.rounds is not None and chosen.rounds < FEWEST:
        parser.error(f"an interval needs {FEWEST} rounds")
    effort = QUICK if chosen.quick else LONG
    effort = effort._replace(
        rounds=chosen.rounds or effort.rounds, turns=chosen.turns or effort.turns
    )
    results = measured(effort, chosen.quick)
    outcomes = list(goals.judged(results))
    section = "\n".join(report(results, outcomes, effort)) + "\n"
    print(section)
    if chosen.write:
        PAGE.write_text(replaced(PAGE.read_text(), section))
    if "CI" not in os.environ:
        sys.exit(complaint(outcomes))


if __name__ == "__main__":
    main()
