"""
Docker: the lines of a container, by `docker logs`.

After the command line of Docker Engine 28
(https://docs.docker.com/reference/cli/docker/container/logs/), whichever driver keeps
the lines. It joins those that were split. Standard output and error come apart, so that
a line of one is not broken by the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from ctxlog.aggregators._address import Address
from ctxlog.aggregators._command import DELAY, in_order, output, shown
from ctxlog.aggregators._question import Question, Reader


def reader(address: Address) -> Reader:
    """
    Return the reading side.

    Args:
        address: `docker:NAME`, a container's name or id. Which Docker is asked is said
            by `DOCKER_HOST` and `DOCKER_CONTEXT`, as usual.

    Raises:
        ConfigError: if it names no container.
    """
    if address.hosts or not address.path or address.path.startswith("-"):
        raise address.error("a container's name, as docker:shop")
    return _Reader(address)


class _Reader(Reader):
    # It keeps lines as they come, and finds them at once.
    late = 2.0
    as_written = True

    def __init__(self, address: Address) -> None:
        self.name = address.name
        self._container = address.path

    def lines(self, question: Question) -> Iterator[bytes]:
        found = output(self._command(question), errors_too=True)
        return in_order(found, question)

    def explain(self, question: Question) -> str:
        return shown(self._command(question))

    def _command(self, question: Question) -> list[str]:
        command = ["docker", "logs"]
        if question.since is not None:
            command.append(f"--since={math.floor(question.since)}")
        if question.until is not None:
            command.append(f"--until={math.ceil(question.until) + DELAY}")
        return [*command, "--", self._container]
