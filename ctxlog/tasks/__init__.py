"""Adapters for task queues, brokers and schedulers, a module for each library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctxlog import _lazy

if TYPE_CHECKING:
    from ctxlog.tasks import apscheduler as apscheduler
    from ctxlog.tasks import arq as arq
    from ctxlog.tasks import celery as celery
    from ctxlog.tasks import dramatiq as dramatiq
    from ctxlog.tasks import faststream as faststream
    from ctxlog.tasks import huey as huey
    from ctxlog.tasks import processes as processes
    from ctxlog.tasks import rq as rq
    from ctxlog.tasks import taskiq as taskiq
else:
    __getattr__, __dir__ = _lazy.lazily(__name__)
