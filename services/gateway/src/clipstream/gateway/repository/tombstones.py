"""Videos that are gone, and what of them may still have to be removed from the store."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from asyncpg import Connection

_BURY = """
INSERT INTO tombstones (video_id, stream_id, purge_at) VALUES ($1, $2, now())
ON CONFLICT (video_id) DO NOTHING
"""

_DUE = """
SELECT video_id FROM tombstones WHERE purge_at <= now() ORDER BY purge_at LIMIT $1 FOR UPDATE SKIP LOCKED
"""

# Workers that were busy when the video went may write for a while: the second purge comes when the longest job has ended.
_PURGED = """
UPDATE tombstones
SET purge_at = CASE WHEN now() < deleted_at + $2::interval THEN deleted_at + $2::interval END
WHERE video_id = $1
"""


async def bury(connection: Connection, video_id: UUID, stream_id: UUID) -> None:
    await connection.execute(_BURY, video_id, stream_id)


async def disturb(connection: Connection, video_id: UUID) -> None:
    """Something of a deleted video was heard: what it wrote is purged again."""
    await connection.execute("UPDATE tombstones SET purge_at = now() WHERE video_id = $1", video_id)


async def due(connection: Connection, limit: int) -> list[UUID]:
    return [row["video_id"] for row in await connection.fetch(_DUE, limit)]


async def purged(connection: Connection, video_id: UUID, again_after: timedelta) -> None:
    await connection.execute(_PURGED, video_id, again_after)
