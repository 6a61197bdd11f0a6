"""
One `configure()`: what it does to the process, and undoes. Private to `config`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from ctxlog import retention
from ctxlog._names import Names, get_names, set_names
from ctxlog.config._libraries import Libraries
from ctxlog.config._settings import Settings, formatter_of
from ctxlog.config._sharing import NoWriter, RecordEncoder
from ctxlog.config._tree import LoggerTree
from ctxlog.line.redactor import get_redactor, set_redactor
from ctxlog.loggers import stdlib
from ctxlog.sinks import set_flush_timeout, writer_to

_log = logging.getLogger("ctxlog")


class Configuration:
    """One `configure()`: begun, applied again after a server's dictConfig, undone."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stdlib = settings.loggers is None or "stdlib" in settings.loggers
        self._said: set[str] = set()
        # None means the default names here, not those of an earlier configure().
        self._redactor = get_redactor(settings.redact is None or settings.redact)
        description = {**formatter_of(settings), "redact": self._redactor}
        make = getattr(stdlib, description.pop("()").rpartition(".")[2])
        formatter = make(**description)
        self._writer = writer_to(settings.to.places, settings.to.option)
        try:
            handler = stdlib.LineHandler(writer=self._writer)
            handler.setFormatter(formatter)
            self._tree = LoggerTree(settings, handler)
            # One writer and one encoder for all: the same places, one shape of line.
            self._encoder = formatter.encoder
            output: dict[str, Any] = {
                "writer": self._writer,
                "encoder": self._encoder,
            }
            if settings.share_handlers and self._stdlib:
                encoder = RecordEncoder(settings.caller)
                output = {"writer": NoWriter(), "encoder": encoder}
            self._libraries = Libraries(settings, output, self._warn)
        except BaseException:
            self._writer.close(0)
            raise

    @property
    def settings(self) -> Settings:
        """The options."""
        return self._settings

    @property
    def set_up(self) -> list[str]:
        """The names of the adapters that are installed by now."""
        return self._libraries.set_up

    def begin(self) -> None:
        """Apply it for the first time."""
        self._redactor_before, self._names_before = get_redactor(), get_names()
        set_redactor(self._redactor)
        self._timeout_before = set_flush_timeout(self._settings.flush_timeout)
        set_names(Names.chosen(self._settings.case, self._settings.request_id_key))
        if self._stdlib:
            stdlib.choose_levels(self._settings.levels)
            self._factory_before = logging.getLogRecordFactory()
            stdlib.install_record_factory()
            stdlib.watch_call_sites(self._check)
            if self._settings.logger_class:
                stdlib.install_logger_class()
            self._tree.set_levels()
            self._tree.apply()
        settings, limit = self._settings, None
        if settings.limit is not None:
            limit = retention.LineLimit(settings.limit, self._encoder, self._writer)
        retention.install(settings.buffer, settings.sampling, limit)
        self._libraries.begin()
        self._look()

    def survive(self, configure: Callable[[], object], *, levels: bool) -> None:
        """Let another one configure logging; see `LoggerTree.survive()`."""
        if not self._stdlib:
            configure()
            return
        try:
            self._tree.survive(configure, levels=levels)
        finally:
            self._libraries.follow(self._tree.level, self._tree.levels)
            self._look()

    def undo(self) -> None:
        """Give back everything that was changed."""
        retention.uninstall()
        self._libraries.undo()
        if self._stdlib:
            stdlib.choose_levels(())
            stdlib.uninstall_logger_class()
            stdlib.watch_call_sites(None)
            self._tree.undo()
            if logging.getLogRecordFactory() is not self._factory_before:
                stdlib.uninstall_record_factory()
        set_redactor(self._redactor_before)
        set_names(self._names_before)
        self._writer.close()
        set_flush_timeout(self._timeout_before)

    def _look(self) -> None:
        handlers = self._tree.outside() if self._stdlib else ()
        self._warn([*handlers, *self._libraries.outside()])

    def look_at(self, name: str) -> None:
        """Treat what a line of a logger would pass as that would, without a warning."""
        self._said.update(self._seen(name))

    def _check(self, name: str) -> None:
        # Called for the first line of each place in the code.
        self._warn(self._seen(name))

    def _seen(self, name: str) -> list[str]:
        handlers = self._tree.check(name) if self._stdlib else ()
        return [*handlers, *self._libraries.outside()]

    def _warn(self, sentences: Iterable[str]) -> None:
        """Log sentences that were not logged before, as one line of the stream."""
        new = [one for one in dict.fromkeys(sentences) if one not in self._said]
        if new and self._settings.warn:
            self._said.update(new)
            _log.warning("outside of ctxlog: %s", "; ".join(new))
