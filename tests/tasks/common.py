"""
What must hold for every task library; the modules of tests say for which.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.helpers import run_python
from tests.tasks.judge import check_tokens, completions, one_store_each
from tests.tasks.libraries import Library
from tests.tasks.worker import Process, running

__all__ = ["Shop", "shop"]

AT_ONCE = 50

_SENDER = """
import asyncio, inspect, sys
sys.path.insert(0, {folder!r})
import ctxlog
import shop


def send(fields, name, token, how="send"):
    sent = ctxlog.run(fields, getattr(shop, how), name, token)
    if inspect.isawaitable(sent):
        return sent
    return asyncio.sleep(0)


async def main():
{body}


asyncio.run(main())
"""


class Shop:
    """A running worker, and how to send it tasks from another process."""

    def __init__(self, library: Library, folder: Path, broker: str, worker: Process):
        self.library = library
        self.worker = worker
        self._folder = folder
        self._broker = broker

    def send(self, *lines: str) -> None:
        """Run these lines of a coroutine that sends tasks."""
        body = "\n".join(f"    {line}" for line in lines)
        source = _SENDER.format(folder=str(self._folder), body=body)
        env = {**os.environ, "BROKER": self._broker}
        run_python("-c", source, cwd=self._folder, env=env)

    def ended(self, name: str, count: int = 1, **wanted: Any) -> list[dict[str, Any]]:
        """The completion lines of a task, once there are so many."""

        def is_wanted(event: dict[str, Any]) -> bool:
            return (
                event["logger"] == "ctxlog.task"
                and event["task"].rpartition(".")[2].rpartition(":")[2].lower() == name
                and all(event.get(key) == value for key, value in wanted.items())
            )

        return self.worker.until(is_wanted, count)

    def lines_of(self, task_id: str) -> list[dict[str, Any]]:
        """The lines of one task."""
        return [one for one in self.worker.events() if one.get("taskID") == task_id]

    # What must hold.

    def check_at_once(self) -> None:
        """Requests at once over workers used again: none wrong, none missing."""
        began = time.time()
        self.send(
            "for n in range(50):",
            "    fields = {'requestID': f'req-{n}', 'user': {'id': n}, 'other': 1}",
            "    await send(fields, 'charge', f'tok-{n}')",
        )
        found = self.ended("charge", AT_ONCE)
        assert {e["requestID"] for e in found} == {f"req-{n}" for n in range(AT_ONCE)}
        events = self.worker.events()
        one_store_each(events)
        counted = check_tokens(events)
        assert {f"tok-{n}" for n in range(AT_ONCE)} <= set(counted)
        for end in found:
            assert end["outcome"] == "succeeded"
            assert end["user"] == {"id": int(end["requestID"].removeprefix("req-"))}
            assert end["durationMs"] > 0
            assert "other" not in end
            assert end["route"] == end["task"]
            # It was sent by a process that has run since.
            assert 0 <= end["queueMs"] < (_moment(end) - began) * 1000
            assert end.get("rows") == (3 if self.library.counts else None)
            if self.library.counts:
                assert end["render"]["count"] == 1
            own = self.lines_of(end["taskID"])
            assert {e["requestID"] for e in own} == {end["requestID"]}
            assert len(own) >= 2
            assert not any("route" in e or "rows" in e for e in own if e != end)
        assert self.worker.others() == [] or all(
            "tok-" not in text for text in self.worker.others()
        )

    def check_own_lines(self) -> None:
        """The worker's own lines about a task have its id."""
        self.send(
            "await send({'requestID': 'req-own'}, 'charge', 'own')",
            "await send({'requestID': 'req-own'}, 'fails', 'own')",
        )
        self.ended("charge", requestID="req-own")
        self.ended("fails", requestID="req-own")
        for start in self.library.own:
            self.worker.until(
                lambda e, s=start: (  # type: ignore[misc]
                    e["message"].startswith(s) and e["requestID"] == "req-own"
                )
            )

    def check_failure(self) -> None:
        """A failure has its traceback on a line of the request, and is the outcome."""
        self.send("await send({'requestID': 'req-F'}, 'fails', 'x')")
        (end,) = self.ended("fails", requestID="req-F")
        assert (end["outcome"], end["level"]) == ("failed", "ERROR")
        assert end["error"] == "ValueError"
        (report,) = self.worker.until(
            lambda e: (
                e["requestID"] == "req-F"
                and "broken x" in str(e.get("exception", "")) + e["message"]
            )
        )
        assert report["level"] == "ERROR"

    def check_retry(self) -> None:
        """Attempts are counted; the task stays the same, and is not its own parent."""
        self.send("await send({'requestID': 'req-R'}, 'flaky', 'x')")
        first, second = sorted(
            self.ended("flaky", 2, requestID="req-R"), key=lambda e: int(e["attempt"])
        )
        assert (first["attempt"], first["outcome"]) == (1, "retried")
        assert (second["attempt"], second["outcome"]) == (2, "succeeded")
        assert first["taskID"] == second["taskID"]
        assert second.get("parentTaskID") is None

    def check_parent(self) -> None:
        """A task that sends a task is its parent, in the same request."""
        self.send("await send({'requestID': 'req-P'}, 'parent', 'child')")
        (parent,) = self.ended("parent", requestID="req-P")
        (child,) = self.ended("charge", requestID="req-P")
        assert child["parentTaskID"] == parent["taskID"]
        assert child["taskID"] != parent["taskID"]

    def check_rules(self) -> None:
        """The application's rules decide on the lines, of a worker with `RULES`."""
        self.send(
            "await send({'requestID': 'req-P'}, 'parent', 'child')",
            "await send({'requestID': 'req-F'}, 'fails', 'x')",
        )
        (child,) = self.ended("charge", requestID="req-P")
        (failed,) = self.ended("fails", requestID="req-F")
        assert (child["slow"], child["level"]) == (True, "WARNING")
        assert (failed["slow"], failed["level"]) == (True, "ERROR")
        assert child["ended"] == ["succeeded", "NoneType"]
        assert failed["ended"] == ["failed", "ValueError"]
        assert child["request"] == self.library.request
        # The child was sent by the parent, which may still run.
        self.worker.stop(self.library.stop)
        named = {e["task"] for e in completions(self.worker.events())}
        assert not any("parent" in name for name in named)

    def check_nobody(self) -> None:
        """After a request, tasks sent outside of one have fresh ids, header or not."""
        self.send(
            "await send({'requestID': 'req-N'}, 'charge', 'somebody')",
            "with ctxlog.detached():",
            "    sent = shop.send('charge', 'nobody')",
            "    await (sent if inspect.isawaitable(sent) else asyncio.sleep(0))",
            "await send({'requestID': 'req-N'}, 'charge', 'bare', 'send_bare')",
        )
        for token in ("nobody", "bare"):
            (line,) = self.worker.until(
                lambda e, t=token: e["message"] == f"charging {t}"  # type: ignore[misc]
            )
            self.ended("charge", taskID=line["taskID"])
            own = self.lines_of(line["taskID"])
            assert len({e["requestID"] for e in own}) == 1
            assert line["requestID"] not in ("N/A", "req-N")
            assert len(line["requestID"]) == 32
        assert len(completions(self.worker.events())) >= 3


def _moment(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["timestamp"].replace("Z", "+00:00")).timestamp()


Broker = Callable[[str], str]


@contextmanager
def shop(
    library: Library, folder: Path, broker: str, **variables: str
) -> Iterator[Shop]:
    """Run a worker of a library, with further variables in its environment."""
    (folder / "shop.py").write_text(library.source, encoding="utf-8")
    command = [part.replace("BROKER", broker) for part in library.command]
    variables["BROKER"] = broker
    with running(command, folder, stop_with=library.stop, **variables) as worker:
        worker.until_text(library.ready)
        yield Shop(library, folder, broker, worker)
