"""
Where fields stand on a line whose schema does more than rename them.
"""

from __future__ import annotations

from typing import Any


def without_dots(name: str) -> str:
    """Return a name that Elasticsearch does not read as objects, nor refuses."""
    name = name.replace(".", "_")
    return name if name.strip() else "_"


def undotted(value: Any) -> Any:
    """Return a plain value in which no object has a name with a dot."""
    if type(value) is list:
        return [undotted(item) for item in value]
    if type(value) is not dict:
        return value
    found: dict[str, Any] = {}
    for name, of in value.items():
        wanted = without_dots(name)
        key, number = wanted, 2
        while key in found or (key != name and key in value):
            key, number = f"{wanted}_{number}", number + 1
        found[key] = undotted(of)
    return found
