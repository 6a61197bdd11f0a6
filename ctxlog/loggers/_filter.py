"""
The filter that makes the context attributes of records. Private to `loggers/`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from ctxlog._interrupts import is_interrupt
from ctxlog._names import ALIASES, Names, get_names
from ctxlog._stamps import set_stamp
from ctxlog.context import AsyncLocalStorage
from ctxlog.context.adapter import View, current_view
from ctxlog.line.redactor import get_redactor
from ctxlog.line.values import Walk, safe_str, type_name
from ctxlog.loggers._record import STANDARD, Stamp, message_of, plain_fields, stamp_of


class ContextFilter(logging.Filter):
    """
    Set the context's fields as attributes of every record, for any formatter.

    For handlers: a filter on a logger does not see its children's records. On a
    `QueueHandler` it stamps the record in the thread that logs. It never drops a record
    and never replaces an attribute. The request's id is always set, as `requestID`
    unless another name was chosen; fields of another storage, or of a callable, are set
    as they are. Secrets are redacted; other values are copies of what was bound.

    Args:
        storage: The source of the fields; by default, ctxlog's store and scopes.
        fields: Called with the storage's value, or with ctxlog's fields; returns the
            fields as a mapping. By default a value that is a mapping is the fields, and
            any other value is one field with the storage's name.
        missing_request_id: The id outside of any request; None leaves it out.
        redact: The fields and texts to hide: see `configure()`.
        request_id_key: The name of the request's id; the process's unless given.
        case: The spelling of ctxlog's own names; the process's unless given.

    Raises:
        ConfigError: if an option is invalid.
    """

    def __init__(
        self,
        name: str = "",
        *,
        storage: AsyncLocalStorage[Any] | None = None,
        fields: Callable[[Any], Mapping[str, object]] | None = None,
        missing_request_id: str | None = "N/A",
        redact: object = None,
        request_id_key: str | None = None,
        case: str | None = None,
    ) -> None:
        super().__init__(name)
        self._storage = storage
        self._fields = fields
        self._missing = missing_request_id
        # None stands for the process's, which configure() may still change.
        self._redactor = None if redact is None else get_redactor(redact)
        chosen = Names.chosen(case, request_id_key)
        self._names = None if request_id_key is case is None else chosen

    def filter(self, record: logging.LogRecord) -> bool:
        """Stamp *record* and set its attributes; always True. Never raises."""
        found = stamp_of(record)
        stamp = Stamp(found) if isinstance(found, View) else found
        if record.args:
            message, problems = message_of(record)
            if problems:  # the stock QueueHandler would lose the line
                record.msg, record.args = message, None
        attributes = record.__dict__
        of_context = self._storage is None and self._fields is None
        if of_context:
            fields = self._of_context(stamp, attributes)
        else:
            fields = self._of_storage()
        added = [n for n in fields if n not in attributes and n not in STANDARD]
        for name in added:
            attributes[name] = fields[name]
        if of_context:
            stamp = stamp._replace(names=stamp.names.union(added))
        set_stamp(record, stamp)
        return True

    def _of_context(self, stamp: Stamp, attributes: dict[str, Any]) -> dict[str, Any]:
        names, view = self._names or get_names(), stamp.view
        fields = plain_fields(view, self._redactor, names)
        request_id = fields.get(names.request_id)
        if not attributes.keys().isdisjoint(ALIASES):
            # The line takes the id from the call's own fields, too.
            known = attributes.keys() - stamp.names
            own = {name: attributes[name] for name in ALIASES if name in known}
            name = names.id_name({**view.fields, **own})
            request_id = own.get(name, request_id)
        if request_id is None:
            request_id = self._missing
        if type(request_id) is str and fields.get(names.request_id) == request_id:
            return fields
        others = {n: v for n, v in fields.items() if n != names.request_id}
        if request_id is None:
            return others
        return {**others, names.request_id: safe_str(request_id)}

    def _of_storage(self) -> dict[str, Any]:
        storage = self._storage
        if storage is None:
            view = current_view()
            value: Any = None if view.empty else view.fields
        else:
            value = storage.get_store()
        if value is None:
            return {}
        try:
            if self._fields is not None:
                value = self._fields(value)
            elif not isinstance(value, Mapping):
                value = {storage.name if storage else "context": value}
            pairs = list(dict(value).items())
        except Exception as error:
            # The user's callable may raise anything. The record says so.
            if is_interrupt(error):
                raise
            problem = f"context fields: {type_name(error)}: {safe_str(error)}"
            return {(self._names or get_names()).log_error: problem}
        return Walk(self._redactor or get_redactor(), 262_144, 262_144).named(pairs)
