"""
ARCHITECTURE.md and the decisions speak of modules and names that there are.
"""

from __future__ import annotations

import re

import pytest

from tests.helpers import ROOT

_PAGES = [ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs/decisions").glob("*.md"))]
_TEXT = "\n".join(page.read_text(encoding="utf-8") for page in _PAGES)


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`((?:ctxlog|tests|docs)/[\w/.-]*)`", _TEXT)))
)
def test_paths_exist(path: str) -> None:
    """Every file or folder that the pages name is in the project."""
    assert (ROOT / path).exists()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("ctxlog/line/encoder.py", "class LineEncoder"),
        ("ctxlog/line/encoder.py", "def encode"),
        ("ctxlog/line/event.py", "class Event"),
        ("ctxlog/line/writer.py", "class LineWriter"),
        ("ctxlog/line/vendors.py", "SCHEMAS"),
        ("ctxlog/loggers/_record.py", "def encoded"),
        ("ctxlog/loggers/_handler.py", "class LineHandler"),
        ("ctxlog/servers/asgi.py", "class ContextMiddleware"),
        ("ctxlog/servers/_request.py", "class RequestEntry"),
        ("ctxlog/context/adapter.py", "class Entry"),
        ("ctxlog/tasks/_task.py", "class Task"),
        ("ctxlog/tasks/celery.py", "def install"),
        ("ctxlog/carrier/messages.py", "def unpack"),
        ("ctxlog/carrier/messages.py", "def pack"),
        ("ctxlog/_names.py", "REPORTING_LOGGERS"),
        ("ctxlog/retention/_lines.py", "class RequestLines"),
        ("ctxlog/retention/_limit.py", "class LineLimit"),
        ("ctxlog/retention/_process.py", "def settle"),
    ],
)
def test_names_stand_where_the_page_says(path: str, name: str) -> None:
    """Every class and function of the ways is defined in the module that is named."""
    text = (ROOT / path).read_text(encoding="utf-8")
    assert re.search(rf"^\s*(?:async )?{name}\b", text, re.MULTILINE)
