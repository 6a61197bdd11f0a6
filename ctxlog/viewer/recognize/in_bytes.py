"""
What is looked for in the bytes of lines before they are read: keys, words, statuses.

All are sources of regular expressions for bytes, and find more rather than less: a line
that is found is read, and asked again. Each begins with plain bytes, which `re` looks
for fast. A quote has a backslash before it where a line stands as text in an object.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ctxlog.viewer.recognize.formats import FORMATS
from ctxlog.viewer.recognize.keys import WORDS
from ctxlog.viewer.recognize.scales import level_words


def id_key(paths: Iterable[str]) -> bytes:
    """
    Return what the key of a request's id ends with, up to where its value begins.

    Keys are met in all spellings: `requestID`, `x-request-id`, `mdc.Request_Id`; most
    end with `id`, as others do that are none.

    Args:
        paths: More paths under which an id may stand, written as they are.
    """
    ends = {"id", "Id", "ID", "iD"}
    for name in WORDS["id"]:
        last = re.split(r"[^a-z0-9]", name)[-1]
        if not last.endswith("id"):
            ends |= {last, last.upper(), last.capitalize()}
    own = (path for one in FORMATS for path in one.places("id"))
    ends |= {path.rpartition(".")[2] for path in (*own, *paths)}
    every = sorted(re.escape(end).encode() for end in ends)
    # With `=` in text that a collector has wrapped.
    return rb'(?:%s)(?:\\?"\s*:\s*|=)' % b"|".join(every)


def status(digits: bytes) -> Sequence[bytes]:
    """
    Return what a status matches, under any key.

    Args:
        digits: What its digits match, such as `5\\d\\d`.
    """
    # OpenTelemetry's value of an attribute stands in an object of its own.
    then = (
        rb'\\?"\s*(?::|,\s*"value"\s*:\s*\{\s*"intValue"\s*:)\s*\\?"?' + digits + rb"\b"
    )
    inner = rb'tatus\\?"\s*:\s*\{[^\n]{0,400}?"code' + then
    return (
        rb"tatus(?:[._]?[cC]ode)?" + then,
        rb"TATUS(?:_?CODE)?" + then,
        rb"es(?:ponse|ult)_?[cC]ode" + then,
        inner,
        rb'"resp' + then,  # of Kubernetes' API
        rb'"code' + then,
        *_WRAPPED_TEXT,
    )


def failing() -> Sequence[bytes]:
    """Return what lines match that fail: by a level from `ERROR` on, or a status."""
    words = b"|".join(re.escape(word.encode()) for word in sorted(level_words(40)))
    word = rb'\\?"\s*(?i:(?:' + words + rb")\b)"
    # The numbers of all scales, of syslog's the small ones.
    level = rb"(?:" + word + rb'|\\?"?(?:[5-9]\d|\d{3}|-|[0-3]\b|4\d))'
    colon = rb'\\?"\s*:\s*'
    found = [
        rb"%s(?:[._]?(?:name|Name|NAME|no|Str))?" % key + colon + level
        for key in (b"evel", b"EVEL")
    ]
    found += [
        rb"%s(?:[._]?(?:text|Text|TEXT))?" % key + colon + level
        for key in (b"everity", b"EVERITY")
    ]
    found += [
        # loguru's level is an object
        rb'evel\\?"\s*:\s*\{[^\n]*"name' + colon + word,
        rb'everity_?[nN]umber\\?"\s*:\s*\\?"?(?:1[7-9]|2\d)',
        rb"vl" + colon + level,
        rb'"@l' + colon + word,
        rb'"s' + colon + level,
        rb'"L' + colon + word,
        rb'"label' + colon + word,
        rb'"sev' + colon + word,
        rb"riority" + colon + level,
        rb"RIORITY" + colon + level,
        rb"tatus" + colon + word,
        rb'tatus"\s*:\s*"timeout',  # Lambda's
        rb'"Outcome"\s*:\s*"e',  # of Cloudflare's Workers
        rb'"err' + colon,  # of klog, which says no level
    ]
    return (*found, *status(rb"5\d\d"))


#: Text in an object says what it does in ways of its own: each such line may be meant.
_WRAPPED_TEXT = (
    rb'"log"\s*:\s*"[^{\s]',
    rb'"MESSAGE"\s*:\s*(?:\[|"[^{\s])',
    rb'"@message"\s*:\s*"[^{\s]',
    rb'"source_type"\s*:',
    rb'"ingestionTime"\s*:',
    rb'"logEvents"\s*:',
    rb'"agent"\s*:\s*\{',
    rb'"kubernetes"\s*:\s*\{',
    rb'"podName"\s*:',
    rb'"stream"\s*:',
    rb'"line"\s*:\s*"[^{\s]',
    rb'"results"\s*:\s*\[',
    rb'"tables"\s*:\s*\[',
    rb'"values"\s*:\s*\[',
    rb'"(?:LogMessage|LogEntry|Log(?:_s)?|_raw|record)"\s*:\s*"[^{\s]',
)
