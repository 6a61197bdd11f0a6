"""
The style and the scripts of the pages, as they are sent.
"""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent


def text_of(name: str) -> str:
    """Return the text of a file of this folder."""
    return (_FOLDER / name).read_text(encoding="utf-8")
