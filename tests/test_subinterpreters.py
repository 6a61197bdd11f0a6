"""
Several interpreters in one process, as of `concurrent.interpreters` and of mod_wsgi.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.helpers import load_line, run_python, unmeasured_environment

pytestmark = pytest.mark.skipif(
    sys.implementation.name != "cpython",
    reason="only CPython has several interpreters in a process",
)

_START = """
import os
import sys

try:
    import _interpreters as interpreters

    isolated, legacy = ("isolated",), ("legacy",)
except ImportError:  # before Python 3.13
    import _xxsubinterpreters as interpreters

    isolated, legacy = (True,), (False,)


def create(kind):
    try:
        return interpreters.create(*kind)
    except TypeError:  # by keyword only
        return interpreters.create(isolated=kind[0])


def run(interpreter, source):
    failed = interpreters.run_string(interpreter, source)
    if failed is not None:
        sys.exit(f"{failed.formatted}\\n{failed.errdisplay}")
"""

#: Interpreters are not destroyed: in Python 3.12.1 a process that has destroyed one
#: which had imported asyncio ends with `free(): invalid pointer`.
_END = """
sys.stdout.flush()
os._exit(0)
"""

_APPLICATION = """
import logging
import sys
import threading
from wsgiref.util import setup_testing_defaults

import ctxlog
from ctxlog import _json

ctxlog.configure(format="json")
log = logging.getLogger("shop")


def app(environ, start_response):
    fields = {"is": "ü", "rows": [1, 2.5, None], "of": __name__}
    thread = threading.Thread(target=log.info, args=("thread",))
    log.info("served", extra=fields)
    thread.start()
    thread.join()
    start_response("200 OK", [])
    return [b"served"]


app = ctxlog.servers.wsgi.ContextMiddleware(app)


def request(request_id):
    environ = {"HTTP_X_REQUEST_ID": request_id}
    setup_testing_defaults(environ)
    body = app(environ, lambda status, headers: None)
    assert list(body) == [b"served"]
    body.close()
    sys.stdout.flush()
"""


def _ids(program: str, cwd: Path) -> list[tuple[str, str]]:
    # Not measured: coverage would start once more in every interpreter.
    env = unmeasured_environment()
    done = run_python("-c", _START + program + _END, cwd=cwd, env=env)
    lines = [load_line(line) for line in done.stdout.splitlines()]
    return [(line["message"], line["requestID"]) for line in lines]


def _of_a_request(name: str) -> list[tuple[str, str]]:
    return [("served", name), ("thread", name), ("GET / 200", name)]


@pytest.mark.skipif(
    sys.version_info < (3, 12),
    reason="isolated interpreters have no threads before Python 3.12",
)
def test_an_isolated_interpreter(tmp_path: Path) -> None:
    """
    Where orjson cannot be imported, all works with the standard library's encoder.
    """
    program = f"""
one = create(isolated)
run(one, {_APPLICATION!r})
run(one, "assert _json.dumps.__module__ == 'ctxlog._json'")
run(one, "request('req-A')")
"""
    assert _ids(program, tmp_path) == _of_a_request("req-A")


def test_an_application_in_each_of_several_interpreters(tmp_path: Path) -> None:
    """
    Interpreters that share one lock, as mod_wsgi's, each stamp their own requests.
    """
    program = f"""
application = {_APPLICATION!r}
interpreters_of_their_own = [create(legacy), create(legacy)]
for one in interpreters_of_their_own:
    run(one, application)
exec(application)
for round in range(2):
    for number, one in enumerate(interpreters_of_their_own):
        run(one, f"request('req-{{number}}-{{round}}')")
    request(f"req-main-{{round}}")
"""
    names = (f"req-{who}-{round}" for round in range(2) for who in (0, 1, "main"))
    assert _ids(program, tmp_path) == [
        line for name in names for line in _of_a_request(name)
    ]


def test_a_broken_encoder_is_an_error(tmp_path: Path) -> None:
    """
    An orjson that is installed and cannot be imported is not passed over.
    """
    (tmp_path / "orjson.py").write_text("raise ImportError('undefined symbol: x')")
    source = """
import sys

sys.path.insert(0, "")
import ctxlog

try:
    ctxlog.configure()
except ImportError as error:
    print(error)
"""
    printed = run_python("-c", source, cwd=tmp_path).stdout
    assert printed == "undefined symbol: x\n"
