"""
Completion of the command line in shells.
"""

from __future__ import annotations

import argparse

from ctxlog.errors import requires

with requires("shtab", extra="cli"):
    import shtab

#: The shells that there is a completion for.
SHELLS: tuple[str, ...] = tuple(shtab.SUPPORTED_SHELLS)


def completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the script that completes the commands of a parser in a shell."""
    return str(shtab.complete(parser, shell=shell))
