"""
What is shown of lines is the same, whether their forms tell it or they are read.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlog.viewer.query.search import Reader
from ctxlog.viewer.read.source import Source
from ctxlog.viewer.recognize.facts import Teller
from ctxlog.viewer.recognize.formats import FORMATS, Format
from ctxlog.viewer.recognize.forms import lines_of
from ctxlog.viewer.recognize.keys import Names
from ctxlog.viewer.show.look import Look
from ctxlog.viewer.show.printing import request_text

texts = st.sampled_from(
    ["r-1", "a b", "", "\n", "7", '"', "\\", "=", "\x1b[31m", "\u2028", "ü", "-"]
) | st.text(max_size=6)
numbers = st.sampled_from([0, 7, 1.0, 1e300, 10**30, -0.0, -5]) | st.floats()
values = texts | numbers | st.booleans() | st.none() | st.lists(texts, max_size=2)
objects = st.recursive(
    values,
    lambda inner: st.dictionaries(
        st.sampled_from(["id", "name", "a", "a.b", "requestID", "error"]),
        inner,
        max_size=2,
    ),
    max_leaves=4,
)
lines = st.fixed_dictionaries(
    {
        "timestamp": st.sampled_from(
            [
                "2026-01-31T12:00:00.000100Z",
                "2026-02-01T12:00:00.5Z",
                "2026-02-30T12:00:00.000100Z",
                1769860800123,
            ]
        ),
        "level": st.sampled_from(["INFO", "error", "TRACE", "Boo", 30, 5]),
        "requestID": st.just("r-1"),
        "message": texts | st.just("order taken"),
    },
    optional={
        "user": objects,
        "rows": objects,
        "path": texts,
        "method": st.sampled_from(["GET", "brew"]),
        "status": st.sampled_from([200, 500]),
        "buffered": st.booleans(),
        "extra": objects,
    },
)


def shown(data: bytes, look: Look) -> list[str]:
    """Return what is shown of requests, as their lines tell it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "app.log")
        file.write_bytes(data)
        with Reader([Source(str(file))], Names()).collect(None) as collected:
            return [request_text(one, one.entries, look) for one in collected]


def read(data: bytes, look: Look) -> list[str]:
    """Return the same, all lines being read."""
    none = lambda _, some, *__: [None] * len(some)  # noqa: E731
    with mock.patch.object(Teller, "told", none):
        return shown(data, look)


looks = st.sampled_from(
    [Look(), Look(color=True, width=60), Look(hidden=["user.*", "rows"])]
)


@given(st.lists(lines, max_size=4), looks)
def test_what_is_told_is_shown_as_what_is_read(
    some: list[dict[str, Any]], look: Look
) -> None:
    """Whatever lines have, in whichever order, and however they are shown."""
    every = [one for one in some for _ in range(2)] + some
    data = b"".join(json.dumps(one).encode() + b"\n" for one in every)
    assert shown(data, look) == read(data, look)


def test_fields_stay_in_their_place() -> None:
    """An object that has the request's id, too, with what else it has."""
    line = (
        b'{"timestamp":"2026-01-31T12:00:00.000100Z","level":"INFO","message":"m",'
        b'"req":{"id":"r-1","url":"/x"},"method":"GET","a":"%b"}\n'
    )
    for data in (line % b"1", line % b"1" + line % b"2" + line % b"3"):
        (text,) = shown(data, Look())
        assert "m  req.url=/x method=GET a=1\n" in text


def test_a_form_that_is_met_late_changes_nothing_of_those_before() -> None:
    """Lines of a request are shown alike, however many forms they have."""
    line = {
        "timestamp": "2026-01-31T12:00:00.000100Z",
        "level": "INFO",
        "requestID": "r-1",
        "message": "m",
    }
    lines = [{**line, "n": n} for n in range(50)]
    lines += [{"a": "1", **line, "b": "2"}, {"logger": "x", **line}] * 3
    data = b"".join(json.dumps(one).encode() + b"\n" for one in lines * 2)
    assert shown(data, Look()) == read(data, Look())


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_a_sample_is_shown_as_it_is_read(form: Format) -> None:
    """Lines of each format, many of them alike."""
    data = (form.sample.rstrip().encode() + b"\n") * 3
    assert shown(data, Look()) == read(data, Look())


def test_a_value_that_is_written_otherwise_is_no_new_one() -> None:
    """A field is repeated only if its value has changed."""
    line = (
        b'{"timestamp":"2026-01-31T12:00:00.000100Z","level":"INFO",'
        b'"requestID":"r-1","message":"m","n":%b}\n'
    )
    (text,) = shown(line % b"1.5" + line % b"1.50" + line % b"15e-1", Look())
    assert text.count("n=1.5") == 1


@pytest.mark.parametrize(
    "broken",
    [
        r'"message":"a\qb","n":"y"',
        r'"message":"a","n":"\z"',
        r'"message":"a","n":"\u12"',
        '"message":"a","n":[1,,2]',
    ],
)
@pytest.mark.parametrize("times", [1, 10_000])
def test_a_line_that_is_no_json_is_shown_as_it_is(broken: str, times: int) -> None:
    """Its form tells its request, so that it is not lost."""
    head = (
        '{"timestamp":"2026-01-31T12:00:00.000100Z","level":"INFO","requestID":"r-1",'
    )
    usual = f'{head}"message":"m","n":"x"}}\n{head}"message":"m","n":[1]}}\n' * 2
    data = usual + f"{head}{broken}}}\n" + usual * times
    (text,) = shown(data.encode(), Look())
    assert broken in text or ("n=" in text and "[1,,2]" in text)
    assert len(text.splitlines()) == data.count("\n") + 1


def test_lines_of_a_request_are_told() -> None:
    """Of lines that are alike none has to be read to be shown."""
    line = {
        "timestamp": "2026-01-31T12:00:00.000100Z",
        "level": "INFO",
        "requestID": "r-1",
        "message": "order taken",
        "user": {"id": "u-1", "name": "Alice"},
        "rows": 3,
    }
    data = b"".join(json.dumps({**line, "rows": n}).encode() + b"\n" for n in range(5))
    told = Teller().told(lines_of(data), [1769860800.0001] * 5, "r-1")
    assert [facts and facts.values[-1] for facts in told] == [
        b"%d" % n for n in range(5)
    ]
    assert {facts and facts.user for facts in told} == {b'"u-1"'}
