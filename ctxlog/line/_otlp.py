"""
A line as a batch of one log record of OpenTelemetry's protocol.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ctxlog._json import dumps
from ctxlog._names import Names
from ctxlog.line._layout import Layout, quoted
from ctxlog.line._schema import Schema
from ctxlog.line.any_values import attributes

_HEX = re.compile("[0-9a-f]+", re.IGNORECASE)


class OtlpLayout(Layout):
    """
    The same for OTLP: members are attributes, and static fields the resource's.

    Args:
        names: The names of the trace's ids, which stand beside the attributes.
    """

    end = b"]}]}]}]}\n"
    elapsed_end = b"}}"
    has_resource = True

    def __init__(
        self,
        schema: Schema,
        timespec: str,
        constants: Mapping[str, Any],
        static: Mapping[str, Any],
        names: Names,
    ) -> None:
        super().__init__(schema, timespec, constants, {})
        resource = self.joined(static)[1:]
        records = b'"scopeLogs":[{"scope":{},"logRecords":[{"timeUnixNano":"'
        self.opening = b'{"resourceLogs":[{"resource":{"attributes":[%s]},%s' % (
            *(resource, records),
        )
        self.shortest = b'{"resourceLogs":[{' + records
        # Nanoseconds have no point in them: the digits are always all there.
        self.digits, self._point = 6, b""
        self.ending = b'000",'
        number = b',{"key":"%s","value":{"doubleValue":'
        self.elapsed = number % quoted(schema.elapsed)
        self.id_in_body = True
        self.trace_ids = {
            names.trace_id: ("traceId", 32),
            names.span_id: ("spanId", 16),
        }

    def joined(self, members: Mapping[str, Any]) -> bytes:
        return b"," + dumps(attributes(members))[1:-1] if members else b""

    def head(self, request_id: str | None, trace: Mapping[str, str]) -> bytes:
        ids = dumps(trace)[1:-1] + b"," if trace else b""
        return ids + b'"body":{"stringValue":'

    def logger(self, name: str) -> bytes:
        return b'},"attributes":[' + super().logger(name)[1:]

    def traced(
        self, fields: Mapping[Any, Any]
    ) -> tuple[dict[str, str], Mapping[Any, Any]]:
        trace, others = {}, dict(fields)
        for name, (key, digits) in self.trace_ids.items():
            value = fields.get(name)
            if type(value) is str and len(value) == digits and _HEX.fullmatch(value):
                trace[key] = others.pop(name)
        return trace, others
