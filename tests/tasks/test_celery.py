"""
Celery: workers of every pool, started from the command line, with a real broker.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from ctxlog.carrier.messages import MAX_MESSAGE_BYTES
from tests.helpers import need, run_python
from tests.tasks.judge import check_tokens, completions, one_store_each
from tests.tasks.worker import Process, running

need("celery")
adapter = need("ctxlog.tasks.celery")

APP = """
import logging
import os

from celery import Celery, Task, signals
from celery.exceptions import Ignore, Reject
from celery.utils.log import get_task_logger
from celery.worker.request import Request

import ctxlog
from ctxlog.tasks import celery

ctxlog.configure(format="json")
log = get_task_logger("shop")


@signals.task_prerun.connect
def before(task_id=None, **_):
    log.info("before %s", task_id)


celery.install(fields=["user"])



@signals.task_postrun.connect
def after(task_id=None, **_):
    log.info("after %s", task_id)


broker = os.environ["BROKER"]
backend = "rpc://" if broker.startswith("amqp") else broker
app = Celery("shop", broker=broker, backend=backend)
app.conf.broker_connection_retry_on_startup = True
app.conf.worker_prefetch_multiplier = 20


@app.task
def charge(token):
    log.info("charging %s", token)
    with ctxlog.timed("render"):
        ctxlog.count("rows", 2)
    ctxlog.count("rows")
    return token


@app.task(bind=True, max_retries=3)
def flaky(self, token):
    log.info("trying %s", token)
    if self.request.retries < 1:
        raise self.retry(countdown=0, exc=ConnectionError("gone"))


@app.task(autoretry_for=(OSError,), max_retries=1, default_retry_delay=0)
def hopeless(token):
    raise OSError(f"never {token}")


@app.task
def fails(token):
    raise ValueError(f"broken {token}")


@app.task(bind=True)
def ends(self, how):
    raise {"ignore": Ignore, "reject": Reject}[how]()


@app.task
def parent(token):
    ctxlog.bind(seen=1)
    charge.apply_async((token,), queue="own")


@app.task
def prints(token):
    print(f"printed {token}")


@app.task(time_limit=1)
def hangs():
    import time
    time.sleep(60)


@app.task(soft_time_limit=1)
def slow():
    import time
    time.sleep(60)


@app.task
def dies(how):
    import signal, sys
    if how == "exit":
        sys.exit(3)
    os.kill(os.getpid(), signal.SIGKILL)


@app.task
def waits(token):
    import time
    log.info("waiting %s", token)
    time.sleep(60)


class OwnRequest(Request):
    def on_failure(self, *args, **kwargs):
        log.warning("own request of %s", self.name)
        return super().on_failure(*args, **kwargs)


class OwnTask(Task):
    Request = OwnRequest


@app.task(base=OwnTask)
def own(token):
    raise ValueError(token)


@signals.worker_process_init.connect
def forked(**_):
    log.info("forked process %d", os.getpid())


@app.task
def total(tokens):
    log.info("total of %d", len(tokens))


app.conf.beat_schedule = {
    "often": {"task": "shop.charge", "schedule": 0.2, "args": ("beat",)},
}
"""

POOLS = {
    "prefork": ("-P", "prefork", "-c", "2"),
    "threads": ("-P", "threads", "-c", "4"),
    "gevent": ("-P", "gevent", "-c", "10"),
    "solo": ("-P", "solo"),
}


def worker_command(*options: str) -> list[str]:
    """How a worker is started."""
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    return ["celery", "-A", "shop", "worker", *quiet, *options]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the application is."""
    path: Path = tmp_path_factory.mktemp("celery")
    (path / "shop.py").write_text(APP, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def broker(redis: str) -> str:
    """The broker's address."""
    return redis


Send = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="module")
def send(folder: Path, broker: str) -> Send:
    """Runs a program that sends tasks, in a process of its own; returns its lines."""

    def sending(program: str) -> list[dict[str, Any]]:
        source = (
            f"import sys; sys.path.insert(0, {str(folder)!r})\nimport shop, ctxlog\n"
        )
        env = {**os.environ, "BROKER": broker}
        done = run_python("-c", source + program, cwd=folder, env=env)
        return [json.loads(x) for x in done.stdout.splitlines() if x.startswith("{")]

    return sending


