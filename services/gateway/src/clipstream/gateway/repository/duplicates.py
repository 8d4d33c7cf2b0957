"""Videos that are held to be copies of others."""

from __future__ import annotations

from asyncpg import Connection, Record

from clipstream.gateway.repository.streams import After

_FLAGGED = """
SELECT v.id, v.created_at, v.title, v.stream_id, v.uploader_id, u.name AS uploader_name, u.avatar AS uploader_avatar,
       coalesce(v.uploaded_at, v.created_at) AS uploaded_at, v.duplicate::text,
       (SELECT done_at FROM stages s WHERE s.video_id = v.id AND s.stage = 'dedupe') AS flagged_at,
       o.id AS original_id, o.title AS original_title, o.stream_id AS original_stream_id,
       coalesce(o.uploaded_at, o.created_at) AS original_uploaded_at, o.uploader_id AS original_uploader_id,
       ou.name AS original_uploader_name, ou.avatar AS original_uploader_avatar
FROM videos v JOIN users u ON u.id = v.uploader_id
LEFT JOIN videos o ON o.id = (v.duplicate->>'original_id')::uuid
LEFT JOIN users ou ON ou.id = o.uploader_id
WHERE v.status = 'duplicate' AND ($2::timestamptz IS NULL OR (v.created_at, v.id) < ($2, $3::uuid))
ORDER BY v.created_at DESC, v.id DESC LIMIT $1
"""


async def flagged(connection: Connection, *, limit: int, after: After = (None, None)) -> list[Record]:
    """The newest first, each with the video it is a copy of, where that is still there."""
    rows: list[Record] = await connection.fetch(_FLAGGED, limit, *after)
    return rows
