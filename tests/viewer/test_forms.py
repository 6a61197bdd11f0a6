"""
Forms of lines: the bytes tell the same of a line as reading it does.
"""

from __future__ import annotations

import json
import math
import re
import weakref
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlog.viewer.group.summary import Row
from ctxlog.viewer.query.needles import Ids
from ctxlog.viewer.query.search import Reader
from ctxlog.viewer.read.source import Block, Source
from ctxlog.viewer.recognize.formats import FORMATS, Format
from ctxlog.viewer.recognize.forms import Forms, Told, seconds_of
from ctxlog.viewer.recognize.keys import Names
from ctxlog.viewer.recognize.record import Record

NAMES = Names()
#: Texts that are ids, or not, and others that look like the end of a value.
texts = st.sampled_from(
    ["r-1", "a" * 32, "0", "00", "0x00", "N/A", "n", "null", "-", "", '"', '","x":"y']
) | st.text(max_size=8)
levels = st.sampled_from(["INFO", "error", "warn", "TRACE", "Boo", "", 30, 50, 4, None])
times = st.sampled_from(
    [
        "2026-01-31T12:00:00.000100Z",
        "2026-01-31T12:00:00.000099Z",
        "2026-13-31T12:00:00.000100Z",
        "2026-01-31T12:00:00Z",
        "2026-01-31T12:00:00.000100+02:00",
        1769860800123,
        1769860800.5,
    ]
)


