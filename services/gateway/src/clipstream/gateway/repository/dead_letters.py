"""Messages that no consumer could deal with, kept whole for the operator."""

from __future__ import annotations

import json
from collections.abc import Mapping
from uuid import UUID

from asyncpg import Connection

_ADD = """
INSERT INTO dead_letters (id, queue, reason, event_id, video_id, body, headers)
VALUES ($1, $2, $3, $4, $5, $6, $7::text::jsonb)
ON CONFLICT (id) DO NOTHING
"""

_FORGET_VIDEO = "DELETE FROM dead_letters WHERE video_id = $1 AND queue NOT LIKE '%.deleted'"


async def add(
    connection: Connection,
    letter_id: UUID,
    *,
    queue: str,
    reason: str,
    event_id: UUID | None,
    video_id: UUID | None,
    body: bytes,
    headers: Mapping[str, str],
) -> None:
    await connection.execute(_ADD, letter_id, queue, reason, event_id, video_id, body, json.dumps(dict(headers)))


async def forget_video(connection: Connection, video_id: UUID) -> None:
    """What was said of a video in vain; but not that somebody failed to hear of its deletion, and may still have of it."""
    await connection.execute(_FORGET_VIDEO, video_id)
