"""What changes something: each command is one transaction of rows and outbox events."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID, uuid4

from asyncpg import Connection, Pool, Record

from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipDeleted, ClipRejected, UploadCompleted
from clipstream.common.contracts.ids import EventId, StreamId, VideoId, derived_event_id, upload_event_id
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.db import outbox
from clipstream.common.store.objects import ObjectInfo
from clipstream.gateway.clip import STAGES
from clipstream.gateway.projector import Projector
from clipstream.gateway.quota import Quotas, reserve, too_many_open
from clipstream.gateway.repository import deliveries, tombstones, videos
from clipstream.gateway.repository import streams as stream_rows

Announcer = Literal["client", "bucket", "webhook", "scan"]
NEVER_CAME = "The upload never arrived. Upload the clip again."


async def create_stream(pool: Pool, *, name: str, description: str, owner_id: UUID) -> Record:
    async with pool.acquire() as connection, connection.transaction():
        return await stream_rows.create(connection, uuid4(), name=name, description=description, owner_id=owner_id)


async def create_video(
    pool: Pool,
    video_id: VideoId,
    *,
    stream_id: UUID,
    uploader_id: UUID,
    title: str,
    filename: str,
    content_type: str,
    key: ObjectKey,
    size_bytes: int,
    sha256: str | None,
    recorded_at: datetime | None,
    look_after: timedelta,
    quotas: Quotas | None = None,
) -> None:
    """The row that an upload needs before its first byte. If nobody announces it, the sweeper looks for it. Refused as
    `Problem` where it would be too much."""
    bounds = quotas or Quotas()
    async with AsyncExitStack() as held:
        connection: Connection | Pool = pool
        if bounds.bound_bytes:
            connection = await held.enter_async_context(pool.acquire())
            await held.enter_async_context(connection.transaction())
            await reserve(connection, bounds, uploader_id=uploader_id, stream_id=stream_id, size=size_bytes)
        made = await videos.create(
            connection,
            video_id,
            stream_id=stream_id,
            uploader_id=uploader_id,
            title=title,
            filename=filename,
            content_type=content_type,
            key=key,
            size_bytes=size_bytes,
            sha256=sha256,
            recorded_at=recorded_at,
            look_after=look_after,
            stages=STAGES,
            most_open=bounds.most_open,
        )
    if not made:
        raise too_many_open(bounds.most_open)


async def announce(
    connection: Connection,
    projector: Projector,
    stored: ObjectInfo,
    *,
    video_id: UUID,
    stream_id: UUID,
    bucket: str,
    by: Announcer,
) -> bool:
    """The original is there. Whoever says so, and however often: one event. False where it was said before."""
    await videos.arrived(connection, video_id, stored.size_bytes, stored.sha256)
    event = UploadCompleted(
        video_id=VideoId(video_id),
        stream_id=StreamId(stream_id),
        key=stored.key,
        size_bytes=stored.size_bytes,
        etag=stored.etag,
        announced_by=by,
    )
    event_id = upload_event_id(bucket, stored.key, stored.etag, stored.size_bytes)
    envelope = Envelope.first(event, event_id=event_id, source="gateway")
    if await projector.take(connection, envelope) is None:
        return False
    await outbox.add(connection, envelope)
    return True


async def give_up_upload(connection: Connection, projector: Projector, *, video_id: UUID, stream_id: UUID) -> None:
    """An upload that never came ends as rejected, in words."""
    event = ClipRejected(video_id=VideoId(video_id), stream_id=StreamId(stream_id), reason=NEVER_CAME)
    event_id = derived_event_id(EventId(video_id), "gateway", event.type)
    envelope = Envelope.first(event, event_id=event_id, source="gateway")
    if await projector.take(connection, envelope) is not None:
        await outbox.add(connection, envelope)


async def delete_video(pool: Pool, *, video_id: UUID, stream_id: UUID) -> bool:
    """Rows go now, with a tombstone in their place; objects are due for removal; other services hear of it."""
    event = ClipDeleted(video_id=VideoId(video_id), stream_id=StreamId(stream_id))
    event_id = derived_event_id(EventId(video_id), "gateway", event.type)
    async with pool.acquire() as connection, connection.transaction():
        if not await videos.delete(connection, video_id):
            return False
        await deliveries.forget_video(connection, video_id)
        await tombstones.bury(connection, video_id, stream_id)
        await outbox.add(connection, Envelope.first(event, event_id=event_id, source="gateway"))
    return True
