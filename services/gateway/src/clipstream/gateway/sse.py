"""Server-sent events: one writer for every live route.

A comment every fifteen seconds keeps proxies awake and shows us readers that have gone. A stream ends when the token it
was opened with does, and at shutdown at once: clients read on with a fresh one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from aiohttp import ClientConnectionResetError, web
from pydantic import BaseModel

from clipstream.gateway.routes.api import Call

HEARTBEAT_S = 15.0
HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would hold everything back until the end
}


class EventWriter:
    """Writes events of one open stream."""

    def __init__(self, response: web.StreamResponse) -> None:
        self._response = response

    async def send(self, name: str, data: BaseModel, *, event_id: str | None = None) -> None:
        head = "" if event_id is None else f"id: {event_id}\n"
        await self._response.write(f"{head}event: {name}\ndata: {data.model_dump_json()}\n\n".encode())

    async def heartbeat(self) -> None:
        await self._response.write(b": alive\n\n")


async def stream(call: Call, feed: Callable[[EventWriter], Awaitable[None]]) -> web.StreamResponse:
    """Run `feed` until it ends, its reader leaves, its token expires or the gateway stops."""
    response = web.StreamResponse(headers=HEADERS)
    await response.prepare(call.request)
    task = asyncio.ensure_future(_until_expiry(call, feed(EventWriter(response))))
    call.services.streaming.add(task)
    try:
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()
    except (ClientConnectionResetError, ConnectionResetError, TimeoutError):
        pass  # the reader left, or its token ended
    finally:
        task.cancel()
        call.services.streaming.discard(task)
    return response


async def _until_expiry(call: Call, work: Awaitable[None]) -> None:
    expires = call.token_expires_at
    left = None if expires is None else max((expires - datetime.now(UTC)).total_seconds(), 0)
    async with asyncio.timeout(left):
        await work


async def end_streams(streaming: set[asyncio.Task[object]]) -> None:
    """End every open stream now; an open one would hold up the shutdown for its whole timeout."""
    for task in list(streaming):
        task.cancel()
    if streaming:
        await asyncio.wait(list(streaming), timeout=1)
