"""Webhooks: addresses that a stream's admins have told of what happens in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from asyncpg import Connection, Record

from clipstream.gateway.repository.streams import After

Kind = Literal["standard", "discord"]

_COLUMNS = "id, stream_id, url, kind, events, created_at, disabled_at"

_ADD = f"""
INSERT INTO webhooks (id, stream_id, url, kind, events, created_by) VALUES ($1, $2, $3, $4, $5, $6) RETURNING {_COLUMNS}
"""  # noqa: S608 - only the constant above is put in

_OF_STREAM = f"""
SELECT {_COLUMNS} FROM webhooks
WHERE stream_id = $1 AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4::uuid))
ORDER BY created_at DESC, id DESC LIMIT $2
"""  # noqa: S608 - only the constant above is put in

_UPDATE = f"""
UPDATE webhooks
SET url = coalesce($3, url), kind = coalesce($4, kind), events = coalesce($5, events),
    disabled_at = CASE WHEN $6 THEN NULL WHEN NOT $6 THEN coalesce(disabled_at, now()) ELSE disabled_at END
WHERE id = $1 AND stream_id = $2
RETURNING {_COLUMNS}
"""  # noqa: S608 - only the constant above is put in

# A webhook is as good as its maker's standing: to somebody who is no admin any more the stream tells nothing.
_LISTENING = """
SELECT w.id FROM webhooks w
JOIN members maker ON maker.stream_id = w.stream_id AND maker.user_id = w.created_by AND maker.role = 'admin'
WHERE w.stream_id = $1 AND w.disabled_at IS NULL AND $2 = ANY(w.events)
"""


@dataclass(frozen=True, slots=True)
class Webhook:
    """`events` are the names of those that it wants; one that is disabled gets none."""

    id: UUID
    stream_id: UUID
    url: str
    kind: Kind
    events: Sequence[str]
    created_at: datetime
    disabled_at: datetime | None


async def add(
    connection: Connection,
    webhook_id: UUID,
    *,
    stream_id: UUID,
    url: str,
    kind: Kind,
    events: Sequence[str],
    created_by: UUID,
    most: int,
) -> Webhook | None:
    """Inside a transaction: a new one; None where the stream has as many as it may have."""
    await connection.execute("SELECT FROM streams WHERE id = $1 FOR NO KEY UPDATE", stream_id)
    if await connection.fetchval("SELECT count(*) FROM webhooks WHERE stream_id = $1", stream_id) >= most:
        return None
    return read(await connection.fetchrow(_ADD, webhook_id, stream_id, url, kind, list(events), created_by))


async def of_stream(
    connection: Connection, stream_id: UUID, *, limit: int, after: After = (None, None)
) -> list[Record]:
    rows: list[Record] = await connection.fetch(_OF_STREAM, stream_id, limit, *after)
    return rows


async def by_id(connection: Connection, stream_id: UUID, webhook_id: UUID) -> Webhook | None:
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM webhooks WHERE id = $1 AND stream_id = $2",  # noqa: S608 - a constant
        webhook_id,
        stream_id,
    )
    return None if row is None else read(row)


async def update(
    connection: Connection,
    stream_id: UUID,
    webhook_id: UUID,
    *,
    url: str | None,
    kind: Kind | None,
    events: Sequence[str] | None,
    enabled: bool | None,
) -> Webhook | None:
    """None leaves a thing as it is."""
    row = await connection.fetchrow(_UPDATE, webhook_id, stream_id, url, kind, events, enabled)
    return None if row is None else read(row)


async def disable(connection: Connection, webhook_id: UUID) -> None:
    await connection.execute("UPDATE webhooks SET disabled_at = coalesce(disabled_at, now()) WHERE id = $1", webhook_id)


async def delete(connection: Connection, stream_id: UUID, webhook_id: UUID) -> bool:
    """With everything that was to be delivered to it."""
    return bool(
        await connection.fetchval(
            "DELETE FROM webhooks WHERE id = $1 AND stream_id = $2 RETURNING true", webhook_id, stream_id
        )
    )


async def listening(connection: Connection, stream_id: UUID, event: str) -> list[UUID]:
    """Those of a stream that want to hear of such an event."""
    return [row["id"] for row in await connection.fetch(_LISTENING, stream_id, event)]


def read(row: Record) -> Webhook:
    return Webhook(**dict(row))
