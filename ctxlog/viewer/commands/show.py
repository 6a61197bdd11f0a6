"""
`ctxlog show`: whole requests.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from typing import IO, TYPE_CHECKING

from ctxlog.viewer.commands._options import add_choice, add_files, add_form, add_limit
from ctxlog.viewer.commands.common import (
    ambiguous,
    complain,
    encoded,
    exit_code,
    explained,
    reader_of,
)
from ctxlog.viewer.group.collected import OUTSIDE, LogLine, Request
from ctxlog.viewer.query.criteria import Criterion
from ctxlog.viewer.query.search import Reader
from ctxlog.viewer.show.printing import filled, request_texts

if TYPE_CHECKING:
    import subprocess

#: So many lines are written at once.
_AT_ONCE = 256
_EXAMPLES = """\
examples:
  ctxlog show app.log -r 7f3a            one request; a part of its id is enough
  ctxlog show app.log* --errors          every request that failed, whole
  ctxlog show app.log --slow 500ms --path '/orders/*'
  kubectl logs deploy/shop | ctxlog show - --user alice --since 10m
  ctxlog show vlogs://logs:9428 --errors --since 1h
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `ctxlog show`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = _EXAMPLES
    add_files(parser)
    add_choice(parser)
    form = add_form(parser)
    add_limit(form, "requests")
    add = form.add_argument
    add("--lines", action="store_true", help="only the lines that match")
    add("--no-pager", action="store_true", help="never start $PAGER, or less")


def run(chosen: argparse.Namespace) -> int:
    """Print whole requests; return 0 if there were any, 1 if not, 2 for wrong use."""
    reader = reader_of(chosen)
    if chosen.explain:
        return explained("show", reader, chosen)
    criteria: list[Criterion] = chosen.criteria or []
    if chosen.request is not None:
        with reader.named(*chosen.request) as collected:
            if ambiguous("show", collected, *chosen.request):
                return 2
            requests = (one for one in collected if _meets(one, criteria))
            number = _print(requests, criteria, chosen)
    elif reader.has_stores:
        with reader.collect(reader.candidates(criteria), criteria) as collected:
            requests = (one for one in collected if _meets(one, criteria))
            number = _print(_and_outside(requests, reader), criteria, chosen)
    elif criteria or chosen.slow is not None:
        ids = reader.matching(criteria) if criteria else reader.lasting(chosen.slow)
        whole = _and_outside(_whole(reader, ids), reader)
        number = _print(whole, criteria, chosen)
    else:
        with reader.collect(None) as collected:
            number = _print(collected, criteria, chosen)
    return exit_code("show", reader, number, chosen)


def _whole(reader: Reader, ids: Iterator[str]) -> Iterator[Request]:
    """
    The requests with these ids, by when they began.

    Of much to read the first one that is found comes before the others are known.
    """
    first = next(ids, None) if reader.is_large else None
    if first is not None:
        with reader.collect({first}) as collected:
            yield from collected
    with reader.collect(set(ids)) as collected:
        yield from collected


def _and_outside(requests: Iterable[Request], reader: Reader) -> Iterator[Request]:
    """The requests, and after them the lines outside of requests that were met."""
    yield from requests
    with reader.outside() as collected:
        yield from collected


def _meets(request: Request, criteria: Sequence[Criterion]) -> bool:
    """Whether every criterion holds for some line."""
    return all(
        any(each.holds(entry.record, entry.whole) for entry in request.entries)
        for each in criteria
    )


def _met(request: Request, criteria: Sequence[Criterion]) -> Iterator[LogLine]:
    """The lines of a request for which every criterion holds."""
    for entry in request.entries:
        if all(each.holds(entry.record, entry.whole) for each in criteria):
            yield entry


def _print(
    requests: Iterable[Request],
    criteria: Sequence[Criterion],
    chosen: argparse.Namespace,
) -> int:
    """Print requests; return how many."""
    number = 0
    with _output(paged=sys.stdout.isatty() and not chosen.no_pager) as out:
        for request in requests:
            if chosen.slow is not None:
                if request.id == OUTSIDE or request.seconds < chosen.slow:
                    continue
            entries: Iterable[LogLine] | None = None
            if chosen.lines and criteria:
                entries = _met(request, criteria)
            if chosen.json:
                out.writelines(request.lines(entries))
            elif chosen.format is not None:
                for entry in request.entries if entries is None else entries:
                    out.write(encoded(filled(chosen.format, entry.record) + "\n"))
            else:
                shown = request.entries if entries is None else entries
                out.write(b"\n" if number else b"")
                _write(request_texts(request, shown, chosen.look), out)
            number += 1
            if number == 1:
                out.flush()
            if number == chosen.limit:
                break
        out.flush()
    return number


def _write(texts: Iterator[str], out: IO[bytes]) -> None:
    """Write texts one after the other, many at once."""
    while some := "".join(islice(texts, _AT_ONCE)):
        out.write(encoded(some))


@contextmanager
def _output(*, paged: bool) -> Iterator[IO[bytes]]:
    """Standard output, or a pager before it."""
    process = _pager() if paged else None
    if process is None:
        yield sys.stdout.buffer
        return
    pipe = process.stdin
    assert pipe is not None
    try:
        yield pipe
    except BrokenPipeError:  # who reads has seen enough
        pass
    finally:
        with suppress(BrokenPipeError):
            pipe.close()
        process.wait()


def _pager() -> subprocess.Popen[bytes] | None:
    """Start the pager; None if there is none, or it cannot be started."""
    # imported here: mostly there is none
    import subprocess

    chosen = os.environ.get("PAGER")
    try:
        command = shlex.split("less" if chosen is None else chosen)
    except ValueError as error:
        complain("show", f"the pager {chosen!r} does not start: {error}")
        return None
    if not command or os.environ.get("TERM") == "dumb":
        return None
    # Colors as they are, no clearing of the screen, an end where all fits on it.
    environment = {"LESS": "RFX", **os.environ}
    try:
        return subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
    except OSError as error:
        if chosen is not None:
            complain("show", f"the pager {chosen!r} does not start: {error.strerror}")
        return None
