"""
The options that choose requests and say how they are printed, as commands share them.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from datetime import tzinfo

from ctxlog.viewer.query import criteria
from ctxlog.viewer.query.criteria import Criterion
from ctxlog.viewer.query.moments import EXAMPLES

#: When there are colors.
COLORS = ("always", "never", "auto")


def add_files(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what to read."""
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="or a directory of files; - or none: stdin; or the address of a store, "
        "such as vlogs://logs:9428",
    )
    parser.add_argument(
        "--explain", action="store_true", help="print what stores would be asked"
    )
    # what no option says: only the configuration file has a table of services
    parser.set_defaults(services={})
    add = parser.add_argument_group("fields of other loggers").add_argument
    add("--id-field", metavar="NAME", help="the field that has the request's id")
    add("--time-field", metavar="NAME", help="the field that has the time")
    add("--level-field", metavar="NAME", help="the field that has the level")
    add("--message-field", metavar="NAME", help="the field that has the message")
    add(
        "--duration-field",
        metavar="NAME",
        help="the field that says how long something took; a unit at the end of its "
        "name counts, as in took_us",
    )
    add(
        "--id-regex",
        metavar="REGEX",
        type=criteria.id_pattern,
        action="append",
        default=[],
        help="in lines of text, what has the request's id as its group: "
        r"'\[(req-[^ \]]+)'; may be given more than once",
    )


def add_look(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add the arguments about colors, fields and times; return their group."""
    group = parser.add_argument_group("how they are printed")
    group.add_argument(
        "--color",
        choices=COLORS,
        default="auto",
        help="auto (the default): at a terminal, or as NO_COLOR, FORCE_COLOR, TERM say",
    )
    add_shown(group)
    return group


def add_shown(group: argparse._ArgumentGroup) -> None:
    """Add the arguments about fields and times to a group."""
    add = group.add_argument
    add(
        "--hide",
        metavar="FIELD",
        action="append",
        default=[],
        help="leave this field out, or all that a pattern such as 'k8s.*' names; "
        "may be given more than once",
    )
    add("--local", action="store_true", help="times in the system's time zone, not UTC")
    add("--tz", metavar="ZONE", help="times in this zone: Europe/Berlin, +02:00")


def add_form(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add the arguments that say how lines are printed; return their group."""
    group = add_look(parser)
    add = group.add_argument
    add("--json", action="store_true", help="the lines as they stand in the file")
    add("--format", metavar="TEMPLATE", help="such as '{timestamp} {message}'")
    return group


def add_limit(group: argparse._ArgumentGroup, what: str) -> None:
    """Add the argument that says how many of something are printed."""
    group.add_argument(
        "-n", "--limit", metavar="N", type=_number, help=f"at most N {what}"
    )


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that choose requests; all that are given must hold."""
    group = parser.add_argument_group("which requests (all that are given must hold)")
    add = group.add_argument

    def many(*flags: str, metavar: str, type: object, help: str) -> None:
        def parsed(text: str) -> Criterion:
            criterion: Criterion = type(text)  # type: ignore[operator]
            return replace(criterion, label=f"{flags[-1]} {text}")

        add(
            *flags,
            metavar=metavar,
            type=parsed,
            help=help,
            action="append",
            dest="criteria",
            default=[],
        )

    add(
        "-r",
        "--request",
        metavar="ID",
        action="append",
        help="by its id, by how that begins or a part of it behind a ~, with '*' for "
        "anything, or by its trace; of several any may be meant",
    )
    add(
        "--errors",
        action="append_const",
        const=criteria.failing,
        dest="criteria",
        help="with an error, or a status of 500 and above",
    )
    add(
        "--slow",
        metavar="TIME",
        type=criteria.duration,
        help="that took as long: 500ms",
    )
    many("--status", metavar="CODE", type=criteria.by_status, help="404, or 5xx")
    many("--path", metavar="GLOB", type=criteria.by_path, help="such as '/orders/*'")
    many("--route", metavar="ROUTE", type=criteria.by_route, help="'/orders/{id}'")
    many("--user", metavar="USER", type=criteria.by_user, help="of this user")
    add(
        "--since",
        metavar="TIME",
        help=f"with a line from then on: {EXAMPLES}; a day is its first moment",
    )
    add("--until", metavar="TIME", help="with a line at or before then")
    many("--level", metavar="LEVEL", type=criteria.by_level, help="as high, or higher")
    many(
        "-g",
        "--grep",
        metavar="REGEX",
        type=criteria.by_grep,
        help="in what is shown of a line: its message, fields and traceback; of "
        "several each in some line",
    )
    many("--field", metavar="NAME=VALUE", type=criteria.by_field, help="of a line")


def settle(chosen: argparse.Namespace, zone: tzinfo | None) -> None:
    """
    Add the criteria about times, whose meaning depends on the time zone.

    Raises:
        argparse.ArgumentTypeError: a text is no time.
    """
    for name, by in (("since", criteria.by_since), ("until", criteria.by_until)):
        text = getattr(chosen, name, None)
        if text is not None:
            try:
                criterion = by(text, zone)
            except argparse.ArgumentTypeError as error:
                raise argparse.ArgumentTypeError(f"--{name}: {error}") from None
            named = replace(criterion, label=f"--{name} {text}")
            chosen.criteria = [*(chosen.criteria or []), named]
