"""
A request as one page that needs nothing else: no network, no other file.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from html import escape

from ctxlog.viewer.group.collected import Request
from ctxlog.viewer.show.look import Look
from ctxlog.viewer.web.assets import text_of
from ctxlog.viewer.web.lines import Sheet, written

#: Data of more bytes is compressed; less can be read in the file, and searched there.
_PLAIN = 1 << 18


def html_page(request: Request, look: Look) -> str:
    """Return the page: searchable lines, errors marked, light or dark as wanted."""
    about = request.about
    title = " ".join(part for part in (about.method, about.path, request.id) if part)
    sheet = Sheet(request, look=look)
    data = written({"head": sheet.head(), "rows": list(sheet.rows(raw=False))})
    kind = "application/json"
    packed = data.encode("utf-8", "replace")
    if len(packed) > _PLAIN:
        kind = "application/gzip"
        data = base64.b64encode(gzip.compress(packed, mtime=0)).decode()
    style = text_of("page.css")
    script = "".join(map(text_of, ("parts.js", "pane.js", "timeline.js")))
    # Nothing but these two may run or style, whatever a line says.
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"style-src '{_digest(style)}'; script-src '{_digest(script)}'"
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{style}</style>
</head>
<body class="alone">
<main id="pane"></main>
<data id="lines" hidden value="{kind}">{escape(data, quote=False)}</data>
<script>{script}</script>
</body>
</html>
"""


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
