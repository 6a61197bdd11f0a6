"""
What the page about asgi-correlation-id says beside what it shows.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import need
from tests.migrations.pages import PAGES
from tests.migrations.running import IDS, Observed, changed_section, observe

Look = Callable[[str, str], Observed]

PAGE = "asgi-correlation-id"


def test_before_the_500_and_the_crash_report_have_no_id(observed: Look) -> None:
    """Before, neither the response nor the server's report has the request's id."""
    seen = observed(PAGE, "Before")
    assert seen.failed.status == 500
    assert "x-request-id" not in seen.failed.headers
    report = seen.crash[seen.crash.index("ERROR") :]
    assert "JSONDecodeError" in report
    assert IDS[2] not in report


def test_an_id_that_is_no_uuid_is_replaced_before_only(observed: Look) -> None:
    """The id `order-7` is replaced before, and used by ctxlog and by both together."""
    refused = observed(PAGE, "Before").curls[1].headers["x-request-id"]
    assert len(bytes.fromhex(refused)) == 16
    for section in ("After", "Side by side"):
        taken = observed(PAGE, section).curls[1].headers["x-request-id"]
        assert taken == "order-7"


@pytest.mark.parametrize("section", ["Before", "After", "Side by side"])
def test_code_reads_the_id_that_the_response_has(section: str, observed: Look) -> None:
    """`correlation_id.get()` and `fields()` have the id of the response."""
    seen = observed(PAGE, section)
    for answer in [*seen.curls, *seen.pair]:
        assert json.loads(answer.body)["request"] == answer.headers["x-request-id"]


def test_the_same_validator_accepts_uuids_only(tmp_path: Path) -> None:
    """`is_valid_uuid4` of asgi-correlation-id is a validator for ctxlog."""
    need(*PAGES[PAGE].needs)
    section = changed_section(
        PAGES[PAGE].sections["After"],
        "app.py",
        "install(app)",
        "install(app, validator=__import__('asgi_correlation_id').middleware."
        "is_valid_uuid4)",
    )
    first, second = observe(section, tmp_path).curls
    assert first.headers["x-request-id"] in section.commands[1]
    assert len(bytes.fromhex(second.headers["x-request-id"])) == 16
