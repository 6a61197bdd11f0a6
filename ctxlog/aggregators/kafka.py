"""
Kafka: lines as messages of a topic, with the request's id as key.

By librdkafka's producer, as confluent-kafka 2.16 has it
(https://docs.confluent.io/platform/current/clients/confluent-kafka-python, and
CONFIGURATION.md of https://github.com/confluentinc/librdkafka). The key chooses the
partition as Kafka's Java client does, so that the lines of a request are in one, in
order.

A line counts as sent when all replicas in sync have it (`acks=all`). The producer is
idempotent: what it sends again by itself is stored once. What is sent again after
a time-out, by a new producer, may be stored twice.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ctxlog.aggregators._address import Address
from ctxlog.aggregators._line import read
from ctxlog.aggregators._store import (
    DeniedError,
    Receiver,
    UnavailableError,
    UnreachableError,
)
from ctxlog.errors import requires

with requires("confluent_kafka", "kafka"):
    from confluent_kafka import KafkaError, KafkaException, Producer

_PORT = 9092

# Writing ----------------------------------------------------------------------------

_OPTIONS = frozenset(
    {"ca", "cert", "compression", "key", "mechanism", "password", "timeout", "user"}
)
#: Errors that say that the message is wrong.
_ABOUT_LINES = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_MSG,
        KafkaError.INVALID_RECORD,
    }
)

#: Errors that an operator has to do something about: credentials, rights, the topic,
#: certificates.
_DENIED = frozenset(
    {
        KafkaError._AUTHENTICATION,
        KafkaError._SSL,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
    }
)


def receiver(address: Address) -> Receiver:
    """
    Return the writing side.

    Args:
        address: `kafka://host:9092,other:9092/topic`; `?user=NAME&password=$VARIABLE`
            are credentials for `?mechanism=PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.

    Raises:
        ConfigError: if it has no topic, or an option is invalid.
    """
    address.check_options(_OPTIONS)
    return _Receiver(address)


def _never_free(producer: Producer | None) -> None:
    """
    Let a producer of the parent stay in a forked child, until that ends.

    To free it would wait for threads that the child has not, and for locks that they
    held as it was forked.
    """
    if producer is not None:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(producer))


class _Receiver(Receiver):
    def __init__(self, address: Address) -> None:
        self.name = address.name
        self._topic = address.path.strip("/")
        if not self._topic or "/" in self._topic:
            raise address.error("a topic, as kafka://host:9092/topic")
        self._timeout = address.seconds("timeout", 10.0)
        self._settings = _settings(address)
        self._producer: Producer | None = None
        self._process = 0
        self._errors: list[KafkaError] = []

    def send(self, lines: Sequence[bytes], timeout: float) -> Mapping[int, str]:
        deadline = time.monotonic() + min(timeout, self._timeout)
        producer = self._open()
        results: dict[int, KafkaError | None] = {}
        for place, line in enumerate(read(lines)):
            key = line.request_id
            try:
                producer.produce(
                    self._topic,
                    line.raw,
                    None if key is None else key.encode("utf-8", "replace"),
                    on_delivery=partial(_note, results, place),
                )
            except KafkaException as error:
                results[place] = error.args[0]
            except BufferError:
                break
        self._wait(producer, deadline)
        return self._refused(results, len(lines))

    def _open(self) -> Producer:
        self._leave_parents()
        if self._producer is None:
            self._producer = Producer({**self._settings, "error_cb": self._note_error})
        self._producer.poll(0)  # what happened since the last time
        self._errors.clear()
        return self._producer

    def _leave_parents(self) -> None:
        """In a forked child: have no producer, since that is the parent's."""
        if self._process != os.getpid():
            _never_free(self._producer)
            self._producer, self._process = None, os.getpid()

    def _wait(self, producer: Producer, deadline: float) -> None:
        """Wait for the results; give the producer up if some are missing."""
        while producer.flush(0.05):
            if time.monotonic() >= deadline or self._are_all_down():
                producer.purge()
                producer.flush(1)
                self._producer = None
                return

    def _note_error(self, error: KafkaError) -> None:
        self._errors.append(error)

    def _are_all_down(self) -> bool:
        return any(
            error.code() == KafkaError._ALL_BROKERS_DOWN for error in self._errors
        )

    def _refused(
        self, results: Mapping[int, KafkaError | None], number: int
    ) -> dict[int, str]:
        refused: dict[int, str] = {}
        left: list[int] = []
        reason = "no acknowledgement in time"
        for place in range(number):
            error = results.get(place, _GIVEN_UP)
            if error is not None and error.code() in _ABOUT_LINES:
                refused[place] = error.str()
            elif error is not None:
                left.append(place)
                if error.code() not in _PURGED:
                    reason = error.str()
        if not left:
            return refused
        found = [*self._errors, *filter(None, results.values())]
        denied = [error for error in found if error.code() in _DENIED]
        if denied:
            raise DeniedError(denied[0].str(), left=left, refused=refused)
        if self._are_all_down():
            raise UnreachableError(self._errors[0].str(), left=left, refused=refused)
        raise UnavailableError(reason, left=left, refused=refused)

    def close(self) -> None:
        self._leave_parents()
        self._producer = None


_PURGED = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})
_GIVEN_UP = KafkaError(KafkaError._PURGE_QUEUE)


def _note(
    results: dict[int, KafkaError | None],
    place: int,
    error: KafkaError | None,
    _message: object,
) -> None:
    results[place] = error


def _settings(address: Address) -> dict[str, Any]:
    option = address.options.get
    settings: dict[str, Any] = {
        "bootstrap.servers": ",".join(address.hosts_and_ports(_PORT)),
        "client.id": "ctxlog",
        "acks": "all",
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
        "compression.type": address.choice(
            "compression", "lz4", "none", "gzip", "snappy", "zstd"
        ),
        # Its own lines would go to standard error; errors come by the callback.
        "log_level": 0,
        "topic.metadata.propagation.max.ms": 5_000,
        "reconnect.backoff.max.ms": 1_000,
    }
    protocol = "SSL" if address.tls else "PLAINTEXT"
    if option("user") is not None or option("password") is not None:
        protocol = f"SASL_{protocol}"
        mechanisms = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
        settings["sasl.mechanism"] = address.choice("mechanism", *mechanisms)
        settings["sasl.username"] = option("user", "")
        settings["sasl.password"] = option("password", "")
    settings["security.protocol"] = protocol
    for name, setting in (
        ("ca", "ssl.ca.location"),
        ("cert", "ssl.certificate.location"),
        ("key", "ssl.key.location"),
    ):
        value = option(name)
        if value is None and name == "ca" and address.tls:
            # librdkafka's own OpenSSL may not know it.
            value = os.environ.get("SSL_CERT_FILE")
        if value is not None:
            settings[setting] = value
    return settings
