"""Personal API keys, by their hash."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from asyncpg import Connection

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
