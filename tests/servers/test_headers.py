"""
The headers of a request that are read, found among all of them.
"""

from __future__ import annotations

from typing import Any

import pytest

from ctxlog.servers._headers import HeaderReader

READER = HeaderReader(["x-request-id", "x-correlation-id"])


@pytest.mark.parametrize(
    "spelled",
    ["X-Request-ID", "x-request-id", b"X-REQUEST-ID", bytearray(b"X-Request-Id")],
)
@pytest.mark.parametrize("value", ["req-A", b"req-A", bytearray(b"req-A")])
def test_names_in_every_spelling(spelled: Any, value: Any) -> None:
    """
    Names are compared without regard to case, texts and bytes; seen before or not.
    """
    for _ in range(2):
        found = READER.of_pairs([("accept", "x"), (b"accept", b"x"), (spelled, value)])
        assert found == {"x-request-id": ["req-A"]}


def test_all_values_of_a_header_in_their_order() -> None:
    """
    Each pair is a value; nothing is joined.
    """
    pairs = [(b"x-request-id", b"a"), (b"traceparent", b"t"), (b"X-Request-ID", b"b")]
    found = READER.of_pairs(pairs)
    assert found == {"x-request-id": ["a", "b"], "traceparent": ["t"]}


def test_bytes_of_any_encoding() -> None:
    """
    Bytes that are not ASCII are Latin-1, in a value and in a name.
    """
    found = READER.of_pairs([(b"x-request-id", b"\xe9"), (b"x-\xff", b"1")])
    assert found == {"x-request-id": ["\xe9"]}


def test_a_wsgi_environment() -> None:
    """
    A header is a variable there.
    """
    assert READER.of_environ({"HTTP_ACCEPT": "x"}) == {}
    environ = {"HTTP_ACCEPT": "x", "HTTP_X_REQUEST_ID": "a", "HTTP_TRACEPARENT": "t"}
    assert READER.of_environ(environ) == {"x-request-id": ["a"], "traceparent": ["t"]}


def test_names_without_end_are_not_kept() -> None:
    """
    A client that sends a new name with each request fills no memory.
    """
    reader = HeaderReader(["x-request-id"])
    for number in range(3000):
        reader.of_pairs([(b"x-%d" % number, b""), (b"x" * (100 + number), b"")])
    kept = reader._spellings
    assert len(kept) <= 256
    assert max(map(len, kept)) <= 64
    assert reader.of_pairs([(b"X-Request-ID", b"a")]) == {"x-request-id": ["a"]}
