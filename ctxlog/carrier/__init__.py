"""
The carrier: what takes a request's fields to another process, and back out there.

`inject()` and `extract()` for the headers of HTTP calls, `pack()` and `unpack()` for
the messages of task queues, `carry()` and `adopt()` for the items of queues within one
application.
"""

from ctxlog.carrier.headers import extract, inject
from ctxlog.carrier.ids import is_valid_request_id
from ctxlog.carrier.items import CarriedItem, adopt, carry
from ctxlog.carrier.messages import pack, unpack
from ctxlog.carrier.received import ReceivedStore

__all__ = [
    "CarriedItem",
    "ReceivedStore",
    "adopt",
    "carry",
    "extract",
    "inject",
    "is_valid_request_id",
    "pack",
    "unpack",
]
