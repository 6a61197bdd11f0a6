"""
One broker for all tests of a worker process of pytest; each test has its own queues.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.tasks import brokers


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    """The address of a server of the Redis protocol."""
    with brokers.valkey() as url:
        yield url


@pytest.fixture(scope="module")
def nats() -> Iterator[str]:
    """The address of a NATS server."""
    with brokers.nats() as url:
        yield url
