"""
The process-wide redactor, and the one that a `redact=` option means.
"""

from __future__ import annotations

from collections.abc import Iterable

from ctxlog.errors import ConfigError
from ctxlog.line.redact import DEFAULT_KEYS, Redactor

# Before the name of a pattern, in a list of names.
_PATTERN = "pattern:"

#: Hides nothing.
_NOTHING = Redactor(keys=())

_default = Redactor()


def set_redactor(redactor: Redactor) -> None:
    """Set the process-wide default redactor."""
    global _default
    _default = redactor


def get_redactor(option: object = None) -> Redactor:
    """
    Return the redactor that a `redact=` option means.

    Args:
        option: None is the process-wide default, False hides nothing, True is a
            `Redactor()`, names add to the default ones, where `pattern:secrets` adds a
            pattern, and a `Redactor` is itself.

    Raises:
        ConfigError: If the option is none of these.
    """
    if option is None:
        return _default
    if isinstance(option, Redactor):
        return option
    if option is False:
        return _NOTHING
    if option is True:
        return Redactor()
    if isinstance(option, Iterable) and not isinstance(option, (str, bytes)):
        keys, patterns = [*DEFAULT_KEYS], []
        for name in option:
            if isinstance(name, str) and name.startswith(_PATTERN):
                patterns.append(name.removeprefix(_PATTERN))
            else:
                keys.append(name)
        return Redactor(keys, patterns)
    allowed = "None, True, False, names of fields or a Redactor"
    raise ConfigError("redact", option, allowed)
