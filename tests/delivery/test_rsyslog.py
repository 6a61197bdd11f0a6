"""
Lines to a real rsyslog by TCP, and to a receiver by TLS.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctxlog.sinks import Syslog
from tests.aggregators.test_rfc5424 import fields, line, messages
from tests.helpers import LIMIT, clean_environment

_RSYSLOGD = shutil.which("rsyslogd", path=f"{os.environ.get('PATH')}:/usr/sbin")

#: Takes messages by TCP and writes of each what it has understood: a JSON object.
_CONFIGURATION = """
global(workDirectory="{folder}" maxMessageSize="512k")
module(load="imtcp")
input(type="imtcp" port="{port}" address="127.0.0.1" ruleset="all"
    maxFrameSize="512000")
template(name="parts" type="list" option.jsonf="on") {{
    property(outname="severity" name="syslogseverity" format="jsonf")
    property(outname="facility" name="syslogfacility-text" format="jsonf")
    property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")
    property(outname="app" name="app-name" format="jsonf")
    property(outname="process" name="procid" format="jsonf")
    property(outname="data" name="structured-data" format="jsonf")
    property(outname="protocol" name="protocol-version" format="jsonf")
    property(outname="message" name="msg" format="jsonf")
}}
ruleset(name="all") {{
    action(type="omfile" file="{folder}/all.log" template="parts")
}}
"""


class Rsyslog:
    """
    A rsyslogd that can be ended and started again.

    Args:
        folder: Where its files are.
    """

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._folder = folder
        configuration = folder / "rsyslog.conf"
        configuration.write_text(_CONFIGURATION.format(folder=folder, port=self.port))
        self._words = ["-n", "-f", str(configuration), "-i", str(folder / "pid")]
        self.start()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        assert _RSYSLOGD is not None
        self.process = subprocess.Popen([_RSYSLOGD, *self._words])
        end = time.monotonic() + LIMIT
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert time.monotonic() < end
                assert self.process.poll() is None
                time.sleep(0.05)

    def end(self, number: int = signal.SIGTERM) -> None:
        """End it by a signal."""
        self.process.send_signal(number)
        self.process.wait(LIMIT)

    def entries(self, number: int) -> list[dict[str, str]]:
        """Return what it has written, when it is so many messages or more."""
        end = time.monotonic() + LIMIT
        while True:
            found = self.written()
            if len(found) >= number or time.monotonic() > end:
                return found
            time.sleep(0.05)

    def written(self) -> list[dict[str, str]]:
        """Return what it has written by now."""
        path = self._folder / "all.log"
        if not path.exists():
            return []
        found = []
        for one in path.read_bytes().splitlines():
            try:
                # Behind one that it was killed at, if there is one.
                found.append(json.loads(one[one.rfind(b'{"severity":') :]))
            except ValueError:  # it is writing that one
                continue
        return found


@pytest.fixture
def rsyslog(tmp_path: Path) -> Iterator[Rsyslog]:
    """A rsyslogd of the test's own."""
    if _RSYSLOGD is None:
        pytest.skip(
            "there is no rsyslogd on this machine (Debian: apt install rsyslog)"
        )
    running = Rsyslog(tmp_path)
    yield running
    if running.process.poll() is None:
        running.end()


_PROGRAM = """
import logging, sys
import ctxlog

to = [f"syslog://127.0.0.1:{sys.argv[1]}?facility=local3", "file:app.log"]
ctxlog.configure(format="json", service="shop", to=to)
log = logging.getLogger("shop")

def request(name):
    log.info("begin ] \\\\ \\" é")
    log.error("long", extra={"data": "é" * 100_000})

for number in range(50):
    ctxlog.run({"requestID": f"req-{number}"}, request, number)
"""


def test_messages_are_understood(rsyslog: Rsyslog, tmp_path: Path) -> None:
    """Each by its length, with its parts; one of 200 kB is whole."""
    subprocess.run(
        [sys.executable, "-I", "-c", _PROGRAM, str(rsyslog.port)],
        cwd=tmp_path,
        env=clean_environment(),
        timeout=LIMIT,
        check=True,
    )
    lines = (tmp_path / "app.log").read_bytes().splitlines()
    entries = rsyslog.entries(len(lines))
    assert [one["message"].encode() for one in entries] == lines
    first, second = entries[:2]
    assert (first["severity"], second["severity"]) == ("6", "3")
    assert (first["facility"], first["app"], first["protocol"]) == (
        "local3",
        "shop",
        "1",
    )
    assert first["data"] == '[ctxlog@32473 requestID="req-0"]'
    assert first["time"] == json.loads(lines[0])["timestamp"]


