"""
The lines of requests, kept until they are printed.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from io import BytesIO
from itertools import islice
from math import isnan, nan
from operator import gt, itemgetter
from typing import overload

from ctxlog.viewer.group.storage import Storage
from ctxlog.viewer.group.summary import About, Extent, Kept, Totals
from ctxlog.viewer.read.source import Hit
from ctxlog.viewer.recognize.facts import Facts, Teller
from ctxlog.viewer.recognize.forms import Told
from ctxlog.viewer.recognize.keys import Names
from ctxlog.viewer.recognize.record import Record

#: Of a request with more lines each is read when it is asked for.
_MOST_READ = 10_000
#: What stands for the id of lines that belong to no request.
OUTSIDE = ""
_SIZES = struct.Struct("<QQ")
#: A place is twice where a line is kept, and this if that is the line, without sizes.
_ALONE = 1


class LogLine:
    """
    A line of a request, and what stands below it without being JSON.

    Args:
        line: The line's own bytes.
        below: The lines that follow it.
        place: Where it is kept; the records of a batch have one.
        record: The record that it holds; what keeps the line, if it holds one only.
        facts: What is shown of it, if its form tells that.
    """

    __slots__ = ("_record", "below", "facts", "line", "place")

    def __init__(
        self,
        line: bytes,
        below: Sequence[bytes],
        place: int,
        record: Record | Collected,
        facts: Facts | None = None,
    ) -> None:
        self.line, self.below, self.place = line, below, place
        self._record, self.facts = record, facts

    @property
    def record(self) -> Record:
        """The record that it holds."""
        if not isinstance(self._record, Record):
            self._record = self._record.record(self.line, self.place)
        return self._record

    @property
    def whole(self) -> bytes:
        """Its own bytes, and those of what stands below it."""
        return b"".join([self.line, *self.below]) if self.below else self.line


class _Places:
    """Where the records of a request are kept, and their times."""

    __slots__ = ("_extent", "places", "times")

    def __init__(self) -> None:
        self.places = array("Q")
        self.times = array("d")
        self._extent = Extent()

    def add(self, place: int, begin: float, end: float) -> None:
        self.places.append(place)
        self.times.append(end)
        self._extent.add(begin, end)

    @property
    def extent(self) -> Extent:
        """From when to when the request lasts."""
        known = [time for time in self.times if not isnan(time)]
        if known:
            self._extent.add(min(known), max(known))
        return self._extent

    def in_order(self, *, once: bool = True) -> Sequence[int]:
        """
        The lines by time; as they were read if the time of one is not known.

        Args:
            once: Whether a line may be there for several records.
        """
        times = self.times
        if not any(map(isnan, times)):  # files that are merged; stable within one
            if any(map(gt, times, islice(times, 1, None))):
                order = sorted(range(len(times)), key=times.__getitem__)
                self.places = array("Q", map(self.places.__getitem__, order))
                self.times = array("d", map(times.__getitem__, order))
        return list(dict.fromkeys(self.places)) if once else self.places


class Request:
    """
    A request; its lines are read when they are asked for.

    Attributes:
        id: Its id; `OUTSIDE` if these are lines outside of requests.
        start: When it began: that of its `Extent`.
        seconds: How long it took, by its `Extent`.
    """

    def __init__(
        self, id: str, kept: _Places, extent: Extent, collected: Collected
    ) -> None:
        self.id = id
        self._kept, self._collected = kept, collected
        self.start, self.seconds = extent.start, extent.seconds

    @cached_property
    def entries(self) -> Sequence[LogLine]:
        """Its lines in the order of time; of many each is read when it is asked for."""
        has_batches = self._collected.has_batches
        places = self._kept.in_order(once=has_batches)
        if not has_batches and len(places) > _MOST_READ:
            return _Entries(places, self._collected)
        if not has_batches:
            return self._collected.lines(places, self._kept.times, self.id)
        found = []
        batches = False
        for place in places:
            line, below = self._collected.line(place)
            records = self._collected.read(line, place)
            if len(records) > 1:  # a batch has those of others, in any order
                batches = True
                records = [
                    one for one in records if (one.request or OUTSIDE) == self.id
                ]
            found += [LogLine(line, below, place, record) for record in records]
        if batches and all(entry.record.time is not None for entry in found):
            found.sort(key=lambda entry: entry.record.time or 0.0)
        return found

    def lines(self, entries: Iterable[LogLine] | None = None) -> Iterator[bytes]:
        """
        Yield its lines as they stand in the files; a batch once for all requests.

        Args:
            entries: The ones that are meant; all if None.
        """
        if entries is None:
            places = self._kept.in_order(once=self._collected.has_batches)
        else:
            places = list(dict.fromkeys(entry.place for entry in entries))
        for place in places:
            if self._collected.is_new(place):
                line, below = self._collected.line(place)
                yield b"".join([line, *below])

    @cached_property
    def _summary(self) -> tuple[int, About, Kept, Totals]:
        """What its lines say of it, read once."""
        errors, about, kept, totals = 0, About(), Kept(), Totals()
        known: tuple[object, ...] | None = None  # user, path, method of the line above
        for entry in self.entries:
            if (facts := entry.facts) is not None:
                errors += facts.level >= 40
                spoken = facts[2:5]
                if spoken != known:
                    user, path, method = (one.strip(b'"').decode() for one in spoken)
                    about.tell(user, method, path)
                    known = spoken
                continue
            known = None
            record = entry.record
            if record.is_marked:
                kept.add(record)
            took = record.took
            errors += record.failed
            about.add(record, took)
            if took is not None:
                totals.read(record)
        return errors, about, kept, totals

    @property
    def errors(self) -> int:
        """How many of its lines are errors, or of a response of 500 and above."""
        return self._summary[0]

    @property
    def about(self) -> About:
        """Its method, path, route, status and user."""
        return self._summary[1]

    @property
    def kept(self) -> Kept:
        """Whether it is part of a sample, and which lines waited in a buffer."""
        return self._summary[2]

    @property
    def totals(self) -> Totals:
        """What was timed until its end."""
        return self._summary[3]


class _Entries(Sequence[LogLine]):
    """
    Many lines of a request, each read when it is asked for.

    Args:
        places: Where they are kept.
        collected: What keeps them.
    """

    def __init__(self, places: Sequence[int], collected: Collected) -> None:
        self._places, self._collected = places, collected

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> LogLine: ...
    @overload
    def __getitem__(self, index: slice) -> _Entries: ...
    def __getitem__(self, index: int | slice) -> LogLine | _Entries:
        if isinstance(index, slice):
            return _Entries(self._places[index], self._collected)
        return self._read(self._places[index])

    def __iter__(self) -> Iterator[LogLine]:
        return map(self._read, self._places)

    def _read(self, place: int) -> LogLine:
        line, below = self._collected.line(place)
        return LogLine(line, below, place, self._collected)


class Collected:
    """
    Lines by request. What is held in memory for each is a few bytes.

    It has a temporary file, so it is to be used by `with`.

    Args:
        names: The user's own names of fields.

    Attributes:
        is_trace: Whether these are the requests of what was asked for as a trace.
    """

    def __init__(self, names: Names) -> None:
        # Each with the place from which on lines are read with it.
        self._names = [(0, names)]
        self.is_trace = False
        self._storage = Storage()
        self._requests: dict[str, _Places] = {}
        self._written: dict[bytes, _Places | None] = {}  # by the id as it is written
        self._batches: dict[int, bool] = {}
        self._teller = Teller()

    def __enter__(self) -> Collected:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take the temporary file away."""
        self._storage.close()

    def __len__(self) -> int:
        """How many requests there are."""
        return len(self._requests)

    def __iter__(self) -> Iterator[Request]:
        """Yield the requests by when they begin."""
        found = [(places.extent, name) for name, places in self._requests.items()]
        found.sort(key=lambda item: item[0].start or 0.0)
        # Made one by one: each holds its lines while it is looked at.
        for extent, name in found:
            yield Request(name, self._requests[name], extent, self)

    @property
    def has_batches(self) -> bool:
        """Whether a line has several records."""
        return bool(self._batches)

    @property
    def ids(self) -> list[str]:
        """The requests' ids."""
        return list(self._requests)

    def request(self, request: str) -> Request:
        """Return a request."""
        places = self._requests[request]
        return Request(request, places, places.extent, self)

    def begin(self, names: Names) -> None:
        """Say that the lines which come from now on are to be read with other names."""
        if names is not self._names[-1][1]:
            self._names.append((self._end, names))

    def add(
        self, hit: Hit, requests: Sequence[tuple[str, tuple[float, float] | None]]
    ) -> None:
        """
        Keep a line.

        Args:
            hit: The line.
            requests: The request and the span of each of its records; none if empty.
        """
        if not requests:
            return
        if len(requests) > 1:
            self._batches[self._end] = True
        for request, span in requests:
            self._places(request).add(self._end, *(span or (nan, nan)))
        line, below = hit.line, b"".join(hit.below) if hit.below else b""
        self._storage.write(_SIZES.pack(len(line), len(below)) + line + below)

    def keep(
        self, told: Told, begin: int, end: int, wanted: Callable[[str], bool]
    ) -> None:
        """
        Keep lines that are one record each, with nothing below.

        Args:
            told: What they say.
            begin: The number of the first of them.
            end: The number after that of the last one.
            wanted: Whether the lines of a request are meant, the same each time.
        """
        lines, requests = told.lines[begin:end], told.requests[begin:end]
        known, place = self._written, self._end | _ALONE
        for line, request, time in zip(
            lines, requests, told.seconds[begin:end], strict=True
        ):
            if request:
                if request not in known:
                    text = request.decode("utf-8", "replace")
                    known[request] = self._places(text) if wanted(text) else None
                places = known[request]
                if places is not None:
                    places.places.append(place)
                    places.times.append(time)
            place += len(line) << 1
        self._storage.write(b"".join(lines))

    def _places(self, request: str) -> _Places:
        places = self._requests.get(request)
        if places is None:
            places = self._requests[request] = _Places()
        return places

    @property
    def _end(self) -> int:
        """The place of the next line, with its sizes."""
        return self._storage.end << 1

    def drop(self, request: str) -> None:
        """Forget a request."""
        del self._requests[request]
        self._written.clear()

    def line(self, place: int) -> tuple[bytes, list[bytes]]:
        """Return the line that is kept at a place, and those below it."""
        begin, storage = place >> 1, self._storage
        if place & _ALONE:
            return storage.line(begin), []
        size, below = _SIZES.unpack(storage.read(begin, _SIZES.size))
        begin += _SIZES.size
        line = storage.read(begin, size)
        if not below:
            return line, []
        return line, BytesIO(storage.read(begin + size, below)).readlines()

    def lines(
        self, places: Sequence[int], times: Sequence[float], request: str
    ) -> list[LogLine]:
        """Return the lines of a request at some places, of one record each."""
        kept = [self.line(place) for place in places]
        told: Sequence[Facts | None] = [None] * len(kept)
        if not any(names.own or names.of_file for _, names in self._names):
            told = self._teller.told([line for line, _ in kept], times, request)
        return [
            LogLine(line, below, place, self, facts)
            for (line, below), place, facts in zip(kept, places, told, strict=True)
        ]

    def record(self, line: bytes, place: int) -> Record:
        """
        Return what the line that is kept at a place says, which is one record.

        Of a line that is cut, or no JSON, that is its text. Its form has told its
        request, so that it is shown.
        """
        records = self.read(line, place)
        if records:
            return records[0]
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        return Record({"message": text}, self._names[0][1])

    def read(self, line: bytes, place: int) -> Sequence[Record]:
        """Return what the line that is kept at a place says."""
        last = bisect_right(self._names, place, key=itemgetter(0))
        return Record.read(line, self._names[last - 1][1])

    def is_new(self, place: int) -> bool:
        """Whether the line at a place is asked for by the first of its requests."""
        if place not in self._batches:
            return True
        new = self._batches[place]
        self._batches[place] = False
        return new
