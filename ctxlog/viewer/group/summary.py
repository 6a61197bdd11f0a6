"""
The summary of a request, read off its lines.
"""

from __future__ import annotations

from dataclasses import dataclass

from ctxlog.viewer.recognize.record import Record


@dataclass(slots=True)
class Extent:
    """
    From when to when a request lasts.

    Attributes:
        start: When it began, in seconds since the epoch: with its first line, or with
            what a line says that took some time. None if that is not known.
        end: The time of its last line; None if that is not known.
    """

    start: float | None = None
    end: float | None = None

    def add(self, begin: float, end: float) -> None:
        """Take a line into account: when what it speaks of began, and its time."""
        if self.start is None or begin < self.start:
            self.start = begin
        if self.end is None or end > self.end:
            self.end = end

    def merge(self, other: Extent) -> None:
        """Take into account what another one knows."""
        if other.start is not None and other.end is not None:
            self.add(other.start, other.end)

    @property
    def seconds(self) -> float:
        """How long it lasts; 0 if that is not known."""
        if self.start is None or self.end is None:
            return 0.0
        return self.end - self.start


@dataclass(slots=True)
class About:
    """
    The method, path, status and user of a request.

    The first three are those of the line with a status that took longest: that is the
    line about the request, and not one about a call or a task within it. Of several
    that do not differ in that the last counts. Where no line has a status the last
    method and path count, and so does the last user.
    """

    user: str = ""
    status: str = ""
    _took: float = -1.0
    _method: str = ""
    _path: str = ""
    _last_method: str = ""
    _last_path: str = ""

    @property
    def method(self) -> str:
        """The method; empty if it is not known."""
        return self._method or self._last_method

    @property
    def path(self) -> str:
        """The path; empty if it is not known."""
        return self._path or self._last_path

    def add(self, record: Record) -> None:
        """Take a line into account."""
        self.user = record.user or self.user
        status, path = record.status, record.path
        if (status is None and path is None) or record.is_call:  # as of most lines
            return
        method = record.method
        if status is None:
            self._last_method = method or self._last_method
            self._last_path = path or self._last_path
            return
        took = record.took or 0.0
        if took >= self._took:
            self._took, self.status = took, str(status)
            self._method, self._path = method or "", path or ""

    def merge(self, later: About) -> None:
        """Take into account what another one knows, of lines that come later."""
        self.user = later.user or self.user
        self._last_method = later._last_method or self._last_method
        self._last_path = later._last_path or self._last_path
        if later.status and later._took >= self._took:
            self._took, self.status = later._took, later.status
            self._method, self._path = later._method, later._path


class Row:
    """The summary of a request, after all its lines have been read."""

    __slots__ = ("about", "errors", "extent", "failed", "id", "lines")

    def __init__(self, request: str) -> None:
        self.id = request
        self.extent = Extent()
        self.lines = self.errors = 0
        self.failed = False
        self.about = About()

    def add(self, record: Record) -> None:
        """Take a line into account."""
        self.lines += 1
        is_error = record.level >= 40
        self.errors += is_error
        span = record.span
        if span is not None:
            self.extent.add(*span)
        self.failed = self.failed or is_error or record.says_failed
        self.about.add(record)

    def merge(self, later: Row) -> None:
        """Take into account what another one knows, of lines that come later."""
        self.lines += later.lines
        self.errors += later.errors
        self.extent.merge(later.extent)
        self.failed = self.failed or later.failed
        self.about.merge(later.about)

    @property
    def duration(self) -> float:
        """How long it took, in milliseconds."""
        return self.extent.seconds * 1000
