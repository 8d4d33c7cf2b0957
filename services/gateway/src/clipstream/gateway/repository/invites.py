"""Invites, by the hash of their code."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from asyncpg import Connection, Record

from clipstream.gateway.repository.streams import After

# Judged by the clock, not by the transaction's begin: whoever waited for the row may have waited past its end. An invite
# is `good` as long as its maker is an admin: who was removed lets nobody in, themself least of all.
_COLUMNS = """
i.id, i.stream_id, i.role, i.expires_at, i.usage_limit, i.used_count, i.created_at, i.created_by,
coalesce(i.expires_at <= clock_timestamp(), false) AS expired, coalesce(i.used_count >= i.usage_limit, false) AS used_up,
u.name AS creator_name, u.avatar AS creator_avatar,
EXISTS (SELECT FROM members m WHERE m.stream_id = i.stream_id AND m.user_id = i.created_by AND m.role = 'admin') AS good
"""

_CREATE = """
INSERT INTO invites (id, stream_id, hash, role, created_by, expires_at, usage_limit) VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING id, role, expires_at, usage_limit, created_at
"""

_OF_STREAM = f"""
SELECT {_COLUMNS} FROM invites i JOIN users u ON u.id = i.created_by
WHERE i.stream_id = $1 AND ($3::timestamptz IS NULL OR (i.created_at, i.id) < ($3, $4::uuid))
ORDER BY i.created_at DESC, i.id DESC LIMIT $2
"""  # noqa: S608 - only the constant above is put in

_BY_HASH = f"""
SELECT {_COLUMNS}, s.name AS stream_name FROM invites i JOIN users u ON u.id = i.created_by JOIN streams s ON s.id = i.stream_id
WHERE i.hash = $1
"""  # noqa: S608 - only the constant above is put in

_HOLD = f"""
SELECT {_COLUMNS} FROM invites i JOIN users u ON u.id = i.created_by WHERE i.hash = $1 FOR UPDATE OF i
"""  # noqa: S608 - only the constant above is put in

_CHANGE = "UPDATE invites SET role = $2, expires_at = $3, usage_limit = $4 WHERE id = $1"

_DELETE = "DELETE FROM invites WHERE stream_id = $1 AND hash = $2 RETURNING true"


async def create(
    connection: Connection,
    invite_id: UUID,
    *,
    stream_id: UUID,
    hashed: bytes,
    role: str,
    created_by: UUID,
    expires_at: datetime | None,
    usage_limit: int | None,
) -> Record:
    return await connection.fetchrow(_CREATE, invite_id, stream_id, hashed, role, created_by, expires_at, usage_limit)


async def of_stream(
    connection: Connection, stream_id: UUID, *, limit: int, after: After = (None, None)
) -> list[Record]:
    rows: list[Record] = await connection.fetch(_OF_STREAM, stream_id, limit, *after)
    return rows


async def by_hash(connection: Connection, hashed: bytes) -> Record | None:
    """The invite, whether it is `good`, `expired` or `used_up`, and its stream's name."""
    return await connection.fetchrow(_BY_HASH, hashed)


async def hold(connection: Connection, hashed: bytes) -> Record | None:
    """The invite as it is now, held until the transaction ends: of fifty who come at once, one after the other looks."""
    return await connection.fetchrow(_HOLD, hashed)


async def spend(connection: Connection, invite_id: UUID) -> None:
    await connection.execute("UPDATE invites SET used_count = used_count + 1 WHERE id = $1", invite_id)


async def change(
    connection: Connection, invite_id: UUID, *, role: str, expires_at: datetime | None, usage_limit: int | None
) -> None:
    await connection.execute(_CHANGE, invite_id, role, expires_at, usage_limit)


async def delete(connection: Connection, stream_id: UUID, hashed: bytes) -> bool:
    return bool(await connection.fetchval(_DELETE, stream_id, hashed))
