"""Answers that were given to requests with an Idempotency-Key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from asyncpg import Connection

# The insert is the lock. One that never got its answer (its process died) is taken over after a minute.
_CLAIM = """
INSERT INTO idempotency_keys AS k (user_id, route, key, request) VALUES ($1, $2, $3, $4)
ON CONFLICT (user_id, route, key) DO UPDATE SET created_at = now()
WHERE k.status IS NULL AND k.request = excluded.request AND k.created_at < now() - interval '1 minute'
RETURNING true
"""

_FIND = "SELECT request, status, answer FROM idempotency_keys WHERE user_id = $1 AND route = $2 AND key = $3"

_KEEP = """
UPDATE idempotency_keys SET status = $4, answer = $5 WHERE user_id = $1 AND route = $2 AND key = $3
"""

_RELEASE = "DELETE FROM idempotency_keys WHERE user_id = $1 AND route = $2 AND key = $3 AND status IS NULL"


@dataclass(frozen=True, slots=True)
class Use:
    """One key of one user on one route."""

    user_id: UUID
    route: str
    key: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What the first request was (a SHA-256) and was answered; without a status it is still running."""

    request: bytes
    status: int | None
    answer: bytes | None


async def claim(connection: Connection, use: Use, request: bytes) -> bool:
    """True where this request is the first of its key."""
    return bool(await connection.fetchval(_CLAIM, use.user_id, use.route, use.key, request))


async def find(connection: Connection, use: Use) -> Kept | None:
    row = await connection.fetchrow(_FIND, use.user_id, use.route, use.key)
    return None if row is None else Kept(**dict(row))


async def keep(connection: Connection, use: Use, *, status: int, answer: bytes) -> None:
    await connection.execute(_KEEP, use.user_id, use.route, use.key, status, answer)


async def release(connection: Connection, use: Use) -> None:
    """Nothing came of it: the key may be used again."""
    await connection.execute(_RELEASE, use.user_id, use.route, use.key)


async def forget_old(connection: Connection, age: timedelta) -> None:
    await connection.execute("DELETE FROM idempotency_keys WHERE created_at < now() - $1::interval", age)
