"""Shares: what opens one clip to whoever has the code. Codes are found by their hash."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from asyncpg import Connection, Record

from clipstream.gateway.repository.streams import After

_COLUMNS = "s.id, s.video_id, s.created_by, s.created_at, s.expires_at, s.password, s.start_time, s.opened_count"
# A share is as good as its maker's standing: who was removed, or may no longer share, leaves no door open.
OPEN = """
s.revoked_at IS NULL AND (s.expires_at IS NULL OR s.expires_at > now()) AND EXISTS (
    SELECT FROM members maker JOIN videos shared ON shared.stream_id = maker.stream_id
    WHERE shared.id = s.video_id AND maker.user_id = s.created_by AND maker.role IN ('admin', 'creator')
)
"""

_ADD = f"""
INSERT INTO shares AS s (id, video_id, hash, created_by, expires_at, password, start_time)
VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING {_COLUMNS}
"""  # noqa: S608 - only the constant above is put in

# One question for all codes: those that never were, have expired or were revoked are told apart by nothing.
_BY_HASH = f"""
SELECT {_COLUMNS} FROM shares s WHERE s.hash = $1 AND {OPEN}
"""  # noqa: S608 - only the constants above are put in

_OF_VIDEO = f"""
SELECT {_COLUMNS}, u.name AS creator_name, u.avatar AS creator_avatar
FROM shares s JOIN users u ON u.id = s.created_by
WHERE s.video_id = $1 AND {OPEN} AND ($4::uuid IS NULL OR s.created_by = $4)
  AND ($3::timestamptz IS NULL OR (s.created_at, s.id) < ($3, $5::uuid))
ORDER BY s.created_at DESC, s.id DESC LIMIT $2
"""  # noqa: S608 - only the constants above are put in

_COUNT = f"SELECT count(*) FROM shares s WHERE s.video_id = $1 AND {OPEN}"  # noqa: S608 - a constant

_REVOKE = """
UPDATE shares s SET revoked_at = now() FROM videos v
WHERE s.hash = $1 AND s.revoked_at IS NULL AND v.id = s.video_id
  AND (s.created_by = $2
       OR EXISTS (SELECT FROM members m WHERE m.stream_id = v.stream_id AND m.user_id = $2 AND m.role = 'admin'))
RETURNING true
"""

_OPENED = "UPDATE shares SET opened_count = opened_count + 1, last_opened_at = now() WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Share:
    """A share that is open. `password` is a hash (passwords.py), or None; `start_time` is in seconds."""

    id: UUID
    video_id: UUID
    created_by: UUID
    created_at: datetime
    expires_at: datetime | None
    password: str | None
    start_time: float
    opened_count: int


def read(row: Record) -> Share:
    return Share(**{field.name: row[field.name] for field in fields(Share)})


async def add(
    connection: Connection,
    share_id: UUID,
    *,
    video_id: UUID,
    hashed: bytes,
    created_by: UUID,
    expires_at: datetime | None,
    password: str | None,
    start_time: float,
) -> Share:
    """`ForeignKeyViolationError` where the video is gone."""
    row = await connection.fetchrow(_ADD, share_id, video_id, hashed, created_by, expires_at, password, start_time)
    return read(row)


async def by_hash(connection: Connection, hashed: bytes) -> Share | None:
    """The share as long as it is open: None for a code that never was, has expired or was revoked."""
    row = await connection.fetchrow(_BY_HASH, hashed)
    return None if row is None else read(row)


async def of_video(
    connection: Connection, video_id: UUID, *, made_by: UUID | None, limit: int, after: After = (None, None)
) -> list[Record]:
    """Open shares of a video, newest first; everybody's, or only those that `made_by` made."""
    at, row_id = after
    rows: list[Record] = await connection.fetch(_OF_VIDEO, video_id, limit, at, made_by, row_id)
    return rows


async def count(connection: Connection, video_id: UUID) -> int:
    total: int = await connection.fetchval(_COUNT, video_id)
    return total


async def revoke(connection: Connection, hashed: bytes, user_id: UUID) -> bool:
    """Close a share that `user_id` made, or that is of a stream they are an admin of. False where there is none."""
    return bool(await connection.fetchval(_REVOKE, hashed, user_id))


async def opened(connection: Connection, share_id: UUID) -> None:
    """Somebody has looked."""
    await connection.execute(_OPENED, share_id)
