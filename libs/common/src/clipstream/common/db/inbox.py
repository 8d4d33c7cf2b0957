"""Which events a consumer has taken in. Asked within the transaction of their effect: a second delivery changes nothing."""

from __future__ import annotations

from datetime import timedelta

from asyncpg import Connection

from clipstream.common.contracts.ids import EventId

_KEPT = timedelta(days=14)  # longer than any event is retried or lies among the dead letters


async def first_time(connection: Connection, consumer: str, event_id: EventId) -> bool:
    """Whether `consumer` has not taken in this event before. Where two ask at once, the second waits for the first one's
    transaction to end."""
    told = await connection.execute(
        "INSERT INTO inbox (consumer, event_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", consumer, event_id
    )
    return bool(told == "INSERT 0 1")


async def forget_old(connection: Connection, age: timedelta = _KEPT) -> None:
    """Forget events that cannot arrive again any more."""
    await connection.execute("DELETE FROM inbox WHERE seen_at < now() - $1::interval", age)