@pytest.fixture(scope="module", params=POOLS)
def worker(
    request: pytest.FixtureRequest, folder: Path, broker: str
) -> Iterator[Process]:
    """A worker of each pool in turn."""
    command = worker_command(*POOLS[request.param])
    with running(command, folder, BROKER=broker) as process:
        process.until(lambda event: event["message"].endswith(" ready."))
        yield process


@pytest.fixture(scope="module")
def prefork(folder: Path, broker: str) -> Iterator[Process]:
    """A worker of the default pool."""
    command = worker_command("-c", "2", "-Q", "own")
    with running(command, folder, BROKER=broker) as process:
        process.until(lambda event: event["message"].endswith(" ready."))
        yield process


def ended(process: Process, name: str, count: int = 1) -> list[dict[str, Any]]:
    """The completion lines of tasks of a name, once there are so many."""
    return process.until(
        lambda e: e["logger"] == "ctxlog.task" and e["task"] == f"shop.{name}", count
    )


def about(process: Process, request_id: str) -> list[dict[str, Any]]:
    """The lines that have an id."""
    return [event for event in process.events() if event["requestID"] == request_id]


def test_fifty_requests_at_once(worker: Process, send: Send) -> None:
    """Each task's lines, the worker's own included, have the id of who sent it."""
    before = len(completions(worker.events()))
    send(
        "for n in range(50):\n"
        "    fields = {'requestID': f'req-{n}', 'user': {'id': n}, 'other': 1}\n"
        "    ctxlog.run(fields, lambda n=n: shop.charge.delay(f'tok-{n}'))\n"
    )
    worker.until(lambda event: event["logger"] == "ctxlog.task", before + 50)
    events = worker.events()
    counted = check_tokens(events)
    assert {f"tok-{n}" for n in range(50)} <= set(counted)
    one_store_each(events)
    for event in completions(events)[before:]:
        assert event["message"] == "shop.charge succeeded"
        assert (event["task"], event["attempt"]) == ("shop.charge", 1)
        assert event["user"] == {"id": int(event["requestID"].removeprefix("req-"))}
        assert event["durationMs"] > 0
        assert event["route"] == "shop.charge"
        assert event["queueMs"] >= 0
        assert (event["rows"], event["render"]["count"]) == (3, 1)
        assert "other" not in event
        own = [e for e in events if e.get("taskID") == event["taskID"]]
        loggers = {e["logger"] for e in own}
        assert loggers == {
            "celery.worker.strategy",
            "shop",
            "celery.app.trace",
            "ctxlog.task",
        }
        said = {e["message"].split()[0] for e in own if e["logger"] == "shop"}
        assert said == {"before", "charging", "after"}
    assert worker.others() == [] or "celery@" in "".join(worker.others())


def test_a_message_without_the_header(worker: Process, send: Send) -> None:
    """After request A a task sent outside of any has one fresh id on all its lines."""
    send(
        "ctxlog.run({'requestID': 'req-A'}, lambda: shop.charge.delay('A'))\n"
        "from ctxlog.tasks import celery\n"
        "celery.uninstall()\n"
        "shop.charge.delay('nobody')\n"
    )
    worker.until(lambda e: e["message"] == "charging nobody")
    (task_id,) = {e["taskID"] for e in worker.events() if "nobody" in e["message"]}
    worker.until(lambda e: e["logger"] == "ctxlog.task" and e["taskID"] == task_id)
    own = [event for event in worker.events() if event.get("taskID") == task_id]
    assert len(own) == 6
    assert len({event["requestID"] for event in own}) == 1
    assert own[0]["requestID"] not in ("req-A", "N/A")
    assert "parentTaskID" not in own[0]


