"""Events that become true with a transaction and are published after it, at least once, by a relay.

The rows are deleted in the same transaction that claims them, after the broker has confirmed: a relay that dies in
between leaves them for the next one, which publishes them again under the same ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import structlog
from asyncpg import Connection, Pool, Record
from pydantic import ValidationError

from clipstream.common.contracts.envelope import Envelope
from clipstream.common.db.errors import map_database_errors
from clipstream.common.errors import ClipstreamError, Outage, Transient
from clipstream.common.obs import metrics

_BATCH = 100
_POLL_S = 1.0  # for rows of other processes, and for those whose time comes
_MAX_PAUSE_S = 10.0

# Never "id > the last one seen": ids are given in another order than transactions commit in.
_CLAIM = """
    SELECT id, queue, body FROM outbox WHERE not_before <= now()
    ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
"""
_POSTPONE = """
    UPDATE outbox SET attempts = attempts + 1, error = $2,
           not_before = now() + least(300, power(2, attempts)) * interval '1 second'
    WHERE id = $1
"""

log = structlog.get_logger(__name__)


class Publisher(Protocol):
    """The part of the bus that the relay needs."""

    async def publish(self, envelope: Envelope, *, queue: str | None = None) -> None: ...


async def add(connection: Connection, envelope: Envelope, queue: str | None = None) -> None:
    """Have `envelope` published once the connection's transaction is committed; with `queue`, to that queue alone. An
    event that waits there already is not added again."""
    await connection.execute(
        "INSERT INTO outbox (event_id, queue, body) VALUES ($1, $2, $3::jsonb) ON CONFLICT DO NOTHING",
        envelope.id,
        queue,
        envelope.to_bytes().decode(),
    )


async def add_all(connection: Connection, envelopes: Sequence[Envelope]) -> None:
    """The same for many, to every queue that takes them, in one statement."""
    await connection.execute(
        """
        INSERT INTO outbox (event_id, body)
        SELECT event_id, body::jsonb FROM unnest($1::uuid[], $2::text[]) AS new (event_id, body)
        ON CONFLICT DO NOTHING
        """,
        [envelope.id for envelope in envelopes],
        [envelope.to_bytes().decode() for envelope in envelopes],
    )


class Relay:
    """Publishes what is in the outbox. Every process may run one: a row is claimed by one of them at a time."""

    def __init__(self, pool: Pool, bus: Publisher) -> None:
        self._pool = pool
        self._bus = bus
        self._awake = asyncio.Event()

    def wake(self) -> None:
        """Look at once: a transaction that added events has been committed."""
        self._awake.set()

    async def run(self) -> None:
        """Publish until cancelled. Goes on when the database or the broker comes back."""
        pause = _POLL_S
        while True:
            self._awake.clear()
            try:
                if await self.publish_batch() == _BATCH:
                    continue
                await self._measure()
                pause = _POLL_S
            except Transient as error:
                log.warning("outbox_waits", reason=str(error), pause_s=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _MAX_PAUSE_S)
                continue
            try:
                async with asyncio.timeout(_POLL_S):
                    await self._awake.wait()
            except TimeoutError:
                pass

    async def publish_batch(self) -> int:
        """Publish up to 100 events in order; how many rows were looked at. `Outage` where broker or database is away;
        what had been published by then is not published again."""
        broken: Outage | None = None
        done: list[int] = []
        with map_database_errors():
            async with self._pool.acquire() as connection, connection.transaction():
                rows = await connection.fetch(_CLAIM, _BATCH)
                for row in rows:
                    try:
                        await self._bus.publish(Envelope.from_bytes(row["body"].encode()), queue=row["queue"])
                    except Outage as error:
                        broken = error
                        break
                    except (ClipstreamError, ValidationError) as error:
                        await self._postpone(connection, row, error)
                    else:
                        done.append(row["id"])
                await connection.execute("DELETE FROM outbox WHERE id = ANY($1)", done)
        if broken is not None:
            raise broken
        return len(rows)

    async def _postpone(self, connection: Connection, row: Record, error: Exception) -> None:
        """A row that the broker does not take, for a reason of its own, holds up none of the others."""
        log.error("outbox_row_refused", row=row["id"], queue=row["queue"], reason=str(error))
        await connection.execute(_POSTPONE, row["id"], str(error))

    async def _measure(self) -> None:
        with map_database_errors():
            rows, age = await self._pool.fetchrow(
                "SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)::float FROM outbox"
            )
        metrics.OUTBOX_ROWS.set(rows)
        metrics.OUTBOX_OLDEST_SECONDS.set(age)
