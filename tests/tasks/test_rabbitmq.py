"""
Celery's workers of every pool with RabbitMQ, if `RABBITMQ_URL` names one.
"""

from __future__ import annotations

import os

import pytest

from tests.tasks.test_celery import (
    folder,
    send,
    test_a_message_without_the_header,
    test_fifty_requests_at_once,
    test_what_a_message_forges,
    worker,
)

__all__ = [
    "folder",
    "send",
    "test_a_message_without_the_header",
    "test_fifty_requests_at_once",
    "test_what_a_message_forges",
    "worker",
]


@pytest.fixture(scope="module")
def broker() -> str:
    """RabbitMQ's address; PyPI has no package of it."""
    url = os.environ.get("RABBITMQ_URL")
    if not url:
        pytest.skip("RABBITMQ_URL names no RabbitMQ")
    return url
