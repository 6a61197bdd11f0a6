"""
How the site is built: `tox -e docs`, or `sphinx-build -W -n docs OUT`.

No network is used: other projects' inventories are not fetched, and links to other
sites are not followed.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import version as version_of
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / "_ext"))

project = "ctxlog"
author = "The ctxlog authors"
project_copyright = author
version = release = version_of("ctxlog-json")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "public_names",
    "repository",
]
exclude_patterns = ["_ext", "_static"]
nitpicky = True
nitpick_ignore_regex = [
    # Types of other libraries and of the standard library: no inventories are fetched.
    (r"py:.*", r"(?!ctxlog\b).*"),
    # Type variables.
    (r"py:class", r"ctxlog\..*\._[A-Z]"),
]
nitpick_ignore = [
    # Types of values that are only passed on: callers neither make nor look into them.
    ("py:class", "ctxlog._names.Names"),
    ("py:class", "ctxlog.aggregators._address.Address"),
    ("py:class", "ctxlog.carrier.trace_context.Trace"),
    ("py:class", "ctxlog.context._store.Lines"),
    ("py:class", "ctxlog.line.writer.Writer"),
    ("py:class", "ctxlog.testing._bench.Bench"),
]
suppress_warnings = [
    # Blocks of JSON show what a program printed: a line of text may be among them.
    "misc.highlighting_failure",
]

# Quotation marks and hyphens are often part of what is to be typed.
smartquotes = False

# A block that names no language is none of Python's.
highlight_language = "none"

# Headings have the anchors that GitHub gives them.
myst_heading_anchors = 4

# Docstrings have code in single backticks.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
# The libraries of adapters need not be installed, other than those of the group `docs`.
_SOURCES = (path.read_text("utf-8") for path in DOCS.parent.glob("ctxlog/**/*.py"))
_LIBRARIES = re.findall(r'requires\("(\w+)"', "".join(_SOURCES))
autodoc_mock_imports = sorted({*_LIBRARIES} - {"structlog", "loguru"})
python_maximum_signature_line_length = 80
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = "ctxlog"
html_static_path = ["_static"]
html_css_files = ["ctxlog.css"]
html_copy_source = False
html_show_sphinx = False
