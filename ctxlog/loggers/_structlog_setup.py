"""
How structlog is set up, by the application or by ctxlog. Private to `loggers/`.
"""

from __future__ import annotations

from typing import Any

from ctxlog._patch import Patch
from ctxlog.errors import requires
from ctxlog.loggers._structlog_logger import output
from ctxlog.loggers._structlog_renderer import JsonRenderer

with requires("structlog"):
    import structlog


def is_ours() -> bool:
    """Return whether the configuration is that of ctxlog's `configure()`."""
    processors: object = structlog.get_config()["processors"]
    return processors is output.processors


def is_configured() -> bool:
    """Return whether the application has configured structlog by itself."""
    configured: bool = structlog.is_configured()
    return configured and not (output.before is not None and is_ours())


# The processors that hand events over to `logging`, whose handlers render them.
_HANDING_OVER = tuple(
    getattr(structlog.stdlib, name)
    for name in ("render_to_log_kwargs", "render_to_log_args_and_kwargs")
    if hasattr(structlog.stdlib, name)
)


def outside() -> str | None:
    """Return why structlog's lines are not ctxlog's, or None if they are."""
    if not is_configured():
        return None
    configured = structlog.get_config()
    chain = list(configured["processors"])
    if any(isinstance(one, JsonRenderer) for one in chain):
        return None
    last = chain[-1] if chain else None
    wrapping = structlog.stdlib.ProcessorFormatter.wrap_for_formatter
    factory = configured["logger_factory"]
    if isinstance(factory, structlog.stdlib.LoggerFactory):
        if last is wrapping or last in _HANDING_OVER:
            return None  # the records are read as events
        return (
            "structlog renders its events before it hands them to logging: put "
            "structlog.stdlib.ProcessorFormatter.wrap_for_formatter last in its "
            "processors"
        )
    if output.before is not None:
        return (
            "structlog was configured by the application after ctxlog: call "
            "ctxlog.configure(loggers=['stdlib', 'structlog']) after that, or put "
            "ctxlog.loggers.structlog.JsonRenderer() last in its processors"
        )
    return (
        "structlog was configured by the application and is left alone: put "
        "ctxlog.loggers.structlog.JsonRenderer() last in its processors, or pass "
        "configure(loggers=['stdlib', 'structlog'])"
    )


# Call sites ---------------------------------------------------------------------


def _find_beyond_ours(find: Any, ignored: Any = None, /, **options: Any) -> Any:
    ignored = options.pop("additional_ignores", ignored)
    return find([*(ignored or ()), "ctxlog."], **options)


# There is no public way to have all processors pass over further modules. Two modules
# of structlog have imported the function.
_PATCHES = [
    Patch(module, "_find_first_app_frame_and_name", _find_beyond_ours)
    for module in (structlog.processors, structlog.stdlib)
    if hasattr(module, "_find_first_app_frame_and_name")
]


def show_callers() -> None:
    """
    Let structlog look for the caller of a log call beyond ctxlog's frames.

    For `CallsiteParameterAdder`, stacks and the names of loggers, in any chain.
    `configure()` calls it. Calling it again is a no-op.
    """
    for finder in _PATCHES:
        finder.install()


def hide_callers() -> None:
    """Undo `show_callers()`; without it, a no-op."""
    for finder in _PATCHES:
        finder.uninstall()
