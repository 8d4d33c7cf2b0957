"""Whose turn it is: clips that wait to be worked on, and how many of the same uploader's are worked on already."""

from __future__ import annotations

from uuid import UUID

from asyncpg import Connection

# Nobody else lets clips of this user in until the transaction ends. Whoever asks holds no clip: else two could wait for
# each other.
_HOLD = "SELECT pg_advisory_xact_lock(hashtextextended('turn ' || $1::text, 0))"

_NEXT = """
SELECT id FROM videos
WHERE uploader_id = $1 AND turn = 'waits'
  AND (SELECT count(*) FROM videos WHERE uploader_id = $1 AND turn = 'works') < $2
ORDER BY coalesce(uploaded_at, created_at), created_at, id LIMIT 1
"""

_WITH_ROOM = """
SELECT uploader_id FROM videos WHERE turn IS NOT NULL GROUP BY uploader_id
HAVING count(*) FILTER (WHERE turn = 'waits') > 0 AND count(*) FILTER (WHERE turn = 'works') < $1
"""


async def hold(connection: Connection, uploader_id: UUID) -> None:
    await connection.execute(_HOLD, str(uploader_id))


async def next_clip(connection: Connection, uploader_id: UUID, most: int) -> UUID | None:
    """The clip that waits for the longest; None where none waits, or `most` are worked on."""
    found: UUID | None = await connection.fetchval(_NEXT, uploader_id, most)
    return found


async def uploader(connection: Connection, video_id: UUID) -> UUID | None:
    found: UUID | None = await connection.fetchval("SELECT uploader_id FROM videos WHERE id = $1", video_id)
    return found


async def with_room(connection: Connection, most: int) -> list[UUID]:
    """Users whose clips wait without need."""
    return [row["uploader_id"] for row in await connection.fetch(_WITH_ROOM, most)]
