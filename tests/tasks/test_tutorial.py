"""
The tutorial, step by step.
"""

from __future__ import annotations

from pathlib import Path

from tests.helpers import ROOT, free_port, need

need("fastapi", "huey", "uvicorn")
terminals = need("tests.terminals")


def test_the_tutorial_shows_what_its_reader_sees(tmp_path: Path) -> None:
    """Each step of the tutorial shows in its terminal what the page says."""
    page = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    terminals.follow(page.replace("8000", str(free_port())), tmp_path)
