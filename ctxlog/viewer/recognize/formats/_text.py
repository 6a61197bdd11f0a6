"""
The formats of text logs, one small declaration each: a new format is a row.

The names of a pattern's groups are the names of what they hold. These have a meaning of
their own: `time` is a time in any form; `ms`, `us` and `s` are durations; `head` has
words in brackets before the message; `rest` follows a known part of an access log.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

CLOCK = r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
DAY = r"\d{4}[-/.]\d\d[-/.]\d\d"
ISO = rf"{DAY}[T ]{CLOCK}(?:Z| ?[+-]\d\d:?\d\d)?"
LEVEL = (
    r"(?i:trace|debug\d?|dbug|verbose|fine|finer|finest|config|info|information|notice|"
    r"success|audit|warn|warning|err|error|severe|crit|critical|fatal|alert|emerg|"
    r"emergency|panic|dpanic|trc|vrb|dbg|debu|inf|wrn|erro|ftl|fata|pnc)"
)
CLF_TIME = (
    r"(?:\d\d/[A-Z][a-z]{2}/\d{4}[: ]\d\d:\d\d:\d\d(?:\.\d+)?"
    r"(?: (?:[+-]\d{4}|UTC|GMT))?|"
    r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT)"
)
#: The file and the line that stand at the end of a message, after blanks.
CALLER = r"(?:(?<=\S) {2,}(?P<caller>[\w.-]+:\d+) *)?"
#: As C's ctime() has it.
CTIME = rf"[A-Z][a-z]{{2}} [A-Z][a-z]{{2}} [ \d]\d {CLOCK} \d{{4}}"
#: What a client has sent first may be anything.
REQUEST = (
    r'"(?:(?P<method>[A-Z]{3,20}) (?P<path>[^\s"]+)(?: HTTP/[\d.]+)?|(?:[^"\\]|\\.)*)"'
)
LOGGER = r"(?P<logger>[\w.$/<>\[\]-]+)"


@dataclass(frozen=True)
class TextFormat:
    """
    A format of log lines that are not JSON.

    Attributes:
        name: Its name, as its users call it.
        sample: A line of it, made after its documentation.
        pattern: What its lines match, from the beginning to the end.
        first: Which characters a line of it begins with: the inside of a `[...]` of a
            regular expression; any if empty.
        needs: What each line of it has somewhere: a look at that is quick.
        within: What else is found within its message.
        begins: Whether the time is when what took a while began, not when it ended.
        is_weak: Whether what follows the time may be an entry of another format.
    """

    name: str
    sample: str
    pattern: str
    first: str = ""
    needs: str = ""
    within: str = ""
    begins: bool = False
    is_weak: bool = False

    @cached_property
    def form(self) -> re.Pattern[str]:
        """The pattern, compiled when it is needed first."""
        first = f"(?=[{self.first}])" if self.first else ""
        return re.compile(first + self.pattern, re.DOTALL)

    @cached_property
    def inner(self) -> re.Pattern[str] | None:
        """The pattern of what is within its message."""
        return re.compile(self.within) if self.within else None
