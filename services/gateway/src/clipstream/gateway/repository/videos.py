"""Videos as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from asyncpg import Connection, Record

from clipstream.gateway.repository.streams import After

_COLUMNS = """
v.id, v.stream_id, v.uploader_id, v.title, v.filename, v.content_type, v.key, v.size_bytes, v.sha256, v.recorded_at, v.status,
v.processing_index, v.error, v.failed_stage, v.duration_s, v.playback::text, v.transcript::text, v.media::text,
v.preview::text, v.playable::text, v.turn,
CASE WHEN v.dismissed_at IS NULL THEN v.duplicate::text END AS duplicate,
v.embedding::text, v.created_at, v.uploaded_at, v.playable_at, v.ready_at, v.revision, v.description, v.tags,
u.name AS uploader_name, u.avatar AS uploader_avatar
"""

# With its stage rows, in one step. Nothing is made where the uploader has too many that wait for their files.
_CREATE = """
WITH made AS (
    INSERT INTO videos (id, stream_id, uploader_id, title, filename, content_type, key, size_bytes, sha256, recorded_at,
                        look_at)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now() + $11::interval
    WHERE $13::int IS NULL
       OR $13 > (SELECT count(*) FROM (SELECT FROM videos WHERE uploader_id = $3 AND status = 'uploading' LIMIT $13) AS o)
    RETURNING id
)
INSERT INTO stages (video_id, stage) SELECT made.id, stage FROM made, unnest($12::text[]) AS stage
"""

# Of `videos v` and their uploaders `users u`.
DETAILS = f"{_COLUMNS}, (SELECT count(*) FROM likes l WHERE l.video_id = v.id) AS total_likes"  # noqa: S608 - constants

_BY_ID = f"""
SELECT {DETAILS}
FROM videos v JOIN users u ON u.id = v.uploader_id WHERE v.id = ANY($1::uuid[])
"""  # noqa: S608 - only the constant above is put in

_OF_STREAM = f"""
SELECT {_COLUMNS} FROM videos v JOIN users u ON u.id = v.uploader_id
WHERE v.stream_id = $1 AND ($3::timestamptz IS NULL OR (v.created_at, v.id) < ($3, $4::uuid))
  AND ($5::text IS NULL OR v.status = $5) AND ($6::uuid IS NULL OR v.uploader_id = $6)
  AND ($7::text IS NULL OR EXISTS (SELECT FROM unnest(v.tags) AS t (tag) WHERE lower(tag) = lower($7)))
  AND ($8::text IS NULL OR strpos(lower(v.title), lower($8)) > 0)
ORDER BY v.created_at DESC, v.id DESC LIMIT $2
"""  # noqa: S608 - only the constant above is put in

# What is already so wakes nobody.
_EDIT = """
UPDATE videos
SET title = coalesce($2, title), description = coalesce($3, description), tags = coalesce($4::text[], tags),
    changed_at = now(), revision = revision + 1
WHERE id = $1 AND (title, description, tags)
      IS DISTINCT FROM (coalesce($2, title), coalesce($3, description), coalesce($4::text[], tags))
"""

# Abandoned is what was silent for long: no address was asked for, and no upload in parts lives.
_IS_ABANDONED = """
v.seen_at < now() - $2::interval AND NOT EXISTS (SELECT FROM uploads u WHERE u.video_id = v.id AND u.state = 'open')
"""

_UNANNOUNCED = f"""
SELECT v.id, v.stream_id, v.key, v.size_bytes, {_IS_ABANDONED} AS abandoned FROM videos v
WHERE v.status = 'uploading' AND v.look_at <= now() ORDER BY v.look_at LIMIT $1 FOR UPDATE SKIP LOCKED
"""  # noqa: S608 - only the constant above is put in

_STILL_ABANDONED = f"""
SELECT true FROM videos v WHERE v.id = $1 AND v.status = 'uploading' AND {_IS_ABANDONED} FOR UPDATE
"""  # noqa: S608 - only the constant above is put in

# One that failed or was refused may be sent again, and a copy of what was deleted: nobody can play it.
_SAME_CONTENT = """
SELECT v.id, v.title FROM videos v
WHERE v.stream_id = $1 AND v.content_hash = $2 AND (
    v.status IN ('processing', 'ready') OR v.status = 'duplicate'
    AND EXISTS (SELECT FROM videos o WHERE o.id = (v.duplicate->>'original_id')::uuid)
)
ORDER BY v.status = 'duplicate', v.created_at LIMIT 1
"""

_USED = """
SELECT (SELECT coalesce(sum(size_bytes + stored_bytes), 0) FROM videos
        WHERE uploader_id = $1 AND (status <> 'rejected' OR uploaded_at IS NOT NULL))::bigint AS by_user,
       (SELECT coalesce(sum(size_bytes + stored_bytes), 0) FROM videos
        WHERE stream_id = $2 AND (status <> 'rejected' OR uploaded_at IS NOT NULL))::bigint AS in_stream
