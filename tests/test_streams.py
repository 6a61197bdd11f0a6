"""
Streams that fail, wait or are replaced, signals in the middle of a line: with real
processes and pipes, every line is whole, once, in one of the places that are promised.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from tests.helpers import load_line, need, run_python
from tests.interrupting import INTERRUPTED, interrupted

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and pipes")

# A program that writes into a pipe of its own, and reads from it in another thread.
PIPE = """
import array, fcntl, json, logging, os, signal, sys, termios, threading, time
import ctxlog

reading, writing = os.pipe()
stream = os.fdopen(writing, "w")
seen = []
begin, ended = threading.Event(), threading.Event()

def read():
    begin.wait()
    while part := os.read(reading, 65536):
        seen.append(part)
    ended.set()

reader = threading.Thread(target=read, daemon=True)
reader.start()

def lines():
    stream.close()
    assert ended.wait(30), "the reader does not end"
    return b"".join(seen).decode().split("\\n")[:-1]

def messages():
    return [json.loads(line)["message"] for line in lines()]

def available():
    count = array.array("i", [0])
    fcntl.ioctl(reading, termios.FIONREAD, count)
    return count[0]

def fill():
    # Until nothing fits any more.
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"-" * 4095 + b"\\n")
    except BlockingIOError:
        pass
    os.set_blocking(writing, True)
"""


def result(program: str, folder: Path, *args: str, start: str = PIPE) -> Any:
    """
    What a program prints last, as JSON.
    """
    done = run_python("-c", start + program, *args, cwd=folder)
    return json.loads(done.stdout.splitlines()[-1])


# Signals ------------------------------------------------------------------------


@posix
@pytest.mark.parametrize("size", [100, 200_000], ids=["not begun", "begun"])
@pytest.mark.parametrize("kind", ["KeyboardInterrupt", "TimeoutError"])
def test_after_an_interrupted_write_a_line_begins_a_line(
    kind: str, size: int, tmp_path: Path
) -> None:
    """
    The signal comes while the pipe is full. Where nothing was written of the line that
    it stops, there is no empty line either.
    """
    program = f"""
ctxlog.configure(stream=stream, format="json", loggers=["stdlib"])
def stop(number, frame):
    raise {kind}
signal.signal(signal.SIGALRM, stop)
fill()
if {size} > 4096:
    os.read(reading, 32768)
before = available()
def press():
    # When a part of the line is in the pipe, or when there can be none.
    while {size} > 4096 and available() == before:
        time.sleep(0.001)
    time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGALRM)
threading.Thread(target=press).start()
try:
    logging.info("x" * {size})
except {kind}:
    print("stopped", file=sys.stderr)
begin.set()
for word in ("one", "two"):
    logging.info(word)
logging.info("y" * 100000)
shown = [line for line in lines() if not line.startswith("-")]
if {size} > 4096:
    assert shown.pop(0).endswith("xxx")
print(json.dumps([json.loads(line)["message"][:3] for line in shown]))
"""
    assert result(program, tmp_path) == ["one", "two", "yyy"]


LOGGING = {
    "signal handler": """
signal.signal(signal.SIGALRM, lambda *_: inner())
""",
    "finalizer": """
class Finalized:
    def __del__(self):
        inner()
def handle(number, frame):
    cycle = [Finalized()]
    del cycle
signal.signal(signal.SIGALRM, handle)
""",
    "unraisable hook": """
class Failing:
    def __del__(self):
        raise RuntimeError
sys.unraisablehook = lambda report: inner()
def handle(number, frame):
    failing = Failing()
    del failing
signal.signal(signal.SIGALRM, handle)
""",
}


@posix
@pytest.mark.parametrize("what", LOGGING)
def test_what_logs_in_the_middle_of_a_line_comes_after_it(
    what: str, tmp_path: Path
) -> None:
    """
    A reader that is slow, lines over the size that a pipe takes at once: no line is
    written between two parts of another, and none is lost.
    """
    program = f"""
ctxlog.configure(stream=stream, format="json", loggers=["stdlib"], hooks=False)
inners = 0
def inner():
    global inners
    inners += 1
    logging.info("inner %d %s", inners, "i" * 5000)
    # Once more, but not before this one has ended.
    signal.setitimer(signal.ITIMER_REAL, 0 if ending else 0.005)
