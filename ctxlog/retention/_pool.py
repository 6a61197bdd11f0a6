"""
The memory that lines wait in: one budget for the process.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable


class Loan(weakref.ref[object]):
    """
    What one borrower has of a pool, until the borrower is gone.

    Attributes:
        chunks: How many chunks that is.
    """

    __slots__ = ("chunks",)

    def __init__(self, borrower: object, over: Callable[[Loan], object]) -> None:
        super().__init__(borrower, over)  # type: ignore[call-arg]
        self.chunks = 0


class Pool:
    """
    A number of bytes, lent in chunks. Safe from any thread and any signal handler.

    Each chunk is a member of a deque, since taking from a deque and adding to it are
    atomic: a lock could be held by the code that a signal handler interrupts. A loan
    that is over goes to another deque, without any code of Python's: what a signal
    handler raises in a finalizer is lost. Who asks next takes it back.

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
        # Kept here, since a reference that is gone first tells nothing.
        self._loans: set[Loan] = set()
        self._over: deque[Loan] = deque()

    def lend(self, borrower: object) -> Loan:
        """Return a loan of no chunks, for as long as its borrower lives."""
        loan = Loan(borrower, self._over.append)
        self._loans.add(loan)
        return loan

    def add_to(self, loan: Loan) -> bool:
        """Add a chunk to a loan; return whether there was one."""
        while self._over:
            self._take_back()
        try:
            self._free.pop()
        except IndexError:
            return False
        loan.chunks += 1
        return True

    def _take_back(self) -> None:
        try:
            loan = self._over.popleft()
        except IndexError:  # another thread was faster
            return
        self._free.extend([None] * loan.chunks)
        self._loans.discard(loan)

    def share(self, users: int) -> int:
        """Return how many bytes each of several users may have, at least a chunk."""
        return max(self._total // max(users, 1), self.chunk)

    def renewed(self) -> Pool:
        """Return another of the same size: of this one nothing comes back."""
        return Pool(self._total)
