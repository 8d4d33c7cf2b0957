"""One file on its way into a stream: announced, sent in one piece or in parts of which several travel at once, completed.

Whatever fails is tried again with a fresh address; what ended with its process is gone on with from the bookmark. Only what
has not arrived is sent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from clipstream.client.bookmarks import Bookmark, Bookmarks
from clipstream.client.delivery import Address, Delivery, Ended
from clipstream.client.errors import AlreadyThere, ApiError
from clipstream.client.files import LocalFile
from clipstream.client.models import ChunkedUpload, CreatedVideo, WantedPart
from clipstream.client.uploads import Uploads

SINGLE_LIMIT = 16 << 20  # the server's smallest part
AT_ONCE = 3
ROUNDS = 3  # what the store took and then did not have is sent again


@dataclass(frozen=True, slots=True)
class Sent:
    """A file that is in its stream. `already_there`: it was before, as `video_id`. `resumed_bytes` had arrived before."""

    video_id: UUID
    already_there: bool = False
    resumed_bytes: int = 0


@dataclass(slots=True)
class Sending:
    """One upload."""

    uploads: Uploads
    delivery: Delivery
    file: LocalFile
    server: str
    stream_id: UUID
    title: str | None
    check_known: bool
    bookmarks: Bookmarks | None
    resumed_bytes: int = field(default=0, init=False)

    async def run(self) -> Sent:
        mark = await self._bookmark()
        if mark.video_id is None or not await self._send(mark.video_id):
            if mark.video_id is not None:  # it was deleted meanwhile
                mark = self._fresh_bookmark()
            try:
                made = await self._announce(mark)
            except AlreadyThere as known:
                await self._drop(mark)
                return Sent(known.video_id, already_there=True)
            mark = mark.model_copy(update={"video_id": made.id})
            if not await self._send(made.id, made.upload):
                raise ApiError(404, "The video was deleted while its file was sent")
        assert mark.video_id is not None  # noqa: S101 - it has just been sent
        await self._drop(mark)
        progress = self.delivery.progress
        progress.add(progress.total - progress.arrived)
        return Sent(mark.video_id, resumed_bytes=self.resumed_bytes)

    async def _send(self, video_id: UUID, first: Address | None = None) -> bool:
        """Send what is missing. False where there is no such video for us (any more)."""
        try:
            if self.file.size > SINGLE_LIMIT:
                await self._send_parts(video_id)
            else:
                await self._send_whole(video_id, first)
        except ApiError as error:
            if error.error in ("Video not found", "Access denied"):
                return False
            if error.error != "Upload already complete":
                raise
            await self.uploads.complete(video_id)
        return True

    # --- announcing -----------------------------------------------------------------------------------------------------

    async def _announce(self, mark: Bookmark) -> CreatedVideo:
        sha256 = await self.file.sha256() if self.check_known else None
        try:
            return await self._create(mark, sha256)
        except ApiError as error:
            if error.status != 422:
                raise
        # The key belongs to a request that was made otherwise: with another title, or without the hash.
        return await self._create(self._fresh_bookmark(), sha256)

    async def _create(self, mark: Bookmark, sha256: str | None) -> CreatedVideo:
        await self._keep(mark)
        made = await self.uploads.create(
            self.stream_id, self.file.path.name, self.file.size, title=self.title, sha256=sha256, key=mark.key
        )
        await self._keep(mark.model_copy(update={"video_id": made.id}))
        return made

    def _fresh_bookmark(self) -> Bookmark:
        return Bookmark(server=self.server, stream_id=self.stream_id, path=str(self.file.path))

    async def _bookmark(self) -> Bookmark:
        found = None
        if self.bookmarks is not None:
            found = await asyncio.to_thread(self.bookmarks.find, self.server, self.stream_id, self.file)
        return found or self._fresh_bookmark()

    async def _keep(self, mark: Bookmark) -> None:
        if self.bookmarks is not None:
            await asyncio.to_thread(self.bookmarks.keep, mark, self.file)

    async def _drop(self, mark: Bookmark) -> None:
        if self.bookmarks is not None:
            await asyncio.to_thread(self.bookmarks.drop, mark, self.file)

    # --- in one piece ---------------------------------------------------------------------------------------------------

    async def _send_whole(self, video_id: UUID, first: Address | None) -> None:
        addresses = deque([] if first is None else [first])

        async def address() -> Address:
            return addresses.popleft() if addresses else await self.uploads.renew(video_id)

        with suppress(Ended):  # an earlier try arrived, and its answer did not; completing tells
            await self.delivery.put(address, 0, self.file.size)
        await self.uploads.complete(video_id)

    # --- in parts -------------------------------------------------------------------------------------------------------

    async def _send_parts(self, video_id: UUID) -> None:
        upload = await self.uploads.open(video_id)
        self.resumed_bytes = upload.bytes
        for left in reversed(range(ROUNDS)):
            self.delivery.progress.add(upload.bytes - self.delivery.progress.arrived)
            try:
                await self._send_missing(video_id, upload)
                await self.uploads.finish(video_id, upload.id)
                return
            except Ended:
                if not left:
                    raise ApiError(409, "The server has given the upload up; begin it again") from None
            except ApiError as error:
                if not left or error.error not in ("Upload not complete", "Upload aborted"):
                    raise
            upload = await self.uploads.open(video_id)

    async def _send_missing(self, video_id: UUID, upload: ChunkedUpload) -> None:
        numbers = deque(upload.missing)

        async def work() -> None:
            while numbers:
                await self._send_part(video_id, upload, numbers.popleft())

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(AT_ONCE, len(numbers))):
                    group.create_task(work())
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _send_part(self, video_id: UUID, upload: ChunkedUpload, number: int) -> None:
        offset = (number - 1) * upload.part_size
        length = min(upload.part_size, self.file.size - offset)

        async def address() -> Address:
            """The checksum is part of what is signed: other bytes than these are not taken."""
            wanted = WantedPart(number=number, sha256=await self.file.sha256(offset, length))
            return (await self.uploads.sign(video_id, upload.id, [wanted]))[0]

        await self.delivery.put(address, offset, length)
