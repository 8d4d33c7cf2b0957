"""Uploads that nobody announced are looked for, and those that nobody goes on with are ended: in the store, so that their
parts take no room, and in words. Silence is what counts, not age: an address that was asked for is a sign of life, and so is
a part that has arrived since.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import structlog
from asyncpg import Connection, Pool

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import ClipstreamError, NotFound
from clipstream.common.store.objects import ObjectStore, Part
from clipstream.gateway import commands
from clipstream.gateway.projector import Projector
from clipstream.gateway.repository import uploads, videos
from clipstream.gateway.repository.uploads import Upload
from clipstream.gateway.repository.videos import Waiting
from clipstream.gateway.settings import Settings

BATCH = 50

log = structlog.get_logger(__name__)


class UploadSweeper:
    """Part of the sweeper; several may work at once."""

    def __init__(self, pool: Pool, store: ObjectStore, projector: Projector, settings: Settings) -> None:
        self._pool = pool
        self._store = store
        self._projector = projector
        self._settings = settings

    async def sweep(self) -> None:
        """One look at every upload that may be stuck. A store that is away holds up only what needs it."""
        await self._end_chunked()
        await self._find_unannounced()

    async def _end_chunked(self) -> None:
        for upload_id in await uploads.ending(self._pool, BATCH, silent_for=self._settings.abandon_after):
            try:
                async with self._pool.acquire() as connection, connection.transaction():
                    await self._end(connection, upload_id)
            except ClipstreamError as error:
                log.warning("upload_not_ended", upload_id=str(upload_id), reason=str(error))
        await uploads.forget_ended(self._pool)

    async def _end(self, connection: Connection, upload_id: UUID) -> None:
        """Under the row's lock: whoever wants to go on with it waits, and then sees its end."""
        upload = await uploads.lock(connection, upload_id)
        if upload is None or upload.state != "open":
            return
        need = await uploads.need(connection, upload_id, silent_for=self._settings.abandon_after)
        parts = await self._arrived(upload)
        newest = max((part.modified_at for part in parts or ()), default=upload.seen_at)
        if need.waits and (need.lives or newest > datetime.now(UTC) - self._settings.abandon_after):
            await uploads.seen(connection, upload_id, max(newest, upload.seen_at))
            return
        if upload.store_id is not None:
            await self._store.abort_multipart(ObjectKey(upload.key), upload.store_id)
        became_the_file = parts is None and upload.store_id is not None and not need.waits
        await uploads.end(connection, upload_id, "complete" if became_the_file else "aborted")
        log.info("chunked_upload_ended", upload_id=str(upload_id), parts=len(parts or ()))

    async def _arrived(self, upload: Upload) -> Sequence[Part] | None:
        """None where the store does not know the upload (any more)."""
        if upload.store_id is None:
            return None
        try:
            return await self._store.list_parts(ObjectKey(upload.key), upload.store_id)
        except NotFound:
            return None

    async def _find_unannounced(self) -> None:
        """HEAD what should have been uploaded. What is there is announced; what never came is ended."""
        async with self._pool.acquire() as connection, connection.transaction():
            waiting = await videos.unannounced(connection, BATCH, abandoned_after=self._settings.abandon_after)
            await videos.look_again(connection, [w.id for w in waiting], self._settings.announce_after * 4)
        for upload in waiting:
            try:
                await self._look_for(upload)
            except ClipstreamError as error:
                log.warning("upload_not_checked", video_id=str(upload.id), reason=str(error))

    async def _look_for(self, upload: Waiting) -> None:
        try:
            stored = await self._store.head(ObjectKey(upload.key))
        except NotFound:
            stored = None
        if stored is None and not upload.abandoned:
            return
        async with self._pool.acquire() as connection, connection.transaction():
            if stored is not None:
                await commands.announce(
                    connection,
                    self._projector,
                    stored,
                    video_id=upload.id,
                    stream_id=upload.stream_id,
                    bucket=self._store.bucket,
                    by="scan",
                )
            elif await videos.still_abandoned(connection, upload.id, self._settings.abandon_after):
                await commands.give_up_upload(
                    connection, self._projector, video_id=upload.id, stream_id=upload.stream_id
                )
            else:
                return
        log.info("upload_swept", video_id=str(upload.id), found=stored is not None)
        self._projector.tell(upload.id, upload.stream_id)
