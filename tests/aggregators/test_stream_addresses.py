"""
Addresses of streams: what is wrong with one is said before a line is sent.
"""

from __future__ import annotations

import pytest

from ctxlog.aggregators import receiver
from ctxlog.errors import ConfigError
from tests.helpers import need


@pytest.mark.parametrize(
    ("library", "address", "said"),
    [
        ("confluent_kafka", "kafka://host:9092", "a topic"),
        ("confluent_kafka", "kafka://host:9092/a/b", "a topic"),
        ("confluent_kafka", "kafka://host/a?compression=lzw", "zstd"),
        ("confluent_kafka", "kafka://host/a?acks=0", "acks"),
        ("confluent_kafka", "kafka://host/a?user=x&mechanism=none", "SCRAM-SHA-512"),
        ("nats", "nats://host", "a subject"),
        ("nats", "nats://host/logs.*", "a subject"),
        ("nats", "nats://host/logs?header=a:b&stream=x", "stream"),
        ("nats", "natss://host/logs?ca=/no/such/file", "files of certificates"),
        ("redis", "redis://host", "a stream"),
        ("redis", "redis://host/logs?maxlen=many", "maxlen"),
        ("redis", "redis://host/logs?maxlen=0", "maxlen"),
        ("redis", "redis://host/logs?partitions=-1", "partitions"),
        ("redis", "redis://host/logs?db=x", "db"),
    ],
)
def test_what_is_wrong_with_an_address(library: str, address: str, said: str) -> None:
    """
    The error names the option and what it may be.
    """
    need(library)
    with pytest.raises(ConfigError, match=said):
        receiver(address)


@pytest.mark.parametrize(
    ("library", "address"),
    [
        ("confluent_kafka", "kafkas://a:9093,b:9094/t?user=u&password=$SECRET&ca=/ca"),
        ("nats", "nats://a,b:4223/logs.shop?user=u&password=$SECRET"),
        ("nats", "natss://a/logs?token=$SECRET"),
        ("redis", "rediss://a/logs?user=u&password=$SECRET&db=0&partitions=4"),
    ],
)
def test_an_address_shows_no_credentials(
    library: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Nothing is connected, and the name is that of lines and errors.
    """
    need(library)
    monkeypatch.setenv("SECRET", "s3cret")

    made = receiver(address)
    made.close()

    assert made.name == address.partition("?")[0]
    assert "s3cret" not in repr(made)
