"""
`ctxlog doctor`: the command.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from ctxlog.doctor.application import CannotImportError, guard, load
from ctxlog.doctor.examination import examine
from ctxlog.doctor.report import as_json, as_text
from ctxlog.errors import ConfigError

_DESCRIPTION = """\
Import an application and say what it lacks until every line has its request's id, with
the lines to write. Nothing is served. What the import prints goes to standard error.

examples:
  ctxlog doctor shop:app              as uvicorn and gunicorn name it
  ctxlog doctor 'shop:create_app()'   a function makes it
  ctxlog doctor shop.worker           a module alone, such as a worker's
  ctxlog doctor                       Django's settings, or what is installed

exit status: 0 all is well, 1 there is something to do, 2 it cannot be imported
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `ctxlog doctor`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = _DESCRIPTION
    parser.add_argument(
        "target",
        nargs="?",
        metavar="MODULE:APP",
        help="the application; without it Django's settings, as DJANGO_SETTINGS_MODULE "
        "or manage.py names them",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(chosen: argparse.Namespace) -> int:
    """Examine an application and print the report; return the exit code."""
    try:
        with _own_output() as output:
            guard()
            report = examine(load(chosen.target))
            print(as_json(report) if chosen.json else as_text(report), file=output)
    except (CannotImportError, ConfigError) as error:
        return _ended(2, str(error))
    except BrokenPipeError:  # `| head`
        return _ended(0)
    except OSError as error:
        return _ended(2, f"standard output: {error}")
    return _ended(report.exit_code)


def _ended(code: int, problem: str | None = None) -> int:
    """Say what the problem is, and return the exit code, or end with it."""
    if problem is not None:
        print(f"ctxlog doctor: {problem}", file=sys.stderr)
    main = threading.main_thread()
    if any(not one.daemon and one is not main for one in threading.enumerate()):
        # Python would wait for a thread that the application has started.
        logging.shutdown()
        sys.stderr.flush()
        os._exit(code)
    return code


@contextmanager
def _own_output() -> Iterator[TextIO]:
    """
    Have standard output for the report alone.

    What others write there, until the process ends, goes to standard error. The object
    `sys.stdout` stays: handlers have it.
    """
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as output:
        os.dup2(2, 1)
        yield output
