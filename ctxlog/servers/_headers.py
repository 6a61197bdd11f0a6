"""
The headers of a request that are read: of its id, its trace, its rate, its level.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from ctxlog._memory import remember
from ctxlog.carrier.rates import RATE_HEADER
from ctxlog.carrier.trace_context import TRACE_HEADERS

#: The values of the headers that a request has, by their names in lower case. Most
#: requests have none of those that are read.
Headers: TypeAlias = dict[str, list[str]]


#: The headers that every server reads, in lower case.
READ_BY_ALL = (*TRACE_HEADERS, RATE_HEADER.lower())


class HeaderReader:
    """
    Finds the headers that are read among all of a request, in one pass.

    Args:
        accepted: The headers to read besides those that all servers do, in lower case.
    """

    def __init__(self, accepted: Iterable[str]) -> None:
        wanted = (*accepted, *READ_BY_ALL)
        self._spellings = _Spellings(wanted)
        self._variables = {_variable(name): name for name in wanted}
        self._variable_names = frozenset(self._variables)

    def of_pairs(self, pairs: Iterable[Any]) -> Headers:
        """
        Return the headers that are read.

        Args:
            pairs: The names and values of all headers, as texts or as bytes.
        """
        found: Headers = {}
        spellings = self._spellings
        for spelled, value in pairs:
            try:
                name = spellings[spelled]
            except TypeError:  # a bytearray
                name = spellings[bytes(spelled)]
            if name is not None:
                found.setdefault(name, []).append(_text(value))
        return found

    def of_environ(self, environ: Mapping[str, Any]) -> Headers:
        """Return the headers that are read, of a WSGI environment."""
        # Sets: the smaller one is walked.
        if environ.keys().isdisjoint(self._variable_names):
            return {}
        # Servers join a header that came twice with a comma: not a valid id.
        return {
            name: [environ[variable]]
            for variable, name in self._variables.items()
            if environ.get(variable) is not None
        }


class _Spellings(dict[Any, "str | None"]):
    """
    The names of headers as clients spell them, with the name that is read, or None.

    Filled by the names that come: nearly all have been seen before.
    """

    def __init__(self, wanted: Iterable[str]) -> None:
        self._wanted = frozenset(wanted)

    def __missing__(self, spelled: Any) -> str | None:
        lower = _text(spelled).lower()
        name = lower if lower in self._wanted else None
        if len(lower) <= _LONGEST:
            remember(self, spelled, name, 256)
        return name


_LONGEST = 64


def _text(value: Any) -> str:
    return value if isinstance(value, str) else bytes(value).decode("latin-1")


def _variable(name: str) -> str:
    """Return the name that a header has in a WSGI environment."""
    return f"HTTP_{name.upper().replace('-', '_')}"
