"""Users' details, kept elsewhere. This service logs with loguru."""

import asyncio

from loguru import logger


async def fetch_details(user_id: str) -> dict[str, str]:
    logger.info("Fetching details for user {}", user_id)
    await asyncio.sleep(0.01)  # the database
    return {"company": "Global Tech Inc.", "country": "Worldwide"}
