"""
`Syslog`: lines to a receiver of syslog, through its outages.
"""

from __future__ import annotations

import json

import pytest

from ctxlog.errors import ConfigError
from ctxlog.sinks import Syslog, _accounts, sink
from tests.aggregators.test_rfc5424 import Listener, fields, line, read
from tests.helpers import LIMIT


def test_lines_arrive_in_order() -> None:
    """As messages, with the lines as they were written."""
    listener = Listener()
    syslog = Syslog(f"syslog://127.0.0.1:{listener.port}?facility=local0")
    for number in range(100):
        syslog.write(line(n=number))
    with listener.accept() as there:
        found = [json.loads(fields(one)[7])["n"] for one in read(there, 100)]
        assert syslog.flush(LIMIT) == 0
    assert found == list(range(100))
    assert syslog.stats()["shipped"] == 100
    assert syslog.close(LIMIT) == 0
    listener.socket.close()


def test_an_outage(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines are held until it is over; those that are given up are said."""
    monkeypatch.setattr(_accounts, "_BRIEF", LIMIT)  # no further lines about that
    listener = Listener()
    syslog = Syslog(f"syslog://127.0.0.1:{listener.port}")
    syslog.write(line(n=0))
    with listener.accept() as there:
        read(there, 1)
        assert syslog.flush(LIMIT) == 0
        listener.socket.close()
    for number in range(1, 10):
        syslog.write(line(n=number))
    assert syslog.flush(0.3) == 9
    listener.open(listener.port)
    with listener.accept() as there:
        found = [json.loads(fields(one)[7])["n"] for one in read(there, 9)]
        assert found == list(range(1, 10))
        assert syslog.flush(LIMIT) == 0
        listener.socket.close()
    syslog.write(line(n=10))
    assert syslog.close(LIMIT) == 1
    assert "1 line was not shipped: Connection refused" in capfd.readouterr().err


def test_addresses() -> None:
    """A sink by its address; another store's is refused without what may be secret."""
    for address in ("syslog://h", "syslogs://h", "syslog:", "syslog:/run/log"):
        made = sink(address)
        assert isinstance(made, Syslog)
        assert made.name == address
    with pytest.raises(ConfigError, match="syslog:") as caught:
        Syslog("loki://h?header=X:secret")
    assert "secret" not in str(caught.value)
