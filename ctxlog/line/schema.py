"""
Schemas: the names of a line's keys, by a vendor's name or of one's own.
"""

from __future__ import annotations

from ctxlog.errors import ConfigError
from ctxlog.line._schema import Schema
from ctxlog.line.vendors import SCHEMAS

__all__ = ["Schema", "get_schema"]


def get_schema(schema: str | Schema) -> Schema:
    """
    Return the schema that a `schema=` option means.

    Raises:
        ConfigError: If there is none of that name.
    """
    if isinstance(schema, Schema):
        return schema
    if isinstance(schema, str) and schema in SCHEMAS:
        return SCHEMAS[schema]
    allowed = f"one of: {', '.join(SCHEMAS)}, or a Schema"
    raise ConfigError("schema", schema, allowed)
