"""
Dramatiq: what its messages can do besides being sent, with real workers and a broker.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

import ctxlog
from ctxlog.carrier import unpack
from ctxlog.testing import capture_lines
from tests.helpers import need
from tests.tasks.common import Shop, shop
from tests.tasks.judge import one_store_each
from tests.tasks.libraries import HEAD, Library

dramatiq = need("dramatiq")
adapter = need("ctxlog.tasks.dramatiq")

SHOP = (
    HEAD
    + """
import time
import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import GroupCallbacks, SkipMessage, Middleware
from dramatiq.rate_limits.backends import RedisBackend
from ctxlog.tasks.dramatiq import install

url = os.environ["BROKER"]
broker = RedisBroker(url=url)
broker.add_middleware(GroupCallbacks(RedisBackend(url=url)))


class Picky(Middleware):
    def before_process_message(self, broker, message):
        if message.kwargs.get("unwanted"):
            log.info("skipping")
            raise SkipMessage("unwanted")


broker.add_middleware(Picky())
install(broker)
dramatiq.set_broker(broker)


@dramatiq.actor
def charge(token, unwanted=False):
    log.info("charging %s", token)
    ctxlog.count("rows", 3)
    return f"{token}-next"


@dramatiq.actor
def completed(token):
    log.info("completed %s", token)


@dramatiq.actor(max_retries=0, time_limit=100)
def slow(token):
    log.info("slow %s", token)
    while True:  # the time limit raises between two steps
        time.sleep(0.01)


def send(name, token):
    if name == "pipeline":
        (charge.message(token) | charge.message() | completed.message()).run()
    elif name == "group":
        group = dramatiq.group([charge.message(f"{token}-{n}") for n in range(3)])
        group.add_completion_callback(completed.message(token))
        group.run()
    elif name == "delayed":
        charge.send_with_options(args=(token,), delay=50)
    elif name == "skipped":
        charge.send(token, unwanted=True)
    else:
        slow.send(token)
"""
)

WORKERS = {
    "threads": Library(
        "dramatiq", SHOP, ("dramatiq", "shop", "-p", "1", "-t", "4"), "is ready"
    ),
    "gevent": Library(
        "dramatiq", SHOP, ("dramatiq-gevent", "shop", "-p", "1", "-t", "4"), "is ready"
    ),
}


@pytest.fixture(scope="module", params=WORKERS)
def running_shop(
    request: pytest.FixtureRequest,
    redis: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Shop]:
    """A worker with threads, then one with greenlets."""
    need("gevent")
    folder = tmp_path_factory.mktemp("dramatiq")
    with shop(WORKERS[request.param], folder, redis) as running:
        yield running


def test_a_pipeline(running_shop: Shop) -> None:
    """Each message of it is the child of the one before, in the same request."""
    running_shop.send("await send({'requestID': 'req-pipe'}, 'pipeline', 'p')")
    (last,) = running_shop.ended("completed", requestID="req-pipe")
    charged = running_shop.ended("charge", 2, requestID="req-pipe")
    # In any order: the next one is sent before the one before has written its line.
    first, second = sorted(charged, key=lambda end: "parentTaskID" in end)
    assert "parentTaskID" not in first
    assert second["parentTaskID"] == first["taskID"]
    assert last["parentTaskID"] == second["taskID"]


def test_a_group(running_shop: Shop) -> None:
    """Its messages and its completion callback are of the request that ran it."""
    running_shop.send("await send({'requestID': 'req-group'}, 'group', 'g')")
    found = running_shop.ended("charge", 3, requestID="req-group")
    assert len({end["taskID"] for end in found}) == 3
    assert {end["rows"] for end in found} == {3}
    running_shop.ended("completed", requestID="req-group")


def test_a_delayed_message(running_shop: Shop) -> None:
    """The worker that passes it on changes nothing."""
    running_shop.send("await send({'requestID': 'req-delay'}, 'delayed', 'x')")
    (end,) = running_shop.ended("charge", requestID="req-delay")
    assert "parentTaskID" not in end
    assert 0 <= end["queueMs"] < 60_000


def _message(due: float | None = None, **options: object) -> Any:
    header = {} if due is None else {"ctxlog": f'{{"timestamp":{due * 1000}}}'}
    return dramatiq.Message(
        queue_name="default",
        actor_name="charge",
        args=(),
        kwargs={},
        options={**header, **options},
        message_timestamp=1_764_000_000_000,
    )


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> float:
    """What the clock shows."""
    monkeypatch.setattr(time, "time", lambda: 1_764_000_600.0)
    return 1_764_000_600.0


@pytest.mark.parametrize(
    ("delay", "options", "later"),
    [(None, {}, 0), (5000, {}, 5), (None, {"eta": 1_764_000_660_000}, 60)],
)
def test_a_message_says_when_it_is_due(
    delay: int | None, options: dict[str, object], later: float, moment: float
) -> None:
    """At the end of its delay; a worker that passes it on leaves that as it is."""
    middleware = adapter.ContextMiddleware()
    message = _message(**options)
    middleware.before_enqueue(None, message, delay)
    assert unpack(message.options["ctxlog"]).due == moment + later
    middleware.before_enqueue(None, message, None)
    assert unpack(message.options["ctxlog"]).due == moment + later
    # A retry, which the message's own store sends.
    message.options.pop("eta", None)
    ctxlog.run({}, middleware.before_enqueue, None, message, 90_000)
    assert unpack(message.options["ctxlog"]).due == moment + 90


@pytest.mark.parametrize(("due", "waited"), [(None, 600), (1_764_000_599.5, 0.5)])
def test_the_time_in_the_queue(due: float | None, waited: float, moment: float) -> None:
    """It begins with what the message carries, or the time of the message itself."""
    middleware = adapter.ContextMiddleware()
    message = dramatiq.broker.MessageProxy(_message(due))
    with capture_lines() as lines:
        middleware.before_process_message(None, message)
        middleware.after_process_message(None, message)
    assert lines[0]["queueMs"] == waited * 1000


def test_a_message_that_other_middleware_refuses(running_shop: Shop) -> None:
    """It is completed as skipped, and what that middleware logs is of its request."""
    running_shop.send("await send({'requestID': 'req-skip'}, 'skipped', 'x')")
    (end,) = running_shop.ended("charge", requestID="req-skip")
    assert end["outcome"] == "skipped"
    own = running_shop.lines_of(end["taskID"])
    assert "skipping" in {line["message"] for line in own}


def test_a_time_limit(running_shop: Shop) -> None:
    """It is a failure, reported with its request."""
    running_shop.send("await send({'requestID': 'req-slow'}, 'slow', 'x')")
    (end,) = running_shop.ended("slow", requestID="req-slow")
    assert (end["outcome"], end["error"]) == ("failed", "TimeLimitExceeded")
    one_store_each(running_shop.worker.events())
