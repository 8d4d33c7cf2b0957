"""Who likes which video: one row each."""

from __future__ import annotations

from uuid import UUID

from asyncpg import Connection

# One person's two clicks at once take turns; other people's do not wait for them.
_TAKE_TURNS = "SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text || $2::uuid::text, 0))"


async def toggle(connection: Connection, video_id: UUID, user_id: UUID) -> bool:
    """Inside a transaction: like it, or no longer; whether it is liked now. `ForeignKeyViolationError` where the video
    is gone."""
    await connection.execute(_TAKE_TURNS, video_id, user_id)
    gone = await connection.fetchval(
        "DELETE FROM likes WHERE video_id = $1 AND user_id = $2 RETURNING true", video_id, user_id
    )
    if gone is None:
        await connection.execute("INSERT INTO likes (video_id, user_id) VALUES ($1, $2)", video_id, user_id)
    return gone is None


async def liked(connection: Connection, video_id: UUID, user_id: UUID) -> bool:
    return bool(
        await connection.fetchval("SELECT true FROM likes WHERE video_id = $1 AND user_id = $2", video_id, user_id)
    )


async def count(connection: Connection, video_id: UUID) -> int:
    total: int = await connection.fetchval("SELECT count(*) FROM likes WHERE video_id = $1", video_id)
    return total
