"""Who uses how much of the store, by what the rows say: originals (`size_bytes`) and what was made of them."""

from __future__ import annotations

from asyncpg import Connection, Record

_TOTAL = """
SELECT count(*) AS video_count, coalesce(sum(size_bytes), 0)::bigint AS original_bytes,
       coalesce(sum(stored_bytes), 0)::bigint AS made_bytes
FROM videos WHERE status <> 'uploading'
"""

_BY_STREAM = """
SELECT s.id, s.name, count(*) AS video_count, sum(v.size_bytes)::bigint AS original_bytes,
       sum(v.stored_bytes)::bigint AS made_bytes
FROM videos v JOIN streams s ON s.id = v.stream_id WHERE v.status <> 'uploading'
GROUP BY s.id ORDER BY sum(v.size_bytes + v.stored_bytes) DESC, s.id LIMIT $1
"""

_BY_USER = """
SELECT u.id, u.name, count(*) AS video_count, sum(v.size_bytes)::bigint AS original_bytes,
       sum(v.stored_bytes)::bigint AS made_bytes
FROM videos v JOIN users u ON u.id = v.uploader_id WHERE v.status <> 'uploading'
GROUP BY u.id ORDER BY sum(v.size_bytes + v.stored_bytes) DESC, u.id LIMIT $1
"""


async def total(connection: Connection) -> Record:
    return await connection.fetchrow(_TOTAL)


async def by_stream(connection: Connection, limit: int) -> list[Record]:
    """The largest first."""
    rows: list[Record] = await connection.fetch(_BY_STREAM, limit)
    return rows


async def by_user(connection: Connection, limit: int) -> list[Record]:
    """The largest first."""
    rows: list[Record] = await connection.fetch(_BY_USER, limit)
    return rows
