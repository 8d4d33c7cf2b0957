"""The read model as the projector reads and writes it: one clip, its facts and its stage rows, under a row lock."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from asyncpg import Connection, Record

from clipstream.common.contracts.ids import StreamId, VideoId
from clipstream.gateway.projection import Clip, StageRow

_FACTS = ("media", "playback", "transcript", "embedding", "duplicate")

_LOCK = """
SELECT id, stream_id, status, processing_index, error, failed_stage, duration_s, rejection, uploaded_at, playable_at, ready_at,
       content_hash, stored_bytes,
       media::text, playback::text, transcript::text, embedding::text, duplicate::text
FROM videos WHERE id = $1 FOR UPDATE
"""

_STAGES = """
SELECT stage, state, attempts, error, trigger::text, done_at, failed_at FROM stages WHERE video_id = $1
"""

_SAVE = """
UPDATE videos
SET status = $2, processing_index = $3, error = $4, failed_stage = $5, duration_s = $6, rejection = $7, uploaded_at = $8,
    playable_at = $9, ready_at = $10, media = $11::text::jsonb, playback = $12::text::jsonb, transcript = $13::text::jsonb,
    embedding = $14::text::jsonb, duplicate = $15::text::jsonb, content_hash = $16, stored_bytes = $17,
    changed_at = now(), revision = revision + 1
WHERE id = $1
RETURNING revision
"""

# A stage that has just got its trigger waits from now on; one that has ended is watched no longer.
_SAVE_STAGE = """
UPDATE stages
SET state = $3, attempts = $4, error = $5, trigger = $6::text::jsonb, done_at = $7, failed_at = $8,
    progress = CASE WHEN $3 = 'done' THEN 1 ELSE progress END,
    queued_at = CASE WHEN $6::text IS NOT NULL THEN coalesce(queued_at, now()) END,
    lease_until = CASE WHEN $3 IN ('queued', 'running') AND $6::text IS NOT NULL
                       THEN coalesce(lease_until, now() + $9::interval) END
WHERE video_id = $1 AND stage = $2
"""

_MATCH = """
INSERT INTO matches (video_id, other_id, kind, similarity)
SELECT $1, id, 'duplicate', $3 FROM videos WHERE id = $2
ON CONFLICT DO NOTHING
"""


async def lock(connection: Connection, video_id: UUID) -> Clip | None:
    """The clip, held until the transaction ends; None where it is unknown or deleted."""
    row = await connection.fetchrow(_LOCK, video_id)
    if row is None:
        return None
    stages = {stage["stage"]: _stage(stage) for stage in await connection.fetch(_STAGES, video_id)}
    facts: dict[str, Any] = {name: _loads(row[name]) for name in _FACTS}
    plain: dict[str, Any] = {name: row[name] for name in row.keys() if name not in (*_FACTS, "id", "stream_id")}  # noqa: SIM118 - a Record
    return Clip(id=VideoId(row["id"]), stream_id=StreamId(row["stream_id"]), stages=stages, **facts, **plain)


async def save(connection: Connection, clip: Clip, *, queued_after: timedelta) -> int:
    """Write the clip back; its new revision."""
    revision: int = await connection.fetchval(
        _SAVE,
        clip.id,
        clip.status,
        clip.processing_index,
        clip.error,
        clip.failed_stage,
        clip.duration_s,
        clip.rejection,
        clip.uploaded_at,
        clip.playable_at,
        clip.ready_at,
        *(_dumps(getattr(clip, name)) for name in _FACTS),
        clip.content_hash,
        clip.stored_bytes,
    )
    await connection.executemany(
        _SAVE_STAGE,
        [
            (clip.id, s, r.state, r.attempts, r.error, _dumps(r.trigger), r.done_at, r.failed_at, queued_after)
            for s, r in clip.stages.items()
        ],
    )
    if clip.duplicate is not None:
        await connection.execute(
            _MATCH, clip.id, UUID(clip.duplicate["original_id"]), float(clip.duplicate["similarity"])
        )
    return revision


def _stage(row: Record) -> StageRow:
    return StageRow(
        state=row["state"],
        attempts=row["attempts"],
        error=row["error"],
        trigger=_loads(row["trigger"]),
        done_at=row["done_at"],
        failed_at=row["failed_at"],
    )


def _loads(text: str | None) -> Mapping[str, Any] | None:
    return None if text is None else json.loads(text)


def _dumps(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value)
