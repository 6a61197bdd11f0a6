"""
Which names a line's keys have. Core: standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ctxlog.errors import ConfigError

__all__ = ["DEFAULT", "SCHEMAS", "Schema", "find"]


@dataclass(frozen=True)
class Schema:
    """
    The names of a line's keys, and which fields are renamed.

    Immutable; one may be shared by any number of encoders.

    Attributes:
        name: What `configure(schema=...)` calls it.
        timestamp: Key of the time of the event.
        level: Key of the level's name.
        request_id: Key of the field `requestID`.
        message: Key of the message.
        logger: Key of the logger's name.
        elapsed: Key of the milliseconds since the store was made.
        late: Key of the mark on lines logged after their request's end.
        exception: Key of the exception, an object of three.
        exception_type: Key of its type, within.
        exception_message: Key of its message, within.
        exception_stack: Key of its traceback, within.
        stack_info: Key of the stack that was asked for with `stack_info=True`.
        log_error: Key of what had to be replaced on the line.
        rename: Further fields to rename: from the name that is bound to the key.

    Raises:
        ConfigError: a key is not a string of at most 64 bytes, or two are the same.
    """

    name: str = "default"
    timestamp: str = "timestamp"
    level: str = "level"
    request_id: str = "requestID"
    message: str = "message"
    logger: str = "logger"
    elapsed: str = "elapsedMs"
    late: str = "late"
    exception: str = "exception"
    exception_type: str = "type"
    exception_message: str = "message"
    exception_stack: str = "stack"
    stack_info: str = "stack_info"
    log_error: str = "logError"
    rename: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.rename, Mapping):
            raise ConfigError("rename", self.rename, "a mapping of names to keys")
        object.__setattr__(self, "rename", MappingProxyType(dict(self.rename)))
        for keys in (
            [*self.own_keys, self.request_id, *self.rename.values()],
            [self.exception_type, self.exception_message, self.exception_stack],
        ):
            for key in keys:
                if not _is_key(key):
                    raise ConfigError("schema", key, "keys of 1 to 64 bytes as UTF-8")
                if keys.count(key) > 1:
                    raise ConfigError("schema", key, "a different name for every key")
        if "requestID" in self.rename:
            raise ConfigError("rename", "requestID", "other fields; that is request_id")

    @property
    def own_keys(self) -> tuple[str, ...]:
        """The keys that the line itself sets; a field of that name is moved aside."""
        return (
            self.timestamp,
            self.level,
            self.message,
            self.logger,
            self.elapsed,
            self.late,
            self.exception,
            self.stack_info,
            self.log_error,
        )


def _is_key(key: object) -> bool:
    try:
        return isinstance(key, str) and 0 < len(key.encode()) <= 64
    except UnicodeEncodeError:  # lone surrogates
        return False


#: The schema that the documentation shows.
DEFAULT = Schema()

#: The schemas that can be named.
SCHEMAS: dict[str, Schema] = {DEFAULT.name: DEFAULT}


def find(schema: str | Schema) -> Schema:
    """
    Return the schema that a `schema=` option means.

    Raises:
        ConfigError: there is none of that name.
    """
    if isinstance(schema, Schema):
        return schema
    if isinstance(schema, str) and schema in SCHEMAS:
        return SCHEMAS[schema]
    raise ConfigError("schema", schema, f"{', '.join(SCHEMAS)} or a Schema")
