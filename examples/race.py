"""
Two requests at once: how a global mixes them up, and two ways that do not.

Run it with `python examples/race.py`.
"""

import asyncio

import ctxlog

current = None  # the request that is being served; or is it?


async def with_a_global(request_id: str) -> None:
    global current
    current = request_id
    await asyncio.sleep(0)  # another request is served meanwhile
    print(f"  {request_id} writes as {current}")


async def with_a_parameter(request_id: str) -> None:
    await asyncio.sleep(0)
    write(request_id, request_id)  # ... and so on, through every function


def write(request_id: str, writes_as: str) -> None:
    print(f"  {request_id} writes as {writes_as}")


async def with_ctxlog(request_id: str) -> None:
    await ctxlog.run({"requestID": request_id}, handle, request_id)


async def handle(request_id: str) -> None:
    await asyncio.sleep(0)
    write(request_id, str(ctxlog.fields()["requestID"]))


async def main() -> None:
    print("a global variable:")
    await asyncio.gather(with_a_global("req-A"), with_a_global("req-B"))
    print("a parameter passed down:")
    await asyncio.gather(with_a_parameter("req-A"), with_a_parameter("req-B"))
    print("ctxlog.run:")
    await asyncio.gather(with_ctxlog("req-A"), with_ctxlog("req-B"))


if __name__ == "__main__":
    asyncio.run(main())
