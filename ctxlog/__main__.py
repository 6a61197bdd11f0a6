"""
The command line: `ctxlog`, or `python -m ctxlog`. An edge.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from ctxlog.errors import MissingDependencyError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run a command and return its exit code.

    Args:
        arguments: The words after the program's name; the process's unless given.
    """
    parser = argparse.ArgumentParser(
        prog="ctxlog", description="Every log line knows which request wrote it."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="serve a small shop, send it requests at once, show the lines",
        description="Serve a small shop under uvicorn on a free loopback port, send it "
        "concurrent requests, show its lines as they came and then request by request.",
    )
    demo.add_argument(
        "--requests",
        type=int,
        default=40,
        metavar="N",
        help="how many requests to send at once, 2 to 500 (default: 40)",
    )
    words = sys.argv[1:] if arguments is None else list(arguments)
    show = commands.add_parser("show", help="print whole requests out of log files")
    top = commands.add_parser("top", help="a row per request, or per group of them")
    if words[:1] in (["show"], ["top"]):
        # imported here: `ctxlog --help` has no need of it
        from ctxlog.viewer import commands as viewer

        viewer.add_show(show)
        viewer.add_top(top)
        chosen = parser.parse_args(words)
        return _quietly(viewer.show if chosen.command == "show" else viewer.top, chosen)
    chosen = parser.parse_args(words)
    if chosen.command is None:
        parser.print_help()
        return 0
    if not 2 <= chosen.requests <= 500:
        demo.error(f"--requests {chosen.requests}: must be from 2 to 500")
    return _demo(chosen.requests)


def _quietly(
    command: Callable[[argparse.Namespace], int], chosen: argparse.Namespace
) -> int:
    """Run a command that prints; whoever reads it may stop before its end."""
    try:
        return command(chosen)
    except BrokenPipeError:
        # Python flushes once more at exit, and would complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _demo(requests: int) -> int:
    try:
        from ctxlog import demo
    except MissingDependencyError as error:
        print(f"ctxlog demo: {error}", file=sys.stderr)
        return 2
    return demo.run(requests)


if __name__ == "__main__":
    sys.exit(main())