ending = False
{LOGGING[what]}
signal.setitimer(signal.ITIMER_REAL, 0.1)
fill()
slowly = threading.Event()
def read():
    while part := os.read(reading, 3000):
        seen.append(part)
        slowly.wait(0.001)
    ended.set()
threading.Thread(target=read, daemon=True).start()
try:
    for number in range(30):
        logging.info("outer %d %s", number, "o" * 50000)
finally:
    ending = True
    signal.setitimer(signal.ITIMER_REAL, 0)
slowly.set()
shown = [json.loads(line)["message"].split() for line in lines() if line[0] != "-"]
outer = [int(number) for kind, number, _ in shown if kind == "outer"]
inner = [int(number) for kind, number, _ in shown if kind == "inner"]
assert outer == list(range(30)), outer
assert inner == list(range(1, inners + 1)), inner
print(json.dumps(inners))
"""
    assert result(program, tmp_path) > 3


@posix
def test_a_handler_that_logs_and_raises_loses_only_the_line_it_stops(
    tmp_path: Path,
) -> None:
    """
    "Stopping", SystemExit: what the handler said is written.
    """
    program = """
ctxlog.configure(stream=stream, format="json", loggers=["stdlib"])
def stop(number, frame):
    logging.info("stopping")
    begin.set()
    raise SystemExit
signal.signal(signal.SIGALRM, stop)
fill()
signal.setitimer(signal.ITIMER_REAL, 0.1)
try:
    logging.info("x" * 200000)
except SystemExit:
    pass
shown = [line for line in lines() if not line.startswith("-")]
print(json.dumps(json.loads(shown[-1])["message"]))
"""
    assert result(program, tmp_path) == "stopping"


@posix
def test_ctrl_c_while_threads_log_hangs_nothing(tmp_path: Path) -> None:
    """
    No lock stays held by what was interrupted: of ten processes each comes to its end.
    """
    for number in range(10):
        lines = interrupted(INTERRUPTED, tmp_path, after_lines=20 + 37 * number)
        assert lines[-1]["message"] == "the end"


# Streams that take nothing ------------------------------------------------------


@posix
def test_lost_lines_are_counted_and_said(tmp_path: Path) -> None:
    """
    A full disk, and standard error on it as well: when there is room again, a line says
    how many are missing, in the format of all others.
    """
    resource = need("resource")
    program = """
import json, logging, os, resource, signal, sys
import ctxlog

log = open("log", "w")
os.dup2(log.fileno(), 1)
os.dup2(log.fileno(), 2)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
ctxlog.configure(format="json", service="shop")
written = 300
def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
for number in range(100):
    if number == 10:
        limit(os.fstat(1).st_size + 250)
    if number == 60:
        limit(resource.RLIM_INFINITY)
    with ctxlog.scope(number=number):
        logging.info("line")
"""
    assert resource is not None
    run_python("-c", program, cwd=tmp_path)
    whole, torn = [], 0
    for line in (tmp_path / "log").read_text().splitlines():
        try:
            whole.append(load_line(line))
        except json.JSONDecodeError:
            torn += 1
    (said,) = [line for line in whole if line["logger"] == "ctxlog"]
    shown = [line["number"] for line in whole if line is not said]
    assert said["lost"] == 100 - len(shown) > 40
    assert str(said["lost"]) in said["message"]
    assert (said["level"], said["service"]) == ("WARNING", "shop")
    assert whole.index(said) == shown.index(60)
    assert torn == 1


@posix
def test_lost_lines_are_said_at_the_end(tmp_path: Path) -> None:
    """
    Where nothing is logged after there is room again.
    """
    need("resource")
    program = """
import logging, os, resource, signal
import ctxlog

log = open("log", "w")
os.dup2(log.fileno(), 1)
os.dup2(log.fileno(), 2)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
ctxlog.configure(format="json")
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
for _ in range(3):
    logging.info("lost")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
"""
    run_python("-c", program, cwd=tmp_path)
    assert load_line((tmp_path / "log").read_text())["lost"] == 3


@posix
@pytest.mark.parametrize("kind", ["structlog", "loguru"])
def test_each_logger_says_how_many_were_lost(kind: str, tmp_path: Path) -> None:
    """
    In its own set-up, too, in its schema.
    """
    need(kind)
    program = f"""
