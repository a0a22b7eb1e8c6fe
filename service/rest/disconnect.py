"""Giving up work that nobody waits for any more."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

T = TypeVar("T")


class ClientGone(Exception):
    """The client hung up; its request was abandoned."""


async def until_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Await `work`, but give it up when the client hangs up: ClientGone."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone
        return task.result()
    finally:
        for future in (task, gone):
            future.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    """Returns when the client hangs up. The body is read: no other message can come."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
