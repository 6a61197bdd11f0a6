"""
How the site is built: `tox -e docs`, or `sphinx-build -W -n docs OUT`.

No network is used: other projects' inventories are not fetched, and links to other
sites are not followed.
"""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "ctxlog"
author = "The ctxlog authors"
project_copyright = author
version = release = version_of("ctxlog-json")

extensions = ["myst_parser", "repository"]
exclude_patterns = ["_ext"]
nitpicky = True
suppress_warnings = [
    # Blocks of JSON show what a program printed: a line of text may be among them.
    "misc.highlighting_failure",
]

# Headings have the anchors that GitHub gives them.
myst_heading_anchors = 4

html_theme = "furo"
html_title = "ctxlog"
html_copy_source = False
html_show_sphinx = False
