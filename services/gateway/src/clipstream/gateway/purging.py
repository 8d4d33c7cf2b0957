"""Takes out of the store what nobody needs any more: everything of deleted videos, and what is left over of others.

Workers that were busy then may write for a while. So there is a second look when the longest job has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import structlog
from asyncpg import Connection, Pool

from clipstream.common.contracts import keys
from clipstream.common.contracts.ids import VideoId
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import ClipstreamError
from clipstream.common.store.objects import ObjectStore
from clipstream.gateway.repository import dead_letters, tombstones, withdrawals
from clipstream.gateway.repository.withdrawals import Due

WRITES_END_AFTER = timedelta(hours=2)  # no stage holds a job for longer
BATCH = 50

log = structlog.get_logger(__name__)


async def purge_due(pool: Pool, store: ObjectStore) -> None:
    """Whatever is due, deleted videos first. Ends early where the store is away: what is due stays due."""
    async with pool.acquire() as connection, connection.transaction():
        for video_id in await tombstones.due(connection, BATCH):
            if not await purge(connection, store, video_id):
                return
    for _ in range(BATCH):
        async with pool.acquire() as connection, connection.transaction():
            if not await _withdraw_one(connection, store):
                return


async def purge(connection: Connection, store: ObjectStore, video_id: UUID) -> bool:
    """Remove everything else that is kept about a deleted video. False where the store could not do it now; it stays due then."""
    if not await _remove(store, video_id, keys.of_video(VideoId(video_id))):
        return False
    await dead_letters.forget_video(connection, video_id)
    await tombstones.purged(connection, video_id, WRITES_END_AFTER)
    return True


async def _withdraw_one(connection: Connection, store: ObjectStore) -> bool:
    """Remove what is left over of one clip, held meanwhile: nobody begins to make of it what is being removed."""
    due = await withdrawals.next_due(connection)
    if due is None:
        return False
    try:
        prefixes = await _prefixes(store, VideoId(due.video_id), due)
    except ClipstreamError as error:
        log.warning("purge_failed", video_id=str(due.video_id), reason=str(error))
        return False
    if not await _remove(store, due.video_id, prefixes):
        return False
    await withdrawals.withdrawn(connection, due.video_id, WRITES_END_AFTER)
    log.info("leftovers_removed", video_id=str(due.video_id), why=due.leftover)
    return True


async def _prefixes(store: ObjectStore, video_id: VideoId, due: Due) -> Sequence[ObjectKey]:
    """The commit marks go first: wherever it is interrupted, work that is begun again finds nothing to build on."""
    provisional = keys.provisional(video_id)
    if due.leftover == "replaced":
        return (provisional, *(await _unused(store, video_id, due.plans)))
    return (keys.processed(video_id, "manifests/transcode"), provisional, keys.processed(video_id, "segments/"))


async def _unused(store: ObjectStore, video_id: VideoId, plans: Sequence[str]) -> list[ObjectKey]:
    """Segments that no playlist names any more: a copy of the source that is none of its renditions. Where the playlists'
    own are not known, all stay."""
    root = keys.processed(video_id, "segments/")
    found = {info.key.removeprefix(root).partition("/")[0] async for info in store.list(root)} if plans else set()
    return [keys.segments(video_id, plan) for plan in sorted(found - set(plans))]


async def _remove(store: ObjectStore, video_id: UUID, prefixes: Sequence[ObjectKey]) -> bool:
    try:
        for prefix in prefixes:
            await store.delete_prefix(prefix)
    except ClipstreamError as error:
        log.warning("purge_failed", video_id=str(video_id), reason=str(error))
        return False
    return True
