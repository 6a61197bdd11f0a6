"""
The command line: `ctxlog`, or `python -m ctxlog`. An edge.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import ctxlog
from ctxlog.errors import ConfigError, MissingDependencyError

_READERS = {
    "show": "print whole requests out of log files",
    "top": "a row per request, or per group of them",
    "follow": "print lines as they are written, request by request",
    "tree": "the requests, tasks and calls of a trace, of all services",
    "diff": "what one request did that another one did not",
    "timeline": "one request as a waterfall, in the terminal or as a page",
    "web": "requests to look at, in a browser, as they are written",
}
_OTHERS = {
    "ship": "send the lines of standard input or of files to a store",
    "doctor": "what an application lacks until every line has its request's id",
}
_MODULES = {"ship": "ctxlog.agent.command", "doctor": "ctxlog.doctor.command"}


class _Parser(argparse.ArgumentParser):
    """A parser that says in one sentence what is wrong."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and end with 2."""
        problem = message.removeprefix("argument ")
        self.exit(2, f"{self.prog}: {problem}; see {self.prog} --help\n")


class _Version(argparse.Action):
    """Prints the version, which takes long to find out, when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Print it and end with 0."""
        print(f"ctxlog {ctxlog.__version__}")
        parser.exit()


def _add_version(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--version",
        action=_Version,
        dest=argparse.SUPPRESS,
        default=argparse.SUPPRESS,
        nargs=0,
        help="print the version",
    )


def parsers() -> tuple[_Parser, _Parser, dict[str, _Parser]]:
    """
    Return the parser, that of `demo`, and that of each other command.

    Modules of the other commands add what these take.
    """
    parser = _Parser(
        prog="ctxlog", description="Every log line knows which request wrote it."
    )
    _add_version(parser)
    parser.add_argument(
        "--print-completion",
        metavar="SHELL",
        help="print what a shell needs to complete the command line: bash, zsh, tcsh",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="serve a small shop, send it requests at once, show the lines",
        description="Serve a small shop under uvicorn on a free loopback port, send it "
        "concurrent requests, show some of its lines as they came, the request that "
        "failed, and where all lines are.",
    )
    demo.add_argument(
        "--requests",
        type=int,
        default=40,
        metavar="N",
        help="how many requests to send at once, 2 to 500 (default: 40)",
    )
    demo.add_argument(
        "--all",
        action="store_true",
        help="print all lines, as they came and then request by request",
    )
    readers = {
        name: commands.add_parser(name, help=help)
        for name, help in {**_READERS, **_OTHERS}.items()
    }
    return parser, demo, readers


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run a command and return its exit code.

    Args:
        arguments: The words after the program's name; the process's unless given.
    """
    parser, demo, readers = parsers()
    words = _joined(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] in readers:
        command = command_of(words[0])
        command.arguments(readers[words[0]])
        _add_version(readers[words[0]])
        chosen = parser.parse_args(words)  # --help needs no file
        if words[0] in _READERS:
            configuration = command_of("_configuration")
            try:
                configuration.set_defaults(readers[words[0]], chosen)
            except (ConfigError, MissingDependencyError) as error:
                print(f"ctxlog {words[0]}: {error}", file=sys.stderr)
                return 2
            chosen = parser.parse_args(words)
        if words[0] in _OTHERS:
            try:
                done: int = command.run(chosen)
            except KeyboardInterrupt:  # before it waits for signals
                return 130
            return done
        return _run(words[0], command.run, chosen)
    chosen = parser.parse_args(words)
    if chosen.print_completion is not None:
        return _completion(parser, readers, chosen.print_completion)
    if chosen.command is None:
        parser.print_help()
        return 0
    if not 2 <= chosen.requests <= 500:
        demo.error(f"--requests {chosen.requests}: must be from 2 to 500")
    return _demo(chosen.requests, everything=chosen.all)


def _joined(words: Sequence[str]) -> list[str]:
    """Return the words; an offset from UTC such as -05:00 is no option of its own."""
    joined: list[str] = []
    for word in words:
        if joined[-1:] == ["--tz"] and re.fullmatch(r"-\d\d:?\d\d", word):
            joined[-1] = f"--tz={word}"
        else:
            joined.append(word)
    return joined


def command_of(name: str) -> Any:
    """The module of a command; `ctxlog --help` has no need of it."""
    module = _MODULES.get(name, f"ctxlog.viewer.commands.{name}")
    return importlib.import_module(module)


def _run(
    name: str,
    command: Callable[[argparse.Namespace], int],
    chosen: argparse.Namespace,
) -> int:
    """Run a command that prints; its reader may close the pipe before the end."""
    if sys.stdout is None:  # `>&-`
        print(f"ctxlog {name}: standard output is closed", file=sys.stderr)
        return 2
    common = command_of("common")
    try:
        common.prepare(chosen)
    except (ConfigError, argparse.ArgumentTypeError) as error:
        print(f"ctxlog {name}: {error}", file=sys.stderr)
        return 2
    both = common.overwritten(chosen)
    if both is not None:
        problem = f"{both} is input and output at once; write to another file"
        print(f"ctxlog {name}: {problem}", file=sys.stderr)
        return 2
    try:
        return command(chosen)
    except (ConfigError, MissingDependencyError) as error:
        print(f"ctxlog {name}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        _flush_no_more()
        return 0
    except OSError as error:  # of the output, or of what is kept beside it
        print(f"ctxlog {name}: {error}", file=sys.stderr)
        _flush_no_more()
        return 2
    except KeyboardInterrupt:
        return 130


def _flush_no_more() -> None:
    # Python flushes once more at exit, and would complain
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _completion(
    parser: argparse.ArgumentParser,
    readers: Mapping[str, argparse.ArgumentParser],
    shell: str,
) -> int:
    try:
        from ctxlog.viewer.commands.completion import SHELLS, completion
    except MissingDependencyError as error:
        print(f"ctxlog: {error}", file=sys.stderr)
        return 2
    if shell not in SHELLS:
        parser.error(f"--print-completion {shell}: must be one of {', '.join(SHELLS)}")
    for name, reader in readers.items():
        command_of(name).arguments(reader)
    print(completion(parser, shell))
    return 0


def _demo(requests: int, *, everything: bool) -> int:
    try:
        from ctxlog import demo
    except MissingDependencyError as error:
        print(f"ctxlog demo: {error}", file=sys.stderr)
        return 2
    return demo.run(requests, everything=everything)


if __name__ == "__main__":
    sys.exit(main())