def _numbers(entries: list[dict[str, str]]) -> list[int]:
    """Return the numbers of our lines: others are about the outage."""
    lines = [json.loads(one["message"]) for one in entries]
    return [one["n"] for one in lines if "n" in one]


def test_an_outage(rsyslog: Rsyslog) -> None:
    """Lines of three seconds without a receiver come when it is back, in order."""
    syslog = Syslog(f"syslog://127.0.0.1:{rsyslog.port}")
    count = 0

    def log(number: int) -> None:
        nonlocal count
        for _ in range(number):
            syslog.write(line(n=count))
            count += 1

    log(1_000)
    assert syslog.flush(LIMIT) == 0
    rsyslog.entries(1_000)
    rsyslog.end()
    begin = time.monotonic()
    while time.monotonic() < begin + 3:
        log(300)
        syslog.flush(0.1)
    assert syslog.stats()["held"] == count - 1_000
    rsyslog.start()
    log(1_000)
    assert syslog.flush(LIMIT) == 0
    assert syslog.close(LIMIT) == 0
    stats = syslog.stats()
    # Two lines say that it was away, and that it is back.
    assert (stats["shipped"], stats["dropped"]) == (count + 2, 0)
    assert _numbers(rsyslog.entries(count + 2)) == list(range(count))


def test_a_receiver_that_is_killed(rsyslog: Rsyslog) -> None:
    """What it had not written is lost, as syslog has no answer; no more than that."""
    syslog = Syslog(f"syslog://127.0.0.1:{rsyslog.port}")
    for number in range(20_000):
        syslog.write(line(n=number))
        if number == 10_000:
            syslog.flush(1)
            rsyslog.end(signal.SIGKILL)
        if number == 15_000:
            rsyslog.start()
    assert syslog.flush(LIMIT) == 0
    assert syslog.close(LIMIT) == 0
    last, found = -1, set[int]()
    end = time.monotonic() + LIMIT
    while last != 19_999 and time.monotonic() < end:
        numbers = _numbers(rsyslog.written())
        last, found = max(numbers, default=-1), set(numbers)
        time.sleep(0.05)
    lost = 20_000 - len(found)
    sys.stdout.write(f"lost {lost}, twice {len(numbers) - len(found)}\n")
    assert last == 19_999
    # They are together, and of those that were sent before it was killed.
    missing = sorted(set(range(20_000)) - found)
    assert not missing or missing[-1] <= 10_000


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1, with its key in one file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl on this machine")
    path = tmp_path / "certificate.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(tmp_path / "key.pem"), "-out", str(path)),
        ],
        check=True,
        capture_output=True,
        timeout=LIMIT,
    )
    with path.open("ab") as file:
        file.write((tmp_path / "key.pem").read_bytes())
    return path


class _Tls:
    """A receiver by TLS; it keeps what comes until its end."""

    def __init__(self, certificate: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.data = b""
        self._context = context
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                there, _ = self._listener.accept()
            except OSError:
                return
            try:
                with self._context.wrap_socket(there, server_side=True) as stream:
                    while part := stream.recv(1 << 16):
                        self.data += part
            except OSError:
                pass

    def end(self) -> None:
        """End it when its connections have."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(LIMIT)


def test_tls(certificate: Path) -> None:
    """Messages over TLS, to a receiver that is trusted."""
    server = _Tls(certificate)
    syslog = Syslog(f"syslogs://127.0.0.1:{server.port}?ca={certificate}")
    lines = [line(n=number, data="x" * number) for number in range(2_000)]
    for one in lines:
        syslog.write(one)
    assert syslog.flush(LIMIT) == 0
    assert syslog.close(LIMIT) == 0
    server.end()
    found = [fields(one)[7].encode() + b"\n" for one in messages(server.data)]
    assert found == lines


def test_tls_without_trust(
    certificate: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A receiver that nobody vouches for gets nothing; the reason is said."""
    server = _Tls(certificate)
    syslog = Syslog(f"syslogs://127.0.0.1:{server.port}")
    syslog.write(line())
    assert syslog.close(1) == 1
    server.end()
    assert server.data == b""
    assert "1 line was not shipped: " in capfd.readouterr().err