def test_what_a_message_forges(worker: Process, send: Send) -> None:
    """A bad header is treated as missing: too long, too deep, a line break, `level`."""
    bad = {
        "long": '{"requestID":"req-A","x":"' + "x" * MAX_MESSAGE_BYTES + '"}',
        "deep": "[" * 1000 + "]" * 1000,
        "list": '["requestID"]',
        "break": '{"requestID":"a\\nb"}',
        "level": '{"requestID":"req-L","level":"DEBUG","taskID":"forged"}',
    }
    send(
        f"bad = {bad!r}\n"
        "from ctxlog.tasks import celery\n"
        "celery.uninstall()\n"
        "for name, header in bad.items():\n"
        "    shop.charge.apply_async((name,), headers={'ctxlog': header})\n"
    )
    for name in bad:
        (line,) = worker.until(lambda e, n=name: e["message"] == f"charging {n}")
        assert line["level"] == "INFO"
        assert line["taskID"] != "forged"
        assert (line["requestID"] == "req-L") == (name == "level")


def test_a_retry_is_the_same_task(prefork: Process, send: Send) -> None:
    """Attempts are counted; the outcome of all but the last is `retried`."""
    send(
        "ctxlog.run({'requestID': 'req-R'}, lambda: "
        "shop.flaky.apply_async(('x',), queue='own'))"
    )
    first, second = sorted(ended(prefork, "flaky", 2), key=lambda e: e["attempt"])
    assert (first["outcome"], first["attempt"]) == ("retried", 1)
    assert (second["outcome"], second["attempt"]) == ("succeeded", 2)
    assert first["taskID"] == second["taskID"]
    assert "parentTaskID" not in second
    assert first["level"] == "WARNING"
    retry = [e for e in about(prefork, "req-R") if " retry: " in e["message"]]
    assert len(retry) == 1


def test_retries_that_run_out(prefork: Process, send: Send) -> None:
    """The last attempt has failed."""
    send(
        "ctxlog.run({'requestID': 'req-H'}, lambda: "
        "shop.hopeless.apply_async(('x',), queue='own'))"
    )
    first, second = sorted(ended(prefork, "hopeless", 2), key=lambda e: e["attempt"])
    assert [first["outcome"], second["outcome"]] == ["retried", "failed"]
    assert second["error"] == "OSError"


def test_a_failure_has_its_traceback(prefork: Process, send: Send) -> None:
    """Celery's report and the completion line are of the request."""
    send(
        "ctxlog.run({'requestID': 'req-F'}, lambda: "
        "shop.fails.apply_async(('x',), queue='own'))"
    )
    (end,) = ended(prefork, "fails")
    assert (end["outcome"], end["level"], end["error"]) == (
        "failed",
        "ERROR",
        "ValueError",
    )
    (report,) = [e for e in about(prefork, "req-F") if "exception" in e]
    assert report["logger"] == "celery.app.trace"
    assert report["exception"]["message"] == "broken x"


@pytest.mark.parametrize(
    ("how", "outcome"), [("ignore", "ignored"), ("reject", "rejected")]
)
def test_other_outcomes(prefork: Process, send: Send, how: str, outcome: str) -> None:
    """Celery's word for the end of a task is its outcome."""
    send(
        f"ctxlog.run({{'requestID': 'req-{how}'}}, lambda: "
        f"shop.ends.apply_async(('{how}',), queue='own'))"
    )
    (line,) = prefork.until(
        lambda e: e["logger"] == "ctxlog.task" and e["requestID"] == f"req-{how}"
    )
    assert line["outcome"] == outcome


