"""
The requests, tasks and calls of one trace, of all services, as a tree.

Parts are tied by what lines say: a task names the task that sent it, a span its parent.
Where nothing says it, a part belongs to what was under way when it began: to a call of
another service, to the request with the same id, or to one of the same trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter

from ctxlog.viewer.group.parts import SLACK, Part

# From there on trees go on below each other, not to the right.
_DEEPEST = 19


def tree_of(parts: Sequence[Part]) -> list[Part]:
    """
    Tie parts together; return those at the top: one, if all belong together.

    What names a parent that is not there hangs below the top, and is `adrift`. Never
    fails: what would be its own ancestor, by what lines say, is adrift as well.
    """
    ordered = sorted(parts, key=attrgetter("begin"))
    named = _Named(ordered)
    parents: dict[Part, Part] = {}
    for part in ordered:
        part.children, part.adrift, part.shift = [], False, 0.0
        parent = named.parent(part)
        if parent is not None and not _is_below(parent, part, parents):
            parents[part] = parent
        else:
            part.adrift = parent is not None or _names_parent(part)
    said = set(parents)
    roots = []
    for group in _groups(ordered, parents):
        loose = [part for part in group if part not in said]
        root = _root(loose)
        root.adrift = False
        roots.append(root)
        under_way = _UnderWay(group)
        for part in loose:
            if part is not root:
                likely = None if part.adrift else under_way.around(part)
                if likely is None or _is_below(likely, part, parents):
                    likely = root
                parents[part] = likely
    for part in ordered:
        if part in parents:
            parents[part].children.append(part)
    for root in roots:
        _set_clocks(root, said)
    return sorted(roots, key=attrgetter("begin"))


class _Named:
    """
    The parents that lines name.

    Args:
        ordered: All parts, by when they begin.
    """

    def __init__(self, ordered: Sequence[Part]) -> None:
        self._tasks: dict[str, Part] = {}
        self._spans: dict[str, Part] = {}
        self._requests: dict[str, Part] = {}
        self._calls: dict[Part, list[Part]] = {}
        for part in ordered:
            if part.links.task is not None:
                self._tasks.setdefault(part.links.task, part)
            if part.caller is not None:
                self._calls.setdefault(part.caller, []).append(part)
            else:
                self._requests.setdefault(part.request, part)
            for span in part.links.spans:
                # Of a call and what it calls, the call comes first.
                self._spans.setdefault(span, part)

    def parent(self, part: Part) -> Part | None:
        """Return what has caused a part, by what its lines say; None if nothing is."""
        if part.caller is not None:
            return part.caller
        links = part.links
        if links.parent_task is not None:
            found = self._tasks.get(links.parent_task)
            if found is not None and found is not part:
                return found
        for span in sorted(links.parent_spans - links.spans):
            found = self._spans.get(span)
            if found is not None and found is not part:
                return self._through(found, part)
        for span in sorted(links.spans):
            # A service without a tracer writes the span in which it was called.
            found = self._spans.get(span)
            if found is not None and found is not part and found.caller is not part:
                if part.kind == "task" or found.end >= part.begin - SLACK:
                    return self._through(found, part)
        if links.parent_request is not None:
            found = self._requests.get(links.parent_request)
            if found is not None and found is not part:
                return self._through(found, part)
        return None

    def _through(self, parent: Part, part: Part) -> Part:
        """Return the call by which a request has caused another one, if it has one."""
        calls = [
            call
            for call in self._calls.get(parent, ())
            if call.begin - SLACK <= part.begin <= call.end + SLACK
            and call.service != part.service
            and _fits(call, part)
        ]
        return calls[-1] if calls and part.kind == "request" else parent


def _fits(call: Part, part: Part) -> bool:
    """Return whether a call may be the one of a request, by their paths."""
    path = part.about.path
    return not path or not call.path or call.path.partition("?")[0] in path


def _names_parent(part: Part) -> bool:
    links = part.links
    return (
        links.parent_task is not None
        or links.parent_request not in (None, part.request)
        or bool(links.parent_spans - links.spans)
    )


def _groups(
    ordered: Sequence[Part], parents: Mapping[Part, Part]
) -> Iterable[Sequence[Part]]:
    """Return the parts that belong together, by what they name, in their order."""
    first: dict[object, Part] = {}
    above: dict[Part, Part] = {part: part for part in ordered}

    def top(part: Part) -> Part:
        while above[part] is not part:
            above[part] = above[above[part]]
            part = above[part]
        return part

    for part in ordered:
        keys = [("trace", trace) for trace in sorted(part.links.traces)]
        for key in [*keys, ("request", part.request)]:
            above[top(part)] = top(first.setdefault(key, part))
        if part in parents:
            above[top(part)] = top(parents[part])
    found: dict[Part, list[Part]] = {}
    for part in ordered:
        found.setdefault(top(part), []).append(part)
    return found.values()


def _root(loose: Sequence[Part]) -> Part:
    """
    Return what has begun it all, of the parts that are not tied.

    That is the first one; but not one that names a parent which is not there, if
    another one names none and is not within it. A clock may be behind.
    """
    adrift = [part for part in loose if part.adrift]
    for part in loose:
        begin, end = part.begin, part.end
        within = any(one.begin <= begin and end <= one.end for one in adrift)
        if not part.adrift and not within:
            return part
    return loose[0]


class _UnderWay:
    """
    What is under way as time goes on.

    Args:
        ordered: The parts of one tree, by when they begin.
    """

    def __init__(self, ordered: Sequence[Part]) -> None:
        self._ordered, self._next = ordered, 0
        self._now: list[Part] = []
        self._first: dict[str, Part] = {}
        for part in ordered:
            if part.kind != "call":
                self._first.setdefault(part.request, part)

    def around(self, part: Part) -> Part | None:
        """
        Return what was under way when a part began, the last that had begun.

        If nothing was, the first with its request's id; None if that is itself. Parts
        must be asked for by when they begin.
        """
        ordered, begin = self._ordered, part.begin
        while self._next < len(ordered) and ordered[self._next].begin <= begin + SLACK:
            self._now.append(ordered[self._next])
            self._next += 1
        self._now = [one for one in self._now if one.end >= begin - SLACK]
        for other in reversed(self._now):
            if other is not part and _is_around(other, part):
                return other
        first = self._first.get(part.request)
        return None if first is part else first


def _is_around(other: Part, part: Part) -> bool:
    if other.caller is part:
        return False
    if other.begin >= part.begin and (other.end, other.kind) <= (part.end, part.kind):
        return False  # of two that begin at once the longer one is outside
    if other.kind == "call" and (other.service == part.service):
        return False
    return other.kind != "call" or _fits(other, part)


def _is_below(part: Part | None, other: Part, parents: Mapping[Part, Part]) -> bool:
    """Return whether a part is another one, or is caused by it."""
    while part is not None:
        if part is other:
            return True
        part = parents.get(part)
    return False


def _set_clocks(root: Part, said: set[Part]) -> None:
    """
    Shift parts whose service has another clock than what has caused them.

    What seems to begin before its cause, or after the call that it answers has ended,
    is put into the middle of that. Only what lines tie together is.
    """
    for part, _ in walk([root]):
        for child in part.children:
            if child.service == part.service:
                child.shift = part.shift
            elif child in said and child.extent.start is not None:
                child.shift = _shift(child, part)
        part.children.sort(key=attrgetter("shown_begin"))


def _shift(child: Part, parent: Part) -> float:
    begin, end = parent.begin + parent.shift, parent.end + parent.shift
    is_late = parent.kind == "call" and child.begin > end + SLACK
    if parent.extent.start is None or (child.begin >= begin - SLACK and not is_late):
        return 0.0
    left = (end - begin) - child.extent.seconds
    middle = left / 2 if left > 0 and child.kind != "task" else 0.0
    return begin + middle - child.begin


def walk(roots: Sequence[Part]) -> Iterator[tuple[Part, Sequence[bool]]]:
    """
    Yield all parts of trees, each before what it has caused.

    With each part comes, for it and for each part above it but the root, whether it is
    the last one of its siblings: of the nearest twenty at most.
    """
    stack: list[tuple[Part, tuple[bool, ...]]] = [(one, ()) for one in reversed(roots)]
    while stack:
        part, lasts = stack.pop()
        yield part, lasts
        number = len(part.children)
        stack += [
            (child, (*lasts[-_DEEPEST:], index == number - 1))
            for index, child in reversed(list(enumerate(part.children)))
        ]
