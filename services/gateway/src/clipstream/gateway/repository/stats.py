"""How the pipeline did lately."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from asyncpg import Connection, Record

from clipstream.common.contracts.events import Stage

_THROUGHPUT = """
SELECT count(*) FILTER (WHERE ready_at > now() - interval '1 hour') AS ready_hour,
       count(*) FILTER (WHERE ready_at > now() - interval '1 day') AS ready_day,
       coalesce(sum(duration_s) FILTER (WHERE ready_at > now() - interval '1 hour'), 0)::float8 AS seconds_hour,
       coalesce(sum(duration_s) FILTER (WHERE ready_at > now() - interval '1 day'), 0)::float8 AS seconds_day,
       count(*) FILTER (WHERE uploaded_at > now() - interval '1 hour') AS uploaded_hour,
       count(*) FILTER (WHERE uploaded_at > now() - interval '1 day') AS uploaded_day
FROM videos WHERE changed_at > now() - interval '1 day'
"""

# Of the newest thousand of each stage. The work began by this server's clock and ended by the worker's.
_PACES = """
SELECT stage,
       count(*) FILTER (WHERE done_at > now() - interval '1 hour') AS done_hour,
       count(*) FILTER (WHERE done_at > now() - interval '1 day') AS done_day,
       percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY worked) AS worked,
       percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY waited) AS waited
FROM (
    SELECT stage, done_at, greatest(extract(epoch FROM done_at - started_at), 0)::float8 AS worked,
           greatest(extract(epoch FROM started_at - queued_at), 0)::float8 AS waited,
           row_number() OVER (PARTITION BY stage ORDER BY done_at DESC) AS age
    FROM stages WHERE done_at > now() - interval '1 day'
) AS recent
WHERE age <= 1000 GROUP BY stage
"""

_FAILURES = """
SELECT stage,
       count(*) FILTER (WHERE failed_at > now() - interval '1 hour' AND state = 'failed') AS failed_hour,
       count(*) FILTER (WHERE failed_at > now() - interval '1 day' AND state = 'failed') AS failed_day,
       count(*) FILTER (WHERE state = 'failed') AS failed,
       coalesce(sum(greatest(attempts - 1, 0)) FILTER (WHERE queued_at > now() - interval '1 day'), 0) AS repeated_day,
       coalesce(sum(retries), 0) AS retries
FROM stages GROUP BY stage
"""


@dataclass(frozen=True, slots=True)
class Lately:
    """How the pipeline did: over all, and by stage."""

    throughput: Record
    paces: Mapping[Stage, Record]
    failures: Mapping[Stage, Record]


async def lately(connection: Connection) -> Lately:
    return Lately(
        throughput=await connection.fetchrow(_THROUGHPUT),
        paces={row["stage"]: row for row in await connection.fetch(_PACES)},
        failures={row["stage"]: row for row in await connection.fetch(_FAILURES)},
    )
