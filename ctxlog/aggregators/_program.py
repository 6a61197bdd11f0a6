"""
The name of the program, for stores of lines of all programs. Private to `aggregators/`.
"""

from __future__ import annotations

import os
import sys


def program() -> str:
    """Return the name of the program, or of the package that runs as one."""
    folder, name = os.path.split(sys.argv[0] if sys.argv else "")
    if name == "__main__.py":
        name = os.path.basename(folder)
    return name if name not in ("", "-", "-c", "-m") else "python"
