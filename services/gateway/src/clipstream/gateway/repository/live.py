"""What those who watch live ask for: may they still, what has changed, what is gone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from asyncpg import Connection, Record

from clipstream.gateway.repository.shares import OPEN
from clipstream.gateway.signing import Holder, HolderKind

_MEMBER = """
SELECT true FROM videos v JOIN members m ON m.stream_id = v.stream_id WHERE v.id = $1 AND m.user_id = $2
"""

_MEMBERS_KEY = """
SELECT true FROM videos v JOIN members m ON m.stream_id = v.stream_id JOIN api_keys k ON k.user_id = m.user_id
WHERE v.id = $1 AND k.id = $2 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
"""

# What is shared is one video; an exact duplicate shows its original, as long as that is in the same stream.
_SHARED = f"""
SELECT true FROM shares s JOIN videos v ON v.id = s.video_id JOIN videos shown ON shown.stream_id = v.stream_id
WHERE s.id = $2 AND {OPEN} AND shown.id = $1
  AND (shown.id = v.id OR (v.status = 'duplicate' AND v.duplicate ->> 'original_id' = shown.id::text))
"""  # noqa: S608 - only the constant is put in

_MAY_WATCH: dict[HolderKind, str] = {"user": _MEMBER, "key": _MEMBERS_KEY, "share": _SHARED}

# One question for all readers, whatever they read; a row for each that may not any more.
_LOST = """
SELECT r.place, CASE WHEN k.id IS NULL AND f.family IS NULL THEN 'token' WHEN s.id IS NULL THEN 'topic' ELSE 'role' END AS lost
FROM unnest($1::int[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[])
     AS r (place, user_id, key_id, login_id, stream_id, video_id)
LEFT JOIN videos v ON v.id = r.video_id
LEFT JOIN streams s ON s.id = CASE WHEN r.video_id IS NULL THEN r.stream_id ELSE v.stream_id END
LEFT JOIN members m ON m.stream_id = s.id AND m.user_id = r.user_id
LEFT JOIN api_keys k ON k.id = r.key_id AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
LEFT JOIN refresh_tokens f ON f.family = r.login_id AND f.used_at IS NULL AND f.revoked_at IS NULL
WHERE m.user_id IS NULL OR (k.id IS NULL AND f.family IS NULL)
"""

_CHANGED_SINCE = """
SELECT id FROM videos WHERE stream_id = $1 AND changed_at > $2 ORDER BY changed_at, id LIMIT $3
"""

_DELETED_SINCE = """
SELECT video_id FROM tombstones WHERE stream_id = $1 AND deleted_at > $2 ORDER BY deleted_at, video_id LIMIT $3
"""

# Readers of a stream that is gone as a whole are not told of each of its videos.
_DELETED = """
SELECT t.video_id AS id, t.stream_id FROM tombstones t
WHERE t.deleted_at > now() - $3::interval
  AND (t.video_id = ANY($1::uuid[]) OR t.stream_id IN (SELECT id FROM streams WHERE id = ANY($2::uuid[])))
"""


async def may_watch(connection: Connection, holder: Holder, video_id: UUID) -> bool:
    """Whether the holder of a media address may see the video now."""
    return bool(await connection.fetchval(_MAY_WATCH[holder.kind], video_id, holder.id))


async def lost(
    connection: Connection,
    users: Sequence[UUID],
    keys: Sequence[UUID | None],
    logins: Sequence[UUID | None],
    streams: Sequence[UUID | None],
    videos: Sequence[UUID | None],
) -> dict[int, str]:
    """Of readers, given as columns, the places of those that may not read on, and what they have lost: the
    `token` (their key or login is over), the `topic` (the stream or video is gone) or their `role`."""
    places = list(range(len(users)))
    rows = await connection.fetch(_LOST, places, list(users), list(keys), list(logins), list(streams), list(videos))
    return {row["place"]: row["lost"] for row in rows}


async def clock(connection: Connection) -> datetime:
    """The database's time, by which changes are dated."""
    now: datetime = await connection.fetchval("SELECT now()")
    return now


async def changed_since(connection: Connection, stream_id: UUID, since: datetime, limit: int) -> list[UUID]:
    return [row["id"] for row in await connection.fetch(_CHANGED_SINCE, stream_id, since, limit)]


async def deleted_since(connection: Connection, stream_id: UUID, since: datetime, limit: int) -> list[UUID]:
    return [row["video_id"] for row in await connection.fetch(_DELETED_SINCE, stream_id, since, limit)]


async def deleted(
    connection: Connection, video_ids: Sequence[UUID], stream_ids: Sequence[UUID], within: timedelta
) -> list[Record]:
    """`id` and `stream_id` of videos that are watched, by themselves or in their stream, and were deleted."""
    rows: list[Record] = await connection.fetch(_DELETED, list(video_ids), list(stream_ids), within)
    return rows