import os, resource, signal, sys
import ctxlog.loggers.{kind} as adapter
from {kind} import {"logger" if kind == "loguru" else "get_logger"}

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
stream = open("log", "w")
os.dup2(stream.fileno(), 2)
adapter.{"install" if kind == "loguru" else "configure"}(stream=stream, schema="ecs")
log = {"logger" if kind == "loguru" else "get_logger()"}
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
log.info("lost")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
log.info("written")
"""
    run_python("-c", program, cwd=tmp_path)
    said, written = map(load_line, (tmp_path / "log").read_text().splitlines())
    assert said["message"].startswith("1 ")
    assert said["log.level"] == written["log.level"].replace("info", "warn")[:4] + "ing"
    assert written["message"] == "written"


def test_a_replaced_standard_error_that_is_closed_is_passed_by(tmp_path: Path) -> None:
    """
    Dramatiq closes its own when a worker ends, and lines come after that.
    """
    done = run_python(
        "-c",
        "import io, sys\n"
        "from ctxlog.line.writer import LineWriter\n"
        "sys.stderr = io.StringIO()\n"
        "sys.stderr.close()\n"
        "LineWriter(sys.stderr).write(b'last\\n')\n",
        cwd=tmp_path,
    )
    assert done.stderr == "last\n"


@posix
def test_what_standard_error_takes_is_not_lost(tmp_path: Path) -> None:
    """
    Nothing is counted where each line is in one of the two.
    """
    program = (
        "import ctxlog, logging; ctxlog.configure(stream=open('/dev/full', 'w'))\n"
        "for word in ('one', 'two'): logging.info(word)"
    )
    done = run_python("-c", program, cwd=tmp_path)
    lines = [line for line in done.stderr.splitlines() if line.startswith("{")]
    assert [load_line(line)["message"] for line in lines] == ["one", "two"]


PRINTING = """
size = int(sys.argv[2])
sys.stdout, before = stream, sys.stdout
for step in sys.argv[1].split():
    if step == "configure":
        ctxlog.configure(format="json", loggers=["stdlib"], hooks=False)
    else:
        os.set_blocking(writing, False)
try:
    while True:
        os.write(writing, b"-" * 99 + b"\\n")
except BlockingIOError:
    pass
threading.Timer(0.2, begin.set).start()
for number in range(200):
    print("printed", number, "p" * size)
    logging.info("logged %d", number)
sys.stdout = before
shown = [line for line in lines() if not line.startswith("-")]
printed = [line.split() for line in shown if line.startswith("printed")]
logged = [json.loads(line)["message"] for line in shown if line.startswith("{")]
assert len(shown) == len(printed) + len(logged)
assert [int(n) for _, n, _ in printed] == list(range(200))
assert {len(text) for _, _, text in printed} == {size}
print(json.dumps(logged == [f"logged {number}" for number in range(200)]))
"""


# print() itself cuts a text that is larger than the stream's buffer, in an exception.
@posix
@pytest.mark.parametrize("size", [50, 3000])
@pytest.mark.parametrize("steps", ["unblock configure", "configure unblock"])
def test_prints_and_lines_are_whole_on_a_pipe_that_does_not_block(
    steps: str, size: int, tmp_path: Path
) -> None:
    """
    What print() has left in a full buffer waits for the reader, as our lines do.
    """
    assert result(PRINTING, tmp_path, steps, str(size)) is True


# Streams that are replaced ------------------------------------------------------

STREAMS_THAT_LOG = {
    "the recipe": """
class Logging:
    def __init__(self, logger, level):
        self.logger, self.level = logger, level
    def write(self, text):
        for line in text.rstrip().splitlines():
            self.logger.log(self.level, line.rstrip())
    def flush(self):
        pass
new = lambda: Logging(logging.getLogger("printed"), logging.INFO)
""",
    "a method": """
class Logging:
    def __init__(self):
        self.log = logging.getLogger("printed").info
    def write(self, text):
        if text.strip():
            self.log("%s", text.rstrip())
    def flush(self):
        pass
new = Logging
""",
    "hidden": """
def hidden(text):
    if text.strip():
        logging.getLogger("printed").info(text.rstrip())
class Logging:
    def write(self, text):
        hidden(text)
    def flush(self):
        pass
new = Logging
""",
    "guarded": """
def hidden(text):
    logging.getLogger("printed").info(text.rstrip())
class Logging:
    busy = False
    def write(self, text):
        if not self.busy and text.strip():
            self.busy = True
            try:
                hidden(text)
            finally:
                self.busy = False
    def flush(self):
        pass