def test_a_task_that_sends_a_task_is_its_parent(prefork: Process, send: Send) -> None:
    """The id goes on, what the parent has bound for itself does not."""
    send(
        "ctxlog.run({'requestID': 'req-P'}, lambda: "
        "shop.parent.apply_async(('x',), queue='own'))"
    )
    (parent,) = ended(prefork, "parent")
    (child,) = prefork.until(
        lambda e: e["logger"] == "ctxlog.task" and e.get("parentTaskID") is not None
    )
    assert child["requestID"] == parent["requestID"] == "req-P"
    assert child["parentTaskID"] == parent["taskID"]
    assert (parent["seen"], child.get("seen")) == (1, None)


def test_chains_groups_and_chords(prefork: Process, send: Send) -> None:
    """All their tasks have one id, each of a chain its predecessor as parent."""
    send(
        "from celery import chain, chord, group\n"
        "def charge(*args):\n"
        "    return shop.charge.s(*args).set(queue='own')\n"
        "def work():\n"
        "    chain(charge('one'), charge()).apply_async()\n"
        "    group(charge('g'), charge('h')).apply_async()\n"
        "    chord([charge('c'), charge('d')])(shop.total.s().set(queue='own'))\n"
        "ctxlog.run({'requestID': 'req-C'}, work)\n"
    )
    prefork.until(
        lambda e: e["logger"] == "ctxlog.task" and e["requestID"] == "req-C", 7
    )
    ends = [e for e in completions(prefork.events()) if e["requestID"] == "req-C"]
    assert {e["outcome"] for e in ends} == {"succeeded"}
    parents = {e["taskID"]: e.get("parentTaskID") for e in ends}
    assert len(parents) == 7
    # The second of the chain, and the body of the chord.
    children = [parent for parent in parents.values() if parent is not None]
    assert len(children) == 2
    assert set(children) <= set(parents)


def test_hard_and_soft_time_limits(prefork: Process, send: Send) -> None:
    """The lines of the consumer's process about a task are stamped."""
    send(
        "ctxlog.run({'requestID': 'req-T'}, lambda: "
        "(shop.hangs.apply_async(queue='own'), shop.slow.apply_async(queue='own')))"
    )
    (hard,) = prefork.until(lambda e: "Hard time limit" in e["message"])
    assert (hard["requestID"], hard["task"]) == ("req-T", "shop.hangs")
    (soft,) = prefork.until(lambda e: "Soft time limit" in e["message"])
    assert (soft["requestID"], soft["task"]) == ("req-T", "shop.slow")
    (killed,) = ended(prefork, "hangs")
    assert (killed["requestID"], killed["outcome"]) == ("req-T", "failed")
    assert killed["error"] == "TimeLimitExceeded"
    (end,) = ended(prefork, "slow")
    assert (end["requestID"], end["error"]) == ("req-T", "SoftTimeLimitExceeded")


@pytest.mark.parametrize("how", ["exit", "kill"])
def test_a_task_that_takes_its_process_along(
    prefork: Process, send: Send, how: str
) -> None:
    """The worker writes its completion line: one, of its request."""
    send(
        f"ctxlog.run({{'requestID': 'req-{how}'}}, lambda: "
        f"shop.dies.apply_async(('{how}',), queue='own'))"
    )
    prefork.until(
        lambda e: e["logger"] == "ctxlog.task" and e["requestID"] == f"req-{how}"
    )
    send("shop.charge.apply_async(('next',), queue='own')")
    prefork.until(lambda e: e["message"] == "charging next")
    (end,) = [
        e for e in completions(prefork.events()) if e["requestID"] == f"req-{how}"
    ]
    assert (end["outcome"], end["task"]) == ("failed", "shop.dies")
    assert (end["route"], end["queueMs"] >= 0) == ("shop.dies", True)
    assert end["error"] in ("WorkerLostError", "SystemExit")


