"""The dedupe service's table of fingerprints, and the one transaction that decides. All SQL of the service stands here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import asyncpg

from clipstream.common.contracts.ids import StreamId, VideoId
from clipstream.common.db.errors import map_database_errors

SCHEMA = "dedupe"
MIGRATIONS = Path(__file__).parent / "sql" / "migrations"

Kind = Literal["identical", "remuxed"]


@dataclass(frozen=True, slots=True)
class Unique:
    """The first of its kind in its stream."""

    content_hash: str
    packet_hash: str


@dataclass(frozen=True, slots=True)
class Copy:
    """The same clip as one that is there already."""

    original_id: VideoId
    kind: Kind


@dataclass(frozen=True, slots=True)
class Deleted:
    """The video was deleted meanwhile; there is nothing to decide."""


Verdict = Unique | Copy | Deleted


class Repository:
    """Reads and writes of the schema `dedupe`, which the pool looks in."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def decide(
        self, stream_id: StreamId, video_id: VideoId, content_hash: str, packet_hash: str | None
    ) -> Verdict | None:
        """Say what the video is, for good: asked again, the answer is the same while its original exists.

        Without a `packet_hash` only a file with the same bytes can be found; None then means that it takes one to say.
        """
        with map_database_errors():
            async with self._pool.acquire() as connection, connection.transaction():
                # One decision per stream at a time: of two copies at once, exactly one is the original.
                await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 1))", str(stream_id))
                said = await _said_before(connection, video_id)
                if said is not None:
                    return said
                original = await _candidate(connection, stream_id, content_hash, packet_hash)
                if original is None and packet_hash is None:
                    return None
                await connection.execute(
                    """INSERT INTO fingerprints (video_id, stream_id, content_hash, packet_hash, original_id, kind)
                       VALUES ($1, $2, $3, $4, $5, $6)""",
                    video_id,
                    stream_id,
                    content_hash,
                    packet_hash,
                    original.original_id if original else None,
                    original.kind if original else None,
                )
                return original or Unique(content_hash, packet_hash or "")

    async def forget(self, video_id: VideoId) -> None:
        """The video is deleted: its place is free for the next upload, and what was said of its copies is void."""
        with map_database_errors():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute("INSERT INTO deleted (video_id) VALUES ($1) ON CONFLICT DO NOTHING", video_id)
                await connection.execute("DELETE FROM fingerprints WHERE video_id = $1 OR original_id = $1", video_id)


async def _said_before(connection: asyncpg.Connection, video_id: VideoId) -> Verdict | None:
    if await connection.fetchval("SELECT true FROM deleted WHERE video_id = $1", video_id):
        return Deleted()
    row = await connection.fetchrow(
        "SELECT content_hash, packet_hash, original_id, kind FROM fingerprints WHERE video_id = $1", video_id
    )
    if row is None:
        return None
    if row["original_id"] is not None:
        return Copy(row["original_id"], row["kind"])
    return Unique(row["content_hash"], row["packet_hash"])


async def _candidate(
    connection: asyncpg.Connection, stream_id: StreamId, content_hash: str, packet_hash: str | None
) -> Copy | None:
    """The original that this is a copy of. Same bytes are the stronger claim."""
    row = await connection.fetchrow(
        """SELECT video_id, content_hash = $2 AS identical FROM fingerprints
           WHERE stream_id = $1 AND original_id IS NULL AND (content_hash = $2 OR packet_hash = $3)
           ORDER BY identical DESC LIMIT 1""",
        stream_id,
        content_hash,
        packet_hash,
    )
    return Copy(row["video_id"], "identical" if row["identical"] else "remuxed") if row else None
