"""Stage rows as progress, the sweeper and the API see them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from asyncpg import Connection, Record

from clipstream.common.contracts.events import Stage

# Heartbeats are written with this server's clock, whatever the workers' clocks say. A finished stage stays finished.
_HEARD = """
UPDATE stages AS s
SET state = CASE WHEN h.state = 'retrying' THEN 'queued' ELSE 'running' END,
    progress = CASE WHEN s.parts IS NOT NULL THEN s.progress
                    WHEN h.state = 'running' THEN greatest(s.progress, h.fraction) ELSE 0 END,
    attempts = greatest(s.attempts, h.attempt),
    error = CASE WHEN h.state = 'retrying' THEN coalesce(h.note, s.error) ELSE s.error END,
    started_at = CASE WHEN h.state = 'retrying' THEN s.started_at ELSE coalesce(s.started_at, now()) END,
    heartbeat_at = now(),
    sweeps = 0,
    lease_until = now() + CASE WHEN h.state = 'retrying' THEN $7::interval ELSE $8::interval END
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::real[], $5::int[], $6::text[])
     AS h (video_id, stage, state, fraction, attempt, note)
WHERE s.video_id = h.video_id AND s.stage = h.stage AND s.state IN ('queued', 'running') AND NOT s.held
"""

# Of a stage that works in parts: $3 is the part, counted from 0, $4 how many there are. How far a part was is never taken
# back, and the stage is as far as they are on average.
_HEARD_PART = """
UPDATE stages
SET parts = with_part(parts, $3, $4, $5),
    progress = least(1, greatest(progress, mean_of(with_part(parts, $3, $4, $5)))),
    state = $6, attempts = greatest(attempts, $7), error = coalesce($8, error),
    started_at = CASE WHEN $6 = 'running' THEN coalesce(started_at, now()) ELSE started_at END,
    heartbeat_at = now(), sweeps = 0, lease_until = now() + $9::interval
WHERE video_id = $1 AND stage = $2 AND state IN ('queued', 'running') AND NOT held
RETURNING progress
"""

# The parts were made known: now they wait, maybe behind those of other clips.
_RESTED = """
UPDATE stages SET state = 'queued', heartbeat_at = now(), sweeps = 0, lease_until = now() + $3::interval
WHERE video_id = $1 AND stage = $2 AND state IN ('queued', 'running') AND NOT held
"""

_SILENT = """
SELECT s.video_id, s.stage, s.state, s.attempts, s.trigger::text, s.sweeps, s.error, s.lease_until, v.stream_id,
       s.queued_at < now() - $2::interval AS too_old
FROM stages s JOIN videos v ON v.id = s.video_id
WHERE s.state IN ('queued', 'running') AND s.lease_until < now() AND s.trigger IS NOT NULL
ORDER BY s.lease_until LIMIT $1
FOR UPDATE OF s SKIP LOCKED
"""

_RESENT = """
UPDATE stages
SET state = 'queued', attempts = $3, sweeps = sweeps + 1, lease_until = now() + $4::interval,
    progress = CASE WHEN parts IS NULL THEN 0 ELSE progress END
WHERE video_id = $1 AND stage = $2
"""

_OF_VIDEO = """
SELECT stage, state, progress, attempts, error, queued_at, started_at, coalesce(done_at, failed_at) AS finished_at,
       heartbeat_at
FROM stages WHERE video_id = ANY($1::uuid[]) ORDER BY video_id
"""

# How long a stage lately took, as seconds and as a share of the clip's length: the middle of the last fifty.
_PACE = """
SELECT stage, percentile_cont(0.5) WITHIN GROUP (ORDER BY took) AS seconds,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY took / duration_s) AS per_second
FROM (
    SELECT s.stage, extract(epoch FROM s.done_at - s.started_at)::float8 AS took, v.duration_s,
           row_number() OVER (PARTITION BY s.stage ORDER BY s.done_at DESC) AS age
    FROM stages s JOIN videos v ON v.id = s.video_id
    WHERE s.done_at > now() - interval '7 days' AND s.started_at < s.done_at AND v.duration_s > 0
) AS recent
WHERE age <= 50 GROUP BY stage
"""


@dataclass(frozen=True, slots=True)
class Heard:
    """The last sign of life of one stage of one clip."""

    video_id: UUID
    stage: str
    state: str
    fraction: float
    attempt: int
    note: str | None


@dataclass(frozen=True, slots=True)
class Silent:
    """A stage of which nothing was heard for longer than it may be silent."""

    video_id: UUID
    stream_id: UUID
    stage: Stage
    state: str
    attempts: int
    sweeps: int
    error: str | None
    too_old: bool
    trigger: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a stage takes: `seconds`, and seconds for each second of clip."""

    seconds: float
    per_second: float


async def heard(connection: Connection, signs: Sequence[Heard], *, retrying: timedelta, running: timedelta) -> None:
    columns = zip(*((s.video_id, s.stage, s.state, s.fraction, s.attempt, s.note) for s in signs), strict=True)
    await connection.execute(_HEARD, *(list(column) for column in columns), retrying, running)


async def heard_part(
    connection: Connection, sign: Heard, *, part: int, parts: int, state: str, lease: timedelta
) -> float | None:
    """How far the stage is with that; None where it has ended, or is not to be worked on yet."""
    progress: float | None = await connection.fetchval(
        _HEARD_PART,
        sign.video_id,
        sign.stage,
        part,
        parts,
        sign.fraction,
        state,
        sign.attempt,
        sign.note if sign.state == "retrying" else None,
        lease,
    )
    return progress


async def rested(connection: Connection, video_id: UUID, stage: str, *, lease: timedelta) -> None:
    """A stage that works in parts has planned them."""
    await connection.execute(_RESTED, video_id, stage, lease)


async def silent(connection: Connection, limit: int, *, too_old: timedelta) -> list[Silent]:
    rows = await connection.fetch(_SILENT, limit, too_old)
    return [
        Silent(
            video_id=row["video_id"],
            stream_id=row["stream_id"],
            stage=row["stage"],
            state=row["state"],
            attempts=row["attempts"],
            sweeps=row["sweeps"],
            error=row["error"],
            too_old=row["too_old"],
            trigger=json.loads(row["trigger"]),
        )
        for row in rows
    ]


async def resent(connection: Connection, video_id: UUID, stage: str, *, attempts: int, lease: timedelta) -> None:
    await connection.execute(_RESENT, video_id, stage, attempts, lease)


async def of_video(connection: Connection, video_id: UUID) -> list[Record]:
    rows: list[Record] = await connection.fetch(_OF_VIDEO, [video_id])
    return rows


async def pace(connection: Connection) -> dict[Stage, Pace]:
    return {
        row["stage"]: Pace(seconds=row["seconds"], per_second=row["per_second"])
        for row in await connection.fetch(_PACE)
    }
