"""Deliveries: one row for each event and each webhook that is to hear of it. `due_at` is when it is sent next; a gateway
that sends it moves `due_at` on by a lease, so that no other sends it meanwhile and one that dies loses nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from asyncpg import Connection, Record

from clipstream.gateway.repository.streams import After
from clipstream.gateway.repository.webhooks import Kind

_COLUMNS = """
id, webhook_id, event, video_id, created_at, due_at, attempts, delivered_at, failed_at, status, error
"""

# A webhook that is being deleted gets nothing more.
_ADD = """
INSERT INTO deliveries (id, webhook_id, event, video_id, payload)
SELECT $1, id, $3, $4, $5::text::jsonb FROM webhooks WHERE id = $2 FOR KEY SHARE
ON CONFLICT DO NOTHING
"""

# At most one delivery of a webhook is on its way from here at a time, and no more than $4 of all that one person made: a
# slow receiver holds up nobody else, and neither do many.
_CLAIM = """
WITH first AS (
    SELECT DISTINCT ON (webhook_id) id, webhook_id, due_at FROM deliveries
    WHERE due_at <= now() AND webhook_id <> ALL($3::uuid[])
    ORDER BY webhook_id, due_at, id
), turns AS (
    SELECT first.id, first.due_at, row_number() OVER (PARTITION BY w.created_by ORDER BY first.due_at, first.id)
        + (SELECT count(*) FROM webhooks b WHERE b.id = ANY($3) AND b.created_by = w.created_by) AS turn
    FROM first JOIN webhooks w ON w.id = first.webhook_id
), next AS (
    SELECT d.id FROM deliveries d JOIN turns ON turns.id = d.id
    WHERE d.due_at <= now() AND turns.turn <= $4 ORDER BY turns.due_at LIMIT $1 FOR UPDATE OF d SKIP LOCKED
)
UPDATE deliveries d SET attempts = d.attempts + 1, due_at = now() + $2::interval
FROM next, webhooks w WHERE d.id = next.id AND w.id = d.webhook_id
RETURNING d.id, d.webhook_id, w.stream_id, w.url, w.kind, d.payload::text, d.attempts, d.due_at AS lease
"""

# What a claim does not hold any more (it was replayed, or claimed by another after the lease), it does not settle.
_DELIVERED = """
UPDATE deliveries SET delivered_at = now(), due_at = NULL, status = $3, error = NULL WHERE id = $1 AND due_at = $2
"""
_POSTPONE = """
UPDATE deliveries SET due_at = now() + $3::interval, status = $4, error = $5 WHERE id = $1 AND due_at = $2
"""
_FAIL = """
UPDATE deliveries SET failed_at = now(), due_at = NULL, status = $3, error = $4 WHERE id = $1 AND due_at = $2
"""
_END_ALL = """
UPDATE deliveries SET failed_at = now(), due_at = NULL, error = $2 WHERE webhook_id = $1 AND due_at IS NOT NULL
"""

_OF_WEBHOOK = f"""
SELECT {_COLUMNS} FROM deliveries
WHERE webhook_id = $1 AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4::uuid))
ORDER BY created_at DESC, id DESC LIMIT $2
"""  # noqa: S608 - only the constant above is put in

_REPLAY = f"""
UPDATE deliveries
SET due_at = now(), attempts = 0, delivered_at = NULL, failed_at = NULL, status = NULL, error = NULL
WHERE id = $1 AND webhook_id = $2
RETURNING {_COLUMNS}
"""  # noqa: S608 - only the constant above is put in


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is ours to send until `lease`."""

    id: UUID
    webhook_id: UUID
    stream_id: UUID
    url: str
    kind: Kind
    payload: str
    attempts: int
    lease: datetime


async def add(
    connection: Connection, delivery_id: UUID, *, webhook_id: UUID, event: str, video_id: UUID, payload: str
) -> None:
    """Send it soon; once, however often the same one is added."""
    await connection.execute(_ADD, delivery_id, webhook_id, event, video_id, payload)


async def claim(
    connection: Connection, most: int, *, lease: timedelta, busy: Sequence[UUID], per_person: int
) -> list[Claimed]:
    """What is due, to be sent by us; none of the webhooks in `busy`, and with those at most `per_person` of one maker's."""
    return [Claimed(**dict(row)) for row in await connection.fetch(_CLAIM, most, lease, list(busy), per_person)]


async def delivered(connection: Connection, claimed: Claimed, status: int) -> None:
    await connection.execute(_DELIVERED, claimed.id, claimed.lease, status)


async def postpone(
    connection: Connection, claimed: Claimed, after: timedelta, *, status: int | None, error: str
) -> None:
    await connection.execute(_POSTPONE, claimed.id, claimed.lease, after, status, error)


async def fail(connection: Connection, claimed: Claimed, *, status: int | None, error: str) -> None:
    await connection.execute(_FAIL, claimed.id, claimed.lease, status, error)


async def end_all(connection: Connection, webhook_id: UUID, error: str) -> None:
    """Nothing more is sent to this webhook."""
    await connection.execute(_END_ALL, webhook_id, error)


async def of_webhook(
    connection: Connection, webhook_id: UUID, *, limit: int, after: After = (None, None)
) -> list[Record]:
    rows: list[Record] = await connection.fetch(_OF_WEBHOOK, webhook_id, limit, *after)
    return rows


async def by_id(connection: Connection, delivery_id: UUID) -> Record | None:
    return await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM deliveries WHERE id = $1",  # noqa: S608 - a constant
        delivery_id,
    )


async def replay(connection: Connection, webhook_id: UUID, delivery_id: UUID) -> Record | None:
    """Send it again from the start; None where the webhook has no such delivery."""
    return await connection.fetchrow(_REPLAY, delivery_id, webhook_id)


async def forget_video(connection: Connection, video_id: UUID) -> None:
    """What webhooks were told about a video, or were still to be told."""
    await connection.execute("DELETE FROM deliveries WHERE video_id = $1", video_id)


async def forget_old(connection: Connection) -> None:
    """What has ended a month ago is of no use to anybody."""
    await connection.execute("DELETE FROM deliveries WHERE due_at IS NULL AND created_at < now() - interval '30 days'")
