"""Clips of which something is to be taken out of the store, and when."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from asyncpg import Connection

from clipstream.gateway.clip import Leftover

_NEXT = """
SELECT id, leftover, playback -> 'plans' AS plans FROM videos
WHERE purge_at <= now() ORDER BY purge_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""

# Nothing that was named there is there any more.
_WITHDRAWN = """
UPDATE videos
SET playable = NULL,
    purge_at = CASE WHEN now() < leftover_since + $2::interval THEN leftover_since + $2::interval END
WHERE id = $1
"""


@dataclass(frozen=True, slots=True)
class Due:
    """A clip of which something is left over. `plans` are the directories of segments that its playlists name."""

    video_id: UUID
    leftover: Leftover
    plans: tuple[str, ...]


async def next_due(connection: Connection) -> Due | None:
    row = await connection.fetchrow(_NEXT)
    return None if row is None else Due(row["id"], row["leftover"], tuple(json.loads(row["plans"] or "[]")))


async def withdrawn(connection: Connection, video_id: UUID, again_after: timedelta) -> None:
    """A second look comes when everything that was at work then must have ended."""
    await connection.execute(_WITHDRAWN, video_id, again_after)
