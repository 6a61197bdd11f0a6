"""
What the pages about django-guid and django-structlog say beside what they show.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from tests.helpers import need
from tests.migrations.pages import PAGES
from tests.migrations.running import IDS, Observed, changed_section, observe

Look = Callable[[str, str], Observed]


def _file(seen: Observed) -> list[str]:
    return (seen.folder / "shop.log").read_text(encoding="utf-8").splitlines()


def test_the_filter_of_django_guid_has_the_id_of_ctxlog(observed: Look) -> None:
    """Side by side, the file has the old lines, with the ids that responses have."""
    seen = observed("django-guid", "Side by side")
    answers = [*seen.curls, *seen.pair]
    written = re.findall(r"\[(\w+)\] shop order of", "\n".join(_file(seen)))
    assert sorted(written) == sorted(one.headers["correlation-id"] for one in answers)


def test_an_id_that_is_no_uuid_is_replaced_by_django_guid(observed: Look) -> None:
    """The id `order-7` is replaced before, and used by ctxlog."""
    before, after = (
        observed("django-guid", section).curls[1].headers["correlation-id"]
        for section in ("Before", "After")
    )
    assert (len(bytes.fromhex(before)), after) == (16, "order-7")


def test_the_header_is_exposed_as_before(observed: Look) -> None:
    """Scripts of other origins may read the id before and after."""
    for section in ("Before", "After"):
        headers = observed("django-guid", section).curls[0].headers
        assert headers["access-control-expose-headers"] == "Correlation-ID"


def test_a_validator_is_given_by_its_path(tmp_path: Path) -> None:
    """A function of django-guid decides which ids are used."""
    need(*PAGES["django-guid"].needs)
    section = changed_section(
        PAGES["django-guid"].sections["After"],
        "settings.py",
        '"expose_header": True',
        '"validator": "shop.is_uuid"',
    )
    section.files["shop.py"] += (
        "\n\ndef is_uuid(text):\n    return len(text) == 32 and text.isalnum()\n"
    )
    first, second = observe(section, tmp_path).curls
    assert first.headers["correlation-id"] in section.commands[1]
    assert len(bytes.fromhex(second.headers["correlation-id"])) == 16


def test_the_file_of_django_guid_is_written_by_ctxlog_after(observed: Look) -> None:
    """After, the file has the same lines as the console."""
    for page in ("django-guid", "django-structlog"):
        seen = observed(page, "After")
        assert set(seen.two.splitlines()) <= set(_file(seen))


def test_before_no_response_has_the_id_of_django_structlog(observed: Look) -> None:
    """Before, lines have the id of the request's header, and the response has none."""
    seen = observed("django-structlog", "Before")
    assert f'"request_id": "{IDS[0]}"' in seen.two
    assert "x-request-id" not in seen.pair[0].headers


def test_the_file_of_django_structlog_has_the_id_of_ctxlog(observed: Look) -> None:
    """Side by side, the file has the old lines, with the ids that responses have."""
    seen = observed("django-structlog", "Side by side")
    events = [json.loads(line) for line in _file(seen)]
    finished = [one for one in events if one["event"] == "request_finished"]
    assert [one["request_id"] for one in finished] == [
        seen.curls[0].headers["x-request-id"],
        IDS[1],
        IDS[0],
    ]


def test_django_structlog_reports_the_crash_itself(observed: Look) -> None:
    """Before and side by side, `request_failed` has the exception."""
    for section in ("Before", "Side by side"):
        lines = observed("django-structlog", section).crash.splitlines()
        (failed,) = [line for line in lines if "request_failed" in line]
        assert "JSONDecodeError" in failed