"""

_CHANGED = """
SELECT id, stream_id, revision FROM videos
WHERE changed_at > now() - $3::interval AND (id = ANY($1::uuid[]) OR stream_id = ANY($2::uuid[]))
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A video whose upload nobody has announced."""

    id: UUID
    stream_id: UUID
    key: str
    size_bytes: int
    abandoned: bool


async def create(
    connection: Connection,
    video_id: UUID,
    *,
    stream_id: UUID,
    uploader_id: UUID,
    title: str,
    filename: str,
    content_type: str,
    key: str,
    size_bytes: int,
    sha256: str | None,
    recorded_at: datetime | None,
    look_after: timedelta,
    stages: Sequence[str],
    most_open: int | None,
) -> bool:
    """False, and no row, where `most_open` of the uploader's videos wait for their files already."""
    done: str = await connection.execute(
        _CREATE,
        video_id,
        stream_id,
        uploader_id,
        title,
        filename,
        content_type,
        key,
        size_bytes,
        sha256,
        recorded_at,
        look_after,
        list(stages),
        most_open,
    )
    return done != "INSERT 0 0"


async def same_content(connection: Connection, stream_id: UUID, content_hash: str) -> Record | None:
    """`id` and `title` of a clip of this stream that has these very bytes."""
    return await connection.fetchrow(_SAME_CONTENT, stream_id, content_hash)


async def hold_quota(connection: Connection, of: UUID) -> None:
    """Nobody else adds to the clips of this user or stream until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('quota ' || $1::text, 0))", str(of))


async def used(connection: Connection, uploader_id: UUID, stream_id: UUID) -> Record:
    """Bytes of the user's clips and of the stream's: `by_user`, `in_stream`. What is still to come counts as announced."""
    return await connection.fetchrow(_USED, uploader_id, stream_id)


async def by_id(connection: Connection, video_id: UUID) -> Record | None:
    return await connection.fetchrow(_BY_ID, [video_id])


async def by_ids(connection: Connection, video_ids: Sequence[UUID]) -> dict[UUID, Record]:
    return {row["id"]: row for row in await connection.fetch(_BY_ID, list(video_ids))}


async def of_stream(
    connection: Connection,
    stream_id: UUID,
    *,
    limit: int,
    after: After = (None, None),
    status: str | None = None,
    uploader_id: UUID | None = None,
    tag: str | None = None,
    title: str | None = None,
) -> list[Record]:
    """Newest first; `title` is part of it. Capitals make no difference, and patterns have no meaning."""
    rows: list[Record] = await connection.fetch(_OF_STREAM, stream_id, limit, *after, status, uploader_id, tag, title)
    return rows


async def lock(connection: Connection, video_id: UUID) -> Record | None:
    """The video as `by_id` has it, held until the transaction ends."""
    await connection.execute("SELECT FROM videos WHERE id = $1 FOR UPDATE", video_id)
    return await by_id(connection, video_id)


async def edit(
    connection: Connection, video_id: UUID, *, title: str | None, description: str | None, tags: Sequence[str] | None
) -> None:
    """None leaves a thing as it is."""
    await connection.execute(_EDIT, video_id, title, description, tags)


async def exists(connection: Connection, video_id: UUID) -> bool:
    return bool(await connection.fetchval("SELECT true FROM videos WHERE id = $1", video_id))


async def arrived(connection: Connection, video_id: UUID, size_bytes: int, sha256: str | None) -> None:
    """The file as it lies in the store, with its content's hash where the store knows it."""
    await connection.execute(
        "UPDATE videos SET size_bytes = $2, content_hash = coalesce($3, content_hash) WHERE id = $1",
        video_id,
        size_bytes,
        None if sha256 is None else f"sha256:{sha256}",
    )


async def seen(connection: Connection, video_id: UUID) -> None:
    """Somebody is about to send its file."""
    await connection.execute("UPDATE videos SET seen_at = now() WHERE id = $1", video_id)


async def still_abandoned(connection: Connection, video_id: UUID, after: timedelta) -> bool:
    """Whether it may be given up now; the row is held until the transaction ends."""
    return bool(await connection.fetchval(_STILL_ABANDONED, video_id, after))


async def delete(connection: Connection, video_id: UUID) -> bool:
    return bool(await connection.fetchval("DELETE FROM videos WHERE id = $1 RETURNING true", video_id))


async def unannounced(connection: Connection, limit: int, *, abandoned_after: timedelta) -> list[Waiting]:
    return [Waiting(**dict(row)) for row in await connection.fetch(_UNANNOUNCED, limit, abandoned_after)]


async def look_again(connection: Connection, video_ids: Sequence[UUID], after: timedelta) -> None:
    await connection.execute(
        "UPDATE videos SET look_at = now() + $2::interval WHERE id = ANY($1::uuid[])", list(video_ids), after
    )


async def changed(
    connection: Connection, video_ids: Sequence[UUID], stream_ids: Sequence[UUID], within: timedelta
) -> list[Record]:
    rows: list[Record] = await connection.fetch(_CHANGED, list(video_ids), list(stream_ids), within)
    return rows


async def describe(connection: Connection, video_id: UUID, *, title: str, recorded_at: datetime | None) -> None:
    await connection.execute(
        "UPDATE videos SET title = $2, recorded_at = $3 WHERE id = $1", video_id, title, recorded_at
    )
