"""
Each page about coming from another library shows what happens, before and after.

Every application on these pages takes `POST /orders` with a list in JSON, and logs
before and after it has read that list; so two requests can be in it at once, and one
that is no JSON makes it fail.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.helpers import load_line
from tests.migrations.pages import FIRST, FOLDER, PAGES, Page, changed
from tests.migrations.running import IDS, Observed, shown_otherwise

Look = Callable[[str, str], Observed]

SECTIONS = [(page, title) for page, read in PAGES.items() for title in read.sections]
MIGRATED = [(page, title) for page, title in SECTIONS if title != FIRST]


def _lines(log: str) -> list[dict[str, Any]]:
    # An access line names the client's port, which is another one for each request.
    return [
        load_line(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1", line))
        for line in log.splitlines()
    ]


def _request_id(line: dict[str, Any]) -> object:
    return line.get("requestID", line.get("request_id"))


@pytest.mark.parametrize(("page", "title"), SECTIONS)
def test_what_is_shown_is_what_happens(page: str, title: str, observed: Look) -> None:
    """What the page shows under the commands is what they log."""
    section = PAGES[page].sections[title]
    assert shown_otherwise(section, observed(page, title).shown) is None


@pytest.mark.parametrize(("page", "title"), MIGRATED)
def test_two_requests_at_once_are_told_apart(
    page: str, title: str, observed: Look
) -> None:
    """Of two requests in the application at once, each line has its own id, once."""
    lines = _lines(observed(page, title).two)
    assert {_request_id(line) for line in lines} == {*IDS[:2]}
    first, second = (
        [line["message"] for line in lines if _request_id(line) == one]
        for one in IDS[:2]
    )
    assert [message for message in first if "1 items" in message] != []
    assert [message.replace("1 items", "2 items") for message in first] == second
    assert len(set(first)) == len(first)


#: Those that give lines no id of the request.
WITHOUT_ID = {"opentelemetry", "python-json-logger"}


@pytest.mark.parametrize("page", sorted({*PAGES} - WITHOUT_ID))
def test_before_the_application_s_own_lines_have_their_id(
    page: str, observed: Look
) -> None:
    """Before, of two requests at once the application's lines have their own id."""
    lines = observed(page, FIRST).two.splitlines()
    for number, one in enumerate(IDS[:2], start=1):
        (stored,) = [line for line in lines if f"{number} items" in line]
        assert one in stored


@pytest.mark.parametrize("page", sorted(WITHOUT_ID))
def test_before_some_lines_have_no_id(page: str, observed: Look) -> None:
    """Before, nothing in the log says to which request a line belongs."""
    log = observed(page, FIRST).two
    assert "order received" in log
    assert not any(one in log for one in IDS)


@pytest.mark.parametrize(("page", "title"), MIGRATED)
def test_each_response_has_its_id(page: str, title: str, observed: Look) -> None:
    """The id of a request is on its response, once, also if the request fails."""
    seen = observed(page, title)
    header = PAGES[page].sections[title].id_header
    answers = [*seen.pair, seen.failed]
    assert [answer.status for answer in answers] == [200, 200, 500]
    assert [answer.headers.get_all(header) for answer in answers] == [
        [one] for one in IDS
    ]


@pytest.mark.parametrize(("page", "title"), MIGRATED)
def test_a_crash_has_its_request(page: str, title: str, observed: Look) -> None:
    """A request that fails has its id on every line, the report among them."""
    lines = _lines(observed(page, title).crash)
    assert {_request_id(line) for line in lines} == {IDS[2]}
    assert [line for line in lines if "JSONDecodeError" in json.dumps(line)] != []


@pytest.mark.parametrize("page", PAGES)
def test_a_crash_is_reported_once(page: str, observed: Look) -> None:
    """With ctxlog alone a request that fails has one line with its exception."""
    lines = _lines(observed(page, "After").crash)
    reports = [line["exception"]["type"] for line in lines if "exception" in line]
    assert reports == ["JSONDecodeError"]


def test_each_page_is_in_the_table() -> None:
    """The first page names all the others."""
    table = (FOLDER / "index.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\(([\w-]+)\.md\)", table) == sorted(PAGES)


@pytest.mark.parametrize("page", PAGES.values(), ids=lambda page: page.name)
def test_each_page_has_all_parts(page: Page) -> None:
    """A page shows the application before, after, and with both libraries."""
    first, second, *_, last = page.sections
    assert [first, second, last] == [FIRST, "After", "Side by side"]


_TEXT = "import a\nimport b\n\na.start()\nb.start()\n"


def test_a_change_is_applied() -> None:
    """A diff takes lines away and adds others where its other lines stand."""
    diff = " import a\n-import b\n@@\n a.start()\n-b.start()\n+c.start()\n"
    assert changed(_TEXT, diff) == "import a\n\na.start()\nc.start()\n"


@pytest.mark.parametrize(
    "diff",
    ["-import c\n", " import b\n import a\n", "@@\n-a.start()\n@@\n-import a\n", "x\n"],
)
def test_a_change_of_another_file_is_refused(diff: str) -> None:
    """A diff whose lines do not stand in the file, in this order, fails."""
    with pytest.raises(AssertionError):
        changed(_TEXT, diff)
