"""
What the adapters of queues replace, over and under the patches of others.
"""

from __future__ import annotations

import importlib

import pytest

from ctxlog._patch import Patch
from tests.helpers import need
from tests.patches import judge


@pytest.mark.parametrize("name", ["celery", "rq", "faststream", "apscheduler"])
def test_each_patch_in_company(name: str) -> None:
    """
    Each one looks as what it replaces, and nothing is left behind, in every order.
    """
    need(name)
    module = importlib.import_module(f"ctxlog.tasks.{name}")
    patches = [
        one
        for value in vars(module).values()
        for one in (value if isinstance(value, tuple) else (value,))
        if isinstance(one, Patch)
    ]
    assert patches
    for patch in patches:
        judge(patch)


@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_huey_in_company(first: str) -> None:
    """
    What another library puts on the class `Huey`, before or after, is called, too.
    """
    need("huey")
    from huey import MemoryHuey
    from huey.api import Huey

    from ctxlog.tasks import huey as adapter

    called: list[str] = []
    found = Huey.execute

    def execute(huey: Huey, *args: object, **kwargs: object) -> object:
        called.append("theirs")
        return found(huey, *args, **kwargs)

    queue = MemoryHuey()
    task = queue.task()(lambda: called.append("task"))
    try:
        if first == "theirs":
            Huey.execute = execute
        adapter.install(queue)
        if first == "ours":
            Huey.execute = execute
        task()
        queue.execute(queue.dequeue())
    finally:
        Huey.execute = found
        adapter.uninstall(queue)
    assert called == ["theirs", "task"]
    assert {"execute", "serialize_task", "deserialize_task"}.isdisjoint(vars(queue))
