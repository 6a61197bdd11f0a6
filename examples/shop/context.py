"""What this application keeps about a request, under one roof."""

import ctxlog


def remember_user(user_id: str, name: str) -> None:
    """Put the user on every further line of the request, whoever logs it."""
    ctxlog.bind(user={"id": user_id, "name": name})


def current_user() -> dict[str, str] | None:
    """Return the user of the request that is being served."""
    store = ctxlog.get_store()
    user = None if store is None else store.get("user")
    return user if isinstance(user, dict) else None
