"""
The services whose lines are in files, as the user's configuration names them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from fnmatch import fnmatchcase


def service_of_file(services: Sequence[tuple[str, str]], file: str) -> str:
    """
    Return the service whose lines a file has; empty if none is named.

    A pattern that is the file's name counts first, else the first one of which it is a
    match, or with which it begins. A pattern with a slash is held against the end of
    the file's path, from the name of any of its folders on.

    Args:
        services: Patterns, each with the service's name.
        file: The file's name or path.
    """
    parts = os.path.abspath(file).replace(os.sep, "/").split("/")
    tails = ["/".join(parts[begin:]) for begin in range(len(parts))]
    for pattern, service in services:
        if pattern in tails:
            return service
    for pattern, service in services:
        for tail in tails if "/" in pattern else tails[-1:]:
            if tail.startswith(pattern) or fnmatchcase(tail, pattern):
                return service
    return ""
