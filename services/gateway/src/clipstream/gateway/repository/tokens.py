"""Refresh tokens, by their hash. Each belongs to a family: one sign-in and all that was rotated from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from asyncpg import Connection

_ADD = """
INSERT INTO refresh_tokens (hash, family, user_id, expires_at) VALUES ($1, $2, $3, now() + $4::interval)
"""

# One statement, so exactly one of several equal requests wins.
_USE = """
UPDATE refresh_tokens SET used_at = now()
WHERE hash = $1 AND used_at IS NULL AND revoked_at IS NULL AND expires_at > now()
RETURNING family, user_id
"""

_REVOKE_FAMILY_OF = """
UPDATE refresh_tokens SET revoked_at = now()
WHERE revoked_at IS NULL AND family = (SELECT family FROM refresh_tokens WHERE hash = $1)
"""


@dataclass(frozen=True, slots=True)
class Used:
    family: UUID
    user_id: UUID


async def add(connection: Connection, hashed: bytes, *, family: UUID, user_id: UUID, life: timedelta) -> None:
    await connection.execute(_ADD, hashed, family, user_id, life)


async def use(connection: Connection, hashed: bytes) -> Used | None:
    """Spend a token; None where it is unknown, spent, revoked or too old."""
    row = await connection.fetchrow(_USE, hashed)
    return None if row is None else Used(family=row["family"], user_id=row["user_id"])


async def revoke_family_of(connection: Connection, hashed: bytes) -> None:
    """A spent token came back: somebody else may hold it, so nothing of its family is good any more."""
    await connection.execute(_REVOKE_FAMILY_OF, hashed)


async def forget_expired(connection: Connection) -> None:
    await connection.execute("DELETE FROM refresh_tokens WHERE expires_at < now() - interval '1 day'")
