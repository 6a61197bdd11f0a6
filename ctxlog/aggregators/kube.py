"""
Kubernetes: the lines of the pods that a selector names, by `kubectl logs`.

After the command line of Kubernetes 1.32
(https://kubernetes.io/docs/reference/kubectl/generated/kubectl_logs/). The node keeps
what has not been rotated away of pods that are still there: for more there are stores.
It joins lines that were split.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone

from ctxlog.aggregators._address import Address
from ctxlog.aggregators._command import in_order, output, shown
from ctxlog.aggregators._question import Question, Reader

#: The most pods at once: kubectl refuses more than it was told of.
_MOST_PODS = 1000


def reader(address: Address) -> Reader:
    """
    Return the reading side.

    Args:
        address: `kube:app=shop`, or `kube://NAMESPACE/app=shop`: any selector of
            labels. The cluster is that of kubectl's current context.

    Raises:
        ConfigError: if there is no selector.
    """
    selector = address.path.lstrip("/") if address.hosts else address.path
    if not selector or len(address.hosts) > 1:
        raise address.error("a selector, as kube:app=shop or kube://NAMESPACE/app=shop")
    return _Reader(address, selector)


class _Reader(Reader):
    # Pods are read one after the other; each keeps its lines as they come.
    late = 10.0
    pause = 2.0
    as_written = True

    def __init__(self, address: Address, selector: str) -> None:
        self.name = address.name
        self._namespace = address.host
        self._selector = selector

    def lines(self, question: Question) -> Iterator[bytes]:
        return in_order(output(self._command(question)), question)

    def explain(self, question: Question) -> str:
        return shown(self._command(question))

    def _command(self, question: Question) -> list[str]:
        command = ["kubectl", "logs", f"--selector={self._selector}"]
        if self._namespace:
            command.append(f"--namespace={self._namespace}")
        # With a selector it prints ten lines of each unless it is told otherwise.
        command += ["--all-containers", "--tail=-1"]
        command.append(f"--max-log-requests={_MOST_PODS}")
        if question.since is not None:
            since = datetime.fromtimestamp(int(question.since), timezone.utc)
            command.append(f"--since-time={since:%Y-%m-%dT%H:%M:%SZ}")
        return command
