"""
The reference among the documentation says what the code says.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from types import ModuleType

import pytest

import ctxlog
from ctxlog._names import Names
from ctxlog.config._options import ConfigureOptions
from ctxlog.config._settings import Settings, read_settings
from tests import command_line_page, fields_page, options_page, public_names_page
from tests.helpers import ROOT, need
from tests.test_exports import SOURCES, exported

API = ROOT / "docs" / "api"

#: The modules that write a page from the code.
WRITERS = [command_line_page, fields_page, options_page, public_names_page]


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.PAGE.name)
def test_a_page_that_is_made_of_the_code_is_up_to_date(writer: ModuleType) -> None:
    """A page of the reference is what its writer would write now."""
    written = writer.PAGE.read_text(encoding="utf-8")
    assert written == writer.page(), f"to write it: python -m {writer.__name__}"


def test_the_reference_has_exactly_the_public_modules() -> None:
    """Each module with an `__all__` is on one page of `docs/api`, and no other."""
    pages = "".join(page.read_text(encoding="utf-8") for page in API.glob("*.md"))
    documented = re.findall(r"^\.\. public:: (\S+)$", pages, flags=re.MULTILINE)
    public = [module for module, tree in SOURCES.items() if exported(tree) is not None]
    assert sorted(documented) == sorted(public)


def test_every_option_has_an_example() -> None:
    """The examples are those of the options that there are."""
    assert set(options_page.EXAMPLES) == set(ConfigureOptions.__annotations__)


@pytest.mark.parametrize("name", options_page.EXAMPLES)
def test_the_example_of_a_variable_means_that_of_the_call(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an example passes is allowed, and a variable's text has the same effect."""
    if name == "loggers":
        need("structlog")
    example, text = options_page.EXAMPLES[name]
    value = eval(example, {"sys": sys, **vars(ctxlog)})
    default = read_settings({}, ConfigureOptions)
    called = read_settings({name: value}, ConfigureOptions)
    assert _told(called, name) != _told(default, name)
    if text is not None:
        monkeypatch.setenv(f"CTXLOG_{name.upper()}", text)
        assert _told(read_settings({}, ConfigureOptions), name) == _told(called, name)


def _told(settings: Settings, name: str) -> object:
    if name in ("to", "stream"):  # a stream is one of the places
        return settings.to.places
    return getattr(settings, name)


def test_every_name_of_a_field_is_on_its_page() -> None:
    """The page has the keys of a schema, and all names that have two spellings."""
    schema = ctxlog.Schema()
    keys = {
        one.name
        for one in dataclasses.fields(schema)
        if isinstance(getattr(schema, one.name), str)
    }
    keys -= {"name", "prefix", "exception", "caller"}  # no keys; objects of others
    assert keys == set(fields_page.OWN)
    others = {field.name for group in fields_page.FIELDS.values() for field in group}
    assert {one.name for one in dataclasses.fields(Names)} <= keys | others | {"case"}
