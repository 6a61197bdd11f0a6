"""
The writing side of a store by its address. Private to `aggregators/`.
"""

from __future__ import annotations

from typing import cast

from ctxlog._lazy import submodule
from ctxlog.aggregators._address import Address, parse
from ctxlog.aggregators._store import Receiver

#: The stores that are written to: the scheme, which is mostly a module's name, and an
#: address as an example.
_EXAMPLES = {
    "clickhouse": "clickhouse://host:8123/database.table",
    "elastic": "elastic://host:9200/index",
    "journal": "journal:",
    "kafka": "kafka://host:9092/topic",
    "loki": "loki://host:3100",
    "nats": "nats://host:4222/subject",
    "otlp": "otlp://host:4318",
    "redis": "redis://host:6379/stream",
    "syslog": "syslog://host:514",
    "vlogs": "vlogs://host:9428",
}
#: The standard library has a module `syslog`.
_MODULES = {"syslog": "rfc5424"}


def receiver(address: str | Address) -> Receiver:
    """
    Return what sends lines to a store. Nothing is connected yet.

    Args:
        address: Such as `otlp://collector:4318`, or `lokis://logs` for TLS. Credentials
            come from environment variables, which it names:
            `?header=Authorization:$LOKI_AUTH`.

    Raises:
        ConfigError: if no store that takes lines has such an address, an option of it
            is invalid, or an environment variable that it names is not set.
        MissingDependencyError: if the library that it needs is not installed.
    """
    parsed = parse(address) if isinstance(address, str) else address
    if parsed.scheme not in _EXAMPLES:
        raise parsed.error(f"one of: {', '.join(_EXAMPLES.values())}")
    name = _MODULES.get(parsed.scheme, parsed.scheme)
    module = submodule("ctxlog.aggregators", name)
    return cast(Receiver, module.receiver(parsed))