def test_a_task_that_is_revoked(prefork: Process, send: Send) -> None:
    """While it runs or before it does: one completion line, which says why."""
    send(
        "import datetime\n"
        "past = datetime.datetime.now(datetime.timezone.utc) - "
        "datetime.timedelta(hours=1)\n"
        "ctxlog.run({'requestID': 'req-X'}, lambda: "
        "shop.charge.apply_async(('x',), queue='own', expires=past))\n"
        "ctxlog.run({'requestID': 'req-V'}, lambda: "
        "shop.waits.apply_async(('v',), queue='own'))\n"
    )
    (expired,) = prefork.until(
        lambda e: e["logger"] == "ctxlog.task" and e["requestID"] == "req-X"
    )
    assert (expired["outcome"], expired["reason"]) == ("revoked", "expired")
    assert "queueMs" not in expired  # it has never begun
    (line,) = prefork.until(lambda e: e["message"] == "waiting v")
    send(f"shop.app.control.revoke({line['taskID']!r}, terminate=True)")
    (end,) = ended(prefork, "waits")
    assert (end["requestID"], end["outcome"]) == ("req-V", "revoked")
    assert end["reason"] == "terminated"
    assert 0 <= end["queueMs"] < 60_000


def test_a_task_that_nobody_knows(prefork: Process, send: Send) -> None:
    """The worker's report has the id of who sent it."""
    send(
        "ctxlog.run({'requestID': 'req-U'}, lambda: "
        "shop.app.send_task('unheard.of', queue='own'))"
    )
    (report,) = prefork.until(
        lambda e: e["message"].startswith("Received unregistered task")
    )
    assert report["requestID"] == "req-U"


@pytest.mark.parametrize(
    ("damage", "report"),
    [
        ("del headers['task']", "Received and deleted unknown message"),
        ("headers['eta'] = 'never'", "Received invalid task message"),
    ],
    ids=["unknown", "invalid"],
)
def test_a_message_that_is_no_task(
    prefork: Process, send: Send, damage: str, report: str
) -> None:
    """The worker's report has the id of who sent it."""
    send(
        "from celery import signals\n"
        "def spoil(headers, **_):\n"
        f"    {damage}\n"
        "signals.before_task_publish.connect(spoil)\n"
        "ctxlog.run({'requestID': 'req-N'}, lambda: "
        "shop.charge.apply_async(('n',), queue='own'))"
    )
    (line,) = prefork.until(lambda e: e["message"].startswith(report))
    assert line["requestID"] == "req-N"


def test_a_message_that_cannot_be_decoded(prefork: Process, send: Send) -> None:
    """The worker's report has the id that the message carries."""
    send(
        "from ctxlog.carrier import pack\n"
        "headers = {'ctxlog': ctxlog.run({'requestID': 'req-D'}, pack)}\n"
        "with shop.app.producer_pool.acquire() as producer:\n"
        "    producer.publish(b'{', exchange='own', routing_key='own',\n"
        "        headers=headers, content_encoding='utf-8',\n"
        "        content_type='application/json')"
    )
    (line,) = prefork.until(lambda e: e["message"].startswith("Can't decode"))
    assert line["requestID"] == "req-D"


def test_a_class_of_requests_of_ones_own(prefork: Process, send: Send) -> None:
    """The lines of the application's own request class are stamped."""
    send(
        "ctxlog.run({'requestID': 'req-W'}, lambda: "
        "shop.own.apply_async(('x',), queue='own'))"
    )
    (line,) = prefork.until(lambda e: e["message"].startswith("own request of"))
    assert line["requestID"] == "req-W"


def test_the_first_protocol(prefork: Process, send: Send) -> None:
    """All lines of its task, the received one included, have both ids."""
    send(
        "shop.app.conf.task_protocol = 1\n"
        "ctxlog.run({'requestID': 'req-1'}, lambda: "
        "shop.charge.apply_async(('one',), queue='own'))"
    )
    prefork.until(lambda e: e["logger"] == "ctxlog.task" and e["requestID"] == "req-1")
    own = about(prefork, "req-1")
    assert own[0]["message"].endswith("received")
    assert len({e.get("taskID") for e in own}) == 1
    assert own[0]["taskID"]


