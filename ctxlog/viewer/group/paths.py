"""
Paths that differ in what they are about only, as one.
"""

from __future__ import annotations

import re
from functools import lru_cache

# Words and a year, as names have: annual-report-2024.
_DATED = (
    r"(?=[^/]*[A-Za-z]{3})(?:[A-Za-z]|(?<=[A-Za-z])[_-])*"
    r"(?:19|20)\d\d(?:[_-][A-Za-z]+)*"
)
_VARYING = re.compile(
    r"\d[\d.,:_-]*"  # numbers, days
    r"|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"  # UUIDs
    r"|(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{8,}"  # hashes
    rf"|(?!{_DATED}\Z)(?:"
    r"(?=[^/]*\d)(?=[^/]*[A-Za-z])[A-Za-z0-9_-]{16,}"  # tokens, ULIDs
    r"|[a-zA-Z]{1,12}[-_]\d[\w-]*"  # o-17
    r")"
    r"|[^/@]+@[^/@]+"  # mail addresses
    r"|[^/]{64,}"
)

_QUERY = re.compile(r"[?#]")
_HOST = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]*://[^/]*")


@lru_cache(4096)
def template_of(path: str) -> str:
    """
    Return a path with `{}` in place of what varies: `/users/17` is `/users/{}`.

    Numbers, days, UUIDs, hashes, long tokens and mail addresses vary; words with a year
    do not. The query and the host are left out.
    """
    path = _HOST.sub("", _QUERY.split(path, maxsplit=1)[0])
    return "/".join(
        "{}" if _VARYING.fullmatch(part) else part for part in path.split("/")
    )
