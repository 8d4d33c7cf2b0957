"""Who belongs to a stream, and as what."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from asyncpg import Connection, Record

from clipstream.gateway.repository.streams import After

_COLUMNS = "u.id, u.name, u.avatar, m.role, m.joined_at, u.id = s.owner_id AS owner"

_OF_STREAM = f"""
SELECT {_COLUMNS} FROM members m JOIN users u ON u.id = m.user_id JOIN streams s ON s.id = m.stream_id
WHERE m.stream_id = $1 AND ($3::timestamptz IS NULL OR (m.joined_at, m.user_id) < ($3, $4::uuid))
ORDER BY m.joined_at DESC, m.user_id DESC LIMIT $2
"""  # noqa: S608 - only the constant above is put in

_BY_ID = f"""
SELECT {_COLUMNS} FROM members m JOIN users u ON u.id = m.user_id JOIN streams s ON s.id = m.stream_id
WHERE m.stream_id = $1 AND m.user_id = $2
"""  # noqa: S608 - only the constant above is put in

_ADD = """
INSERT INTO members (stream_id, user_id, role) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING joined_at
"""


async def of_stream(
    connection: Connection, stream_id: UUID, *, limit: int, after: After = (None, None)
) -> list[Record]:
    """Members with `id`, `name`, `avatar`, `role`, `joined_at` and whether they are the `owner`; the latest first."""
    rows: list[Record] = await connection.fetch(_OF_STREAM, stream_id, limit, *after)
    return rows


async def by_id(connection: Connection, stream_id: UUID, user_id: UUID) -> Record | None:
    return await connection.fetchrow(_BY_ID, stream_id, user_id)


async def add(connection: Connection, stream_id: UUID, user_id: UUID, role: str) -> datetime | None:
    """When they joined; None where they belong to the stream already."""
    joined: datetime | None = await connection.fetchval(_ADD, stream_id, user_id, role)
    return joined


async def set_role(connection: Connection, stream_id: UUID, user_id: UUID, role: str) -> None:
    await connection.execute(
        "UPDATE members SET role = $3 WHERE stream_id = $1 AND user_id = $2", stream_id, user_id, role
    )


async def remove(connection: Connection, stream_id: UUID, user_id: UUID) -> None:
    await connection.execute("DELETE FROM members WHERE stream_id = $1 AND user_id = $2", stream_id, user_id)
