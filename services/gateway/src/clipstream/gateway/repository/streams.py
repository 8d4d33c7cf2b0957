"""Streams and who belongs to them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from asyncpg import Connection, Record

After = tuple[datetime | None, UUID | None]  # the row a page begins after, newest first

_CREATE = """
INSERT INTO streams (id, name, description, owner_id) VALUES ($1, $2, $3, $4)
RETURNING id, name, description, owner_id, created_at
"""

_OF_USER = """
SELECT s.id, s.name, s.description, m.role, s.created_at,
       (SELECT count(*) FROM members x WHERE x.stream_id = s.id) AS member_count,
       (SELECT count(*) FROM videos v WHERE v.stream_id = s.id) AS video_count
FROM members m JOIN streams s ON s.id = m.stream_id
WHERE m.user_id = $1 AND ($3::timestamptz IS NULL OR (s.created_at, s.id) < ($3, $4::uuid))
ORDER BY s.created_at DESC, s.id DESC
LIMIT $2
"""

_BY_ID = """
SELECT s.id, s.name, s.description, s.settings::text, s.created_at, s.owner_id, u.name AS owner_name, u.avatar AS owner_avatar,
       (SELECT count(*) FROM members x WHERE x.stream_id = s.id) AS member_count
FROM streams s JOIN users u ON u.id = s.owner_id
WHERE s.id = $1
"""

# Tells "no such stream" (no row) from "not yours" (a row without a role).
_ROLE = """
SELECT s.id AS stream_id, m.role, s.owner_id FROM streams s
LEFT JOIN members m ON m.stream_id = s.id AND m.user_id = $2
WHERE s.id = $1
"""

_CHANGE = """
UPDATE streams SET name = coalesce($2, name), description = coalesce($3, description) WHERE id = $1
"""

# Videos do not go by themselves: each leaves a tombstone, by which the sweeper finds what is to be purged.
_BURY = """
INSERT INTO tombstones (video_id, stream_id, purge_at) SELECT id, $1, now() FROM gone
ON CONFLICT (video_id) DO NOTHING RETURNING video_id
"""
_DELETE_VIDEOS = f"WITH gone AS (DELETE FROM videos WHERE stream_id = $1 RETURNING id) {_BURY}"  # noqa: S608 - a constant
_DELETE_WAITING = f"""
WITH gone AS (DELETE FROM videos WHERE stream_id = $1 AND uploader_id = $2 AND status = 'uploading' RETURNING id) {_BURY}
"""  # noqa: S608 - only the constant above is put in


async def create(connection: Connection, stream_id: UUID, *, name: str, description: str, owner_id: UUID) -> Record:
    """A new stream with its owner as its first admin."""
    row = await connection.fetchrow(_CREATE, stream_id, name, description, owner_id)
    await connection.execute(
        "INSERT INTO members (stream_id, user_id, role) VALUES ($1, $2, 'admin')", stream_id, owner_id
    )
    return row


async def of_user(connection: Connection, user_id: UUID, *, limit: int, after: After = (None, None)) -> list[Record]:
    rows: list[Record] = await connection.fetch(_OF_USER, user_id, limit, *after)
    return rows


async def by_id(connection: Connection, stream_id: UUID) -> Record | None:
    return await connection.fetchrow(_BY_ID, stream_id)


async def membership(connection: Connection, stream_id: UUID, user_id: UUID) -> Record | None:
    """A row with `role` (None for somebody from outside), or None where there is no such stream."""
    return await connection.fetchrow(_ROLE, stream_id, user_id)


async def ids_of_user(connection: Connection, user_id: UUID) -> list[UUID]:
    rows = await connection.fetch("SELECT stream_id FROM members WHERE user_id = $1", user_id)
    return [row["stream_id"] for row in rows]


async def hold(connection: Connection, stream_id: UUID) -> bool:
    """Until the transaction ends nobody else changes the stream, its owner or its members' roles; False where there is
    none. Others may join meanwhile, and upload."""
    return bool(await connection.fetchval("SELECT true FROM streams WHERE id = $1 FOR NO KEY UPDATE", stream_id))


async def hold_alone(connection: Connection, stream_id: UUID) -> bool:
    """The same, and nothing is added to the stream either."""
    return bool(await connection.fetchval("SELECT true FROM streams WHERE id = $1 FOR UPDATE", stream_id))


async def hold_open(connection: Connection, stream_id: UUID) -> bool:
    """The stream is not deleted before the transaction ends; False where it is already."""
    return bool(await connection.fetchval("SELECT true FROM streams WHERE id = $1 FOR KEY SHARE", stream_id))


async def change(connection: Connection, stream_id: UUID, *, name: str | None, description: str | None) -> None:
    await connection.execute(_CHANGE, stream_id, name, description)


async def set_owner(connection: Connection, stream_id: UUID, user_id: UUID) -> None:
    await connection.execute("UPDATE streams SET owner_id = $2 WHERE id = $1", stream_id, user_id)


async def delete_videos(connection: Connection, stream_id: UUID) -> list[UUID]:
    """The rows of all its videos go, with a tombstone in the place of each; their ids."""
    return [row["video_id"] for row in await connection.fetch(_DELETE_VIDEOS, stream_id)]


async def delete_waiting(connection: Connection, stream_id: UUID, uploader_id: UUID) -> list[UUID]:
    """The same of those videos of somebody's that wait for their files."""
    return [row["video_id"] for row in await connection.fetch(_DELETE_WAITING, stream_id, uploader_id)]


async def delete(connection: Connection, stream_id: UUID) -> None:
    """The stream with its members, invites and webhooks, once its videos are gone."""
    await connection.execute("DELETE FROM streams WHERE id = $1", stream_id)
