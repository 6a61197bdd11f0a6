"""
The memory that lines wait in: one budget for the process.
"""

from __future__ import annotations

from collections import deque


class Pool:
    """
    A number of bytes, lent in chunks. Safe from any thread and any signal handler.

    Each chunk is a member of a deque, since taking from a deque and adding to it are
    atomic: a lock could be held by the code that a signal handler interrupts.

    Args:
        total: The most bytes that are lent.

    Attributes:
        chunk: The bytes of one chunk.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        # Not too many, of however many bytes.
        self.chunk = max(1, min(4096, total // 64), total // 65_536)
        self._free = deque([None] * (total // self.chunk))

    def take(self) -> bool:
        """Take a chunk; return whether there was one."""
        try:
            self._free.pop()
        except IndexError:
            return False
        return True

    def give_back(self, chunks: int) -> None:
        """Give some chunks back."""
        self._free.extend([None] * chunks)

    def share(self, users: int) -> int:
        """Return how many bytes each of several users may have, at least a chunk."""
        return max(self._total // max(users, 1), self.chunk)

    def renewed(self) -> Pool:
        """Return another of the same size: of this one nothing comes back."""
        return Pool(self._total)