new = Logging
""",
}


@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize("kind", STREAMS_THAT_LOG)
def test_a_stream_that_logs_is_passed_by(kind: str, order: str, tmp_path: Path) -> None:
    """
    What is logged and what is printed is written to the real stream, each once.
    """
    steps = ["sys.stdout = new()", "ctxlog.configure(format='json')"]
    program = "\n".join(
        [
            "import logging, sys, ctxlog",
            STREAMS_THAT_LOG[kind],
            *(steps if order == "before" else steps[::-1]),
            "print('printed first')",
            "logging.info('logged')",
            "print('printed')",
            "logging.info('logged again')",
        ]
    )
    done = run_python("-c", program, cwd=tmp_path)
    lines = [load_line(line) for line in done.stdout.splitlines()]
    assert [line["message"] for line in lines] == [
        *("printed first", "logged", "printed", "logged again"),
    ]
    assert done.stderr == ""


def test_a_stream_that_logs_below_the_level_loses_no_line(tmp_path: Path) -> None:
    """
    What is printed is dropped as was wished; what is logged is not.
    """
    program = "\n".join(
        [
            "import logging, sys, ctxlog",
            STREAMS_THAT_LOG["the recipe"],
            "sys.stdout = new()",
            "ctxlog.configure(format='json', level='WARNING')",
            "print('printed')",
            "logging.warning('logged')",
        ]
    )
    done = run_python("-c", program, cwd=tmp_path)
    assert load_line(done.stdout)["message"] == "logged"


def test_celerys_stream_is_passed_by(tmp_path: Path) -> None:
    """
    Its worker puts one in place of standard output.
    """
    need("celery")
    program = """
import logging, sys, ctxlog
from celery.utils.log import LoggingProxy
ctxlog.configure(format="json")
sys.stdout = LoggingProxy(logging.getLogger("printed"), "INFO")
print("printed")
logging.info("logged")
"""
    done = run_python("-c", program, cwd=tmp_path)
    lines = [load_line(line) for line in done.stdout.splitlines()]
    assert [line["message"] for line in lines] == ["printed", "logged"]


class Noting:
    """
    A stream that logs something of its own whenever it is written to.
    """

    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, text: str) -> None:
        self.written.append(text)
        note(len(text))

    def flush(self) -> None:
        pass


def note(size: int) -> None:
    logging.getLogger("test.noting").info("%d characters", size)


def test_a_stream_that_logs_something_else_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    Its line is written as well, and the line about that one is where it ends.
    """
    stream, real = Noting(), io.StringIO()
    monkeypatch.setattr(sys, "__stdout__", real)
    monkeypatch.setattr(sys, "stdout", stream)
    logger = logging.getLogger("test.noting")
    handler = ctxlog.LineHandler()
    logger.addHandler(handler)
    logger.setLevel("INFO")
    logger.propagate = False
    try:
        logger.info("hello")
    finally:
        logger.removeHandler(handler)
    messages = [load_line(text)["message"] for text in stream.written]
    assert messages[0] == "hello"
    assert messages[1].endswith("characters")
    assert load_line(real.getvalue())["message"].endswith("characters")


def test_capsys_and_capfd_have_the_lines_of_their_test(tmp_path: Path) -> None:
    """
    Also where logging was configured before the test; a thread that logs when it is
    over writes to what is there then.
    """
    (tmp_path / "test_it.py").write_text(
        """
import logging, threading
import ctxlog

ctxlog.configure(format="json")
go, gone = threading.Event(), threading.Event()

def late():
    go.wait()
    logging.info("late")
    gone.set()

def test_sys(capsys):
    threading.Thread(target=late).start()
    logging.info("one")
    assert '"message":"one"' in capsys.readouterr().out

def test_fd(capfd):
    go.set()
    assert gone.wait(30)
    logging.info("two")
    out = capfd.readouterr().out
    assert '"message":"two"' in out
    assert '"message":"late"' in out
"""
    )
    args = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py")
    assert "2 passed" in run_python(*args, cwd=tmp_path).stdout


def test_clicks_runner_has_the_lines_of_its_command(tmp_path: Path) -> None:
    """
    And standard output those before and after it.
    """
    need("click")
    program = """
import logging, sys
import click, ctxlog
from click.testing import CliRunner

@click.command()
def command():
    logging.info("within")

ctxlog.configure(format="json")
logging.info("before")
sys.stderr.write(CliRunner().invoke(command).output)
logging.info("after")
"""
    done = run_python("-c", program, cwd=tmp_path)
    assert load_line(done.stderr)["message"] == "within"
    shown = [load_line(line)["message"] for line in done.stdout.splitlines()]
    assert shown == ["before", "after"]


