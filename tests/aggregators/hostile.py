"""
Lines that stores may choke on.
"""

from __future__ import annotations

from ctxlog.line.vendors import SCHEMAS
from tests.aggregators.lines import line_of

#: Each by what it has.
HOSTILE: dict[str, bytes] = {
    **{schema: line_of(schema) for schema in SCHEMAS},
    "nul": line_of(message="a\u0000b", value="\u0000"),
    "nul byte": b"a\x00b\n",
    "no UTF-8": b'{"message":"\xff\xfe"}\n',
    "text": b"Traceback (most recent call last):\n",
    "empty": b"\n",
    "array": b"[1,2]\n",
    "number": b"12\n",
    "half": b'{"timestamp":"2026-11-28T09:30:37.250000Z","mess\n',
    "half a character": b'{"message":"\\ud83d"}\n',
    "quotes": line_of(message='"\\"\n\r\t\u2028 </script>'),
    "empty object": b"{}\n",
    "no strings": b'{"message":{"a":[1]},"level":{"b":2},"timestamp":[3],"logger":9}\n',
    "big numbers": b'{"message":"n","n":123456789012345678901234567890,"f":1e300}\n',
    "deep": b'{"message":"d","a":' + b"[" * 900 + b"]" * 900 + b"}\n",
    "deep objects": b'{"message":"d","a":' + b'{"a":' * 900 + b"1" + b"}" * 901 + b"\n",
    "many fields": line_of(**{f"field{number}": number for number in range(1_200)}),
    "a long name": b'{"message":"l","%s":1}\n' % (b"x" * 200),
    "a break within": b'{"message":"a",\n"b":1}\n',
    "old": b'{"message":"old","timestamp":"1970-01-02T00:00:00Z"}\n',
    "metadata": b'{"message":"m","_id":"1","_source":2,"_time":3,"_line":4}\n',
    "255 KiB": line_of(message="x" * (255 * 1024)),
    "too long": b'{"message":"%s"}\n' % (b"x" * 300_000),
}
