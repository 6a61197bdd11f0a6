"""
The hooks of PyInstaller, which makes executables of programs. An edge.
"""

from __future__ import annotations

from pathlib import Path


def hook_directories() -> list[str]:
    """Return the folder of the hooks: the entry point `hook-dirs` calls this."""
    return [str(Path(__file__).parent)]
