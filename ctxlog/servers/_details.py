"""
The fields of a completion line that are there only if they are asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote_plus, urlsplit, urlunsplit

from ctxlog._names import CAMEL, SNAKE, get_names
from ctxlog.completion.completed import HeaderMap
from ctxlog.errors import ConfigError
from ctxlog.line.redact import PATTERNS, REDACTED
from ctxlog.line.redactor import get_redactor
from ctxlog.servers._facts import RequestFacts

#: The longest text from a client that is shown; the rest is cut off.
_LONGEST = 2048

#: How much of it is looked at, to know what a text is that is cut off.
_MOST_READ = 8192

#: No text is shorter that has a name and its secret in it.
_SHORTEST = 6

#: How often a text may be encoded for URLs.
_MOST_ENCODINGS = 4

#: What divides parameters; Bottle knows the semicolon, too.
_PARTS = re.compile("([&;])")

_REQUEST, _RESPONSE = "header:", "responseHeader:"


def redacted_query(query: str) -> str:
    """
    Return a query string without its secrets.

    A parameter has one by its name, in any encoding, or within its value: a URL, an
    object of JSON, a token.
    """
    shown, rest = query[:_LONGEST], query[_LONGEST:_MOST_READ]
    parts = _PARTS.split(shown)
    # Nearly all have none, which is seen at once.
    suspect = _holds_secret(shown)
    last = parts.pop()
    parts[::2] = [_redacted_parameter(part, suspect) for part in parts[::2]]
    if not rest:
        parts.append(_redacted_parameter(last, suspect))
        return "".join(parts)
    # A secret is not known by its first half.
    whole = last + _PARTS.split(rest, maxsplit=1)[0]
    redacted = _redacted_parameter(whole, suspect=True)
    parts += [last if redacted == whole else redacted, "..."]
    return "".join(parts)


def _redacted_parameter(parameter: str, suspect: bool) -> str:
    name, equals, value = parameter.partition("=")
    hidden = bool(equals) and get_redactor().hides(unquote_plus(name), value)
    if not hidden and not (suspect and _holds_secret(parameter)):
        return parameter
    if not equals or (suspect and _holds_secret(name)):
        return REDACTED
    return f"{name}={REDACTED}"


def _holds_secret(text: str) -> bool:
    """Return whether a text has a secret in it, also if it is encoded repeatedly."""
    if len(text) < _SHORTEST:
        return False
    hides = get_redactor().hides
    for _ in range(_MOST_ENCODINGS):
        if PATTERNS["secrets"](text, hides) != text:
            return True
        decoded = unquote_plus(text)
        if decoded == text:
            return False
        text = decoded
    return True  # no client encodes a plain text so often


def _redacted_url(url: str) -> str | None:
    """Return a URL as in `Referer`, without a user's name, secrets and fragment."""
    try:
        parts = urlsplit(url[:_MOST_READ])
        host = parts.netloc.rpartition("@")[2]
        path = _redacted(parts.path)
        query = redacted_query(parts.query)
        redacted = urlunsplit((parts.scheme, host, path, query, ""))
    except ValueError:
        return None
    # One that is written in another way may have a user's name anywhere.
    return None if "@" in path and not host else redacted


def _redacted(text: str) -> str:
    if _holds_secret(text[:_MOST_READ]):
        return REDACTED
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def content_length(headers: HeaderMap) -> int | None:
    """Return what the header `Content-Length` says, if it is a size."""
    length = headers.get("content-length", "")
    is_size = length.isascii() and length.isdecimal() and len(length) < 19
    return int(length) if is_size else None


def header_map(headers: Any) -> HeaderMap:
    """Return the headers of a response, which are pairs or a mapping."""
    items = getattr(headers, "items", None)
    return HeaderMap((headers or ()) if items is None else items())


def _host(request: RequestFacts, headers: HeaderMap) -> str | None:
    return _header(headers, "host") or _header(headers, ":authority")


def _header(headers: HeaderMap, name: str) -> str | None:
    value = headers.get(name)
    if value is None:
        return None
    return _redacted(value)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)


#: The one that is there by default, and so is not read by a function.
_BYTES_OUT = "bytes_out"

_Reader = Callable[[RequestFacts, HeaderMap], object]

