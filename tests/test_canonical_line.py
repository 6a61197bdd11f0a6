"""
The page about the completion line: its tables say what the code does.
"""

from __future__ import annotations

import dataclasses
import importlib
import re

import pytest

from ctxlog._names import CAMEL, SNAKE
from ctxlog.servers._details import _SPELLINGS
from ctxlog.servers._request import RequestEntry
from ctxlog.viewer.group.summary import READY_MADE
from tests.helpers import ROOT, need

PAGE = (ROOT / "docs" / "canonical-line.md").read_text(encoding="utf-8")

#: Each field with its name in the other spelling.
FIELDS = {
    camel: snake
    for first, second in re.findall(
        r"^\| ((?:`\w+`(?:, )?)+) \| ((?:`\w+`(?:, )?)+) \|", PAGE, flags=re.MULTILINE
    )
    for camel, snake in zip(
        re.findall(r"\w+", first), re.findall(r"\w+", second), strict=True
    )
}


def test_both_spellings_of_each_field_are_named() -> None:
    """
    A name of one word is the same in both.
    """
    others = dataclasses.asdict(CAMEL).items()
    spelled = {camel: getattr(SNAKE, name) for name, camel in others}
    assert FIELDS == {camel: spelled.get(camel, camel) for camel in FIELDS}


def test_every_field_is_named() -> None:
    """
    What can be asked for, ready-made totals, and the names that adapters set.
    """
    asked_for = {name for name in _SPELLINGS if name not in vars(SNAKE).values()}
    headers = {"headers", CAMEL.response_headers}
    assert FIELDS.keys() >= asked_for | headers | {*READY_MADE}
    of_context = {CAMEL.task_id, CAMEL.parent_task_id, CAMEL.trace_id, CAMEL.span_id}
    of_others = {CAMEL.dropped_lines}  # of the lines that waited
    assert FIELDS.keys() >= {*CAMEL.of_fields} - of_context - of_others


def test_what_can_be_asked_for_is_said_to_be() -> None:
    """
    The others are there without being asked.
    """
    said = re.findall(r"^\| `(\w+)` \| `\w+` \| (?:if asked|by)", PAGE, re.MULTILINE)
    headers = {"headers", CAMEL.response_headers}
    assert {*said} == {name for name in _SPELLINGS if name in FIELDS} | headers


@pytest.mark.parametrize(
    ("module", "library"),
    [
        *(("asgi", None), ("_wsgi", None), ("django", "django")),
        *(("aiohttp", "aiohttp"), ("tornado", "tornado"), ("sanic", "sanic")),
        ("websockets", "websockets"),
    ],
)
def test_these_adapters_read_all_that_can_be_asked_for(
    module: str, library: str | None
) -> None:
    """
    As the table of adapters says it.
    """
    if library is not None:
        need(library)
    name = module.removeprefix("_")
    assert re.search(rf"^\| .*`{name}`.* \| all", PAGE, re.MULTILINE)
    found = vars(importlib.import_module(f"ctxlog.servers.{module}"))
    entry = found["_Entry" if module == "tornado" else "_Request"]
    for read in ("read_headers", "read_query", "read_scheme", "read_http_version"):
        assert getattr(entry, read) is not getattr(RequestEntry, read), read
