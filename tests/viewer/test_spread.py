"""
Objects that are spread over lines, arrays, and compressed files of any name.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlog.viewer.read.source import Source
from ctxlog.viewer.read.spread import gathered, is_spread
from tests.helpers import need

VALUES = st.recursive(
    st.none()
    | st.integers()
    | st.text()
    | st.sampled_from(["{", "}", "[{", '"\\', "]"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
    ),
    max_leaves=6,
)
OBJECTS = st.lists(
    st.dictionaries(st.text(), VALUES, max_size=3), min_size=1, max_size=5
)


class _Slow(BytesIO):
    """A stream that gives few bytes at once."""

    def read(self, size: int | None = -1) -> bytes:
        """Return a few bytes, however many are asked for."""
        return super().read(min(size or 0, 7))


@pytest.mark.parametrize(
    "written",
    [
        lambda objects: "".join(json.dumps(one, indent=2) + "\n" for one in objects),
        lambda objects: json.dumps(objects),
        lambda objects: json.dumps(objects, indent=4) + "\n",
        lambda objects: "[\n" + ",\n".join(map(json.dumps, objects)) + "\n]\n",
    ],
    ids=["jq", "an array", "an array, indented", "an array, an object a line"],
)
@given(objects=OBJECTS)
def test_each_object_is_on_one_line(
    written: Callable[[Any], str], objects: list[dict[str, Any]]
) -> None:
    """Whatever objects hold, each comes on a line of its own, as it is."""
    stream = _Slow(written(objects).encode())
    lines = b"".join(gathered(stream.read(7), stream)).splitlines()
    assert [json.loads(line) for line in lines] == objects


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b'{"a": 1}\n{\n', False),
        (b"[2026-01-31 12:00:00] x\n", False),
        (b"[pod/a/b] {}\n", False),
        (b"started\n{\n", True),
        (b"[\n", True),
        (b' [{"a"', True),
        (b"", False),
    ],
)
def test_how_a_file_begins(head: bytes, expected: bool) -> None:
    """Files with an object a line are read as they are."""
    assert is_spread(head) is expected


def _shown(
    data: bytes, tmp_path: Path, *, pipe: bool
) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "app.log.1"
    path.write_bytes(data)
    words = [sys.executable, "-m", "ctxlog", "show", "-" if pipe else str(path)]
    done = subprocess.run(words, input=data if pipe else b"", capture_output=True)
    return subprocess.CompletedProcess(
        words, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


OBJECT = {"timestamp": "2026-01-31T12:00:00Z", "requestID": "r1", "message": "{odd"}


@pytest.mark.parametrize("pipe", [False, True], ids=["file", "standard input"])
def test_a_broken_object_is_told(tmp_path: Path, pipe: bool) -> None:
    """One object without an end is counted; those before and after it are shown."""
    whole = json.dumps(OBJECT, indent=2)
    broken = "\n".join(whole.splitlines()[:-2])
    other = whole.replace("r1", "r2")
    data = f"{whole}\n{broken}\n{other}\n".encode()
    done = _shown(data, tmp_path, pipe=pipe)
    assert done.returncode == 0
    assert done.stdout.count("{odd") == 2
    assert done.stderr == "1 line could not be read\n"


@pytest.mark.parametrize("pipe", [False, True], ids=["file", "standard input"])
@pytest.mark.parametrize("kind", ["gzip", "bz2", "xz", "zstd"])
def test_compressed_by_content(tmp_path: Path, kind: str, pipe: bool) -> None:
    """A compressed file is read whatever its name is, and on standard input."""
    pack: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.compress,
        "bz2": bz2.compress,
        "xz": lzma.compress,
    }
    if kind == "zstd":
        pack["zstd"] = need("zstandard").ZstdCompressor().compress
    first, second = (
        pack[kind](json.dumps({**OBJECT, "requestID": one}).encode() + b"\n")
        for one in ("r1", "r2")
    )
    done = _shown(first + second, tmp_path, pipe=pipe)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("{odd") == 2


def test_a_large_array_is_streamed(tmp_path: Path) -> None:
    """What is held of an array are blocks, whatever its length."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{**OBJECT, "n": n} for n in range(20_000)]))
    blocks = list(Source(str(path)).blocks())
    assert len(blocks) > 2
    assert max(len(block.data) for block in blocks) < 3 << 20
    lines = b"".join(block.data[: block.stop] for block in blocks).splitlines()
    assert [json.loads(line)["n"] for line in lines] == list(range(20_000))
