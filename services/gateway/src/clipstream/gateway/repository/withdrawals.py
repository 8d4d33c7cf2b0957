"""Clips of which something is to be taken out of the store, and when."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from asyncpg import Connection

from clipstream.gateway.clip import Leftover

_NEXT = """
SELECT id, leftover FROM videos WHERE purge_at <= now() ORDER BY purge_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""

# Nothing that was named there is there any more.
_WITHDRAWN = """
UPDATE videos
SET playable = NULL,
    purge_at = CASE WHEN now() < leftover_since + $2::interval THEN leftover_since + $2::interval END
WHERE id = $1
"""


async def next_due(connection: Connection) -> tuple[UUID, Leftover] | None:
    row = await connection.fetchrow(_NEXT)
    return None if row is None else (row["id"], row["leftover"])


async def withdrawn(connection: Connection, video_id: UUID, again_after: timedelta) -> None:
    """A second look comes when everything that was at work then must have ended."""
    await connection.execute(_WITHDRAWN, video_id, again_after)
