"""
The completion line: what a request, a task or a call says of itself at its end.

Adapters of servers and of task queues write it by one set of rules, which the
application may extend: by fields, by a level, or by no line at all.
"""

from ctxlog.completion.completed import Completed

__all__ = ["Completed"]
