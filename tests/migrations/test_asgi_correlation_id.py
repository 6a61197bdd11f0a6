"""
What the page about asgi-correlation-id says beside what it shows.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.migrations.running import IDS, Observed

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


def test_before_an_id_that_is_no_uuid_is_replaced(observed: Look) -> None:
    """The id `order-7` is replaced before, and used by ctxlog and by both together."""
    refused = observed(PAGE, "Before").curls[1].headers["x-request-id"]
    assert len(bytes.fromhex(refused)) == 16
    for section in ("After", "Side by side"):
        taken = observed(PAGE, section).curls[1].headers["x-request-id"]
        assert taken == "order-7"
