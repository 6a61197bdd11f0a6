"""The logic of the benchmarks: intervals, ratios, goals, the page; never a time."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.helpers import ROOT

MODULES = ["bench", "cases", "goals", "ratios", "workers"]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The program `benchmarks/bench.py`, whose modules lie beside it."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    yield importlib.import_module("bench")
    for name in MODULES:
        sys.modules.pop(name, None)


def steady(*figures: float) -> list[list[float]]:
    """Six rounds with the same figures."""
    return [list(figures)] * 6


@pytest.mark.parametrize(
    ("count", "low", "high"),
    # Tables of the sign test: ranks of the interval of a median at 95 %.
    [(6, 1, 6), (7, 1, 7), (8, 1, 8), (9, 2, 8), (15, 4, 12), (25, 8, 18)],
)
def test_the_interval_of_a_median_has_the_ranks_of_the_sign_test(
    bench: Any, count: int, low: int, high: int
) -> None:
    """The interval ends at the ranks that tables of the sign test have for 95 %."""
    values = [float(rank) for rank in range(count, 0, -1)]
    median = bench.goals.Median.of(values)
    assert median == ((count + 1) / 2, low, high)


def test_too_few_values_give_their_whole_range(bench: Any) -> None:
    """Fewer than six values give their whole range."""
    assert bench.goals.Median.of([3.0, 1.0, 2.0]) == (2, 1, 3)
    assert bench.goals.Median.of([1.0]) == (1, 1, 1)


def test_a_ratio_is_made_of_figures_of_the_same_turn(bench: Any) -> None:
    """A drifting machine and one disturbed turn do not change a ratio."""
    # The machine halves its speed after the first turn, and one turn is disturbed.
    ours = [[10.0, 20.0, 20.0], [11.0, 22.0, 90.0]]
    theirs = [[20.0, 40.0, 40.0], [22.0, 44.0, 44.0]]
    assert bench.ratio(ours, theirs) == (0.5, 0.5, 0.5)


def test_a_row_that_measured_fewer_turns_is_compared_by_those(bench: Any) -> None:
    """A row that measures once per process is compared by its one turn."""
    assert bench.ratio([[10.0]], [[20.0, 1.0]]).value == 0.5


def test_a_ratio_to_what_failed_says_why(bench: Any) -> None:
    """The reason why a row was not measured stands in place of its ratio."""
    failed = bench.Failed("No module named 'peer'")
    assert bench.ratio(steady(1), failed) is failed
    assert bench.ratio(failed, steady(1)) is failed
    assert str(failed) == "not measured: No module named 'peer'"


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ((0.40, 0.39, 0.43), "aim reached"),
        ((0.45, 0.43, 0.52), "reached"),
        ((0.52, 0.49, 0.53), "open"),
        ((0.52, 0.51, 0.53), "missed"),
    ],
)
def test_a_goal_is_missed_if_the_whole_interval_is_beyond_it(
    bench: Any, found: tuple[float, float, float], verdict: str
) -> None:
    """A verdict depends on the median and on the better end of the interval."""
    goals = bench.goals
    less = goals.Goal("group", "ours", "theirs", 0.50, 0.42)
    assert less.verdict(goals.Median(*found)) == verdict
    # The same, where more is better.
    value, low, high = (1 - figure for figure in found)
    more = goals.Goal("group", "ours", "theirs", 0.50, 0.58, at_least=True)
    assert more.verdict(goals.Median(value, high, low)) == verdict


def test_a_missed_goal_is_named(bench: Any) -> None:
    """The program's complaint names missed goals only, not what was not measured."""
    goals = bench.goals
    table = [
        goals.Goal("one line", "ours", "fast", 0.5, 0.4),
        goals.Goal("one line", "ours", "slow", 0.5, 0.4),
        goals.Goal("one line", "ours", "absent", 0.5, 0.4),
        goals.Goal("never measured", "ours", "fast", 0.5, 0.4),
    ]
    found = {
        "ours": steady(6, 7),
        "fast": steady(6, 7),
        "slow": steady(60, 70),
        "absent": bench.Failed("no such module"),
    }
    outcomes = list(goals.judged({"one line": found}, table))
    verdicts = [outcome.verdict for outcome in outcomes]
    assert verdicts == ["missed", "aim reached", "-", "-"]
    assert bench.complaint(outcomes) == (
        "Missed:\none line: ours to fast: 1.00 (1.00 to 1.00)"
    )
    assert bench.complaint(outcomes[1:]) is None
    assert "not measured: no such module" in "\n".join(bench.goals_table(outcomes))


def test_every_goal_is_about_rows_that_are_measured(bench: Any) -> None:
    """No goal names a row or a group that does not exist."""
    measured = bench.groups()
    of_web = {bench.PER_SECOND, bench.OWN_TIME}
    for goal in bench.GOALS:
        if goal.group not in of_web:
            names = {row.name for row in measured[goal.group]}
            assert {goal.ours, goal.theirs} <= names, goal


def test_quick_leaves_out_what_no_goal_is_about(bench: Any) -> None:
    """The quick run measures the rows of goals and no others."""
    quick = bench.of_goals(bench.groups())
    assert bench.STORE not in quick
    assert "ecs-logging" not in {row.name for row in quick[bench.LINE]}
    assert bench.OURS in {row.name for row in quick[bench.LINE]}


def test_a_section_replaces_the_one_of_the_same_python(bench: Any) -> None:
    """Writing the page keeps its text and the sections of other Pythons."""
    mine = bench.title()
    page = f"# Page\n\nText.\n\n{mine}\n\nold\n\n## Other 1.0\n\nkept\n"
    new = f"{mine}\n\nnew\n"
    assert bench.replaced(page, new) == (
        f"# Page\n\nText.\n\n{mine}\n\nnew\n\n## Other 1.0\n\nkept\n"
    )
    assert bench.replaced("# Page\n", new) == f"# Page\n\n{mine}\n\nnew\n"


def test_rows_take_turns_in_processes_of_their_own(bench: Any) -> None:
    """Each round has one figure per turn; a row that fails is reported."""
    rows = [bench.Row("get_store()", "operation"), bench.Row("no such", "operation")]
    found = bench.in_turn(rows, rounds=2, turns=3)
    assert [len(turns) for turns in found["get_store()"]] == [3, 3]
    assert found["no such"] == bench.Failed("KeyError: 'no such'")
