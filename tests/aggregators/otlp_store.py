"""
A receiver of OpenTelemetry's protocol, which reads what it gets by opentelemetry-proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as service

from tests.aggregators.web import Answer, Request, Store


class OtlpStore(Store):
    """
    Stores the records of requests that it answers with 200.

    It reads them when it is asked for them, so that its answers do not wait for that.

    Attributes:
        stored: The requests.
        poison: A request with a record of one of these messages is refused.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stored: list[Request] = []
        self._read: list[tuple[Any, Any]] = []
        self._unread = 0
        self.poison: set[str] = set()

    def answer_to(self, request: Request) -> Answer | str:
        """Store what a request brings, if it is answered with 200."""
        answer = super().answer_to(request)
        if isinstance(answer, Answer) and answer.status == 200:
            if self.poison:
                bodies = {record.body.string_value for _, record in read(request)}
                if bodies & self.poison:
                    return Answer(400, b"a record is wrong")
            with self.changed:
                self.stored.append(request)
                self.changed.notify_all()
        return answer

    @property
    def records(self) -> list[tuple[Any, Any]]:
        """The records, in order, with their resources."""
        with self.changed:
            new, self._unread = self.stored[self._unread :], len(self.stored)
        for request in new:
            self._read += read(request)
        return self._read

    @property
    def messages(self) -> list[str]:
        """The messages of the records."""
        return [record.body.string_value for _, record in self.records]

    def wait_for_records(self, number: int) -> None:
        """Return when there are so many."""
        while len(self.records) < number:
            with self.changed:
                assert self.changed.wait_for(
                    lambda: len(self.stored) > self._unread, 60
                )


def read(request: Request) -> Iterator[tuple[Any, Any]]:
    """Yield the records of a request, each with its resource."""
    message: Any
    names = {name.lower(): value for name, value in request.headers.items()}
    if names["content-type"] == "application/x-protobuf":
        message = service.ExportLogsServiceRequest.FromString(request.body)
    else:
        assert names["content-type"] == "application/json"
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
