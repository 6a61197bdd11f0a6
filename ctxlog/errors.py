"""
The errors that ctxlog raises for wrong use. A log call never raises one.
"""

from __future__ import annotations

import math


class ConfigError(ValueError):
    """
    An option is invalid.

    Attributes:
        option: The name of the option, or of the environment variable.
        value: The value that was given.
        allowed: A description of valid values.
    """

    def __init__(self, option: str, value: object, allowed: str) -> None:
        super().__init__(f"invalid value for {option}: {value!r} (expected {allowed})")
        self.option = option
        self.value = value
        self.allowed = allowed


def check_seconds(option: str, value: object, allowed: str) -> None:
    """
    Check that an option is a number of seconds, 0 or above.

    Args:
        option: The name of the option.
        value: Its value.
        allowed: A description of valid values.

    Raises:
        ConfigError: if it is not.
    """
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not 0 <= value < math.inf
    ):
        raise ConfigError(option, value, allowed)


class MissingDependencyError(ImportError):
    """
    The third-party library of an adapter is not installed.

    Attributes:
        name: The name of the library, as it is imported.
        extra: The extra of the distribution `ctxlog-json` that installs it.
    """

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(
            f"{library} is not installed; install it with "
            f"`pip install 'ctxlog-json[{extra}]'`",
            name=library,
        )
        self.extra = extra


class requires:  # read as a statement: with requires("httpx"): import httpx
    """
    Raise `MissingDependencyError` if the imports in the block lack a library.

    Any other error passes: a library that is installed but broken is not missing.

    Args:
        library: The name of the library, as it is imported.
        extra: The extra that installs it; by default, the one of the same name.
    """

    def __init__(self, library: str, extra: str | None = None) -> None:
        self._library = library
        self._extra = extra or library

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if isinstance(error, ModuleNotFoundError) and error.name == self._library:
            raise MissingDependencyError(self._library, self._extra) from None
