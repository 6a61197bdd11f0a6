"""
Routes of ASGI applications that are mounted in others: templates joined.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from ctxlog.servers._request import note_route

#: The key of the mounts around an application, in the scope.
_MOUNTS = "ctxlog.mounts"


def note_template(
    scope: Mapping[str, Any], template: str, *, joined: bool = True
) -> None:
    """
    Note a route that matched, with the mounts around its application before it.

    Args:
        scope: The scope that the application got.
        template: The route's own template.
        joined: False for a framework that matches the whole path also in a mount.
    """
    mounts = scope.get(_MOUNTS, "")
    note_route(mounts + template if joined else template, instead_of=mounts or None)


def enter_mount(
    scope: MutableMapping[str, Any], template: str, *, is_route: bool
) -> None:
    """
    Add a mount to those around the application that is called next.

    Args:
        scope: The scope that the application will get.
        template: The mount's own template.
        is_route: Whether the mount is all of the route that can be known.
    """
    around = scope.get(_MOUNTS, "")
    mounts = scope[_MOUNTS] = around + template
    if is_route:
        note_route(mounts or "/", instead_of=around or None)
