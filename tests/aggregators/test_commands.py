"""
Lines of containers and pods, by `docker logs` and `kubectl logs`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ctxlog import aggregators
from ctxlog.aggregators import Condition, Question, UnavailableError
from ctxlog.errors import ConfigError
from tests.aggregators.tools import Tool


def line(n: int, second: int = 0) -> bytes:
    """A line of the default schema."""
    members = {"timestamp": f"2026-01-01T00:00:{second:02}Z", "requestID": "a", "n": n}
    return json.dumps(members).encode() + b"\n"


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    """A docker that says what it is told."""
    return Tool("docker", tmp_path, monkeypatch)


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    """A kubectl that says what it is told."""
    return Tool("kubectl", tmp_path, monkeypatch)


def test_the_lines_of_a_container(docker: Tool) -> None:
    """Those of standard output and of standard error, as they were written."""
    docker.prints(line(1), b"text\n", errors=line(2) + b"Traceback")
    reader = aggregators.reader("docker:shop")
    assert list(reader.lines(Question())) == [
        line(1),
        b"text\n",
        line(2),
        b"Traceback\n",
    ]
    assert reader.as_written
    question = Question((Condition("text", "contains", ("x",)),), 10.5, 20.0)
    assert len(list(reader.lines(question))) == 4
    assert reader.explain(question) == ("docker logs --since=10 --until=320 -- shop")
    assert docker.calls() == ["logs -- shop", "logs --since=10 --until=320 -- shop"]


def test_long_lines(docker: Tool) -> None:
    """They come in any number of pieces."""
    long = json.dumps({"requestID": "a", "data": "x" * 1_000_000}).encode() + b"\n"
    docker.prints(line(1), long, line(2), errors=long)
    lines = list(aggregators.reader("docker:shop").lines(Question()))
    assert sorted(lines) == sorted([line(1), long, line(2), long])


def test_the_lines_of_pods(kubectl: Tool) -> None:
    """All lines of all containers; what kubectl says beside them is none."""
    kubectl.prints(line(1), b"text\n", line(2), errors=b"Defaulted container\n")
    reader = aggregators.reader("kube:app=shop,tier in (web)")
    assert list(reader.lines(Question())) == [line(1), b"text\n", line(2)]
    assert kubectl.calls() == [
        "logs --selector=app=shop,tier in (web) --all-containers --tail=-1 "
        "--max-log-requests=1000"
    ]
    reader = aggregators.reader("kube://prod/app.kubernetes.io/name=shop")
    assert reader.explain(Question(since=1767225600.5)) == (
        "kubectl logs --selector=app.kubernetes.io/name=shop --namespace=prod "
        "--all-containers --tail=-1 --max-log-requests=1000 "
        "--since-time=2026-01-01T00:00:00Z"
    )


def test_order(kubectl: Tool) -> None:
    """Pods are printed one after the other: their lines are put in order of time."""
    pods = [line(1, 10), b"below 1\n", line(2, 30), line(3, 20), b"below 3\n"]
    kubectl.prints(b"begin\n", *pods)
    reader = aggregators.reader("kube:app=shop")
    oldest = list(reader.lines(Question(order="oldest")))
    assert oldest == [b"begin\n", *pods[:2], *pods[3:], pods[2]]
    newest = list(reader.lines(Question(order="newest", limit=3)))
    assert newest == [pods[2], *pods[3:]]
    assert list(reader.lines(Question(limit=2))) == [b"begin\n", pods[0]]


@pytest.mark.parametrize(
    ("address", "tool"), [("docker:shop", "docker"), ("kube:app=shop", "kubectl")]
)
def test_a_tool_that_is_missing_or_fails(
    address: str, tool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said in one sentence."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match=f"^{tool} is not installed$"):
        list(aggregators.reader(address).lines(Question()))
    Tool(tool, tmp_path, monkeypatch).fails("first\nNo such container: shop\n\n")
    with pytest.raises(UnavailableError, match="^No such container: shop$"):
        list(aggregators.reader(address).lines(Question()))


@pytest.mark.parametrize(
    "address",
    [
        "docker:",
        "docker:--follow",
        "docker://shop",
        "kube:",
        "kube://a,b/c",
        "kube://a",
    ],
)
def test_addresses_that_name_nothing(address: str) -> None:
    """They are refused before a tool is run."""
    with pytest.raises(ConfigError, match="expected"):
        aggregators.reader(address)
