"""
Lines are chosen by what is shown of them, and those outside of requests are not lost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxlog.__main__ import main
from ctxlog.viewer.group.tables import Order, Requests
from ctxlog.viewer.query import patterns
from ctxlog.viewer.query.criteria import by_grep, by_level, failing
from ctxlog.viewer.query.patterns import Pattern
from ctxlog.viewer.query.search import Reader
from ctxlog.viewer.read.source import Source
from ctxlog.viewer.recognize.keys import Names
from tests.helpers import Run

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")

Written = Callable[..., Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Return what writes lines to a file: texts, or what JSON is made of."""

    def write(*lines: object) -> Path:
        path = tmp_path / "app.log"
        texts = [one if isinstance(one, str) else json.dumps(one) for one in lines]
        path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
        return path

    return write


def _matching(path: Path, *patterns: str) -> list[str]:
    reader = Reader([Source(str(path))], Names())
    return sorted(reader.matching([by_grep(one) for one in patterns]))


def _event(request: str, message: str, **fields: object) -> dict[str, object]:
    return {"level": "INFO", "requestID": request, "message": message, **fields}


def test_the_message_is_searched_as_it_reads(written: Written) -> None:
    """Escapes of JSON are not part of it, nor are other parts of the raw line."""
    path = written(
        _event("a", 'said "no" to Jürgen'), _event("b", "plain"), _event("c", "x\ty")
    )
    assert _matching(path, 'said "no"') == ["a"]
    assert _matching(path, "Jürgen") == ["a"]
    assert _matching(path, r"x\ty") == ["c"]
    assert _matching(path, "requestID") == []


def test_ends_are_those_of_the_message(written: Written) -> None:
    """`^` and `$` are, and fields are not looked at then."""
    path = written(
        _event("a", "order received"),
        _event("b", "an order"),
        _event("c", "m", what="order"),
    )
    assert _matching(path, "^order") == ["a"]
    assert _matching(path, "order$") == ["b"]
    assert _matching(path, "order") == ["a", "b", "c"]


def test_fields_are_searched_as_they_read(written: Written) -> None:
    """A name and its value, also one that is nested."""
    path = written(
        _event("a", "m", order="o-7"),
        _event("b", "m", user={"id": "u-1"}),
        _event("c", "m", items=[1, "x"]),
    )
    assert _matching(path, "order=o-7") == ["a"]
    assert _matching(path, "user.id=u-1") == ["b"]
    assert _matching(path, r'items=\[1,"x"\]') == ["c"]


def test_tracebacks_are_searched(written: Written) -> None:
    """Those in a line, and those below one."""
    stack = 'Traceback (most recent call last):\n  File "a.py"\nKeyError: 7'
    path = written(
        _event("a", "m", exc_info=stack),
        _event("b", "m"),
        "Traceback (most recent call last):",
        "ValueError: below",
        _event("c", "m"),
    )
    assert _matching(path, "KeyError: 7") == ["a"]
    assert _matching(path, "ValueError: below") == ["b"]


def test_several_patterns_must_all_be_there(written: Written) -> None:
    """Each on any line of the request."""
    path = written(_event("a", "one"), _event("a", "two"), _event("b", "one"))
    assert _matching(path, "one", "two") == ["a"]


_WORDS = st.sampled_from(
    [*("refused", "Refused", "straße", 'a "b"', "o-7", "GET", "", "x{y}z", "12345")]
)
_SEARCHED = st.sampled_from(
    ["refused", "(?i)REFUSED", "straße", "(?i)STRASSE", '"b"', "o-7", "e.u", "12345"]
    + ["GET|o-7", "ref(used)?", "refx*used", "^GET", "x7z", "user", "key=12", "1e[+]"]
)


@st.composite
def _lines(draw: st.DrawFn) -> list[str]:
    found = []
    for number in range(draw(st.integers(0, 12))):
        kind = draw(st.integers(0, 4))
        if kind == 0:
            found.append(draw(_WORDS))
            continue
        event: dict[str, Any] = _event(f"req-{number % 5}", draw(_WORDS))
        event["key"] = draw(st.one_of(_WORDS, st.floats(), st.integers()))
        event["inner"] = {"user": draw(_WORDS)}
        text = json.dumps(event, ensure_ascii=draw(st.booleans()))
        if kind == 1:
            text = text.replace("e", "\\u0065").replace("l\\u0065v\\u0065l", "level")
        if kind == 2:
            text = "web-1 | " + text
        found.append(text)
    return found


@settings(max_examples=2 * settings().max_examples)
@given(_lines(), _SEARCHED)
def test_bytes_find_all_that_reading_finds(lines: list[str], pattern: str) -> None:
    """Whatever is escaped, prefixed or folded."""
    criterion = by_grep(pattern)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "app.log"
        path.write_text("\n".join(lines), encoding="utf-8")
        reader = Reader([Source(str(path))], Names())
        found = sorted(reader.matching([criterion]))
        expected = set()
        with reader.collect(None) as collected:
            for request in collected:
                for entry in request.entries:
                    if criterion.holds(entry.record, entry.whole):
                        expected.add(request.id)
    assert found == sorted(expected)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("payment refused", ["payment refused"]),
        ("a(b|c)d+e", ["a", "d", "e"]),
        ("ab*c", ["a", "c"]),
        ("one|two", []),
        (r"\[x\]", ["[x]"]),
        (r"\bword\d", ["word"]),
        ("(?i)Refused", ["Refused"]),
        ("[abc]def{2}", ["de"]),
    ],
)
def test_pieces_of_a_pattern(text: str, pieces: Sequence[str]) -> None:
    """They stand in all that it matches."""
    assert Pattern(text).pieces == pieces


