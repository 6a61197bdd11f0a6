"""
Error trackers and tracers, set up as their documentation says, without a network.

Imported by `program.py` only, in a process of its own: none of them can be taken back
wholly.
"""

from __future__ import annotations

import importlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

__all__ = ["ELASTIC", "VENDORS", "Vendor", "together"]


class Vendor:
    """
    One library.

    Attributes:
        name: The name in the table.
        distribution: Its name on PyPI.
        traces: How often each trace id was recorded, of work that has ended.
        errors: How many errors were reported.
    """

    name = ""
    distribution = ""

    def __init__(self) -> None:
        self.traces: Counter[str] = Counter()
        self.errors = 0

    def on(self, part: str) -> None:
        """Set it up for the whole process, for one part of the test."""
        raise NotImplementedError

    def on_app(self, kind: str, app: Any) -> Any:
        """Set it up for one application, and return that."""
        return app

    def off(self) -> None:
        """Take back what `on()` did, as far as the library can."""

    def middleware(self) -> list[str]:
        """Django's middlewares of it."""
        return []

    @contextmanager
    def unit(self, name: str) -> Iterator[None]:
        """A piece of work of its own."""
        raise NotImplementedError
        yield

    def current(self) -> str | None:
        """The id of the trace that is active here."""
        raise NotImplementedError

    def flush(self) -> None:
        """Bring all that has ended into `traces`."""


class Sentry(Vendor):
    name = "sentry"
    distribution = "sentry-sdk"

    def on(self, part: str) -> None:
        import sentry_sdk
        from sentry_sdk.transport import Transport

        vendor = self

        class Memory(Transport):
            def capture_envelope(self, envelope: Any) -> None:
                for item in envelope.items:
                    event = item.payload.json or {}
                    if item.type == "transaction":
                        vendor.traces[event["contexts"]["trace"]["trace_id"]] += 1
                    elif item.type == "event":
                        vendor.errors += 1

        sentry_sdk.init(
            "http://key@127.0.0.1/1", transport=Memory, traces_sample_rate=1.0
        )

    def off(self) -> None:
        import sentry_sdk

        sentry_sdk.get_client().close()

    @contextmanager
    def unit(self, name: str) -> Iterator[None]:
        import sentry_sdk

        with (
            sentry_sdk.isolation_scope(),
            sentry_sdk.start_transaction(name=name, op="task"),
        ):
            yield

    def current(self) -> str | None:
        import sentry_sdk

        span = sentry_sdk.get_current_span()
        return None if span is None else span.trace_id


class OpenTelemetry(Vendor):
    name = "opentelemetry"
    distribution = "opentelemetry-sdk"

    def on(self, part: str) -> None:
        from opentelemetry import _logs, trace
        from opentelemetry.sdk._logs import LoggerProvider
        from opentelemetry.sdk._logs.export import (
            InMemoryLogRecordExporter,
            SimpleLogRecordProcessor,
        )
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import (
            InMemorySpanExporter,
        )

        self._spans = InMemorySpanExporter()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        trace.set_tracer_provider(tracers)
        self.records = InMemoryLogRecordExporter()
        loggers = LoggerProvider()
        loggers.add_log_record_processor(SimpleLogRecordProcessor(self.records))
        _logs.set_logger_provider(loggers)
        self._instrumentors = []
        for module, name, options in (
            ("threading", "ThreadingInstrumentor", {}),
            ("logging", "LoggingInstrumentor", {"inject_trace_context": True}),
            ("asyncio", "AsyncioInstrumentor", {}),
            ("requests", "RequestsInstrumentor", {}),
            ("httpx", "HTTPXClientInstrumentor", {}),
            ("celery", "CeleryInstrumentor", {}),
        ):
            found = importlib.import_module(f"opentelemetry.instrumentation.{module}")
            instrumentor = getattr(found, name)()
            instrumentor.instrument(**options)
            self._instrumentors.append(instrumentor)

    def on_app(self, kind: str, app: Any) -> Any:
        if kind == "fastapi":
            from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

            FastAPIInstrumentor.instrument_app(app)
        elif kind == "flask":
            from opentelemetry.instrumentation.flask import FlaskInstrumentor

            FlaskInstrumentor().instrument_app(app)
        elif kind == "django":
            from opentelemetry.instrumentation.django import DjangoInstrumentor

            DjangoInstrumentor().instrument()
        return app

    def off(self) -> None:
        for instrumentor in reversed(self._instrumentors):
            instrumentor.uninstrument()

    @contextmanager
    def unit(self, name: str) -> Iterator[None]:
        from opentelemetry import trace

        with trace.get_tracer("company").start_as_current_span(name):
            yield

    def current(self) -> str | None:
        from opentelemetry import trace

        context = trace.get_current_span().get_span_context()
        return f"{context.trace_id:032x}" if context.is_valid else None

    def flush(self) -> None:
        self.traces = Counter(
            f"{span.context.trace_id:032x}" for span in self._spans.get_finished_spans()
        )


