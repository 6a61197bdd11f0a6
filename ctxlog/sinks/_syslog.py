"""
Lines to a receiver of syslog. Private to `sinks/`.
"""

from __future__ import annotations

from ctxlog.errors import ConfigError
from ctxlog.sinks._ship import Ship

_EXPECTED = (
    "syslog://host:514, with ?transport=udp for UDP, syslogs://host:6514 for TLS, or "
    "syslog: for /dev/log"
)


class Syslog(Ship):
    """
    Sends lines to a receiver of syslog, as messages of RFC 5424, like `Ship`.

    The request's id is structured data, the JSON line is the message. Syslog has no
    answer: a line counts as shipped when the other side's system has acknowledged it
    (TCP and TLS, on Linux), or when this one has sent it. What the receiver had not
    read by then is lost if it is killed, and not counted.

    Args:
        address: `syslog://host:514` by TCP with octet counting, with `?transport=udp`
            by UDP; `syslogs://host:6514` by TLS; `syslog:` for `/dev/log`. The option
            `facility` is one of `user`, `local0` ...
        max_bytes: The most memory that lines take: `64MB`, or a number of bytes.
        on_full: What happens to a line that finds the memory full: `drop` it, or
            `wait` for room before.
        wait: The most seconds that a call waits then.

    Raises:
        ConfigError: if an option or the address is invalid.
    """

    def __init__(
        self,
        address: str = "syslog:",
        *,
        max_bytes: int | str = "64MB",
        on_full: str = "drop",
        wait: float = 0.05,
    ) -> None:
        scheme = address.partition(":")[0]
        if scheme not in ("syslog", "syslogs"):
            raise ConfigError("address", f"{scheme}:", _EXPECTED)
        super().__init__(address, max_bytes=max_bytes, on_full=on_full, wait=wait)
