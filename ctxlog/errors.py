"""
The errors that ctxlog raises for wrong use. Core: imports nothing.

None of them is ever raised by a log call.
"""

__all__ = ["ConfigError", "MissingDependencyError"]


class ConfigError(ValueError):
    """
    An option has a value that it cannot have.

    The message names the option, the value that was given and what is allowed.
    """

    def __init__(self, option: str, value: object, allowed: str) -> None:
        super().__init__(f"{option}={value!r} is not possible; allowed: {allowed}")
        self.option = option
        self.value = value
        self.allowed = allowed


class MissingDependencyError(ImportError):
    """
    An adapter was imported whose third-party library is not installed.

    The message names the library and the extra that installs it.
    """

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(
            f"{library} is not installed; install it with "
            f"`pip install 'ctxlog-json[{extra}]'`",
            name=library,
        )
        self.extra = extra
