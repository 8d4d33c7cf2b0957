"""What the pipeline has to do, is doing and could not do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from asyncpg import Connection, Record

from clipstream.common.contracts.events import Stage
from clipstream.gateway.repository.streams import After

# What waits for its clip's turn is to be done as well.
_TO_DO = """
v.status <> 'rejected' AND (
    s.trigger IS NOT NULL OR s.state = 'failed' OR (v.turn = 'waits' AND s.stage IN ('transcode', 'stt', 'embed'))
)
"""

# `known_s` is how much of clips of known length is left to work on, `unknown` how many others there are.
_STAGES = f"""
SELECT s.stage,
       count(*) FILTER (WHERE s.state = 'queued') AS queued,
       count(*) FILTER (WHERE s.state = 'running') AS running,
       count(*) FILTER (WHERE s.state = 'failed') AS failed,
       extract(epoch FROM now() - min(s.queued_at) FILTER (WHERE s.state = 'queued'))::float8 AS oldest_s,
       coalesce(sum(v.duration_s * (1 - s.progress)) FILTER (WHERE s.state <> 'failed'), 0)::float8 AS known_s,
       coalesce(sum(1 - s.progress) FILTER (WHERE s.state <> 'failed' AND v.duration_s IS NULL), 0)::float8 AS unknown
FROM stages s JOIN videos v ON v.id = s.video_id
WHERE s.state IN ('queued', 'running', 'failed') AND {_TO_DO}
GROUP BY s.stage
"""  # noqa: S608 - only the constant above is put in

_CURRENT = """
SELECT video_id, stage FROM stages WHERE state = 'running' ORDER BY started_at, video_id, stage LIMIT 1
"""

# A job has no id of its own; this one is for its place in the list alone. Three stages of a clip begin to wait at once.
_JOBS = f"""
SELECT * FROM (
    SELECT md5(s.video_id::text || s.stage)::uuid AS id, coalesce(s.queued_at, v.created_at) AS created_at,
           s.video_id, v.stream_id, v.title, s.stage, s.state, s.progress, s.attempts, s.retries, s.error,
           CASE s.state WHEN 'running' THEN coalesce(s.started_at, s.queued_at) WHEN 'failed' THEN s.failed_at
                        ELSE s.queued_at END AS since
    FROM stages s JOIN videos v ON v.id = s.video_id
    WHERE s.state = ANY($1::text[]) AND ($2::text IS NULL OR s.stage = $2) AND {_TO_DO}
) AS jobs
WHERE $4::timestamptz IS NULL OR (created_at, id) < ($4, $5::uuid)
ORDER BY created_at DESC, id DESC LIMIT $3
"""  # noqa: S608 - only the constant above is put in

_FAILED_CLIPS = """
SELECT DISTINCT s.video_id FROM stages s JOIN videos v ON v.id = s.video_id
WHERE s.state = 'failed' AND s.trigger IS NOT NULL AND ($1::text IS NULL OR s.stage = $1)
      AND v.cancelled IS NULL AND v.status NOT IN ('rejected', 'duplicate')
ORDER BY s.video_id LIMIT $2
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What one stage has before it. `known_s`: seconds of clip; `unknown`: clips whose length is not known."""

    queued: int
    running: int
    failed: int
    oldest_s: float | None
    known_s: float
    unknown: float


Loads: TypeAlias = Mapping[Stage, Load]


async def loads(connection: Connection) -> Loads:
    """By stage; one that has nothing is missing."""
    rows = await connection.fetch(_STAGES)
    return {row["stage"]: Load(**{name: row[name] for name in Load.__slots__}) for row in rows}


async def current(connection: Connection) -> Record | None:
    """The job at work for the longest."""
    return await connection.fetchrow(_CURRENT)


async def jobs(
    connection: Connection, *, states: Sequence[str], stage: str | None, limit: int, after: After = (None, None)
) -> list[Record]:
    rows: list[Record] = await connection.fetch(_JOBS, list(states), stage, limit, *after)
    return rows


async def failed_clips(connection: Connection, stage: str | None, *, limit: int) -> list[UUID]:
    return [row["video_id"] for row in await connection.fetch(_FAILED_CLIPS, stage, limit)]
