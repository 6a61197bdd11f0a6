"""
The options that choose requests, as several commands take them.
"""

from __future__ import annotations

import argparse

from ctxlog.viewer.query import criteria


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
    add = parser.add_argument_group("fields of other loggers").add_argument
    add("--id-field", metavar="NAME", help="the field that has the request's id")
    add("--time-field", metavar="NAME", help="the field that has the time")
    add(
        "--id-regex",
        metavar="REGEX",
        type=criteria.id_pattern,
        action="append",
        default=[],
        help="in lines of text, what has the request's id as its group: "
        r"'\[(req-[^ \]]+)'; may be given more than once",
    )


def add_form(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add the arguments that say how lines are printed; return their group."""
    group = parser.add_argument_group("how they are printed")
    add = group.add_argument
    add("--json", action="store_true", help="the lines as they stand in the file")
    add("--format", metavar="TEMPLATE", help="such as '{timestamp} {message}'")
    return group


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that choose requests; all that are given must hold."""
    group = parser.add_argument_group("which requests (all that are given must hold)")
    add = group.add_argument

    def many(*flags: str, metavar: str, type: object, help: str) -> None:
        parser_type = type if callable(type) else str
        add(
            *flags,
            metavar=metavar,
            type=parser_type,
            help=help,
            action="append",
            dest="criteria",
            default=[],
        )

    add("-r", "--request", metavar="ID", help="by its id, or how that begins")
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
    many("--since", metavar="TIME", type=criteria.by_since, help="a time, or 10m ago")
    many(
        "--until",
        metavar="TIME",
        type=criteria.by_until,
        help="only requests with a line at or before TIME",
    )
    many("--level", metavar="LEVEL", type=criteria.by_level, help="as high, or higher")
    many("-g", "--grep", metavar="REGEX", type=criteria.by_grep, help="on a line")
    many("--field", metavar="NAME=VALUE", type=criteria.by_field, help="of a line")
