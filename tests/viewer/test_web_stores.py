"""
`ctxlog web` of stores, as of files.

Each store is a stub that evaluates what it is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aggregators.clickhouse_stub import ClickHouse
from tests.aggregators.elastic_stub import Elasticsearch
from tests.aggregators.vlogs_stub import VictoriaLogs
from tests.aggregators.web import Store
from tests.aggregators.web import serving as storing
from tests.helpers import need
from tests.viewer.serving import ids, line, listed, opened, serving, without_id, written

need("urllib3", "starlette", "uvicorn")

pytestmark = pytest.mark.real_server

STORES = {"clickhouse": ClickHouse, "elastic": Elasticsearch, "vlogs": VictoriaLogs}


@pytest.fixture(scope="module", params=STORES)
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """The page of a store, and that of a file that has the same lines."""
    log = written(tmp_path_factory.mktemp("log"))
    with log.open("a", encoding="utf-8") as file:
        file.write(without_id(-60, "ERROR", "cannot start"))
        file.write(without_id(-50, "INFO", "starting"))
        file.write(line(1021, "INFO", "charged", "other", traceID="trace-17"))
    with log.open("rb") as file:
        stored = STORES[request.param](file)
    with storing(stored) as store, serving([log]) as of_file:
        with serving([f"{request.param}://127.0.0.1:{store.port}"]) as of_store:
            yield of_store, of_file


@pytest.mark.parametrize(
    "selection",
    [
        {},
        {"errors": "1"},
        {"grep": "order 17 received"},
        {"grep": "start"},
        {"level": "error", "until": "2026-01-31T12:15:00Z"},
        {"status": "5xx", "user": "alice", "path": "/orders"},
        {"slow": "99ms", "request": "req-4"},
        {"user": "bob"},
    ],
)
def test_a_store_is_listed_as_a_file_is(
    both: tuple[str, str], selection: dict[str, str]
) -> None:
    """The same requests and bars, and the same lines outside of requests."""
    found, expected = (listed(address, **selection) for address in both)
    assert ids(found) == ids(expected)
    for name in ("rows", "outside", "matched", "failed", "bars"):
        assert found[name] == expected[name]
    assert found["state"]["problems"] == []


@pytest.mark.parametrize("asked", [{"id": "req-17"}, {"id": ""}, {"id": "nowhere"}])
def test_a_request_of_a_store_is_opened(
    both: tuple[str, str], asked: dict[str, str]
) -> None:
    """It has the same lines, those of its trace among them."""
    of_store, of_file = (opened(address, **asked) for address in both)
    shown = [[row[:9] for row in rows] for _, rows in (of_store, of_file)]
    assert shown[0] == shown[1]
    assert of_store[0] == of_file[0]


def test_a_store_and_a_file_are_one_page(tmp_path: Path) -> None:
    """A request has the lines of both, and each line once."""
    log = tmp_path / "more.log"
    log.write_text(line(0, "INFO", "a", "req-A") + line(1, "INFO", "b", "req-A"))
    stored = [line(1, "INFO", "b", "req-A"), line(2, "ERROR", "c", "req-A")]
    with storing(VictoriaLogs(map(str.encode, stored))) as store:
        with serving([log, f"vlogs://127.0.0.1:{store.port}"]) as address:
            listed(address)
            _, rows = opened(address, id="req-A")
            assert [row[8] for row in rows] == ["a", "b", "c"]


def test_a_store_that_is_gone_is_said() -> None:
    """The page is there, and says why it has no requests."""
    with storing(Store()) as gone:
        name = f"vlogs://127.0.0.1:{gone.port}"
    with serving([name]) as address:
        found = listed(address)
        assert (found["rows"], found["outside"]) == ([], None)
        assert name.removeprefix("vlogs://") in found["state"]["problems"][0]
        head, _ = opened(address, id="req-A")
        assert head == {}
