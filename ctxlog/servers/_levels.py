"""
The level of one request's lines, chosen when it begins.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any, TypeAlias

from ctxlog._ask import Complaints
from ctxlog._interrupts import is_interrupt
from ctxlog._levels import A_LEVEL, level_number
from ctxlog.carrier.ids import is_safe_header_value
from ctxlog.errors import ConfigError
from ctxlog.line.redact import REDACTED
from ctxlog.servers._details import is_header_name
from ctxlog.servers._headers import Headers

#: Returns the level of a request's lines, as a number or a name; None for the usual.
RequestLevel: TypeAlias = Callable[[Any], int | str | None]

#: A token has as many characters: shorter ones can be guessed.
_SHORTEST_TOKEN = 16


class LevelRules:
    """
    What the application wants of the level of one request, checked.

    Args:
        level: Called with what the adapter documents; returns a level or None.
        debug_header: The header by whose token a request has the level DEBUG.
        debug_token: The token.
        taken: The headers that are read for other purposes, in lower case.

    Attributes:
        asked: Whether any request may have a level of its own.
        header: The header of the token, in lower case; None without one.

    Raises:
        ConfigError: if an option is invalid. It never has the token.
    """

    __slots__ = ("_complaints", "_level", "_token", "asked", "header")

    def __init__(
        self,
        level: RequestLevel | None,
        debug_header: str | None,
        debug_token: str | None,
        taken: frozenset[str],
    ) -> None:
        if level is not None and not callable(level):
            raise ConfigError("level", level, "a callable")
        if debug_header is None and debug_token is not None:
            raise ConfigError("debug_header", None, "a header, with debug_token")
        self.header: str | None = None
        self._token = b""
        if debug_header is not None:
            self.header = _checked_header(debug_header, taken)
            self._token = _checked_token(debug_token)
        self._level = level
        self.asked = level is not None or debug_header is not None
        self._complaints = Complaints()

    def has_token(self, headers: Headers) -> bool:
        """Return whether a request has the token, which is taken out of its headers."""
        return self.header is not None and self._is_token(headers.pop(self.header, []))

    def choose(self, source: object) -> int | None:
        """
        Return the level of a request that begins; None for the usual one.

        Args:
            source: What the option `level` is called with.
        """
        choose = self._level
        if choose is None:
            return None
        try:
            level = choose(source)
        except Exception as error:
            # Code of the application raises anything. The request is served all the
            # same, and there may be one every millisecond.
            if is_interrupt(error):
                raise
            self._complaints.raised("level", error)
            return None
        number = level_number(level)
        if number is None and level is not None:
            self._complaints.returned("level", level, A_LEVEL)
        return number

    def _is_token(self, values: list[str]) -> bool:
        # Of two values one was added on the way. A server that joins them has one
        # with a comma, which is no token either.
        if len(values) != 1:
            return False
        # A server that decodes headers in its own way may leave surrogates.
        value = values[0].encode("utf-8", "surrogatepass")
        return hmac.compare_digest(value, self._token)


def _checked_header(name: object, taken: frozenset[str]) -> str:
    allowed = "the name of a header (RFC 9110, section 5.1)"
    if not isinstance(name, str) or not is_header_name(name):
        raise ConfigError("debug_header", name, allowed)
    if name.lower() in taken:
        # The token would be taken for an id, and logged as such.
        allowed = "a header that nothing else is read from"
        raise ConfigError("debug_header", name, allowed)
    return name.lower()


def _checked_token(token: object) -> bytes:
    if token is None:
        raise ConfigError("debug_token", None, "a token, with debug_header")
    if (
        isinstance(token, str)
        and len(token) >= _SHORTEST_TOKEN
        and is_safe_header_value(token)
    ):
        return token.encode()
    allowed = (
        f"{_SHORTEST_TOKEN} to 256 printable ASCII characters, without spaces around"
    )
    raise ConfigError("debug_token", REDACTED, allowed)
