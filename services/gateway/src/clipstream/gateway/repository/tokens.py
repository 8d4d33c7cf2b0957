"""Refresh tokens, by their hash. Each belongs to a family: one login and all that was rotated from it. Of a family that
is not over, exactly one token can be used; a unique index says so too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from asyncpg import Connection

_ADD = """
INSERT INTO refresh_tokens (hash, family, user_id, expires_at) VALUES ($1, $2, $3, now() + $4::interval)
"""

# Whether a token that comes back was spent so recently that its answer may just have been lost on the way.
_FIND = """
SELECT family, used_at IS NULL AND revoked_at IS NULL AND expires_at > now() AS usable,
       used_at IS NOT NULL OR revoked_at IS NOT NULL AS spent,
       coalesce(used_at > now() - $2::interval, false) AND revoked_at IS NULL AS fresh, successor
FROM refresh_tokens WHERE hash = $1
"""

_SPEND = "UPDATE refresh_tokens SET used_at = coalesce(used_at, now()), successor = $2 WHERE hash = $1"

_REVOKE_UNUSED = (
    "UPDATE refresh_tokens SET revoked_at = now() WHERE hash = $1 AND used_at IS NULL AND revoked_at IS NULL"
)

_REVOKE_FAMILY = "UPDATE refresh_tokens SET revoked_at = now() WHERE family = $1 AND revoked_at IS NULL"


@dataclass(frozen=True, slots=True)
class Found:
    """A token as it stands: `usable` now; or `spent`, perhaps a moment ago (`fresh`), for its `successor`; or too old."""

    family: UUID
    usable: bool
    spent: bool
    fresh: bool
    successor: bytes | None


async def add(connection: Connection, hashed: bytes, *, family: UUID, user_id: UUID, life: timedelta) -> None:
    await connection.execute(_ADD, hashed, family, user_id, life)


async def owner(connection: Connection, hashed: bytes) -> UUID | None:
    """Whose token it is, whatever its state."""
    user_id: UUID | None = await connection.fetchval("SELECT user_id FROM refresh_tokens WHERE hash = $1", hashed)
    return user_id


async def find(connection: Connection, hashed: bytes, *, grace: timedelta) -> Found | None:
    row = await connection.fetchrow(_FIND, hashed, grace)
    return None if row is None else Found(**dict(row))


async def family_exists(connection: Connection, family: UUID) -> bool:
    return bool(await connection.fetchval("SELECT EXISTS (SELECT 1 FROM refresh_tokens WHERE family = $1)", family))


async def spend(connection: Connection, hashed: bytes, *, successor: bytes) -> None:
    """From now on the successor stands for this token."""
    await connection.execute(_SPEND, hashed, successor)


async def revoke_unused(connection: Connection, hashed: bytes) -> bool:
    """False where it was spent or revoked before."""
    return str(await connection.execute(_REVOKE_UNUSED, hashed)) == "UPDATE 1"


async def revoke_family(connection: Connection, family: UUID) -> bool:
    """End a login; False where it was over."""
    return str(await connection.execute(_REVOKE_FAMILY, family)) != "UPDATE 0"


async def forget_expired(connection: Connection) -> None:
    await connection.execute("DELETE FROM refresh_tokens WHERE expires_at < now() - interval '1 day'")
