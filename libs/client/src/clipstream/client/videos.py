"""Videos: look, edit, play, follow, and what was found out about them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any, Literal
from uuid import UUID

from clipstream.client.live import VideoEvent, watch_video
from clipstream.client.models import (
    Duplicate,
    Likes,
    NotComplete,
    Playback,
    PointOfView,
    PointsOfView,
    Processing,
    SimilarVideos,
    StillProcessing,
    Timeline,
    Trims,
    Video,
    VideoDetails,
    VideoEdit,
    VideoList,
)
from clipstream.client.paging import pages
from clipstream.client.transport import Transport, Value

Status = Literal["uploading", "processing", "ready", "duplicate", "failed", "rejected"]
FINAL: frozenset[str] = frozenset(("ready", "duplicate", "failed", "rejected"))


class Videos:
    """The videos of the caller's streams. What the pipeline has not made yet is answered with `NotComplete`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def get(self, video_id: UUID) -> VideoDetails:
        return await self._transport.ask(VideoDetails, "GET", f"/videos/{video_id}")

    async def edit(
        self,
        video_id: UUID,
        *,
        title: str | None = None,
        description: str | None = None,
        tags: Sequence[str] | None = None,
    ) -> VideoDetails:
        """What is None stays."""
        body = VideoEdit(title=title, description=description, tags=None if tags is None else [*tags])
        return await self._transport.ask(VideoDetails, "PUT", f"/videos/{video_id}", body=body)

    async def delete(self, video_id: UUID) -> None:
        await self._transport.send("DELETE", f"/videos/{video_id}")

    async def processing(self, video_id: UUID) -> Processing:
        return await self._transport.ask(Processing, "GET", f"/videos/{video_id}/processing")

    def events(self, video_id: UUID) -> AsyncGenerator[VideoEvent, None]:
        """How the video gets on, until it is deleted, for as long as it is read."""
        return watch_video(self._transport, video_id)

    async def playback(self, video_id: UUID) -> Playback | StillProcessing:
        """Where players find it; while it is processed perhaps a provisional address."""
        return await self._transport.ask_either(Playback, StillProcessing, "GET", f"/videos/{video_id}/stream")

    async def like(self, video_id: UUID) -> Likes:
        """Like it, or no longer like it; so this is never sent twice."""
        return await self._transport.ask(Likes, "POST", f"/videos/{video_id}/like")

    async def likes(self, video_id: UUID) -> Likes:
        return await self._transport.ask(Likes, "GET", f"/videos/{video_id}/likes")

    async def duplicate(self, video_id: UUID) -> Duplicate:
        return await self._transport.ask(Duplicate, "GET", f"/videos/{video_id}/duplicates")

    async def similar(self, video_id: UUID) -> SimilarVideos | NotComplete:
        return await self._transport.ask_either(SimilarVideos, NotComplete, "GET", f"/videos/{video_id}/similar")

    async def timeline(self, video_id: UUID) -> Timeline | NotComplete:
        return await self._transport.ask_either(Timeline, NotComplete, "GET", f"/videos/{video_id}/timeline")

    async def trims(self, video_id: UUID) -> Trims:
        """The first hundred clips cut from this one, and those that it was cut from."""
        return await self._transport.ask(Trims, "GET", f"/videos/{video_id}/trimmed", query={"limit": 100})

    def povs(self, video_id: UUID) -> AsyncIterator[PointOfView]:
        return pages(self._transport, PointsOfView, lambda page: page.povs, f"/videos/{video_id}/pov")

    async def transcript(self, video_id: UUID) -> dict[str, Any] | NotComplete:
        """Segments with their words, as they are stored."""
        reply = await self._transport.send("GET", f"/videos/{video_id}/transcript")
        return reply.read(NotComplete) if reply.status == 202 else dict(reply.json)

    async def transcript_text(self, video_id: UUID, format: Literal["vtt", "srt", "txt"]) -> str | NotComplete:
        reply = await self._transport.send("GET", f"/videos/{video_id}/transcript", query={"format": format})
        return reply.read(NotComplete) if reply.status == 202 else reply.raw.decode()

    async def embeddings(self, video_id: UUID) -> dict[str, Any] | NotComplete:
        """The vectors of its pictures with their seconds, as they are stored."""
        reply = await self._transport.send("GET", f"/videos/{video_id}/embeddings")
        return reply.read(NotComplete) if reply.status == 202 else dict(reply.json)

    def list(self, stream_id: UUID, *, status: Status | None = None, **filters: Value) -> AsyncIterator[Video]:
        """Newest first. `filters`: `uploader_id`, `tag`, `q` (part of the title)."""
        path = f"/streams/{stream_id}/videos"
        return pages(self._transport, VideoList, lambda page: page.videos, path, status=status, **filters)