def test_a_pool_that_grows(folder: Path, broker: str, send: Send) -> None:
    """A process forked for a waiting task has nothing of that task's context."""
    command = worker_command("--autoscale=3,1", "-Q", "grown", "-l", "DEBUG")
    with running(command, folder, BROKER=broker) as process:
        process.until(lambda event: event["message"].endswith(" ready."))
        send(
            "for n in range(3):\n"
            "    ctxlog.run({'requestID': f'req-{n}'}, lambda n=n: "
            "shop.waits.apply_async((f'tok-{n}',), queue='grown'))\n"
        )
        # The third process is there, so at least two were forked.
        process.until(lambda e: e["message"].startswith("waiting"), 3)
        forked = process.until(lambda e: e["message"].startswith("forked process"), 3)
    assert {e["requestID"] for e in forked} == {"N/A"}


def test_what_a_task_prints(prefork: Process, send: Send) -> None:
    """Standard output becomes lines, stamped, as Celery has it."""
    send(
        "ctxlog.run({'requestID': 'req-O'}, lambda: "
        "shop.prints.apply_async(('x',), queue='own'))"
    )
    (line,) = prefork.until(lambda e: e["message"].startswith("printed"))
    assert (line["logger"], line["requestID"]) == ("celery.redirected", "req-O")


def test_an_eager_task(send: Send) -> None:
    """A task run in place has a store of its own; the caller's is back afterwards."""
    events = send(
        "import logging\n"
        "def handle():\n"
        "    shop.charge.apply(('x',))\n"
        "    logging.info('after')\n"
        "ctxlog.run({'requestID': 'req-E', 'cart': 3}, handle)\n"
    )
    inside = [e for e in events if "taskID" in e]
    assert {e["requestID"] for e in events} == {"req-E"}
    assert [e["logger"] for e in inside] == [
        "shop",
        "shop",
        "celery.app.trace",
        "shop",
        "ctxlog.task",
    ]
    assert all("cart" not in e for e in inside)
    assert "queueMs" not in inside[-1]  # it was in no queue
    assert events[-1]["message"] == "after"
    assert events[-1]["cart"] == 3
    assert "taskID" not in events[-1]


def test_an_eager_task_counts_for_itself(send: Send) -> None:
    """What the caller counts before and after is not mixed with the task's."""
    events = send(
        "@ctxlog.entry('outer')\n"
        "def handle():\n"
        "    ctxlog.count('rows', 10)\n"
        "    shop.charge.apply(('x',))\n"
        "    ctxlog.count('rows', 10)\n"
        "handle()\n"
    )
    found = {e["route"]: e["rows"] for e in completions(events)}
    assert found == {"shop.charge": 3, "outer": 20}


@pytest.mark.parametrize(
    ("sent", "eta", "minutes"),
    [(60, None, 60), (60, 10, 10), (10, 60, 10), (None, 10, 10), (None, None, None)],
)
def test_the_time_in_the_queue(
    prefork: Process, send: Send, sent: int | None, eta: int | None, minutes: int | None
) -> None:
    """It begins with the sending or, if that is later, at the eta."""
    request_id = f"req-due-{sent}-{eta}"
    send(
        "import json, time, datetime\n"
        "from ctxlog.tasks import celery\n"
        "celery.uninstall()\n"
        "now = datetime.datetime.now(datetime.timezone.utc)\n"
        "def ago(minutes):\n"
        "    return minutes and now - datetime.timedelta(minutes=minutes)\n"
        f"header = {{'requestID': {request_id!r}}}\n"
        f"if {sent}:\n"
        f"    header['timestamp'] = ago({sent}).timestamp() * 1000\n"
        f"shop.charge.apply_async(('x',), queue='own', eta=ago({eta}),\n"
        "    headers={'ctxlog': json.dumps(header)})\n"
    )
    (end,) = prefork.until(
        lambda e: e["logger"] == "ctxlog.task" and e["requestID"] == request_id
    )
    if minutes is None:
        assert "queueMs" not in end
    else:
        assert minutes * 60_000 <= end["queueMs"] < (minutes + 5) * 60_000


