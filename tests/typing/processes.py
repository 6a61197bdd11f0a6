"""
What crosses processes, as its users write it. Never run.
"""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING

import ctxlog
from ctxlog.carrier import CarriedItem, extract, inject, pack, unpack
from ctxlog.completion import Completed

if TYPE_CHECKING:
    from typing_extensions import assert_type


@ctxlog.entry
def bare(rows: int) -> str:
    return str(rows)


def id_of(event: dict[str, str]) -> str | None:
    return event.get("id")


@ctxlog.entry("nightly", request_id=id_of, tenant="t1")
async def configured(event: dict[str, str]) -> int:
    return len(event)


def fields_of(done: Completed) -> dict[str, object] | bool:
    return False if done.duration < 0.1 else {"status": done.status}


@ctxlog.entry(completion=fields_of, completion_level=lambda done: "ERROR", slow=1)
def ruled() -> int:
    return 1


async def entries() -> None:
    assert_type(ruled(), int)
    assert_type(bare(3), str)
    assert_type(await configured({}), int)
    bare("three")  # type: ignore[arg-type]  # pyright: ignore


def items() -> None:
    jobs: queue.Queue[CarriedItem[int]] = queue.Queue()
    jobs.put(ctxlog.carry(7))
    with ctxlog.adopt(jobs.get()) as item:
        assert_type(item, int)


def headers() -> None:
    assert_type(inject({"Accept": "*/*"}, fields=["tenant"]), dict[str, str])
    assert_type(extract([("x-request-id", "a")]), dict[str, object])
    assert_type(pack(fields=["user"], due=1764000000.0), str)
    assert_type(unpack(None).due, float | None)
    request_id = unpack(pack())["requestID"]
    assert_type(request_id, object)
