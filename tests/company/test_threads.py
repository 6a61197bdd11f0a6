"""
Threads that the libraries start for themselves.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers import need, run_python

_OF_SENTRY = """
from sentry_sdk.worker import BackgroundWorker

def serve(note):
    BackgroundWorker().submit(note)
"""

_OF_OPENTELEMETRY = """
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

class Exporter(SpanExporter):
    def __init__(self, note):
        self.note = note

    def export(self, spans):
        self.note()

def serve(note):
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(
        BatchSpanProcessor(Exporter(note), schedule_delay_millis=1)
    )
    tracers.get_tracer("company").start_span("span").end()
"""

_OF_ELASTIC = """
from elasticapm.utils.threading import IntervalTimer

def serve(note):
    IntervalTimer(note, interval=0.01, daemon=True).start()
"""

_PROGRAM = """
import threading
import ctxlog

{serve}

seen, noted = [], threading.Event()

def note():
    seen.append(ctxlog.fields())
    noted.set()

ctxlog.configure()
ctxlog.run({{"requestID": "A"}}, serve, note)
assert noted.wait(40)
assert seen[0] == {{}}, seen
"""


@pytest.mark.parametrize(
    ("library", "serve"),
    [
        ("sentry_sdk", _OF_SENTRY),
        ("opentelemetry.sdk", _OF_OPENTELEMETRY),
        ("elasticapm", _OF_ELASTIC),
    ],
)
def test_a_librarys_own_thread_is_no_requests(
    library: str, serve: str, tmp_path: Path
) -> None:
    """
    A thread that sends the events of all requests does not stay in the one that happens
    to start it.
    """
    need(library)
    run_python("-c", _PROGRAM.format(serve=serve), cwd=tmp_path)
