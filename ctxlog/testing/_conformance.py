"""
Check a logger against the table of behaviors.
"""

from __future__ import annotations

from collections.abc import Iterable

from ctxlog.testing import _context_behaviors, _line_behaviors
from ctxlog.testing._bench import Behavior, Log, Read

#: The behaviors that the lines of every logger share, in the order of being checked.
BEHAVIORS: tuple[Behavior, ...] = tuple(
    found
    for module in (_line_behaviors, _context_behaviors)
    for found in vars(module).values()
    if isinstance(found, Behavior)
)


def check_adapter(log: Log, read: Read, *, skip: Iterable[str] = ()) -> None:
    """
    Check that a logger's lines behave as those of every other logger.

    For authors of adapters: checks all of `BEHAVIORS`, in the default schema and with
    the names of the process (`request_id_key`, `case`). Each may also be a test of its
    own::

        @pytest.mark.parametrize("behavior", BEHAVIORS, ids=str)
        def test_conformance(behavior):
            behavior.check(log, read)

    Args:
        log: Makes one `LogCall` with the logger. Called from several threads, and
            within event loops.
        read: Returns everything that was written so far, from the very first line on;
            waits for a queue.
        skip: Names of behaviors to leave out.

    Raises:
        AssertionError: if some do not hold; the text lists all of them.
        ValueError: if *skip* has the name of no behavior.
    """
    __tracebackhide__ = True
    skipped = set(skip)
    unknown = skipped - {behavior.name for behavior in BEHAVIORS}
    if unknown:
        raise ValueError(f"no such behavior: {', '.join(sorted(unknown))}")
    checked = [one for one in BEHAVIORS if one.name not in skipped]
    failed = []
    for behavior in checked:
        try:
            behavior.check(log, read)
        except AssertionError as error:
            text = str(error).replace("\n", "\n      ")
            failed.append(f"- {behavior.name}: {behavior.sentence}\n      {text}")
    if failed:
        count = f"{len(failed)} of {len(checked)} behaviors do not hold"
        raise AssertionError(f"{count}:\n" + "\n".join(failed))
