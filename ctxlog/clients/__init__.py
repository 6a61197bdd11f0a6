"""Adapters for clients of services and databases, a module for each library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctxlog import _lazy

if TYPE_CHECKING:
    from ctxlog.clients import aiohttp as aiohttp
    from ctxlog.clients import grpc as grpc
    from ctxlog.clients import httpx as httpx
    from ctxlog.clients import redis as redis
    from ctxlog.clients import requests as requests
    from ctxlog.clients import sqlalchemy as sqlalchemy
    from ctxlog.clients import urllib3 as urllib3
else:
    __getattr__, __dir__ = _lazy.lazily(__name__)
