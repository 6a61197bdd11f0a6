"""
FastStream: since when a message has waited, as ctxlog or the broker says it.
"""

from __future__ import annotations

import json
import time
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers import need
from tests.tasks.common import shop
from tests.tasks.libraries import HEAD, Library

adapter = need("ctxlog.tasks.faststream")

SHOP = (
    HEAD
    + """
from faststream import FastStream
from faststream.nats import NatsBroker, JStream
from ctxlog.tasks import faststream

broker = NatsBroker(os.environ["BROKER"])
faststream.install(broker)
app = FastStream(broker)


@broker.subscriber("charge")
async def charge(token: str):
    log.info("charging %s", token)


@broker.subscriber("stored", stream=JStream("shop"))
async def stored(token: str):
    log.info("charging %s", token)


async def send(name, header):
    faststream.uninstall(broker)
    async with broker:
        await broker.publish("x", name, headers=header and {"ctxlog": header})
"""
)

LIBRARY = Library(
    "faststream", SHOP, ("faststream", "run", "shop:app"), "started successfully"
)


def test_the_time_in_the_queue(nats: str, tmp_path: Path) -> None:
    """As the header says or else JetStream; core NATS does not know it."""
    began = time.time()
    header = json.dumps({"requestID": "req-A", "timestamp": (began - 600) * 1000})
    with shop(LIBRARY, tmp_path, nats) as running:
        running.send(
            f"await send({{}}, 'charge', {header!r})",
            "await send({}, 'charge', None)",
            f"await send({{}}, 'stored', {header!r})",
            "await send({}, 'stored', None)",
        )
        charged = running.ended("charge", 2)
        found = running.ended("stored", 2)
    limit = (time.time() - began) * 1000
    for ends, other in ((charged, None), (found, limit)):
        ends.sort(key=lambda end: end["requestID"] == "req-A")
        without, having = ends
        assert 600_000 <= having["queueMs"] < 600_000 + limit
        if other is None:
            assert "queueMs" not in without
        else:
            assert 0 <= without["queueMs"] < limit


class Confluent:
    """As a message of confluent-kafka says its time: by a method."""

    def __init__(self, kind: int, milliseconds: int) -> None:
        self._found = kind, milliseconds

    def timestamp(self) -> tuple[int, int]:
        """The kind of the time, and the time."""
        return self._found


MOMENT = datetime(2025, 1, 1, tzinfo=timezone.utc)

RAW: dict[str, tuple[Any, float | None]] = {
    "aiokafka": (SimpleNamespace(timestamp=1_764_000_000_500), 1_764_000_000.5),
    "confluent-kafka": (Confluent(1, 1_764_000_000_500), 1_764_000_000.5),
    "aio-pika": (SimpleNamespace(timestamp=MOMENT), MOMENT.timestamp()),
    "aio-pika without": (SimpleNamespace(timestamp=None), None),
    "redis": ({"type": "message"}, None),
    "batch": ([SimpleNamespace(timestamp=5)], None),
    "core NATS": (SimpleNamespace(reply="_INBOX.x"), None),
}


@pytest.mark.parametrize(("raw", "seconds"), RAW.values(), ids=RAW)
def test_the_time_of_a_broker(raw: Any, seconds: float | None) -> None:
    """Each client has it in its own form, or not at all."""
    assert adapter._published(raw) == seconds
