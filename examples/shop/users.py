"""A service deep down. It knows neither the web nor the request's id."""

import asyncio
import logging

from shop.context import current_user

log = logging.getLogger("shop.users")


class NotAuthenticated(Exception):
    pass


async def fetch_details(user_id: str) -> dict[str, str]:
    log.info("Fetching details for user %s", user_id)
    await asyncio.sleep(0.01)  # the database
    return {"company": "Global Tech Inc.", "country": "Worldwide"}


async def profile() -> dict[str, str]:
    user = current_user()
    if user is None:
        raise NotAuthenticated("nobody is logged in")
    log.info("Building the profile of %s", user["name"])
    return {**user, **await fetch_details(user["id"])}