@pytest.mark.parametrize("text", ["(a+)+$", "(?:a|aa)+$", r"(a*)*b", r"(\w)\1+"])
def test_patterns_that_may_not_end(text: str) -> None:
    """They are asked in another process."""
    assert Pattern(text).is_risky


def test_a_pattern_that_does_not_end_is_stopped(
    written: Written, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """One sentence says so."""
    monkeypatch.setattr(patterns, "MOST", 0.2)
    path = written(_event("a", "a" * 60 + "b"))
    assert main(["show", str(path), "-g", "(a+)+$"]) == 2
    output, errors = capfd.readouterr()
    assert output == ""
    assert re.fullmatch(r"ctxlog show: .*\(a\+\)\+\$.* 0.2 s .*\n", errors)


_START = {"level": "ERROR", "message": "cannot start", "timestamp": 1767225600}


@pytest.mark.parametrize("option", ["--errors", "--level=error", "-g=cannot"])
def test_lines_outside_of_requests(
    option: str, written: Written, capfd: pytest.CaptureFixture[str]
) -> None:
    """They are shown as a group of their own, with what stands below them."""
    path = written(
        {"level": "INFO", "message": "starting"},
        _START,
        "Traceback (most recent call last):",
        "OSError: no port",
        {**_event("req-1", "cannot"), "level": "ERROR"},
    )
    assert main(["show", str(path), option]) == 0
    output, _ = capfd.readouterr()
    requests, _, outside = output.partition("outside of requests")
    assert "req-1" in requests
    assert "cannot start" in outside
    assert "OSError: no port" in outside
    assert "starting" not in outside


@pytest.mark.parametrize("command", ["show", "top"])
@pytest.mark.parametrize("name", ["sev", "how bad"])
def test_errors_under_a_name_of_the_users_own(
    written: Written, run: Run, command: str, name: str
) -> None:
    """A request fails by its level, also under a key that nobody would guess."""
    path = written(
        {"requestID": "req-A", "message": "a", name: "ERROR"},
        {"requestID": "req-B", "message": "b", name: "INFO"},
    )
    code, output, _ = run(command, path, "--level-field", name, "--errors")
    assert code == 0
    assert "req-A" in output
    assert "req-B" not in output


def test_all_criteria_hold_for_each_line_outside(written: Written) -> None:
    """There is no request whose other lines could do so."""
    path = written(_START, {"level": "INFO", "message": "cannot"})
    reader = Reader([Source(str(path))], Names())
    assert list(reader.matching([failing, by_grep("cannot"), by_level("info")])) == []
    with reader.outside() as collected:
        lines = [entry.record.message for one in collected for entry in one.entries]
    assert lines == ["cannot start"]


def test_requests_by_several_ids(written: Written) -> None:
    """By how an id begins, by a part after `~`, by a trace."""
    path = written(
        _event("req-1", "m"),
        _event("job~task-2", "m"),
        _event("req-3", "m", traceID="t-1"),
        _event("req-4", "m", traceID="t-1"),
    )
    reader = Reader([Source(str(path))], Names())

    def ids(*wanted: str) -> list[str]:
        with reader.named(*wanted) as collected:
            return sorted(collected.ids)

    assert ids("req-1", "task") == ["job~task-2", "req-1"]
    assert ids("req") == ["req-1", "req-3", "req-4"]
    assert ids("t-1") == ["req-3", "req-4"]


def test_rows_of_chosen_requests(written: Written) -> None:
    """By criteria, by how long a request takes, by how its id begins."""
    path = written(
        _event("a-1", "refused", timestamp=1767225600),
        _event("a-2", "m", timestamp=1767225600),
        _event("a-2", "refused", timestamp=1767225602),
        _event("b-1", "refused", timestamp=1767225600),
    )
    reader = Reader([Source(str(path))], Names())
    refused = [by_grep("refused")]
    assert sorted(reader.rows(criteria=refused)) == ["a-1", "a-2", "b-1"]
    assert sorted(reader.rows(criteria=refused, named=["a"])) == ["a-1", "a-2"]
    assert sorted(reader.rows(named=["b"])) == ["b-1"]
    assert sorted(reader.rows(slow=1.0)) == ["a-2"]
    assert reader.rows(criteria=refused)["a-2"].lines == 2
    assert reader.rows(criteria=[by_grep("nothing")]) == {}


@pytest.mark.parametrize(
    "option", ["--lines", "--json", "--format={message}", "--errors"]
)
def test_a_request_of_many_lines_is_the_same(
    option: str,
    written: Written,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its lines are read one by one, in the order of time, with what is below them."""
    lines: list[object] = []
    for number in range(20):
        level = "ERROR" if number % 2 else "INFO"
        time = 1767225600 + number * 7 % 20
        lines += [{**_event("a", f"m{number}"), "timestamp": time, "level": level}]
        lines += [f"  below {number}"] if number % 3 else []
    path = written(*lines)
    main(["show", str(path), option])
    few = capfd.readouterr().out
    monkeypatch.setattr("ctxlog.viewer.group.collected._MOST_READ", 3)
    main(["show", str(path), option])
    assert capfd.readouterr().out == few
    assert "m19" in few


def test_rows_of_chosen_lines_without_a_request(written: Written) -> None:
    """Lines of an access log without ids are chosen one by one."""
    line = '10.0.0.1 - - [01/Jan/2026:00:00:00 +0000] "GET /{} HTTP/1.1" {} 5'
    path = written(line.format("good", 200), line.format("bad", 500))
    reader = Reader([Source(str(path))], Names())
    table = reader.table(partial(Requests, Order()), criteria=[failing])
    assert [row.about.path for row in table.first()] == ["/bad"]
