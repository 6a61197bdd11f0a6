"""
The errors for wrong use: the text of each, and which missing module is reported.
"""

from __future__ import annotations

import pytest

from ctxlog.errors import ConfigError, MissingDependencyError, requires


@pytest.mark.parametrize(
    ("option", "value", "allowed", "text"),
    [
        (
            "format",
            "text",
            "one of: auto, json, console",
            "invalid value for format: 'text' (expected one of: auto, json, console)",
        ),
        (
            "max_line_bytes",
            5,
            "a number of bytes, at least 1024",
            "invalid value for max_line_bytes: 5 "
            "(expected a number of bytes, at least 1024)",
        ),
    ],
)
def test_an_invalid_option_is_reported_with_what_is_expected(
    option: str, value: object, allowed: str, text: str
) -> None:
    """
    The message names the option, the value and the valid values.
    """
    error = ConfigError(option, value, allowed)
    assert str(error) == text
    assert (error.option, error.value, error.allowed) == (option, value, allowed)


@pytest.mark.parametrize(("extra", "named"), [(None, "no_such_library"), ("x", "x")])
def test_a_missing_library_is_reported_with_its_extra(
    extra: str | None, named: str
) -> None:
    """
    The extra has the library's name unless another is given.
    """
    with pytest.raises(MissingDependencyError) as caught:
        with requires("no_such_library", extra=extra):
            import no_such_library  # type: ignore[import-not-found]  # noqa: F401
    assert (caught.value.name, caught.value.extra) == ("no_such_library", named)
    assert f"ctxlog-json[{named}]" in str(caught.value)


def test_a_broken_library_is_not_reported_as_missing() -> None:
    """
    An error inside of an installed library passes unchanged.
    """
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        with requires("a_library"):
            raise ModuleNotFoundError("no_such_module", name="no_such_module")
    with pytest.raises(ImportError, match="cannot import name"):
        with requires("json"):
            from json import no_such_name  # type: ignore[attr-defined]  # noqa: F401


def test_a_library_that_is_there_is_imported() -> None:
    """
    The block does nothing else.
    """
    with requires("json"):
        import json
    assert json.loads("1") == 1
