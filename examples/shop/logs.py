"""Logging is configured once, here. No other module knows about it."""

import ctxlog


def configure() -> None:
    ctxlog.configure(format="json", service="shop")
