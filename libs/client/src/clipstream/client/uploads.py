"""The routes by which a file gets in, one by one. `Client.upload` is all of them in the right order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from clipstream.client.models import (
    ChunkedUpload,
    CreatedVideo,
    FreshUpload,
    NewVideo,
    PartRequest,
    PartRequests,
    SentPart,
    SentParts,
    UploadedVideo,
    VideoState,
    WantedPart,
    WantedParts,
)
from clipstream.client.transport import Transport


class Uploads:
    """An API key needs the scope `upload` for these and no other."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(
        self,
        stream_id: UUID,
        filename: str,
        size: int,
        *,
        title: str | None = None,
        sha256: str | None = None,
        recorded_at: datetime | None = None,
        key: str | None = None,
    ) -> CreatedVideo:
        """Announce a file. With its `sha256` the server refuses it as `AlreadyThere` where the stream has it. The same
        `key` gives the same video again."""
        body = NewVideo(filename=filename, size=size, title=title, sha256=sha256, recorded_at=recorded_at)
        path = f"/streams/{stream_id}/videos"
        return await self._transport.ask(CreatedVideo, "POST", path, body=body, creates=True, key=key)

    async def renew(self, video_id: UUID) -> FreshUpload:
        """Another address for the whole file."""
        return await self._transport.ask(FreshUpload, "POST", f"/videos/{video_id}/upload-url", repeatable=True)

    async def complete(self, video_id: UUID) -> VideoState:
        """Say that the whole file has arrived."""
        return await self._transport.ask(VideoState, "POST", f"/videos/{video_id}/complete", repeatable=True)

    async def open(self, video_id: UUID) -> ChunkedUpload:
        """Begin to send it in parts, or go on with the parts that are there."""
        return await self._transport.ask(ChunkedUpload, "POST", f"/videos/{video_id}/uploads", creates=True)

    async def look(self, video_id: UUID, upload_id: UUID) -> ChunkedUpload:
        return await self._transport.ask(ChunkedUpload, "GET", f"/videos/{video_id}/uploads/{upload_id}")

    async def sign(self, video_id: UUID, upload_id: UUID, parts: Sequence[WantedPart]) -> Sequence[PartRequest]:
        """Addresses for up to a hundred parts; as often as they are needed."""
        path, body = f"/videos/{video_id}/uploads/{upload_id}/parts", WantedParts(parts=list(parts))
        return (await self._transport.ask(PartRequests, "POST", path, body=body, repeatable=True)).parts

    async def finish(self, video_id: UUID, upload_id: UUID, parts: Sequence[SentPart] | None = None) -> UploadedVideo:
        """Make the file of its parts. `parts` is what the sender believes to have sent, where that is to be compared."""
        body = SentParts(parts=None if parts is None else list(parts))
        path = f"/videos/{video_id}/uploads/{upload_id}/complete"
        return await self._transport.ask(UploadedVideo, "POST", path, body=body, repeatable=True)

    async def abort(self, video_id: UUID, upload_id: UUID) -> None:
        """Give up what has arrived."""
        await self._transport.send("DELETE", f"/videos/{video_id}/uploads/{upload_id}")
