"""
PyInstaller cannot see the commands that the command line imports when they are given.
"""

from __future__ import annotations

from PyInstaller.utils.hooks import collect_submodules

hiddenimports = collect_submodules("ctxlog.viewer")
