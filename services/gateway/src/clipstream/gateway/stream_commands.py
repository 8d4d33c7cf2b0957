"""What changes a stream as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

import structlog
from asyncpg import Connection, DeadlockDetectedError, Pool, Record

from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipDeleted
from clipstream.common.contracts.ids import EventId, StreamId, VideoId, derived_event_id
from clipstream.common.db import outbox
from clipstream.gateway import access
from clipstream.gateway.access import Access, Grant
from clipstream.gateway.repository import streams

EVENTS_AT_ONCE = 50  # so that the loop goes on to others while a long list is written
TRIES = 4

log = structlog.get_logger(__name__)


async def change_stream(
    pool: Pool,
    stream_id: UUID,
    *,
    by: UUID,
    name: str | None,
    description: str | None,
    check: Callable[[Record, Grant], None],
) -> tuple[Record, Grant]:
    """The stream as it is now, and what the caller is to it. `check` sees it as it was, while nobody else can change it,
    and may refuse."""
    async with pool.acquire() as connection, connection.transaction():
        await streams.hold(connection, stream_id)
        grant = await access.to_stream(connection, Access.ADMIN, stream_id, by)
        check(await streams.by_id(connection, stream_id), grant)
        await streams.change(connection, stream_id, name=name, description=description)
        return await streams.by_id(connection, stream_id), grant


async def delete_stream(pool: Pool, stream_id: UUID, *, by: UUID) -> Sequence[UUID]:
    """The stream and the rows of all its videos go at once; their objects are due for removal, and other services hear
    of each. The videos' ids.

    A stage's event may be folded in at the same time and need two videos in another order than we take them: then the
    database ends one of us, and we begin again.
    """
    for _ in range(TRIES - 1):
        try:
            return await _delete_stream(pool, stream_id, by)
        except DeadlockDetectedError:
            log.info("stream_deletion_repeated", stream_id=str(stream_id))
    return await _delete_stream(pool, stream_id, by)


async def _delete_stream(pool: Pool, stream_id: UUID, by: UUID) -> Sequence[UUID]:
    async with pool.acquire() as connection, connection.transaction():
        await streams.hold_alone(connection, stream_id)
        await access.to_stream(connection, Access.OWNER, stream_id, by)
        video_ids = await streams.delete_videos(connection, stream_id)
        await tell_deleted(connection, stream_id, video_ids)
        await streams.delete(connection, stream_id)
    return video_ids


async def tell_deleted(connection: Connection, stream_id: UUID, video_ids: Sequence[UUID]) -> None:
    """Inside the transaction in which they went: other services are to hear of each."""
    for first in range(0, len(video_ids), EVENTS_AT_ONCE):
        told = [_deleted(video_id, stream_id) for video_id in video_ids[first : first + EVENTS_AT_ONCE]]
        await outbox.add_all(connection, told)
        await asyncio.sleep(0)


def _deleted(video_id: UUID, stream_id: UUID) -> Envelope:
    """The same id as where the video is deleted alone."""
    event = ClipDeleted(video_id=VideoId(video_id), stream_id=StreamId(stream_id))
    return Envelope.first(event, event_id=derived_event_id(EventId(video_id), "gateway", event.type), source="gateway")
