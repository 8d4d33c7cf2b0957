"""The search service's tables: spoken segments and what is indexed. All SQL of the service stands here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg

from clipstream.common.db.errors import map_database_errors
from clipstream.search.processor import HEADLINE_END, HEADLINE_START, SpokenRow

SCHEMA = "search"
MIGRATIONS = Path(__file__).parent / "sql" / "migrations"


@dataclass(frozen=True, slots=True)
class SpokenHit:
    """The best segment of one video for a query. In `marked`, sentinels stand around the words found."""

    video_id: UUID
    start_s: float
    end_s: float
    text: str
    marked: str


# The query is any text a person types: websearch_to_tsquery never raises on syntax.
_QUERY = "(websearch_to_tsquery('simple', $1) || websearch_to_tsquery('english', $1))"

# Each video by its best segment. $3 names videos that the asker shows already from second 0 on.
_RANKED = f"""
WITH query AS (SELECT {_QUERY} AS q),
ranked AS (
    SELECT s.*, ts_rank_cd(s.lexemes, query.q) AS rank,
           row_number() OVER (PARTITION BY s.video_id ORDER BY ts_rank_cd(s.lexemes, query.q) DESC, s.start_s) AS place
    FROM segments s, query
    WHERE s.lexemes @@ query.q AND s.stream_id = ANY($2::uuid[])
),
best AS (SELECT * FROM ranked WHERE place = 1 AND NOT (start_s = 0 AND video_id = ANY($3::uuid[])))
"""  # noqa: S608 - only constants of this file are joined

_SPEECH = f"""
{_RANKED},
page AS (SELECT *, count(*) OVER () AS total FROM best ORDER BY rank DESC, video_id LIMIT $4 OFFSET $5)
SELECT video_id, start_s, end_s, text, total,
       ts_headline('english', text, query.q, $6) AS marked
FROM page, query ORDER BY rank DESC, video_id
"""  # noqa: S608

_SPEECH_TOTAL = f"{_RANKED} SELECT count(*) FROM best"  # noqa: S608

# The last word may be unfinished. What becomes a query is PostgreSQL's own writing of the lexemes, never the input.
_BEGUN = """
SELECT text FROM segments
WHERE lexemes @@ (nullif(plainto_tsquery('simple', $1)::text, '') || ':*')::tsquery AND stream_id = ANY($2::uuid[])
LIMIT $3
"""

_HEADLINE = f"StartSel={HEADLINE_START}, StopSel={HEADLINE_END}, HighlightAll=true"


class Repository:
    """Reads and writes of the schema `search`, which the pool looks in."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def replace_text(self, video_id: UUID, stream_id: UUID, rows: Sequence[SpokenRow]) -> bool:
        """Make `rows` all that is known of the video's speech; False where the video is deleted meanwhile."""
        with map_database_errors():
            async with self._pool.acquire() as connection, connection.transaction():
                if await self._is_deleted(connection, video_id):
                    return False
                await connection.execute("DELETE FROM segments WHERE video_id = $1", video_id)
                await connection.executemany(
                    """INSERT INTO segments (video_id, number, stream_id, track, start_s, end_s, text)
                       VALUES ($1, $2, $3, $4, $5, $6, $7)""",
                    [(video_id, row.number, stream_id, row.track, row.start_s, row.end_s, row.text) for row in rows],
                )
                await self._mark(connection, video_id, "text", stream_id, None, len(rows))
        return True

    async def mark_vectors(self, video_id: UUID, stream_id: UUID, collection: str, entries: int) -> bool:
        """Remember which collection holds the video; False where the video is deleted meanwhile."""
        with map_database_errors():
            async with self._pool.acquire() as connection, connection.transaction():
                if await self._is_deleted(connection, video_id):
                    return False
                await self._mark(connection, video_id, "vectors", stream_id, collection, entries)
        return True

    async def forget(self, video_id: UUID) -> list[str]:
        """Remove every trace of the video, for good; the collections that hold vectors of it."""
        with map_database_errors():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute("INSERT INTO deleted (video_id) VALUES ($1) ON CONFLICT DO NOTHING", video_id)
                await connection.execute("DELETE FROM segments WHERE video_id = $1", video_id)
                rows = await connection.fetch("DELETE FROM indexed WHERE video_id = $1 RETURNING collection", video_id)
        return [row["collection"] for row in rows if row["collection"] is not None]

    async def collection_of(self, video_id: UUID) -> str | None:
        """Where the video's vectors lie, or None where it has none yet."""
        with map_database_errors():
            value = await self._pool.fetchval(
                "SELECT collection FROM indexed WHERE video_id = $1 AND part = 'vectors'", video_id
            )
        return str(value) if value is not None else None

    async def spoken(
        self, query: str, streams: Sequence[UUID], *, limit: int, offset: int, openings_of: Sequence[UUID] = ()
    ) -> tuple[list[SpokenHit], int]:
        """Videos of `streams` in which `query` is said, best first, each with its best segment; and how many in all.
        Left out are those of `openings_of` whose best segment begins at second 0."""
        about = (query, list(streams), list(openings_of))
        with map_database_errors():
            async with self._pool.acquire() as connection:
                rows = await connection.fetch(_SPEECH, *about, limit, offset, _HEADLINE)
                total = rows[0]["total"] if rows else await connection.fetchval(_SPEECH_TOTAL, *about)
        hits = [SpokenHit(r["video_id"], r["start_s"], r["end_s"], r["text"], r["marked"]) for r in rows]
        return hits, int(total)

    async def begun(self, words: str, streams: Sequence[UUID], *, limit: int) -> list[str]:
        """Segments of `streams` that hold all `words`, the last one perhaps as the beginning of a longer one."""
        with map_database_errors():
            rows = await self._pool.fetch(_BEGUN, words, list(streams), limit)
        return [row["text"] for row in rows]

    async def check(self) -> None:
        """Raises `Outage` where the database cannot be asked."""
        with map_database_errors():
            await self._pool.fetchval("SELECT 1")

    @staticmethod
    async def _is_deleted(connection: asyncpg.Connection, video_id: UUID) -> bool:
        # The lock makes indexing and deleting one video take turns.
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", str(video_id))
        return bool(await connection.fetchval("SELECT true FROM deleted WHERE video_id = $1", video_id))

    @staticmethod
    async def _mark(
        connection: asyncpg.Connection, video_id: UUID, part: str, stream_id: UUID, collection: str | None, entries: int
    ) -> None:
        await connection.execute(
            """INSERT INTO indexed (video_id, part, stream_id, collection, entries) VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (video_id, part) DO UPDATE SET collection = $4, entries = $5, indexed_at = now()""",
            video_id,
            part,
            stream_id,
            collection,
            entries,
        )
