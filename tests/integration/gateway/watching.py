"""A reader of server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import aiohttp

from clipstream.common.contracts.events import ClipProgress
from clipstream.common.contracts.ids import RunId, StreamId, VideoId
from integration.gateway.world import Somebody

SILENCE = ("", None)  # a comment, which keeps the connection awake
END = ("end", None)


class Stream:
    """Reads server-sent events."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.last_id: str | None = None

    async def next(self) -> tuple[str, Any]:
        """The next event's name and data; `SILENCE` for a comment, `END` at the end."""
        async with asyncio.timeout(10):
            raw = b""
            async for line in self.response.content:
                if line == b"\n":
                    break
                raw += line
        if not raw:
            return END
        fields = dict(line.split(": ", 1) for line in raw.decode().splitlines())
        self.last_id = fields.get("id", self.last_id)
        return (fields["event"], json.loads(fields["data"])) if "event" in fields else SILENCE

    async def until(self, name: str) -> Any:
        """The data of the next event of that name, whatever comes before it."""
        async with asyncio.timeout(20):
            while (event := await self.next())[0] != name:
                assert event != END
            return event[1]

    async def last(self) -> tuple[str, Any]:
        """The last event before the end."""
        last = SILENCE
        async with asyncio.timeout(20):
            while (event := await self.next()) != END:
                last = last if event == SILENCE else event
            return last

    async def closed(self) -> str:
        """The reason in the last event, whatever comes before it."""
        reason: str = (await self.until("closed"))["reason"]
        assert await self.next() == END
        return reason


@asynccontextmanager
async def watching(who: Somebody, path: str, **headers: str) -> AsyncIterator[Stream]:
    auth = {"Authorization": f"Bearer {who.token}"} | headers
    async with who.session.get(f"{who.base}{path}", headers=auth) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/event-stream"
        assert response.headers["X-Accel-Buffering"] == "no"
        yield Stream(response)


def progress(video_id: VideoId, stream_id: str, fraction: float) -> ClipProgress:
    return ClipProgress(
        video_id=video_id,
        stream_id=StreamId(UUID(stream_id)),
        stage="transcode",
        state="running",
        fraction=fraction,
        run_id=RunId("r"),
    )
