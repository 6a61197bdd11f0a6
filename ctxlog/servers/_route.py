"""
The message of a completion line: one template for all requests of a route.

Error trackers put records of one template together: with the path in the template each
order would be a problem of its own, without it all routes would be one.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from ctxlog._ask import ask

_DIGIT = re.compile(r"[0-9]", re.ASCII)
_VERSION = re.compile(r"v[0-9]{1,2}", re.ASCII)


def templated(
    method: str, path: str, outcome: str, parameters: Collection[object]
) -> tuple[str, tuple[str, ...]]:
    """
    Return the message about a request as a template and its arguments.

    A part of the path is an argument if it is the value of a parameter of the route,
    or has a digit in it: `/v1/orders/7` is `/v1/orders/%s`.

    Args:
        method: The request's method.
        path: Its path.
        outcome: How it ended.
        parameters: The values of the route's parameters, as far as they are known.
    """
    if not parameters and not _DIGIT.search(path):
        return f"{method} {path} {outcome}", ()
    known: set[str] = set()
    if parameters:
        failure = "the parameters of the route could not be read"
        known = ask(failure, known, lambda: {str(value) for value in parameters})
    parts, arguments = [], []
    for part in path.split("/"):
        if part in known or (_DIGIT.search(part) and not _VERSION.fullmatch(part)):
            arguments.append(part)
            parts.append("%s")
        else:
            parts.append(part.replace("%", "%%"))
    if not arguments:
        return f"{method} {path} {outcome}", ()
    method = method.replace("%", "%%")
    return f"{method} {'/'.join(parts)} {outcome}", tuple(arguments)
