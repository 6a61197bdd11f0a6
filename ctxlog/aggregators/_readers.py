"""
The reading side of a store by its address. Private to `aggregators/`.
"""

from __future__ import annotations

import re
from typing import cast

from ctxlog._lazy import submodule
from ctxlog.aggregators._address import parse
from ctxlog.aggregators._question import Reader
from ctxlog.errors import ConfigError

#: The schemes of the stores that can be read; each is a module's name. A further `s`
#: means TLS where there is a network between.
SCHEMES = (
    "clickhouse",
    "docker",
    "duckdb",
    "elastic",
    "journal",
    "kube",
    "loki",
    "vlogs",
)
_TLS = {f"{name}s": name for name in ("clickhouse", "elastic", "loki", "vlogs")}
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):(//)?")


def is_address(text: str) -> bool:
    """
    Return whether a text is meant as the address of a store, not as a file's name.

    That is any text with `://` after a scheme, and one with a known scheme and a colon.
    """
    found = _SCHEME.match(text)
    return found is not None and (found[2] is not None or _module(found[1]) is not None)


def _module(scheme: str) -> str | None:
    name = _TLS.get(scheme, scheme)
    return name if name in SCHEMES else None


def reader(address: str) -> Reader:
    """
    Return what reads the lines of a store.

    Args:
        address: Such as `vlogs://logs:9428`, `duckdb:logs.db` or `journal:`.

    Raises:
        ConfigError: if no store that can be read has such an address, or an option of
            it is invalid.
        MissingDependencyError: if the library that it needs is not installed.
    """
    found = _SCHEME.match(address)
    scheme = found[1] if found else ""
    name = _module(scheme)
    if name is None:
        allowed = ", ".join(f"{one}:" for one in SCHEMES)
        raise ConfigError("address", f"{scheme}:", f"one of {allowed}")
    module = submodule("ctxlog.aggregators", name)
    return cast(Reader, module.reader(parse(address)))
