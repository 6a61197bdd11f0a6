"""
What shells need to complete the command line.
"""

from __future__ import annotations

import argparse

from ctxlog.errors import MissingDependencyError

try:
    import shtab
except ModuleNotFoundError as error:
    if error.name != "shtab":
        raise
    raise MissingDependencyError("shtab", "cli") from None

#: The shells that there is a completion for.
SHELLS: tuple[str, ...] = tuple(shtab.SUPPORTED_SHELLS)


def completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the script that completes the commands of a parser in a shell."""
    return str(shtab.complete(parser, shell=shell))
