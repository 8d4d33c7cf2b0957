"""Who calls and what they are to the thing they name, in one question: it is asked before every request."""

from __future__ import annotations

from uuid import UUID

from asyncpg import Connection, Record

from clipstream.gateway.repository.users import LIVE_LOGIN, User
from clipstream.gateway.repository.videos import DETAILS

_CALLER = """
c.id AS caller_id, c.name AS caller_name, c.email AS caller_email, c.avatar AS caller_avatar,
c.site_admin AS caller_site_admin, c.created_at AS caller_created_at
"""

# $2 is the login that the access token belongs to, null for an API key.
_GOOD = f"c.id = $1 AND ($2::uuid IS NULL OR {LIVE_LOGIN})"

_ALONE = f"SELECT {_CALLER} FROM users c WHERE {_GOOD}"  # noqa: S608 - only constants are put in

_IN_STREAM = f"""
SELECT {_CALLER}, m.role, s.owner_id, s.id AS stream_id FROM users c
LEFT JOIN streams s ON s.id = $3
LEFT JOIN members m ON m.stream_id = s.id AND m.user_id = c.id
WHERE {_GOOD}
"""  # noqa: S608 - only constants are put in

_TO_VIDEO = f"""
SELECT {_CALLER}, m.role, s.owner_id, {DETAILS} FROM users c
LEFT JOIN videos v ON v.id = $3
LEFT JOIN users u ON u.id = v.uploader_id
LEFT JOIN streams s ON s.id = v.stream_id
LEFT JOIN members m ON m.stream_id = v.stream_id AND m.user_id = c.id
WHERE {_GOOD}
"""  # noqa: S608 - only constants are put in


async def alone(connection: Connection, user_id: UUID, login_id: UUID | None) -> Record | None:
    """A row with the caller; None where the login has ended or the user is gone."""
    return await connection.fetchrow(_ALONE, user_id, login_id)


async def in_stream(connection: Connection, user_id: UUID, login_id: UUID | None, stream_id: UUID) -> Record | None:
    """The same with `stream_id` (None where there is no such stream), `owner_id` and `role` (None from outside)."""
    return await connection.fetchrow(_IN_STREAM, user_id, login_id, stream_id)


async def to_video(connection: Connection, user_id: UUID, login_id: UUID | None, video_id: UUID) -> Record | None:
    """The same by a video, with everything that `videos.by_id` tells; `id` is None where there is no such video."""
    return await connection.fetchrow(_TO_VIDEO, user_id, login_id, video_id)


def caller(row: Record) -> User:
    return User(
        id=row["caller_id"],
        name=row["caller_name"],
        email=row["caller_email"],
        avatar=row["caller_avatar"],
        site_admin=row["caller_site_admin"],
        created_at=row["caller_created_at"],
    )
