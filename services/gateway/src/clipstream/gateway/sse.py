"""Server-sent events: one writer for every live route.

A comment every fifteen seconds keeps proxies awake and shows us readers that have gone. A stream ends when the token it
was opened with does, and within seconds of its reader's losing access (readers.py); `closed` says why, as its last event.
At shutdown it ends at once: clients read on with a fresh one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from aiohttp import hdrs, web
from pydantic import BaseModel

from clipstream.common.db.errors import map_database_errors
from clipstream.common.errors import Transient
from clipstream.gateway.readers import Reader
from clipstream.gateway.routes.api import Call

HEARTBEAT_S = 15.0
CLOSING_S = 1.0
HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would hold everything back until the end
}

log = structlog.get_logger(__name__)


class Closed(BaseModel):
    """The last event. Reading on needs what `reason` says is missing; a new token where it has expired."""

    reason: str


class ReaderLeft(Exception):
    """The client has closed the connection."""


class EventWriter:
    """Writes events of one open stream. `ReaderLeft` where nobody reads them any more."""

    def __init__(self, response: web.StreamResponse) -> None:
        self._response = response

    async def send(self, name: str, data: BaseModel, *, event_id: str | None = None) -> None:
        head = "" if event_id is None else f"id: {event_id}\n"
        await self._write(f"{head}event: {name}\ndata: {data.model_dump_json()}\n\n")

    async def heartbeat(self) -> None:
        await self._write(": alive\n\n")

    async def end(self) -> None:
        try:
            await self._response.write_eof()
        except ConnectionResetError as error:
            raise ReaderLeft from error

    async def _write(self, text: str) -> None:
        try:
            await self._response.write(text.encode())
        except ConnectionResetError as error:
            raise ReaderLeft from error


async def stream(call: Call, reader: Reader, feed: Callable[[EventWriter], Awaitable[None]]) -> web.StreamResponse:
    """Run `feed` until it ends, its reader leaves or may not read on, its token expires, or the gateway stops."""
    response = web.StreamResponse(headers=HEADERS)
    with call.services.readers.admit(reader):
        await response.prepare(call.request)
        if call.request.method == hdrs.METH_HEAD:
            return response
        writer = EventWriter(response)
        task = asyncio.ensure_future(_until_expiry(call, feed(writer)))
        call.services.streaming.add(task)
        try:
            ends: set[asyncio.Future[Any]] = {task, reader.refused}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            reason = reader.refused.result() if reader.refused.done() else _outcome(task)
        finally:
            task.cancel()
            call.services.streaming.discard(task)
        await asyncio.wait({task})
        await _close(call.request, writer, reason)
    return response


async def _until_expiry(call: Call, work: Awaitable[None]) -> str | None:
    """Why it ended early; None where all was told or the reader has left."""
    expires = None if call.credentials is None else call.credentials.expires_at
    left = None if expires is None else max((expires - datetime.now(UTC)).total_seconds(), 0)
    try:
        async with asyncio.timeout(left):
            return await _told(work)
    except TimeoutError:
        return "Invalid or expired token"


async def _told(work: Awaitable[None]) -> str | None:
    try:
        with map_database_errors():
            await work
    except ReaderLeft:
        return None
    except Transient as error:
        log.warning("live_events_interrupted", reason=str(error))
        return "Service unavailable"
    return None


def _outcome(task: asyncio.Task[str | None]) -> str | None:
    return None if task.cancelled() else task.result()


async def _close(request: web.Request, writer: EventWriter, reason: str | None) -> None:
    """End, and cut off a client that does not read: it would keep the connection for ever. Where a write that waited for
    it was cancelled, aiohttp lets no other wait, so that is not tried."""
    if not request.protocol.writing_paused and await _said(writer, reason):
        return
    if request.transport is not None:
        request.transport.abort()


async def _said(writer: EventWriter, reason: str | None) -> bool:
    """Say why, if there is a reason; False where the client does not take it."""
    try:
        async with asyncio.timeout(CLOSING_S):
            if reason is not None:
                await writer.send("closed", Closed(reason=reason))
            await writer.end()
    except ReaderLeft:
        return True
    except TimeoutError:
        return False
    return True


async def end_streams(streaming: set[asyncio.Task[str | None]]) -> None:
    """End every open stream now; an open one would hold up the shutdown for its whole timeout."""
    for task in list(streaming):
        task.cancel()
    if streaming:
        await asyncio.wait(list(streaming), timeout=1)
