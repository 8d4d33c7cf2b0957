"""Chunked uploads: which there are, which of them live. What has arrived is the store's to tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from asyncpg import Connection

UploadState = Literal["open", "complete", "aborted"]

_COLUMNS = "id, video_id, key, store_id, checksums, size_bytes, part_size, state, seen_at"

# One open upload for each video: whoever asks again goes on with it.
_OPEN = f"""
INSERT INTO uploads (id, video_id, key, size_bytes, part_size) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (video_id) WHERE state = 'open' DO UPDATE SET seen_at = now()
RETURNING {_COLUMNS}
"""  # noqa: S608 - only the constant above is put in

_BY_ID = f"SELECT {_COLUMNS} FROM uploads WHERE id = $1 AND video_id = $2"  # noqa: S608 - only the constant is put in

_LOCK = f"SELECT {_COLUMNS} FROM uploads WHERE id = $1 FOR UPDATE"  # noqa: S608 - only the constant above is put in

# Those that nobody has touched for long, and those whose video needs them no more.
_ENDING = """
SELECT u.id FROM uploads u LEFT JOIN videos v ON v.id = u.video_id
WHERE u.state = 'open' AND (v.id IS NULL OR v.status <> 'uploading' OR u.seen_at < now() - $2::interval)
ORDER BY u.seen_at LIMIT $1
"""

_NEEDED = """
SELECT u.seen_at >= now() - $2::interval AS lives, coalesce(v.status = 'uploading', false) AS waits
FROM uploads u LEFT JOIN videos v ON v.id = u.video_id WHERE u.id = $1
"""


@dataclass(frozen=True, slots=True)
class Upload:
    """One chunked upload. `store_id` is None before its first part was asked for."""

    id: UUID
    video_id: UUID | None
    key: str
    store_id: str | None
    checksums: bool
    size_bytes: int
    part_size: int
    state: UploadState
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Need:
    """`lives`: somebody was there lately. `waits`: its video still waits for the file."""

    lives: bool
    waits: bool


async def open_one(
    connection: Connection, upload_id: UUID, video_id: UUID, *, key: str, size_bytes: int, part_size: int
) -> Upload:
    """A new upload, or the one that is open already: then with another id."""
    return _upload(await connection.fetchrow(_OPEN, upload_id, video_id, key, size_bytes, part_size))


async def by_id(connection: Connection, upload_id: UUID, video_id: UUID) -> Upload | None:
    row = await connection.fetchrow(_BY_ID, upload_id, video_id)
    return None if row is None else _upload(row)


async def lock(connection: Connection, upload_id: UUID) -> Upload | None:
    """The upload, held until the transaction ends."""
    row = await connection.fetchrow(_LOCK, upload_id)
    return None if row is None else _upload(row)


async def began(connection: Connection, upload_id: UUID, store_id: str, *, checksums: bool) -> None:
    await connection.execute(
        "UPDATE uploads SET store_id = $2, checksums = $3 WHERE id = $1", upload_id, store_id, checksums
    )


async def seen(connection: Connection, upload_id: UUID, at: datetime | None = None) -> datetime | None:
    """A sign of life, now or `at`; None where the upload is open no more."""
    found: datetime | None = await connection.fetchval(
        "UPDATE uploads SET seen_at = coalesce($2, now()) WHERE id = $1 AND state = 'open' RETURNING seen_at",
        upload_id,
        at,
    )
    return found


async def end(connection: Connection, upload_id: UUID, state: UploadState) -> None:
    await connection.execute("UPDATE uploads SET state = $2 WHERE id = $1", upload_id, state)


async def ending(connection: Connection, limit: int, *, silent_for: timedelta) -> list[UUID]:
    """Open uploads that may have to be ended: look at each again under its lock."""
    return [row["id"] for row in await connection.fetch(_ENDING, limit, silent_for)]


async def need(connection: Connection, upload_id: UUID, *, silent_for: timedelta) -> Need:
    return Need(**dict(await connection.fetchrow(_NEEDED, upload_id, silent_for)))


async def forget_ended(connection: Connection) -> None:
    """Rows whose video is gone and which hold nothing in the store."""
    await connection.execute("DELETE FROM uploads WHERE video_id IS NULL AND state <> 'open'")


def _upload(row: Mapping[str, Any]) -> Upload:
    return Upload(**{name: row[name] for name in Upload.__slots__})
