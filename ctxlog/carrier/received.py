"""The store of a request, task or item that another process or worker has sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ctxlog.carrier.headers import extracted
from ctxlog.carrier.trace_context import Trace
from ctxlog.context import Store


class ReceivedStore(Store):
    """
    A store for what another process has sent.

    Attributes:
        trace: The trace that came with it, to be carried on; None without one.
        due: When it was sent or, if that is later, was to be run, in seconds since the
            epoch, as its sender says; None if it does not.
        span_rank: How well the span fits that `spans.see_span()` has found so far.
    """

    __slots__ = ("due", "span_rank", "trace")

    def __init__(self, fields: Mapping[str, object] = {}, /) -> None:
        super().__init__(fields)
        self.trace: Trace | None = None
        self.due: float | None = None
        self.span_rank = 0

    def enter_trace(self, trace: Trace | None) -> None:
        """Take the trace that came in, if there is one: `traceID` and `spanID`."""
        self.trace = trace
        if trace is not None:
            self.update(trace.fields)
            self._enter_sampled()

    def expect_id(self, expected: bool) -> None:
        """Take note whether the id is still to come: it decides about the lines."""
        lines = self._view.lines
        if lines is not None:
            lines.identified = not expected

    def enter_rate(self, rate: float | None) -> None:
        """Take over that the request is kept, if its sender has said so."""
        lines = self._view.lines
        if lines is not None and rate is not None:
            lines.receive(rate)

    def _enter_sampled(self) -> None:
        """Take note whether the sender of the trace records it."""
        trace, lines = self.trace, self._view.lines
        if lines is not None and trace is not None:
            lines.trace_sampled = trace.sampled

    def receive(self, headers: object, *, fields: Iterable[str] = ()) -> None:
        """
        Take what `extract()` finds in headers, the trace to be carried on, and what was
        decided about the request.
        """
        found, self.trace, rate = extracted(headers, fields=fields)
        self.update(found)
        self._enter_sampled()
        self.enter_rate(rate)