@pytest.mark.parametrize("kind", ["stdlib", "structlog", "loguru"])
def test_redirected_output_has_the_lines_of_all_loggers(
    kind: str, tmp_path: Path
) -> None:
    """
    `contextlib.redirect_stdout`, inside of what was configured outside.
    """
    if kind != "stdlib":
        need(kind)
    log = {
        "stdlib": "import logging; log = logging.getLogger().info",
        "structlog": "import structlog; log = structlog.get_logger().info",
        "loguru": "import loguru; log = loguru.logger.info",
    }[kind]
    program = f"""
import contextlib, io, sys, ctxlog
ctxlog.configure(format="json")
{log}
within = io.StringIO()
with contextlib.redirect_stdout(within):
    log("within")
log("after")
sys.stderr.write(within.getvalue())
"""
    done = run_python("-c", program, cwd=tmp_path)
    assert load_line(done.stderr)["message"] == "within"
    assert load_line(done.stdout)["message"] == "after"


def test_a_given_stream_is_not_redirected(tmp_path: Path) -> None:
    """
    `stream=` is where the lines go, whatever print does.
    """
    stream, other = io.StringIO(), io.StringIO()
    handler = ctxlog.LineHandler(stream)
    with contextlib.redirect_stdout(other):
        handler.handle(logging.makeLogRecord({"msg": "here"}))
    assert load_line(stream.getvalue())["message"] == "here"
    assert other.getvalue() == ""


@pytest.mark.parametrize("left", ["closed", "none"])
def test_a_substitute_that_is_no_stream_any_more(
    left: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """
    One that was left closed, and pythonw's None: the line is on the real stream.
    """
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed if left == "closed" else None)
    ctxlog.LineHandler().handle(logging.makeLogRecord({"msg": "kept"}))
    monkeypatch.undo()
    out, err = capfd.readouterr()
    assert load_line(out + err)["message"] == "kept"


# Processes and threads ----------------------------------------------------------


@posix
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_in_the_middle_of_a_line_is_survived(tmp_path: Path) -> None:
    """
    The child neither waits for the parent's thread nor repeats what waits there.
    """
    program = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
ctxlog.configure(stream=stream, format="json", loggers=["stdlib"])
fill()
started = threading.Event()
def work():
    started.set()
    logging.info("parent " + "x" * 100000)
thread = threading.Thread(target=work)
thread.start()
started.wait()
from ctxlog.line.writer import _outputs
while not any(output.busy for output in _outputs.values()):
    pass
child = os.fork()
if child == 0:
    other = os.open("child", os.O_WRONLY | os.O_CREAT)
    os.dup2(other, writing)
    logging.info("child")
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
begin.set()
thread.join()
shown = [json.loads(line)["message"][:6] for line in lines() if line[0] != "-"]
print(json.dumps([shown, json.loads(open("child").read())["message"]]))
"""
    assert result(program, tmp_path) == [["parent"], "child"]


def test_finalizers_at_the_interpreters_end_are_heard(tmp_path: Path) -> None:
    """
    An object of the main module that logs when it goes.
    """
    program = """
import logging, ctxlog
class Last:
    def __del__(self):
        self.info("last")
    info = staticmethod(logging.info)
ctxlog.configure(format="json")
last = Last()
"""
    done = run_python("-c", program, cwd=tmp_path)
    assert load_line(done.stdout)["message"] == "last"
    assert done.stderr == ""


@posix
def test_two_handlers_of_one_stream_do_not_mix(tmp_path: Path) -> None:
    """
    Lines longer than a pipe takes at once, by two handlers, from two threads.
    """
    program = """
begin.set()
handlers = [ctxlog.LineHandler(stream) for _ in range(2)]
def work(handler, letter):
    for _ in range(20):
        handler.handle(logging.makeLogRecord({"msg": letter * 100_000}))
threads = [
    threading.Thread(target=work, args=pair) for pair in zip(handlers, "ab")
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps(sorted(message[-3:] for message in messages())))
"""
    assert result(program, tmp_path) == ["aaa"] * 20 + ["bbb"] * 20
