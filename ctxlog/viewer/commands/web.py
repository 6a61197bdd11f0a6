"""
`ctxlog web`: requests to look at, in a browser.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ctxlog.aggregators import is_address
from ctxlog.viewer.commands._options import add_files, add_shown
from ctxlog.viewer.commands.common import complain, explained, reader_of
from ctxlog.viewer.read.directory import files_of

_SHARED = (
    *("tz", "hide", "id_field", "time_field", "level_field"),
    *("message_field", "duration_field", "id_regex"),
)
_DESCRIPTION = """\
A page of this machine's own: requests as they are written, and each as a waterfall.

examples:
  ctxlog web app.log worker.log      prints the address to open
  kubectl logs -f deploy/shop | ctxlog web
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `ctxlog web`."""
    parser.description = _DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_files(parser)
    add_shown(parser.add_argument_group("how they are shown"))
    parser.add_argument(
        "--port",
        type=int,
        default=0,
        metavar="PORT",
        help="the port of 127.0.0.1; any that is free unless given",
    )


def run(chosen: argparse.Namespace) -> int:
    """Serve the page until it is interrupted; return 2 if a file cannot be read."""
    # imported here: --help needs no server
    from ctxlog.viewer.web.reading import Given
    from ctxlog.viewer.web.server import serve

    files = list(files_of(chosen.files or ["-"]))
    if not 0 <= chosen.port <= 65535:
        complain("web", f"{chosen.port} is no port")
        return 2
    for name in files:
        if name != "-" and not is_address(name) and not os.access(name, os.R_OK):
            complain("web", f"{name}: cannot be read")
            return 2
    with _named(files) as named:
        chosen.files = named
        reader = reader_of(chosen)
        if chosen.explain:
            return explained("web", reader, chosen)
        given = Given(named, reader.names, chosen.look, _options(chosen))
        serve(given, chosen.port)
    return 0


def _options(chosen: argparse.Namespace) -> list[str]:
    """Return the options that `ctxlog show` has, too, as they were given."""
    words = ["--local"] if chosen.local else []
    for name in _SHARED:
        said: object = getattr(chosen, name)
        for one in said if isinstance(said, list) else [said]:
            text = one.pattern if isinstance(one, re.Pattern) else one
            if text is not None:
                words.append(f"--{name.replace('_', '-')}={text}")
    return words


@contextmanager
def _named(files: list[str]) -> Iterator[list[str]]:
    """Give standard input a name: a file that grows as it comes."""
    if "-" not in files:
        yield files
        return
    with tempfile.NamedTemporaryFile(prefix="standard-input-", suffix=".log") as kept:

        def keep() -> None:
            with open(kept.name, "wb", buffering=0) as file:
                while some := os.read(0, 1 << 16):
                    file.write(some)

        threading.Thread(target=keep, daemon=True).start()
        yield [kept.name if name == "-" else name for name in files]
