"""People: found by who vouches for them (issuer) and how that one names them (subject), never by e-mail or name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from asyncpg import Connection, Record

DEVELOPMENT = "dev"  # who "vouches" for those who sign in by name alone

# A row that this very statement inserted has no xmax. Without a word about it, `site_admin` stays what it is.
_SIGN_IN = """
INSERT INTO users (id, issuer, subject, name, email, avatar, site_admin)
VALUES ($1, $2, $3, $4, $5, $6, coalesce($7, false))
ON CONFLICT (issuer, subject) DO UPDATE
SET name = excluded.name, email = excluded.email, avatar = excluded.avatar,
    site_admin = coalesce($7, users.site_admin)
RETURNING id, name, email, avatar, site_admin, created_at, xmax = 0 AS created
"""

_BY_ID = "SELECT id, name, email, avatar, site_admin, created_at FROM users WHERE id = $1"

# Of user $1 and login $2: it lives as long as one of its refresh tokens can still be used, and takes its access tokens along.
LIVE_LOGIN = """
EXISTS (
    SELECT 1 FROM refresh_tokens
    WHERE family = $2 AND user_id = $1 AND used_at IS NULL AND revoked_at IS NULL
)
"""

# Not FOR UPDATE, which would wait for everybody who just writes a row that refers to the user.
_LOCK = "SELECT id, name, email, avatar, site_admin, created_at FROM users WHERE id = $1 FOR NO KEY UPDATE"

_SET_SITE_ADMINS = """
WITH chosen AS (SELECT * FROM unnest($1::text[], $2::text[]) AS chosen (issuer, subject))
UPDATE users SET site_admin = NOT site_admin
WHERE issuer <> 'dev' AND site_admin <> ((issuer, subject) IN (SELECT issuer, subject FROM chosen))
RETURNING id, issuer, subject, site_admin
"""

_END_DEVELOPMENT = """
WITH people AS (
    UPDATE users SET site_admin = false WHERE issuer = 'dev' RETURNING id
), logins AS (
    UPDATE refresh_tokens SET revoked_at = now() WHERE revoked_at IS NULL AND user_id IN (SELECT id FROM people)
)
UPDATE api_keys SET revoked_at = now() WHERE revoked_at IS NULL AND user_id IN (SELECT id FROM people)
"""

_TOTALS = """
SELECT count(*) AS videos,
       (SELECT count(*) FROM likes l JOIN videos v ON v.id = l.video_id WHERE v.uploader_id = $1) AS likes
FROM videos WHERE uploader_id = $1
"""


@dataclass(frozen=True, slots=True)
class User:
    id: UUID
    name: str
    email: str | None
    avatar: str | None
    site_admin: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Totals:
    """What somebody has uploaded, and how often others liked it."""

    videos: int
    likes: int


async def sign_in(
    connection: Connection,
    new_id: UUID,
    *,
    issuer: str,
    subject: str,
    name: str,
    email: str | None,
    avatar: str | None,
    site_admin: bool | None,
) -> tuple[User, bool]:
    """The user that the issuer vouches for, and whether this was the first visit. Details are renewed on every one;
    `site_admin` only where it is said. Locks the user's row, as `lock` does."""
    row = await connection.fetchrow(_SIGN_IN, new_id, issuer, subject, name, email, avatar, site_admin)
    values = dict(row)
    created = values.pop("created")
    return User(**values), created


async def by_id(connection: Connection, user_id: UUID) -> User | None:
    return _user(await connection.fetchrow(_BY_ID, user_id))


async def lock(connection: Connection, user_id: UUID) -> User | None:
    """The user, of whose logins and keys nobody else changes anything until this transaction ends."""
    return _user(await connection.fetchrow(_LOCK, user_id))


async def totals(connection: Connection, user_id: UUID) -> Totals:
    return Totals(**dict(await connection.fetchrow(_TOTALS, user_id)))


async def set_site_admins(connection: Connection, chosen: Iterable[tuple[str, str]]) -> list[Record]:
    """Make site admins of exactly these (issuer, subject), and nobody else; the rows that changed."""
    pairs = list(chosen)
    changed: list[Record] = await connection.fetch(
        _SET_SITE_ADMINS, [issuer for issuer, _ in pairs], [subject for _, subject in pairs]
    )
    return changed


async def end_development(connection: Connection) -> None:
    """Whoever signed in by name alone is out: their logins and keys end, and they run nothing any more."""
    await connection.execute(_END_DEVELOPMENT)


def _user(row: Record | None) -> User | None:
    return None if row is None else User(**dict(row))
