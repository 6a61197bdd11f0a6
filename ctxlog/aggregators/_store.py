"""
What every store of lines can do. Private to `aggregators/`, which exports it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType


class UnavailableError(Exception):
    """
    The store does not take lines now: it cannot be reached, is busy, or has failed.

    A store that answers for each line may have taken some of them. The others are in
    *left*; sending all again would store lines twice.

    Args:
        reason: Why, in a few words; without credentials.
        retry_after: The seconds that the store asks to wait, if it does.
        left: The places of the lines to send again, in order; None for all.
        refused: Why single lines were refused, by their places, as `send()` returns it.
    """

    def __init__(
        self,
        reason: str,
        retry_after: float | None = None,
        left: Sequence[int] | None = None,
        refused: Mapping[int, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.left = left
        self.refused = refused


class UnreachableError(UnavailableError):
    """Nothing listens there: a process that ends does not wait for the store."""


class DeniedError(UnavailableError):
    """
    The store takes nothing from here until an operator changes something.

    That is a credential, a right, the address, or whom to trust. Lines are kept and
    sent again, as with any `UnavailableError`, but it is said at once.
    """


class RefusedError(Exception):
    """
    The store will never take these lines together: some line of them is wrong.

    Args:
        reason: Why, in a few words; without credentials.
        answer: All that the store has answered.
    """

    def __init__(self, reason: str, answer: bytes = b"") -> None:
        super().__init__(reason)
        self.answer = answer


class Receiver(ABC):
    """
    The writing side of a store. One thread uses it at a time.

    Attributes:
        name: What lines and errors call it: its address without credentials.
        max_lines: The most lines of one `send()`.
        max_bytes: The most bytes of lines of one `send()`.
    """

    name: str
    max_lines: int = 1_000
    max_bytes: int = 1_000_000

    @abstractmethod
    def send(self, lines: Sequence[bytes], timeout: float) -> Mapping[int, str]:
        """
        Send lines, each with its newline, in order; return when the store has them.

        Args:
            lines: Finished JSON lines. One that is no JSON is sent as a message.
            timeout: The most seconds to wait.

        Returns:
            Why single lines were refused, by their places in `lines`; empty if the
            store took all.

        Raises:
            UnavailableError: if the same lines may be sent again later, or those in
                its *left*.
            RefusedError: if the lines as a whole were refused, which says nothing about
                each of them.
        """

    def close(self) -> None:
        """Close connections; the next `send()` opens them again."""
        return  # a store may have none