class Datadog(Vendor):
    name = "ddtrace"
    distribution = "ddtrace"

    _MODULES = ("futures", "logging", "structlog", "loguru", "asyncio", "requests") + (
        "httpx",
        "starlette",
        "fastapi",
        "flask",
        "django",
        "celery",
    )

    def __init__(self) -> None:
        super().__init__()
        os.environ.update(
            DD_INSTRUMENTATION_TELEMETRY_ENABLED="false",
            DD_REMOTE_CONFIGURATION_ENABLED="false",
            DD_TRACE_STARTUP_LOGS="false",
            DD_LOGS_INJECTION="true",
        )

    def on(self, part: str) -> None:
        import ddtrace
        from ddtrace.trace import TraceFilter, tracer

        vendor = self

        class Memory(TraceFilter):
            def process_trace(self, trace: Any) -> None:
                for span in trace:
                    if span.parent_id is None or span._is_top_level:
                        vendor.traces[f"{span.trace_id:032x}"] += 1
                        vendor.errors += span.error

        tracer.configure(trace_processors=[Memory()])
        ddtrace.patch(**dict.fromkeys(self._MODULES, True))

    def off(self) -> None:
        for name in ("asyncio", "loguru", "structlog", "logging", "futures"):
            module = importlib.import_module(f"ddtrace.contrib.internal.{name}.patch")
            module.unpatch()

    @contextmanager
    def unit(self, name: str) -> Iterator[None]:
        from ddtrace.trace import tracer

        with tracer.trace(name):
            yield

    def current(self) -> str | None:
        from ddtrace.trace import tracer

        context = tracer.current_trace_context()
        return None if context is None or not context.trace_id else _hex(context)

    def flush(self) -> None:
        from ddtrace.trace import tracer

        tracer.flush()


def _hex(context: Any) -> str:
    return f"{context.trace_id:032x}"


ELASTIC = {
    "SERVICE_NAME": "company",
    "TRANSPORT_CLASS": f"{__name__}._ElasticMemory",
    "METRICS_INTERVAL": "0ms",
    "CENTRAL_CONFIG": False,
    "CLOUD_PROVIDER": "none",
    "SERVER_VERSION": (8, 0, 0),
}


class Elastic(Vendor):
    name = "elastic-apm"
    distribution = "elastic-apm"

    def on(self, part: str) -> None:
        import elasticapm
        from elasticapm.transport.base import Transport

        vendor = self

        class Memory(Transport):
            def queue(self, event_type: str, data: Any, flush: bool = False) -> None:
                if event_type == "transaction":
                    vendor.traces[data["trace_id"]] += 1
                elif event_type == "error":
                    vendor.errors += 1
                elif event_type == "close":  # its thread is waited for
                    super().queue(event_type, data, flush)

        globals()["_ElasticMemory"] = Memory
        if part != "django":  # whose application makes one of its own
            self.client = elasticapm.Client(
                **{name.lower(): value for name, value in ELASTIC.items()}
            )
        elasticapm.instrument()

    def on_app(self, kind: str, app: Any) -> Any:
        if kind == "fastapi":
            from elasticapm.contrib.starlette import ElasticAPM

            app.add_middleware(ElasticAPM, client=self.client)
        elif kind == "flask":
            from elasticapm.contrib.flask import ElasticAPM as OfFlask

            OfFlask(app, client=self.client)
        elif kind == "celery":
            from elasticapm.contrib import celery

            celery.register_instrumentation(self.client)
            celery.register_exception_tracking(self.client)
        return app

    def off(self) -> None:
        import elasticapm

        elasticapm.uninstrument()
        self.client.close()

    def middleware(self) -> list[str]:
        return ["elasticapm.contrib.django.middleware.TracingMiddleware"]

    @contextmanager
    def unit(self, name: str) -> Iterator[None]:
        self.client.begin_transaction("task")
        try:
            yield
        finally:
            self.client.end_transaction(name, "success")

    def current(self) -> str | None:
        import elasticapm

        found: str | None = elasticapm.get_trace_id()
        return found


class NewRelic(Vendor):
    name = "newrelic"
    distribution = "newrelic"

    def __init__(self) -> None:
        super().__init__()
        os.environ.update(
            NEW_RELIC_LICENSE_KEY="0" * 40,
            NEW_RELIC_DEVELOPER_MODE="true",
            NEW_RELIC_APP_NAME="company",
            NEW_RELIC_LOG_LEVEL="critical",
            NEW_RELIC_DISTRIBUTED_TRACING_ENABLED="true",
        )

    def on(self, part: str) -> None:
        import newrelic.agent
        from newrelic.core.application import Application

        newrelic.agent.initialize()
        vendor, record = self, Application.record_transaction

        def record_transaction(application: Any, data: Any) -> Any:
            vendor.traces[data.trace_id] += 1
            vendor.errors += len(data.errors)
            return record(application, data)

        Application.record_transaction = record_transaction
        self._app = newrelic.agent.register_application(timeout=20)

    @contextmanager
    def unit(self, name: str) -> Iterator[None]:
        import newrelic.agent

        with newrelic.agent.BackgroundTask(self._app, name):
            yield

    def current(self) -> str | None:
        import newrelic.agent

        found: str | None = newrelic.agent.current_trace_id()
        return found


VENDORS: dict[str, Callable[[], Vendor]] = {
    made.name: made for made in (Sentry, OpenTelemetry, Datadog, Elastic, NewRelic)
}


@contextmanager
def together(vendors: list[Vendor], name: str) -> Iterator[None]:
    """A piece of work of every library."""
    with ExitStack() as stack:
        for vendor in vendors:
            stack.enter_context(vendor.unit(name))
        yield
