"""What the scan asks about objects that it finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from asyncpg import Connection

_KNOWN = """
SELECT id, stream_id, uploader_id, filename, key, status FROM videos WHERE id = ANY($1::uuid[])
"""


@dataclass(frozen=True, slots=True)
class Known:
    """The row of a video."""

    id: UUID
    stream_id: UUID
    uploader_id: UUID
    filename: str
    key: str
    status: str


async def known(connection: Connection, video_ids: Sequence[UUID]) -> Mapping[UUID, Known]:
    return {row["id"]: Known(**dict(row)) for row in await connection.fetch(_KNOWN, list(video_ids))}


async def deleted(connection: Connection, video_ids: Sequence[UUID]) -> set[UUID]:
    """Those of them that there were once."""
    found = "SELECT video_id FROM tombstones WHERE video_id = ANY($1::uuid[])"
    return {row["video_id"] for row in await connection.fetch(found, list(video_ids))}


async def belongs(connection: Connection, stream_id: UUID, user_id: UUID) -> bool:
    """Whether there are such a stream and such a user, and one is a member of the other."""
    asked = "SELECT true FROM members WHERE stream_id = $1 AND user_id = $2"
    return bool(await connection.fetchval(asked, stream_id, user_id))
