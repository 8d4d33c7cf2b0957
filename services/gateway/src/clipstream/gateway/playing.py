"""Which clip plays when a video is asked for, and by which playlist."""

from __future__ import annotations

from uuid import UUID

from asyncpg import Connection, Record

from clipstream.gateway.repository import videos
from clipstream.gateway.views import fact


async def original_of(connection: Connection, row: Record) -> Record | None:
    """The video that a duplicate is a copy of. None where it is gone, or in another stream: whatever a stage said, a
    stream learns nothing of others."""
    told = fact(row, "duplicate") if row["status"] == "duplicate" else {}  # a dismissed one was told to be one, once
    original = await videos.by_id(connection, UUID(told["original_id"])) if told else None
    return original if original is not None and original["stream_id"] == row["stream_id"] else None


async def played(connection: Connection, row: Record) -> Record:
    """The clip that plays: for a duplicate the one it is a copy of, which plays the same."""
    return await original_of(connection, row) or row


def playlist(row: Record) -> str | None:
    """The playlist of everything that was made."""
    return media_name(row, "playback", "hls_key")


def provisional(row: Record) -> str | None:
    """One that plays before everything is made."""
    return media_name(row, "playable", "hls_key")


def media_name(row: Record, told: str, key: str) -> str | None:
    """A stage names an object's key; what stands below the video's own prefix can be served."""
    _, _, name = (fact(row, told).get(key) or "").partition(f"/{row['id']}/")
    return name or None