def block(lines: list[dict[str, Any]]) -> bytes:
    """Return lines as JSON."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def told(data: bytes) -> Told:
    """Return what lines say, after the forms of these lines have been learned."""
    forms = Forms()
    known = forms.told(data, len(data))
    assert known is not None
    return forms.told(data, len(data)) or known


def agree(known: Told) -> int:
    """Hold what is told against what is read; return how many lines are told."""
    others = {*known.others}
    for number, said in enumerate(known.said()):
        time, level, request, user, path, method = said
        if number not in others:
            (record,) = Record.read(known.lines[number], NAMES)
            assert record.is_bare
            assert record.time == seconds_of(time) or math.isnan(seconds_of(time))
            assert record.level == level
            assert (record.request or "") == request.decode()
            assert (record.user or "") == user.decode()
            asked = (record.path or "", record.method or "")
            assert (path.decode(), method.decode() if path else asked[1]) == asked
    return len(known.lines) - len(others)


LINE = {
    "timestamp": "2026-01-31T12:00:00.000100Z",
    "level": "INFO",
    "requestID": "r-1",
    "message": "m",
    "user": {"id": "u-1", "name": "Alice"},
    "rows": 3,
}


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "timestamp": times,
                "level": levels,
                "requestID": texts,
                "message": texts,
                "user": st.fixed_dictionaries({"id": texts, "name": texts}),
                "rows": st.integers() | st.floats() | st.booleans() | st.none(),
            },
            optional={"trace_id": texts, "tags": st.lists(texts, max_size=2)},
        )
    )
)
def test_what_is_told_is_what_is_read(lines: list[dict[str, Any]]) -> None:
    """Of any values a line is told as it is read, or it is one of the others."""
    agree(told(block([LINE, LINE, *lines, *lines])))


members = st.permutations(
    [*LINE.items(), ("path", "/a"), ("method", "GET"), ("order", 7), ("status", 200)]
)
written = st.builds(
    lambda some, number, separators: json.dumps(
        dict(some[:number]), separators=separators
    ).encode(),
    members,
    st.integers(2, 10),
    st.sampled_from([(",", ":"), (", ", ": ")]),
)


@given(st.lists(written, min_size=1, max_size=6), st.data())
def test_a_form_that_is_learned_does_not_change_what_is_told(
    lines: list[bytes], data: st.DataObject
) -> None:
    """Lines of many forms, some met for the first time, are told as they are read."""
    some = st.lists(st.sampled_from(lines), min_size=1, max_size=9)
    forms = Forms()
    for every in data.draw(st.lists(some, max_size=4)):
        joined = b"".join(line + b"\n" for line in every)
        known = forms.told(joined, len(joined))
        if known is not None:
            agree(known)


@given(
    st.lists(
        st.fixed_dictionaries(
            {"timestamp": times, "level": levels, "requestID": texts},
            optional={"n": texts},
        )
    )
)
def test_a_line_that_is_left_out_has_a_lower_level(lines: list[dict[str, Any]]) -> None:
    """Whatever other lines have, and as often as forms are asked."""
    data = block([LINE, LINE, *({**LINE, **line} for line in lines * 2)])
    starts = {*starts_of(data)}
    forms = Forms("level")
    for _ in range(3):
        found = forms.from_level(data, len(data), 40)
        for start in starts.difference(starts if found is None else found):
            (record,) = Record.read(data[start:].partition(b"\n")[0], NAMES)
            assert record.level < 40
        assert found is None or [*found] == sorted({*found} & starts)


def test_lines_of_a_level_are_found_among_many() -> None:
    """Words that are not known yet are looked at once."""
    words = ["INFO", "DEBUG", "INFO", "ERROR", "Notice", "INFO", "fatal"] * 9
    lines = [{**LINE, "level": word, "n": "\n" * n} for n, word in enumerate(words)]
    data = block(lines)
    bad = [n for n, word in enumerate(words) if word in ("ERROR", "fatal")]
    forms = Forms("level")
    for _ in range(3):
        found = forms.from_level(data, len(data), 40)
        assert found is not None
        assert [data.count(b"\n", 0, start) for start in found] == bad


def test_lines_of_one_form_are_told() -> None:
    """They need not be read, whatever their texts are."""
    data = block(
        [{**LINE, "requestID": f"r-{n}", "message": "\n" * n} for n in range(9)]
    )
    assert agree(told(data)) == 9


def test_lines_of_several_forms_are_told() -> None:
    """Those that begin alike, and those that have the same elsewhere."""
    other = {"lvl": 30, "ts": 1769860800123, "msg": "m", "req_id": "r-2"}
    lines = [LINE, {**LINE, "order": "o-7"}, dict(reversed(LINE.items()))]
    assert agree(told(block(lines * 2))) == 6
    assert agree(told(block([other] * 2))) == 2


def test_a_line_about_an_answer_is_read() -> None:
    """It says more than its time, level, request and user."""
    lines = [LINE, LINE, {**LINE, "status": 200}, {**LINE, "durationMs": 3}] * 2
    assert told(block(lines)).others == [2, 3, 6, 7]


answers = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(
            [200, 404, 500, 599, 99, 600, "200", "503", "ok", {}]
        ),
        "statusCode": st.sampled_from([200, 503, None]),
        "res": st.fixed_dictionaries({"statusCode": st.sampled_from([200, 500])}),
        "durationMs": st.sampled_from([3, 2.5, "3ms", None]),
        "path": texts,
        "logger": st.sampled_from(["shop", "ctxlog.client", "ctxlog.request"]),
        "trace_id": texts,
    },
)


@given(st.lists(answers, max_size=4), st.lists(levels, min_size=1, max_size=4))
def test_a_line_about_an_answer_that_is_left_out_has_not_failed(
    said: list[dict[str, Any]], words: list[Any]
) -> None:
    """Whatever it says of the answer, and wherever."""
    lines = [{**LINE, **one, "level": word} for one in said for word in words]
    data = block([LINE, LINE, *lines, *lines])
    forms = Forms("level")
    for _ in range(3):
        found = forms.from_level(data, len(data), 40)
        for number, start in enumerate(starts_of(data)):
            if found is not None and start not in found:
                (record,) = Record.read(data.splitlines()[number], NAMES)
                assert not record.failed


def test_lines_about_answers_are_left_out() -> None:
    """All but the ones that failed, so that few lines are read."""
    answer = {**LINE, "status": 200, "path": "/a", "durationMs": 3}
    data = block([LINE, answer, {**answer, "status": 503}] * 9)
    forms = Forms("level")
    for _ in range(3):
        found = forms.from_level(data, len(data), 40)
    assert found is not None
    assert [data.count(b"\n", 0, start) for start in found] == [*range(2, 27, 3)]


@given(st.lists(answers, max_size=4), st.lists(texts, min_size=1, max_size=4))
def test_the_request_alone_is_told_as_it_is_read(
    said: list[dict[str, Any]], ids: list[str]
) -> None:
    """Of lines about answers, too."""
    lines = [{**LINE, **one, "requestID": id} for one in said for id in ids]
    agree_on("id", block([LINE, LINE, *lines, *lines]))


@given(st.lists(answers, max_size=4), st.lists(times, min_size=1, max_size=4))
def test_the_time_alone_is_told_as_it_is_read(
    said: list[dict[str, Any]], moments: list[Any]
) -> None:
    """Of lines about answers, too."""
    lines = [{**LINE, **one, "timestamp": time} for one in said for time in moments]
    agree_on("time", block([LINE, LINE, *lines, *lines]))


def agree_on(what: str, data: bytes) -> None:
    """Check that the forms tell the same time, or the same id, as reading does."""
    forms = Forms(what)
    for _ in range(2):
        known = forms.told(data, len(data))
        if known is None:
            continue
        others = {*known.others}
        for number, line in enumerate(known.lines):
            if number in others:
                continue
            (record,) = Record.read(line, NAMES)
            if what == "id":
                assert (record.request or "") == known.requests[number].decode()
            else:
                time = known.seconds[number]
                assert record.time == time or math.isnan(time)


def starts_of(data: bytes) -> list[int]:
    """Return where the lines begin."""
    return [match.start() for match in re.finditer(rb"^(?=.)", data, re.MULTILINE)]


@pytest.mark.parametrize(
    "torn",
    [b'{"timestamp":"2026\n', b'{"a":"\n', b"Traceback\n", b'"\n', b"\n", b'{"a'],
)
def test_lines_that_are_no_objects_are_read(torn: bytes) -> None:
    """None of them takes a line beside it along."""
    data = block([LINE, LINE]) + torn + block([LINE])
    known = Forms().told(data, len(data))
    assert known is None or agree(known) >= 2


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_each_format_is_told_as_it_is_read(form: Format) -> None:
    """The samples of all formats agree, or have to be read."""
    data = (form.sample.rstrip("\n") + "\n").encode() * 4
    forms = Forms()
    for _ in range(2):
        known = forms.told(data, len(data))
        assert known is None or agree(known) >= 0
    agree_on("id", data)
    agree_on("time", data)


def test_lines_come_back_as_they_were_read(tmp_path: Path) -> None:
    """Those that are kept in blocks, those that are read, and text below them."""
    lines = [
        {
            **LINE,
            "timestamp": f"2026-01-31T12:00:00.{n:06}Z",
            "requestID": f"r-{n % 5}",
            **({"status": 200, "durationMs": 7} if n % 17 == 0 else {}),
        }
        for n in range(600)
    ]
    every = block(lines * 20)  # more than a block
    file = tmp_path / "app.log"
    file.write_bytes(every + b"Traceback\n" + every)
    expected = [
        line for line in (every * 2).splitlines(keepends=True) if b"r-4" in line
    ]
    expected[len(expected) // 2 - 1] += b"Traceback\n"
    with Reader([Source(str(file))], NAMES).collect(None) as collected:
        assert collected.ids == ["r-0", "r-1", "r-2", "r-3", "r-4"]
        request = collected.request("r-4")
        kept = [entry.whole for entry in request.entries]
    assert sorted(kept) == sorted(expected)
    assert request.seconds == 0.007565  # the first answer took 7 ms


def test_lines_are_held_while_their_request_is_looked_at(tmp_path: Path) -> None:
    """A file with many requests takes no more memory than its longest one."""
    file = tmp_path / "app.log"
    file.write_bytes(block([{**LINE, "requestID": f"r-{n % 3}"} for n in range(30)]))
    with Reader([Source(str(file))], NAMES).collect(None) as collected:
        requests = iter(collected)
        request = next(requests)
        assert len(request.entries) == 10
        held = weakref.ref(request)
        request = next(requests)
        assert held() is None


def test_rows_are_those_of_lines_that_are_read(tmp_path: Path) -> None:
    """A file is summed up by its forms as it is line by line."""
    lines = [
        {
            **LINE,
            "timestamp": f"2026-01-31T12:00:{n % 7:02}.{n:06}Z",
            "level": "ERROR" if n % 11 == 0 else "INFO",
            "requestID": f"r-{n % 5}" if n % 13 else "N/A",
            "user": {"id": f"u-{n % 3}", "name": '"'},
            **({"status": 500, "path": "/a", "method": "GET"} if n % 17 == 0 else {}),
            **({"durationMs": n} if n % 19 == 0 else {}),
        }
        for n in range(600)
    ]
    file = tmp_path / "app.log"
    file.write_bytes(block(lines) + b"Traceback\n" + block(lines[:9]))
    read: dict[str, Row] = {}
    for line in file.read_bytes().splitlines():
        for record in Record.read(line, NAMES):
            if record.request is not None:
                read.setdefault(record.request, Row(record.request)).add(record)
    rows = Reader([Source(str(file))], NAMES).rows()
    found = {name: row for name, row in rows.items() if name in read}
    assert {name: facts(row) for name, row in found.items()} == {
        name: facts(row) for name, row in read.items()
    }
    lasting = Reader([Source(str(file))], NAMES).lasting(2.0)
    assert set(lasting) == {
        name for name, row in read.items() if row.extent.seconds >= 2.0
    }


def facts(row: Row) -> tuple[object, ...]:
    """Return all that a row says."""
    about = row.about
    return (
        (row.lines, row.errors, row.failed, row.extent, row.totals, row.weight),
        (about.user, about.status, about.method, about.path, about.route),
    )


def test_lines_of_wanted_requests_are_found() -> None:
    """All of them, wherever the id stands, and few of the others."""
    lines = [
        {
            "level": 30,
            "time": 1769860800123 + n,
            "req": {"id": f"r-{n % 40}" if n % 13 else "-", "url": "/a"},
            **({"requestId": "r-7"} if n % 17 == 0 else {}),
            **({"responseTime": 3, "res": {"statusCode": 200}} if n % 19 == 0 else {}),
            "msg": "m",
        }
        for n in range(400)
    ]
    wanted = {f"r-{n}" for n in range(20)}
    data = block(lines[:200]) + b"Traceback\n" + block(lines[200:])
    starts = Ids(wanted, NAMES)(Block(0, data, len(data)))
    found = {data[start : data.index(b"\n", start)] for start in starts}
    every = data.splitlines()
    meant = {
        line
        for line in every
        if any(one.request in wanted for one in Record.read(line, NAMES))
    }
    assert meant <= found
    assert len(found) < 0.8 * len(every)
