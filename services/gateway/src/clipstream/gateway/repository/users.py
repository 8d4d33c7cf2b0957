"""People: found by who vouches for them (issuer) and how that one names them (subject), never by e-mail or name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from asyncpg import Connection, Record

_SIGN_IN = """
INSERT INTO users (id, issuer, subject, name, email, avatar, site_admin) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (issuer, subject) DO UPDATE
SET name = excluded.name, email = excluded.email, avatar = excluded.avatar, site_admin = excluded.site_admin
RETURNING id, name, email, avatar, site_admin, created_at
"""

_BY_ID = "SELECT id, name, email, avatar, site_admin, created_at FROM users WHERE id = $1"


@dataclass(frozen=True, slots=True)
class User:
    id: UUID
    name: str
    email: str | None
    avatar: str | None
    site_admin: bool
    created_at: datetime


async def sign_in(
    connection: Connection,
    new_id: UUID,
    *,
    issuer: str,
    subject: str,
    name: str,
    email: str | None,
    avatar: str | None,
    site_admin: bool,
) -> User:
    """The user that the issuer vouches for; made on the first visit, their details renewed on every one."""
    return _user(await connection.fetchrow(_SIGN_IN, new_id, issuer, subject, name, email, avatar, site_admin))


async def by_id(connection: Connection, user_id: UUID) -> User | None:
    row = await connection.fetchrow(_BY_ID, user_id)
    return None if row is None else _user(row)


async def video_count(connection: Connection, user_id: UUID) -> int:
    count: int = await connection.fetchval("SELECT count(*) FROM videos WHERE uploader_id = $1", user_id)
    return count


def _user(row: Record) -> User:
    return User(**dict(row))