#: By the names of fields as they are asked for; those of `Names` are its attributes.
_READERS: dict[str, _Reader] = {
    "query": lambda request, _: redacted_query(request.read_query()) or None,
    "user_agent": lambda _, headers: _header(headers, "user-agent"),
    "referer": lambda _, headers: (
        _redacted_url(headers["referer"]) if "referer" in headers else None
    ),
    "host": _host,
    "scheme": lambda request, _: request.read_scheme(),
    "http_version": lambda request, _: request.read_http_version(),
    "bytes_in": lambda request, headers: (
        content_length(headers) if request.bytes_in is None else request.bytes_in
    ),
    "ttfb": lambda request, _: _milliseconds(request.ttfb),
}

#: The attributes of `Names`, by both spellings of each field.
_SPELLINGS = {
    getattr(names, attribute, attribute): attribute
    for names in (CAMEL, SNAKE)
    for attribute in (*_READERS, _BYTES_OUT)
}

#: Those that need no header.
_WITHOUT_HEADERS = frozenset({"query", "scheme", "http_version", "ttfb"})


class CompletionFields:
    """
    The fields that were asked for, checked.

    Args:
        names: Their names, `header:NAME` and `responseHeader:NAME`.
        hidden: The name, in lower case, of the header that none of them shows.

    Attributes:
        bytes_out: Whether the size of the response is one of them.
        ttfb: Whether the time until the response begins is one of them.
        others: Whether there are others than that size, for `read()`.

    Raises:
        ConfigError: if a name is none of these.
    """

    __slots__ = (
        *("_attributes", "_hidden", "_needs_headers", "_request", "_response"),
        *("bytes_out", "others", "ttfb"),
    )

    def __init__(self, names: Iterable[str], hidden: str | None = None) -> None:
        self._hidden = hidden
        self._request, self._response = [], []
        attributes: list[str] = []
        for name in names:
            if name.startswith(_RESPONSE):
                self._response.append(_checked(name, _RESPONSE))
            elif name.startswith(_REQUEST):
                self._request.append(_checked(name, _REQUEST))
            elif name in _SPELLINGS:
                attributes.append(_SPELLINGS[name])
            else:
                raise ConfigError("completion_fields", name, _ALLOWED)
            if hidden is not None and name.partition(":")[2].lower() == hidden:
                allowed = "no header that is the debug_header: its value is a secret"
                raise ConfigError("completion_fields", name, allowed)
        self.bytes_out = _BYTES_OUT in attributes
        self._attributes = tuple(
            dict.fromkeys(name for name in attributes if name != _BYTES_OUT)
        )
        self._needs_headers = bool(
            self._request or not _WITHOUT_HEADERS.issuperset(self._attributes)
        )
        self.others = bool(self._attributes or self._request or self._response)
        self.ttfb = "ttfb" in attributes

    def read(self, request: RequestFacts, fields: dict[str, object]) -> None:
        """Add the other fields of a request that has ended to those of its line."""
        names = get_names()
        headers = _NO_HEADERS
        if self._needs_headers:
            headers = HeaderMap(request.read_headers(), self._hidden)
        for attribute in self._attributes:
            value = _READERS[attribute](request, headers)
            if value is not None:
                fields[getattr(names, attribute, attribute)] = value
        if self._request:
            _show(fields, "headers", self._request, headers)
        if self._response:
            sent = header_map(request.response_headers)
            _show(fields, names.response_headers, self._response, sent)


_NO_HEADERS = HeaderMap()

_ALLOWED = (
    f"one of: {', '.join(name for name in _SPELLINGS if '_' not in name)}, "
    "header:NAME, responseHeader:NAME"
)


def _checked(given: str, prefix: str) -> str:
    name = given.removeprefix(prefix)
    if not is_header_name(name):
        raise ConfigError("completion_fields", given, f"{prefix}NAME, as in RFC 9110")
    return name


def is_header_name(name: object) -> bool:
    """Return whether a value is the name of a header (RFC 9110, section 5.1)."""
    tokens = "!#$%&'*+-.^_`|~"
    return (
        isinstance(name, str)
        and name.isascii()
        and bool(name)
        and all(c.isalnum() or c in tokens for c in name)
    )


def _show(
    fields: dict[str, object], key: str, names: list[str], headers: HeaderMap
) -> None:
    # As members of an object: the redactor hides them by their names.
    shown = {name: _header(headers, name) for name in names if name in headers}
    if shown:
        fields[key] = shown
