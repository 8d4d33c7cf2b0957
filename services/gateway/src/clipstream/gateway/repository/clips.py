"""The read model as the projector reads and writes it: one clip, its facts and its stage rows, under a row lock."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from asyncpg import Connection, Record

from clipstream.common.contracts.events import Stage
from clipstream.common.contracts.ids import StreamId, VideoId
from clipstream.gateway.clip import KEPT_FOR, Clip, StageRow

_FACTS = ("media", "preview", "playable", "uniqueness", "playback", "transcript", "embedding", "duplicate")

_LOCK = """
SELECT id, stream_id, status, processing_index, error, failed_stage, duration_s, rejection, cancelled, dismissed_at, uploaded_at,
       playable_at, ready_at, content_hash, stored_bytes, admitted_at, turn, leftover,
       media::text, preview::text, playable::text, uniqueness::text, playback::text, transcript::text, embedding::text,
       duplicate::text
FROM videos WHERE id = $1 FOR UPDATE
"""

_STAGES = """
SELECT stage, state, attempts, error, trigger::text, done_at, failed_at, skipped_at, waived_at, retries, held
FROM stages WHERE video_id = $1
"""

# What is left over is due when it becomes so, and again whenever more was written. One statement: whoever waits for the row
# (a stream that is deleted) must find one new version of it and not a chain of them.
_SAVE = """
UPDATE videos
SET status = $2, processing_index = $3, error = $4, failed_stage = $5, duration_s = $6, rejection = $7, uploaded_at = $8,
    playable_at = $9, ready_at = $10, media = $11::text::jsonb, preview = $12::text::jsonb, playable = $13::text::jsonb,
    uniqueness = $14::text::jsonb, playback = $15::text::jsonb, transcript = $16::text::jsonb,
    embedding = $17::text::jsonb, duplicate = $18::text::jsonb, cancelled = $19, dismissed_at = $20,
    content_hash = $21, stored_bytes = $22, admitted_at = $23, turn = $24, leftover = $25,
    purge_at = CASE WHEN $25::text IS NULL THEN NULL
                    WHEN leftover IS DISTINCT FROM $25 OR $27 THEN now() + $26::interval ELSE purge_at END,
    leftover_since = CASE WHEN $25 IS NULL THEN NULL
                          WHEN leftover IS DISTINCT FROM $25 THEN now() ELSE leftover_since END,
    changed_at = now(), revision = revision + 1
WHERE id = $1
RETURNING revision
"""

# A stage that has just got its trigger waits from now on; one that has ended is watched no longer, and one that is held
# not yet.
_SAVE_STAGE = """
UPDATE stages
SET state = $3, attempts = $4, error = $5, trigger = $6::text::jsonb, done_at = $7, failed_at = $8,
    skipped_at = $10, waived_at = $11, retries = $12, held = $13,
    progress = CASE WHEN $3 = 'done' THEN 1 ELSE progress END,
    queued_at = CASE WHEN $6::text IS NOT NULL AND NOT $13 THEN coalesce(queued_at, now()) END,
    lease_until = CASE WHEN $3 IN ('queued', 'running') AND $6::text IS NOT NULL AND NOT $13
                       THEN coalesce(lease_until, now() + $9::interval) END
WHERE video_id = $1 AND stage = $2
"""

_MATCH = """
INSERT INTO matches (video_id, other_id, kind, similarity)
SELECT $1, id, 'duplicate', $3 FROM videos WHERE id = $2
ON CONFLICT DO NOTHING
"""

# Begun anew: nothing of the tries before is counted or shown.
_RESTART = """
UPDATE stages
SET queued_at = NULL, started_at = NULL, heartbeat_at = NULL, lease_until = NULL, sweeps = 0, progress = 0,
    parts = NULL
WHERE video_id = $1 AND stage = ANY($2::text[])
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


async def save(connection: Connection, clip: Clip, *, queued_after: timedelta, wrote: bool = False) -> int:
    """Write the clip back; its new revision. `wrote`: somebody has just put something there that is to play early."""
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
        clip.cancelled,
        clip.dismissed_at,
        clip.content_hash,
        clip.stored_bytes,
        clip.admitted_at,
        clip.turn,
        clip.leftover,
        None if clip.leftover is None else KEPT_FOR[clip.leftover],
        wrote,
    )
    await connection.executemany(
        _SAVE_STAGE,
        [(clip.id, stage, *_stage_values(row, queued_after)) for stage, row in clip.stages.items()],
    )
    if clip.dismissed_at is not None:
        await connection.execute("DELETE FROM matches WHERE video_id = $1 AND kind = 'duplicate'", clip.id)
    elif clip.duplicate is not None:
        await connection.execute(
            _MATCH, clip.id, UUID(clip.duplicate["original_id"]), float(clip.duplicate["similarity"])
        )
    return revision


async def restart(connection: Connection, video_id: UUID, stages: Collection[Stage]) -> None:
    """Forget the clocks of stages that are begun anew; `save` starts them again."""
    await connection.execute(_RESTART, video_id, list(stages))


def _stage_values(row: StageRow, queued_after: timedelta) -> tuple[object, ...]:
    return (
        row.state,
        row.attempts,
        row.error,
        _dumps(row.trigger),
        row.done_at,
        row.failed_at,
        queued_after,
        row.skipped_at,
        row.waived_at,
        row.retries,
        row.held,
    )


def _stage(row: Record) -> StageRow:
    return StageRow(
        state=row["state"],
        attempts=row["attempts"],
        error=row["error"],
        trigger=_loads(row["trigger"]),
        done_at=row["done_at"],
        failed_at=row["failed_at"],
        skipped_at=row["skipped_at"],
        waived_at=row["waived_at"],
        retries=row["retries"],
        held=row["held"],
    )


def _loads(text: str | None) -> Mapping[str, Any] | None:
    return None if text is None else json.loads(text)


def _dumps(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value)
