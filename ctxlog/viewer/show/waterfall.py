"""
One request as a waterfall: what happened when, where, and for how long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ctxlog.terminal import paint
from ctxlog.viewer.group.collected import Request
from ctxlog.viewer.recognize.keys import WORDS
from ctxlog.viewer.recognize.record import Record
from ctxlog.viewer.show.columns import columns, cut, padded
from ctxlog.viewer.show.look import Look
from ctxlog.viewer.show.printing import header, legend, level_name, safe, waited
from ctxlog.viewer.show.times import duration_text

_SERVICES = (*WORDS["service"], "resource.service.name", "name")
_TASKS = (*WORDS["task"], "taskName")
_THREADS = ("threadName", "thread", "thread_name", "record.thread.name")
#: How many columns there are where no terminal says it.
_WIDTH = 100
#: What a terminal of few columns keeps for what stands beside a bar, and for a message.
_LEAST_BESIDE, _LEAST_MESSAGE = 58, 8
#: With nothing hidden.
_ALL = Look()


@dataclass(frozen=True)
class Step:
    """
    A line of the request, as a bar.

    Attributes:
        begin: Milliseconds from the beginning of the request to the bar's.
        end: And to its end; the same for a line that says no duration.
        gap: Milliseconds since the line before it in its lane.
        lane: Which service, task and thread wrote it.
        record: What the line says.
    """

    begin: float
    end: float
    gap: float
    lane: str
    record: Record

    @property
    def failed(self) -> bool:
        """Whether the line makes its request one that failed."""
        return self.record.failed


class Waterfall:
    """
    A request, laid out over its duration.

    A line that says how long something took is a bar that ends where the line was
    written; any other is a point. Lines without a time are left out.

    Args:
        request: The request.
        look: How lines look; lanes have no part that is hidden.

    Attributes:
        length: The request's duration in milliseconds.
        steps: Its lines, by when they begin.
        lanes: The lanes, by when they begin.
    """

    def __init__(self, request: Request, look: Look) -> None:
        self.request, self.look = request, look
        bars = [_bar(entry.record) for entry in request.entries]
        timed = [bar for bar in bars if bar is not None]
        start = min((begin for begin, _, _ in timed), default=0.0)
        self.length = max((end for _, end, _ in timed), default=start) - start
        last: dict[str, float] = {}
        steps = []
        for begin, end, record in sorted(timed, key=lambda bar: bar[1]):
            lane = lane_of(record, look)
            gap = end - last.get(lane, start)
            last[lane] = end
            steps.append(Step(begin - start, end - start, gap, lane, record))
        self.steps: Sequence[Step] = sorted(steps, key=lambda step: step.begin)
        self.lanes = list(dict.fromkeys(step.lane for step in self.steps))


def _bar(record: Record) -> tuple[float, float, Record] | None:
    """When a line's bar begins and ends, in milliseconds since the epoch."""
    if record.span is None:
        return None
    begin, end = record.span
    return begin * 1000, end * 1000, record


def lane_of(record: Record, look: Look = _ALL) -> str:
    """
    Return which service, task and thread wrote a line; empty if none is named.

    Those that are hidden are left out.
    """
    parts = [_named(record, names, look) for names in (_SERVICES, _TASKS, _THREADS)]
    return " / ".join(part for part in parts if part)


def service_of(record: Record, look: Look = _ALL) -> str:
    """Return which service wrote a line; empty if none is named, or it is hidden."""
    return _named(record, _SERVICES, look)


def _named(record: Record, names: Sequence[str], look: Look) -> str:
    for name in names:
        found = None if look.hides(name) else record.get(name)
        if isinstance(found, (str, int)):
            return str(found)
    return ""


def waterfall_text(waterfall: Waterfall) -> str:
    """Return a waterfall as text."""
    request, look = waterfall.request, waterfall.look
    start = "" if request.start is None else look.clock.full(request.start)
    facts = [start, duration_text(waterfall.length / 1000), *legend(request)]
    shown = [header(request, facts, look)]
    width = look.width or _WIDTH
    space = max(min(width // 3, 50, width - _LEAST_BESIDE), 10)
    lanes = max((columns(safe(lane)) for lane in waterfall.lanes), default=0)
    if look.width is not None:
        lanes = min(lanes, max(width // 6, 8))
    for step in waterfall.steps:
        bar = _drawn(step, waterfall.length, space)
        took = step.end - step.begin
        lasted = f" ({duration_text(took / 1000)})" if took else ""
        level = level_name(step.record.level)
        message = safe(step.record.message)
        mark = waited(step.record)
        before = f"{step.end:>9.1f}{mark} {level:<8}  "
        lane = f"{padded(cut(safe(step.lane), lanes), lanes)}  " if lanes else ""
        if look.width is not None:
            taken = columns(lane) + space + len("|| ") + len(before) + len(lasted)
            room = max(width - taken, _LEAST_MESSAGE)
            message = cut(message.expandtabs(4), room)
        text = f"{before}{message}{lasted}"
        code = "31" if step.failed else "36"
        shown.append(f"{lane}|{paint(bar, code, look.color)}| {text}".rstrip())
    return "\n".join(shown) + "\n"


def _drawn(step: Step, length: float, space: int) -> str:
    if not length:
        return "▏".ljust(space)
    return bar_text(step.begin / length, step.end / length, space)


def bar_text(begin: float, end: float, space: int) -> str:
    """
    Return a bar, or a point where nothing is between begin and end.

    Args:
        begin: Where it begins, as a part of the whole.
        end: Where it ends.
        space: How many columns the whole has.
    """
    first = min(int(begin * space), space - 1)
    last = min(int(end * space), space - 1)
    drawn = "·" if begin == end else "█" * (last - first + 1)
    return (" " * first + drawn).ljust(space)
