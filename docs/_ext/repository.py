"""
The pages' links as GitHub has them, and the pages that stand at the root.

A page links to others, and to the project's files, by a path within the repository, as
on GitHub. A page that begins with `<!-- shows: PATH -->` is that file on the site.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from sphinx.application import Sphinx

_SHOWS = re.compile(r"<!-- shows: (\S+) -->\n")
# A block of code, which has no links, or a link with a path.
_LINK = re.compile(
    r"(?P<code>^ *```.*?^ *```[ ]*$)"
    r"|\[(?P<text>[^\[\]]*)\]\((?P<path>(?![a-z]+:|#)[^)#\s]+)(?P<anchor>#[^)\s]*)?\)",
    flags=re.DOTALL | re.MULTILINE,
)


class _Repository:
    """The files of the repository, and which pages of the site show them."""

    def __init__(self, app: Sphinx) -> None:
        self.docs = Path(app.srcdir)
        #: Files outside of the folder of pages, to the pages that show them.
        self.shown: dict[Path, Path] = {}
        for page in sorted(self.docs.rglob("*.md")):
            if file := self.file_of(page, page.read_text(encoding="utf-8")):
                self.shown[file] = page

    def file_of(self, page: Path, text: str) -> Path | None:
        """Return the file that a page shows, if it shows one."""
        shows = _SHOWS.match(text)
        return (page.parent / shows[1]).resolve() if shows else None

    def read(self, app: Sphinx, docname: str, source: list[str]) -> None:
        """Put the file in the place of the page that shows it, and turn its links."""
        page = Path(app.env.doc2path(docname))
        file = self.file_of(page, source[0]) or page
        if file != page:
            app.env.note_dependency(str(file))
            source[0] = file.read_text(encoding="utf-8")

        def turned(link: re.Match[str]) -> str:
            if link["code"]:
                return link["code"]
            target = (file.parent / link["path"]).resolve()
            if target.is_dir():  # GitHub shows what it has
                return link["text"]
            there = os.path.relpath(self.shown.get(target, target), page.parent)
            anchor = link["anchor"] or ""
            return f"[{link['text']}]({Path(there).as_posix()}{anchor})"

        source[0] = _LINK.sub(turned, source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to the reading of pages."""
    app.connect("source-read", _Repository(app).read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
