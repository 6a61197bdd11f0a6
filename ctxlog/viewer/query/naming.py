"""
Whether a request is meant by a text.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence


def is_named(request: str, text: str) -> bool:
    """
    Return whether a request's id, or a part of it after a `~`, begins with a text.

    A text with a `*`, which stands for anything, is held against the whole id.
    """
    if "*" in text:
        return request == text or _glob(text).fullmatch(request) is not None
    return request.startswith(text) or f"~{text}" in request


def is_meant(request: str, texts: Sequence[str]) -> bool:
    """Return whether one of some texts names a request; if there are none, any is."""
    return not texts or any(is_named(request, text) for text in texts)


@functools.lru_cache(64)
def _glob(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)