def test_the_rules_of_the_application(tmp_path: Path, broker: str, send: Send) -> None:
    """Its fields, its wish for no line, slow tasks as warnings: in both processes."""
    source = APP.replace(
        'celery.install(fields=["user"])',
        """
def fields(done):
    if done.route == "shop.parent":
        return False
    return {
        "request": type(done.request).__name__,
        "tenant": done.headers.get("Tenant"),
        "ended": [done.status, type(done.error).__name__],
    }


celery.install(slow=0, completion=fields)
""",
    )
    (tmp_path / "shop.py").write_text(source.replace('"own"', '"ruled"'), "utf-8")
    command = worker_command("-c", "1", "-Q", "ruled")
    with running(command, tmp_path, BROKER=broker) as process:
        process.until(lambda event: event["message"].endswith(" ready."))
        send(
            "def work():\n"
            "    options = {'queue': 'ruled', 'headers': {'tenant': 't1'}}\n"
            "    shop.parent.apply_async(('x',), **options)\n"
            "    shop.flaky.apply_async(('x',), **options)\n"
            "    shop.fails.apply_async(('x',), **options)\n"
            "    shop.dies.apply_async(('kill',), **options)\n"
            "ctxlog.run({'requestID': 'req-rules'}, work)\n"
        )
        ends = process.until(lambda e: e["logger"] == "ctxlog.task", 5)
    assert [e for e in ends if e["task"] == "shop.parent"] == []
    assert all(e["slow"] for e in ends)
    found = {(e["task"].removeprefix("shop."), *e["ended"], e["level"]) for e in ends}
    assert found == {
        ("charge", "succeeded", "NoneType", "WARNING"),
        ("flaky", "retried", "ConnectionError", "WARNING"),
        ("flaky", "succeeded", "NoneType", "WARNING"),
        ("fails", "failed", "ValueError", "ERROR"),
        ("dies", "failed", "NoneType", "ERROR"),
    }
    assert {e["request"] for e in ends} == {"Context", "Request"}
    assert {e["tenant"] for e in ends if e["task"] != "shop.charge"} == {"t1"}


def test_a_broker_that_is_gone(send: Send) -> None:
    """Celery's own error goes on, nothing of ours stands in its way."""
    events = send(
        "import logging\n"
        "shop.app.conf.broker_url = 'redis://127.0.0.1:1/0'\n"
        "def handle():\n"
        "    try:\n"
        "        shop.charge.apply_async(('x',), retry=False, ignore_result=True)\n"
        "    except shop.charge.OperationalError:\n"
        "        logging.warning('not sent')\n"
        "ctxlog.run({'requestID': 'req-B'}, handle)\n"
    )
    assert [(e["message"], e["requestID"]) for e in events] == [("not sent", "req-B")]


def test_beat_gives_every_tick_an_id(folder: Path, broker: str) -> None:
    """Each scheduled task has an id of its own."""
    command = worker_command("-P", "solo", "-B", "-s", str(folder / "schedule"))
    with running(command, folder, BROKER=broker) as process:
        process.until(lambda e: e["message"] == "charging beat", 3)
        events = process.events()
    ids = [e["requestID"] for e in events if e["message"] == "charging beat"]
    assert len(ids) == len(set(ids)) >= 3
    assert "N/A" not in ids


def test_options_are_checked() -> None:
    """A wrong option is named, and changes nothing."""
    with pytest.raises(ctxlog.ConfigError, match="fields"):
        adapter.install(fields="user")
    with pytest.raises(ctxlog.ConfigError, match="completion_line"):
        adapter.install(completion_line=None)
    adapter.uninstall()
