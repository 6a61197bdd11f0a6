"""
Plain values as OpenTelemetry's protocol has them in JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def attributes(members: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return members as a list of `KeyValue`."""
    return [{"key": key, "value": any_value(of)} for key, of in members.items()]


def any_value(value: Any) -> dict[str, Any]:
    """Return a plain value as `AnyValue`; 64-bit integers are texts there."""
    kind = type(value)
    if kind is str:
        return {"stringValue": value}
    if kind is bool:
        return {"boolValue": value}
    if kind is int:
        name = "intValue" if -(2**63) <= value < 2**63 else "stringValue"
        return {name: str(value)}
    if kind is float:
        return {"doubleValue": value}
    if kind is list:
        return {"arrayValue": {"values": [any_value(item) for item in value]}}
    if kind is dict:
        return {"kvlistValue": {"values": attributes(value)}}
    return {}
