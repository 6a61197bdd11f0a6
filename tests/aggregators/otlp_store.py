"""
A receiver of OpenTelemetry's protocol, which reads what it gets by opentelemetry-proto.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as service

from tests.aggregators.web import Answer, Request, Store


class OtlpStore(Store):
    """
    Stores the records of requests that it answers with 200.

    Attributes:
        records: The records, in order, with their resources.
        poison: A request with a record of one of these messages is refused.
    """

    def __init__(self) -> None:
        super().__init__()
        self.records: list[tuple[Any, Any]] = []
        self.poison: set[str] = set()

    def answer_to(self, request: Request) -> Answer | str:
        """Store what a request brings, if it is answered with 200."""
        answer = super().answer_to(request)
        if isinstance(answer, Answer) and answer.status == 200:
            records = list(read(request))
            if any(record.body.string_value in self.poison for _, record in records):
                return Answer(400, b"a record is wrong")
            with self.changed:
                self.records += records
                self.changed.notify_all()
        return answer

    @property
    def messages(self) -> list[str]:
        """The messages of the records."""
        with self.changed:
            return [record.body.string_value for _, record in self.records]

    def wait_for_records(self, number: int) -> None:
        """Return when there are so many."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.records) >= number, 60)

    def judge(self, messages: list[str]) -> tuple[int, int]:
        """Return how many of the messages are missing, and how many came again."""
        count = Counter(self.messages)
        missing = sum(1 for message in messages if message not in count)
        return missing, sum(count.values()) - len(count)


def read(request: Request) -> Iterator[tuple[Any, Any]]:
    """Yield the records of a request, each with its resource."""
    message: Any
    if request.headers["Content-Type"] == "application/x-protobuf":
        message = service.ExportLogsServiceRequest.FromString(request.body)
    else:
        assert request.headers["Content-Type"] == "application/json"
        # Unknown names and wrong types are errors. Ids are hexadecimal in the
        # protocol's JSON, and not in that of protobuf.
        message = json_format.Parse(request.body, service.ExportLogsServiceRequest())
    for of_resource in message.resource_logs:
        for of_scope in of_resource.scope_logs:
            for record in of_scope.log_records:
                yield of_resource.resource, record


def attributes(message: Any) -> dict[str, Any]:
    """Return the attributes of a record or a resource, as plain values."""
    return {item.key: value_of(item.value) for item in message.attributes}


def value_of(value: Any) -> Any:
    """Return a plain value."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {item.key: value_of(item.value) for item in value.kvlist_value.values}
    return None if kind is None else getattr(value, kind)
