"""Personal API keys, by their hash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from asyncpg import Connection, Record

# The time of last use is kept to the minute: a busy key must not write a row per request.
_USE = """
WITH key AS (
    SELECT id, user_id, scopes, expires_at, last_used_at FROM api_keys
    WHERE hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
), touched AS (
    UPDATE api_keys SET last_used_at = now()
    WHERE id = (SELECT id FROM key WHERE last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
)
SELECT id, user_id, scopes, expires_at FROM key
"""

_LIVE_COUNT = """
SELECT count(*) FROM api_keys
WHERE user_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
"""

_ADD = """
INSERT INTO api_keys (id, user_id, name, hint, hash, scopes, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING id, name, hint, scopes, created_at, expires_at
"""

_OF_USER = """
SELECT id, name, hint, scopes, created_at, expires_at, last_used_at FROM api_keys
WHERE user_id = $1 AND revoked_at IS NULL AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4::uuid))
ORDER BY created_at DESC, id DESC
LIMIT $2
"""

_REVOKE = "UPDATE api_keys SET revoked_at = now() WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL"


@dataclass(frozen=True, slots=True)
class Key:
    """A key that is good now."""

    id: UUID
    user_id: UUID
    scopes: tuple[str, ...]
    expires_at: datetime | None


async def use(connection: Connection, hashed: bytes) -> Key | None:
    """The key of this hash; None where it is unknown, revoked or too old."""
    row = await connection.fetchrow(_USE, hashed)
    return None if row is None else Key(row["id"], row["user_id"], tuple(row["scopes"]), row["expires_at"])


async def live_count(connection: Connection, user_id: UUID) -> int:
    """How many keys somebody could use now."""
    return int(await connection.fetchval(_LIVE_COUNT, user_id))


async def add(
    connection: Connection,
    key_id: UUID,
    *,
    user_id: UUID,
    name: str,
    hint: str,
    hashed: bytes,
    scopes: Sequence[str],
    expires_at: datetime | None,
) -> Record:
    return await connection.fetchrow(_ADD, key_id, user_id, name, hint, hashed, list(scopes), expires_at)


async def of_user(
    connection: Connection, user_id: UUID, *, limit: int, after: tuple[datetime | None, UUID | None]
) -> list[Record]:
    """Somebody's keys, newest first; those too old among them, so that they can be told from those that never were."""
    rows: list[Record] = await connection.fetch(_OF_USER, user_id, limit, *after)
    return rows


async def revoke(connection: Connection, key_id: UUID, user_id: UUID) -> bool:
    """False where the user has no such key."""
    return str(await connection.execute(_REVOKE, key_id, user_id)) == "UPDATE 1"
