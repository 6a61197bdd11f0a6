"""
Certificates that a test makes for itself.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.helpers import LIMIT


def certificate(folder: Path, names: str = "IP:127.0.0.1,IP:::1") -> Path:
    """Return a self-signed certificate, with its key in the same file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl on this machine")
    path, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=store", "-addext", f"subjectAltName={names}"),
            *("-keyout", str(key), "-out", str(path)),
        ],
        check=True,
        capture_output=True,
        timeout=LIMIT,
    )
    with path.open("ab") as file:
        file.write(key.read_bytes())
    return path
