"""
The names of a line's keys.

A schema decides once: per schema, per level, per change of the context. Only the
fields of a log call that have to be renamed are looked at per line.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from ctxlog._names import CAMEL, Names
from ctxlog.errors import ConfigError

#: The field that is HTTP's on every line of a request, not only at its end.
ROUTE = "route"


def without_dots(name: str) -> str:
    """Return a name that Elasticsearch does not read as objects, nor refuses."""
    name = name.replace(".", "_")
    return name if name.strip() else "_"


@dataclass(frozen=True)
class Schema:
    """
    The names of a line's keys, and which fields are renamed.

    Immutable; one may be shared by any number of encoders. *request_id*, *elapsed*,
    *stack_info* and *log_error* follow the options `request_id_key` and `case`, unless
    they are given another name here.

    Attributes:
        name: The name for `configure(schema=...)`.
        timestamp: Key of the time of the event.
        level: Key of the level's name.
        request_id: Key of the request's id.
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
        caller: Key of the caller, an object of four, where `configure(caller=True)`
            shows it. A key of the four that is empty leaves its value out.
        caller_file: Key of the name of its file, within.
        caller_path: Key of the path of its file, within; none unless given.
        caller_line: Key of the line there, within.
        caller_function: Key of the name of its function, within.
        caller_line_text: Write the line as a text.
        rename: Further fields to rename: from the name that is bound to the key.
        levels: What stands under *level* for a level's name and number, a text or a
            whole number; its name unless given, and where it raises.
        level_value: Key of the level's number; none unless given.
        level_text: Key of the level's name beside what *levels* gives; none unless
            given.
        seconds: Write the time as a number of seconds since the epoch.
        constants: Members of every line: texts, or callables that give one when an
            encoder is made.
        reserved: Further names that a field must not have, alone or before a dot; it
            is prefixed with `fields.`.
        place: Members of JSON's types for a field of a name and a value, already
            plain, and whether it is HTTP's: one of a completion line, or the `route`
            of a context; None to leave the field where it is. With an attribute
            `names`, only these are asked about outside of completion lines.
        prefix: What stands before the names of fields.
        scalars: Values are texts and numbers only; others are flattened.
        otlp: Write the line as a batch of one log record of OpenTelemetry's protocol.
        undotted: Dots in the names of fields become underscores.
        message_first: The request's id stands after the message, with the fields.

    With an empty *exception* or *caller*, its parts stand among the line's own keys.

    Raises:
        ConfigError: If an attribute is invalid, or two keys are the same.
    """

    name: str = "default"
    timestamp: str = "timestamp"
    level: str = "level"
    request_id: str = CAMEL.request_id
    message: str = "message"
    logger: str = "logger"
    elapsed: str = CAMEL.elapsed
    late: str = "late"
    exception: str = "exception"
    exception_type: str = "type"
    exception_message: str = "message"
    exception_stack: str = "stack"
    stack_info: str = CAMEL.stack_info
    log_error: str = CAMEL.log_error
    caller: str = "caller"
    caller_file: str = "file"
    caller_path: str = ""
    caller_line: str = "line"
    caller_function: str = "function"
    caller_line_text: bool = False
    rename: Mapping[str, str] = field(default_factory=dict)
    levels: Callable[[str, int], str | int] | None = None
    level_value: str = ""
    level_text: str = ""
    seconds: bool = False
    constants: Mapping[str, str | Callable[[], str]] = field(default_factory=dict)
    reserved: frozenset[str] = frozenset()
    place: Callable[[str, Any, bool], Mapping[str, Any] | None] | None = None
    prefix: str = ""
    scalars: bool = False
    undotted: bool = False
    otlp: bool = False
    message_first: bool = False

    def __post_init__(self) -> None:
        self._check_types()
        object.__setattr__(self, "rename", MappingProxyType(dict(self.rename)))
        object.__setattr__(self, "constants", MappingProxyType(dict(self.constants)))
        object.__setattr__(self, "reserved", frozenset(self.reserved))
        within = [self.exception_type, self.exception_message, self.exception_stack]
        outer = [*self.own_keys, *self.caller_keys, self.request_id]
        outer += self.rename.values()
        for keys in (outer, within, self._caller_parts):
            for key in keys:
                if not _is_key(key):
                    raise ConfigError("schema", key, "keys of 1 to 64 bytes as UTF-8")
                if keys.count(key) > 1:
                    raise ConfigError("schema", key, "a different name for every key")
        if CAMEL.request_id in self.rename:
            allowed = "another field; the request id has an option of its own"
            raise ConfigError("rename", CAMEL.request_id, allowed)

    def _check_types(self) -> None:
        optional = ("name", "level_value", "level_text", "prefix", *_CALLER)
        for option in optional:
            value = getattr(self, option)
            if not isinstance(value, str) or not (_is_key(value) or value == ""):
                raise ConfigError(option, value, "a string of at most 64 bytes")
        flags = ("seconds", "scalars", "undotted", "otlp", "message_first")
        for option in (*flags, "caller_line_text"):
            if type(getattr(self, option)) is not bool:
                raise ConfigError(option, getattr(self, option), "True or False")
        if not isinstance(self.rename, Mapping):
            raise ConfigError("rename", self.rename, "a mapping of names to keys")
        texts = "a mapping of keys to strings, or to callables that return one"
        if not isinstance(self.constants, Mapping):
            raise ConfigError("constants", self.constants, texts)
        constants: Mapping[str, object] = self.constants
        for text in constants.values():
            if not (callable(text) or _is_text(text)):
                raise ConfigError("constants", text, texts)
        names: object = self.reserved
        if not isinstance(names, (frozenset, set, list, tuple)) or not all(
            isinstance(name, str) for name in names
        ):
            raise ConfigError("reserved", names, "a set of names")
        place: object = self.place
        if place is not None and not callable(place):
            allowed = "None, or a callable of a name, a value and a flag"
            raise ConfigError("place", place, allowed)
        if self.levels is not None:
            _check_levels(self.levels)
        if self.otlp and not (
            (self.timestamp, self.level, self.message, self.seconds)
            == ("timeUnixNano", "severityNumber", "body", True)
            and self.level_text in ("", "severityText")
            and self.levels is not None
            and not self.level_value
        ):
            allowed = "False, or the keys of the schema otel"
            raise ConfigError("otlp", self.otlp, allowed)

    def constant_members(self) -> dict[str, str]:
        """
        Return the members of every line, as they are now.

        Raises:
            ConfigError: If one of *constants* does not give a text.
        """
        members: dict[str, str] = {}
        for key, text in self.constants.items():
            shown = text() if callable(text) else text
            if not _is_text(shown):
                raise ConfigError("constants", shown, f"a string for {key}")
            members[key] = shown
        return members

    @property
    def own_keys(self) -> tuple[str, ...]:
        """Return the keys that the line sets; a field of that name is prefixed."""
        exception = (
            (self.exception,)
            if self.exception != ""
            else (self.exception_type, self.exception_message, self.exception_stack)
        )
        return (
            self.timestamp,
            self.level,
            *(key for key in (self.level_value, self.level_text) if key),
            self.message,
            self.logger,
            self.elapsed,
            self.late,
            *exception,
            self.stack_info,
            self.log_error,
            *self.constants,
        )

    @property
    def caller_keys(self) -> tuple[str, ...]:
        """Return the keys that the line sets if it shows the caller."""
        return (self.caller,) if self.caller else self._caller_parts

    @property
    def _caller_parts(self) -> tuple[str, ...]:
        keys = (getattr(self, attribute) for attribute in _CALLER[1:])
        return tuple(key for key in keys if key)

    def spelled(self, names: Names, caller: bool = False) -> Schema:
        """
        Return the schema with `names` for the keys that are ctxlog's, not the vendor's.

        Without *caller* it has no keys for that: fields may have such names.

        Raises:
            ConfigError: If the line has another key of the request id's name.
        """
        changed: dict[str, Any] = {}
        for attribute in ("request_id", "elapsed", "stack_info", "log_error"):
            if getattr(self, attribute) == self.prefix + getattr(CAMEL, attribute):
                changed[attribute] = self.prefix + getattr(names, attribute)
        # A vendor's asks for ctxlog's fields by their names.
        place = getattr(self.place, "spelled", None)
        if names.case != CAMEL.case and place is not None:
            changed["place"] = place(names)
        if not caller:
            changed.update(dict.fromkeys(_CALLER, ""))
        elif self.undotted:  # an object beside a key with dots would be the same field
            starts = (key.partition(".")[0] for key in self.caller_keys)
            changed["reserved"] = self.reserved.union(starts)
        key = names.request_id
        with contextlib.suppress(ConfigError):  # two keys of the same name
            spelled = replace(self, **changed)
            taken = {*spelled.own_keys, *spelled.rename, *spelled.reserved}
            taken.update(spelled.caller_keys)
            possible = not self.scalars or _GELF_NAME.fullmatch(key)
            if possible and taken.isdisjoint((key, spelled.request_id)):
                return spelled
        allowed = f"a name that the schema {self.name!r} leaves free"
        raise ConfigError("request_id_key", key, allowed)

    def prefixed(self, name: str) -> str:
        """Return the key of a field that must not be written under its own name."""
        if self.undotted:
            name = without_dots(name)
        return f"{self.prefix}fields.{name}"

    @property
    def plain(self) -> bool:
        """Return whether fields are at most renamed."""
        return not (
            self.place or self.prefix or self.scalars or self.undotted or self.reserved
        )


# GELF 1.1: the name of an additional field.
_GELF_NAME = re.compile(r"[A-Za-z0-9_.-]+")


# The attributes that are keys of the caller.
_CALLER = (*("caller", "caller_file", "caller_path", "caller_line", "caller_function"),)


def _is_text(text: object) -> bool:
    try:
        return isinstance(text, str) and text.encode() is not None
    except UnicodeEncodeError:  # lone surrogates
        return False


def _is_key(key: object) -> bool:
    return isinstance(key, str) and _is_text(key) and 0 < len(key.encode()) <= 64


def _check_levels(levels: object) -> None:
    allowed = "None, or a callable that returns a string or an int for each level"
    if not callable(levels):
        raise ConfigError("levels", levels, allowed)
    for name, number in _LEVELS.items():
        try:
            shown = levels(name, number)
        except Exception as error:
            # The callable is the user's, and may raise anything; no line is lost here.
            raise ConfigError("levels", levels, allowed) from error
        if type(shown) is not int and not _is_text(shown):
            raise ConfigError("levels", shown, allowed)


_LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
