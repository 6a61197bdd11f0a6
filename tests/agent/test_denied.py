"""
`ctxlog ship` and a process that ships by itself, whose credential the store refuses.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.aggregators.web import Answer, Store, serving
from tests.helpers import LIMIT, clean_environment, need

need("urllib3")

_APPLICATION = """
import logging, sys
import ctxlog

ctxlog.configure(format="json", to=[sys.argv[1]])
logging.error("hello")
sys.stdin.read()
"""


def _refusing(store: Store) -> str:
    # Asking for five minutes shows that nothing waits for a second attempt.
    later = {"Retry-After": "300"}
    store.usual = Answer(401, b"not Bearer s3cret-word, please", later)
    return f"otlp://127.0.0.1:{store.port}?header=Authorization:$WORD"


@pytest.mark.parametrize("by", ["agent", "process"])
def test_a_wrong_credential_is_said_after_the_first_attempt(
    tmp_path: Path, by: str
) -> None:
    """Standard error has it while the program runs, without the credential."""
    with serving() as store:
        address = _refusing(store)
        words = ["-c", _APPLICATION, address]
        if by == "agent":
            words = ["-m", "ctxlog", "ship", "-", "--to", address, "--timeout", "1s"]
        with subprocess.Popen(
            [sys.executable, "-I", *words],
            env=clean_environment(WORD="Bearer s3cret-word"),
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
        ) as process:
            assert process.stdin is not None
            assert process.stderr is not None
            process.stdin.write(b'{"message":"hello"}\n')
            process.stdin.flush()
            said = process.stderr.readline()
            assert process.poll() is None
            _, rest = process.communicate(timeout=LIMIT)
        assert b"it answers 401: not ***, please" in said
        assert len(store.requests) == 1
        assert b"s3cret" not in said + rest
        if by == "agent":
            assert process.returncode == 1
            assert b"shipped 0" in rest
        else:
            assert b'"level":"ERROR"' in said
            assert b"1 line was not shipped: it answers 401" in rest
