"""
`ctxlog ship`: the lines of files and pipes, sent to a store.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time

from ctxlog import aggregators
from ctxlog._sizes import size_of
from ctxlog.agent._convert import converter
from ctxlog.agent._feed import Feed
from ctxlog.agent._jobs import FilesJob, Job, PipeJob
from ctxlog.agent._report import Report, say
from ctxlog.agent._state import StateError
from ctxlog.aggregators import Receiver
from ctxlog.errors import ConfigError, MissingDependencyError
from ctxlog.sinks.shipping import Shipping
from ctxlog.viewer.query.criteria import duration

#: The exit codes.
ARRIVED, LOST, UNUSABLE = 0, 1, 2

_TICK = 0.1
#: The seconds that a request may last over the time there is.
_GRACE = 1.0
#: The lines of a dry run.
_FIRST = 10

_EXAMPLES = """\
Send the lines of standard input or of files to a store. Lines arrive in order and at
least once; what does not arrive is counted, and said on standard error.

examples:
  uvicorn app:app | ctxlog ship - --to loki://loki:3100 --spill /var/lib/ctxlog
  ctxlog ship /var/log/shop.log '/var/log/app/*.log' \\
      --to otlp://collector:4318 --position /var/lib/ctxlog
  ctxlog ship old.log --once --to vlogs://logs:9428

exit status: 0 all lines arrived, 1 some did not, 2 nothing could be done
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `ctxlog ship`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = _EXAMPLES
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="a file or a quoted pattern; - or none: standard input, to its end",
    )
    add = parser.add_argument
    add("--to", metavar="ADDRESS", required=True, help="such as otlp://collector:4318")
    add(
        "--timeout",
        type=duration,
        default=5.0,
        metavar="TIME",
        help="how long to go on at the end, if the store takes nothing (default: 5s)",
    )
    add(
        "--schema",
        metavar="NAME",
        help="write lines of ctxlog's default schema in another one, such as ecs",
    )
    add("-q", "--quiet", action="store_true", help="say only what goes wrong")
    add(
        "--dry-run",
        action="store_true",
        help="print the first 10 lines as they would be sent, and send nothing",
    )
    add = parser.add_argument_group("of standard input").add_argument
    add(
        "--spill",
        metavar="DIR",
        help="keep lines in this directory until the store has them",
    )
    add(
        "--max-spill",
        metavar="SIZE",
        default="1GB",
        help="the most that they may take there (default: 1GB)",
    )
    add(
        "--max-memory",
        metavar="SIZE",
        default="64MB",
        help="the most that they may take in memory, without --spill (default: 64MB)",
    )
    add("--tee", action="store_true", help="print the lines, too")
    add = parser.add_argument_group("of files").add_argument
    add("--position", metavar="DIR", help="remember how far each file was sent here")
    add("--from-end", action="store_true", help="leave out what new files have by now")
    add("--once", action="store_true", help="end at the end of the files")


def run(chosen: argparse.Namespace) -> int:
    """Send lines until there are no more, or a signal comes; return the exit code."""
    try:
        receiver = aggregators.receiver(chosen.to)
        job = _job(chosen)
    except (ConfigError, MissingDependencyError, StateError) as error:
        say(str(error))
        return UNUSABLE
    try:
        if chosen.dry_run:
            return _print_first(job)
        return _ship(job, receiver, chosen)
    finally:
        job.close()


def _job(chosen: argparse.Namespace) -> Job:
    names = chosen.files or ["-"]
    if "-" in names and len(names) > 1:
        raise ConfigError("FILE", " ".join(names), "standard input, or files")
    if chosen.dry_run and sys.stdout is None:  # `>&-`
        raise StateError("standard output is closed")
    convert = None if chosen.schema is None else converter(chosen.schema)
    if "-" in names:
        if chosen.position or chosen.once or chosen.from_end:
            raise ConfigError("FILE", "-", "files, for --position, --once, --from-end")
        most = size_of("--max-memory", chosen.max_memory)
        most_spill = size_of("--max-spill", chosen.max_spill)
        spill = None if chosen.dry_run else chosen.spill
        return PipeJob(most, spill, most_spill, copies=chosen.tee, convert=convert)
    if chosen.spill or chosen.tee:
        raise ConfigError("FILE", " ".join(names), "-, for --spill and --tee")
    return FilesJob(
        names,
        chosen.position,
        from_end=chosen.from_end,
        follow=not (chosen.once or chosen.dry_run),
        convert=convert,
    )


def _ship(job: Job, receiver: Receiver, chosen: argparse.Namespace) -> int:
    feed = Feed(job.input)
    report = Report(receiver.name, job.counts, feed, job.place)
    shipping = Shipping(receiver, feed, report)
    loop = threading.Thread(target=shipping.run, name="loop", daemon=True)
    with _Signals() as signals:
        job.start()
        loop.start()
        _wait(
            loop, job, feed, signals, chosen.timeout, None if chosen.quiet else report
        )
    job.finish()
    unsent, dropped = feed.unsent, feed.dropped
    lost = bool(unsent or dropped or feed.rejected or job.has_failed)
    if lost or not chosen.quiet:
        say(report.totals(unsent, dropped))
    return LOST if lost else ARRIVED


def _wait(
    loop: threading.Thread,
    job: Job,
    feed: Feed,
    signals: _Signals,
    timeout: float,
    report: Report | None,
) -> None:
    """Wait until the loop has ended, or has no time left."""
    stopped = ended = None
    while loop.is_alive():
        loop.join(_TICK)
        now = time.monotonic()
        job.tick(now)
        if signals.number and stopped is None:
            stopped = now
            # The application was told as well, and logs its last lines.
            job.stop(now + timeout / 2)
        if job.has_ended and ended is None:
            ended = now
        if ended is not None and feed.deadline is None:
            if stopped is not None:
                feed.end(stopped + timeout)
            elif now > max(ended, feed.progress) + timeout:
                feed.end(now)
        late = feed.deadline is not None and now > feed.deadline + _GRACE
        if late or signals.number > 1:  # in the middle of a request
            return
        if report is not None:
            report.progress()


def _print_first(job: Job) -> int:
    job.start()
    lines: list[bytes] = []
    while len(lines) < _FIRST and not job.input.is_at_end:
        lines += job.input.take(_FIRST - len(lines), 1 << 30, _TICK)
        job.tick(time.monotonic())
    try:
        # Not by `print`: Python would try again at exit what is left in its buffer.
        os.write(sys.stdout.fileno(), b"".join(lines))
    except BrokenPipeError:  # `| head -1`
        pass
    except OSError as error:
        say(f"standard output: {error.strerror}")
        return UNUSABLE
    return ARRIVED


class _Signals:
    """
    Within the block, SIGTERM and SIGINT are counted.

    Attributes:
        number: How many came.
    """

    def __init__(self) -> None:
        self.number = 0

    def __enter__(self) -> _Signals:
        def count(number: int, frame: object) -> None:
            self.number += 1

        self._before = {
            one: signal.signal(one, count) for one in (signal.SIGTERM, signal.SIGINT)
        }
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
