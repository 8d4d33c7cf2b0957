"""Events in and out within transactions, on a real PostgreSQL that is restarted and with relays that are killed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import UploadCompleted
from clipstream.common.contracts.ids import EventId, StreamId, VideoId
from clipstream.common.contracts.keys import original
from clipstream.common.db import inbox, outbox, pool
from clipstream.common.db.errors import map_database_errors
from clipstream.common.db.migrations import migrate
from clipstream.common.errors import Outage, Permanent
from clipstream.standalone.postgres import PostgreSQL
from integration.db.conftest import SCHEMA, settings_of


def envelope() -> Envelope:
    video = VideoId(uuid4())
    event = UploadCompleted(
        video_id=video, stream_id=StreamId(uuid4()), key=original(video, ".mp4"), size_bytes=1, etag="e"
    )
    return Envelope.first(event, event_id=EventId(uuid4()), source="test")


class RecordingBus:
    """Confirms and remembers; refuses what it is told to."""

    def __init__(self) -> None:
        self.sent: list[tuple[EventId, str | None]] = []
        self.refusals: dict[EventId, Exception] = {}
        self._news = asyncio.Condition()

    async def publish(self, envelope: Envelope, *, queue: str | None = None) -> None:
        if envelope.id in self.refusals:
            raise self.refusals[envelope.id]
        async with self._news:
            self.sent.append((envelope.id, queue))
            self._news.notify_all()

    async def has(self, *ids: EventId) -> None:
        async with asyncio.timeout(30), self._news:
            await self._news.wait_for(lambda: set(ids) <= {sent for sent, _ in self.sent})


@asynccontextmanager
async def running(relay: outbox.Relay) -> AsyncIterator[None]:
    task = asyncio.create_task(relay.run())
    yield
    assert not task.done(), task
    task.cancel()


async def add(connections: asyncpg.Pool, *envelopes: Envelope) -> None:
    async with connections.acquire() as connection, connection.transaction():
        for one in envelopes:
            await outbox.add(connection, one)


async def test_an_event_is_taken_in_once_for_each_consumer(connections: asyncpg.Pool) -> None:
    event = EventId(uuid4())
    async with connections.acquire() as connection:
        assert await inbox.first_time(connection, "projector", event)
        assert not await inbox.first_time(connection, "projector", event)
        assert await inbox.first_time(connection, "other", event)


async def test_what_is_rolled_back_was_not_taken_in(connections: asyncpg.Pool) -> None:
    event = EventId(uuid4())
    async with connections.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        assert await inbox.first_time(connection, "projector", event)
        await transaction.rollback()
        assert await inbox.first_time(connection, "projector", event)


async def test_of_deliveries_at_once_one_is_the_first(connections: asyncpg.Pool) -> None:
    event = EventId(uuid4())
    effects: list[int] = []

    async def deliver(number: int) -> None:
        async with connections.acquire() as connection, connection.transaction():
            if await inbox.first_time(connection, "projector", event):
                await asyncio.sleep(0.05)
                effects.append(number)

    await asyncio.gather(*map(deliver, range(8)))
    assert len(effects) == 1


async def test_old_events_are_forgotten(connections: asyncpg.Pool) -> None:
    old, new = EventId(uuid4()), EventId(uuid4())
    async with connections.acquire() as connection:
        await inbox.first_time(connection, "projector", old)
        await connection.execute("UPDATE inbox SET seen_at = now() - interval '15 days'")
        await inbox.first_time(connection, "projector", new)
        await inbox.forget_old(connection)
        assert [row["event_id"] for row in await connection.fetch("SELECT event_id FROM inbox")] == [new]


async def test_only_what_is_committed_is_published_and_in_order(connections: asyncpg.Pool) -> None:
    bus = RecordingBus()
    kept = [envelope() for _ in range(5)]
    async with connections.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await outbox.add(connection, envelope())
        await transaction.rollback()
    await add(connections, *kept)
    async with connections.acquire() as connection:
        await outbox.add(connection, kept[0])  # waits there already
        await outbox.add(connection, kept[0], queue="transcode")  # but not for this queue
    relay = outbox.Relay(connections, bus)
    assert await relay.publish_batch() == 6
    assert bus.sent == [*((one.id, None) for one in kept), (kept[0].id, "transcode")]
    assert await relay.publish_batch() == 0


async def test_an_envelope_arrives_as_it_was_added(connections: asyncpg.Pool) -> None:
    sent: list[Envelope] = []

    class Bus(RecordingBus):
        async def publish(self, envelope: Envelope, *, queue: str | None = None) -> None:
            sent.append(envelope)

    one = envelope().model_copy(update={"attempt": 3, "traceparent": "00-ü"})
    await add(connections, one)
    await outbox.Relay(connections, Bus()).publish_batch()
    assert sent == [one]


async def test_a_waking_relay_does_not_wait_for_its_next_look(
    connections: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "_POLL_S", 600)
    bus = RecordingBus()
    relay = outbox.Relay(connections, bus)
    first, second = envelope(), envelope()
    await add(connections, first)
    async with running(relay):
        await bus.has(first.id)
        await add(connections, second)
        relay.wake()
        await bus.has(second.id)


async def test_two_relays_publish_each_event_once(connections: asyncpg.Pool) -> None:
    bus = RecordingBus()
    rows = [envelope() for _ in range(450)]
    await add(connections, *rows)
    async with running(outbox.Relay(connections, bus)), running(outbox.Relay(connections, bus)):
        await bus.has(*(row.id for row in rows))
        await add(connections, last := envelope())
        await bus.has(last.id)
    assert len(bus.sent) == len(rows) + 1


async def test_a_refused_event_holds_up_no_other(connections: asyncpg.Pool) -> None:
    bus = RecordingBus()
    refused, fine, foreign = envelope(), envelope(), envelope()
    bus.refusals[refused.id] = Permanent("no queue takes it")
    await add(connections, refused, foreign, fine)
    await connections.execute('UPDATE outbox SET body = \'{"type": "of.tomorrow.v9"}\' WHERE event_id = $1', foreign.id)
    relay = outbox.Relay(connections, bus)
    assert await relay.publish_batch() == 3
    assert bus.sent == [(fine.id, None)]
    assert await relay.publish_batch() == 0  # they wait
    kept = await connections.fetch("SELECT error, attempts FROM outbox ORDER BY id")
    assert kept[0]["error"] == "no queue takes it"
    assert [row["attempts"] for row in kept] == [1, 1]
    bus.refusals.clear()
    await connections.execute("UPDATE outbox SET not_before = now() WHERE event_id = $1", refused.id)
    await relay.publish_batch()
    assert (refused.id, None) in bus.sent


async def test_a_broker_that_goes_away_in_a_batch_repeats_nothing(connections: asyncpg.Pool) -> None:
    bus = RecordingBus()
    rows = [envelope() for _ in range(4)]
    bus.refusals[rows[2].id] = Outage("the broker is away")
    await add(connections, *rows)
    relay = outbox.Relay(connections, bus)
    with pytest.raises(Outage):
        await relay.publish_batch()
    bus.refusals.clear()
    assert await relay.publish_batch() == 2
    assert [sent for sent, _ in bus.sent] == [row.id for row in rows]


_PUBLISH_AND_HANG = """
import asyncio, sys
from clipstream.common.db import outbox, pool
from clipstream.common.settings import DatabaseSettings

class Bus:
    async def publish(self, envelope, *, queue=None):
        print(envelope.id, flush=True)
        if len(seen := globals().setdefault("seen", [])) == 1:
            await asyncio.sleep(600)
        seen.append(envelope.id)

async def main():
    settings = DatabaseSettings.model_validate({"database_url": sys.argv[1]})
    await outbox.Relay(await pool.connect(settings, schema=sys.argv[2]), Bus()).run()

asyncio.run(main())
"""


async def test_a_relay_killed_before_its_commit_leads_to_a_repeat_under_the_same_id(
    connections: asyncpg.Pool, database_url: str
) -> None:
    rows = [envelope(), envelope()]
    await add(connections, *rows)
    killed = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PUBLISH_AND_HANG, database_url, SCHEMA, stdout=asyncio.subprocess.PIPE
    )
    assert killed.stdout is not None
    published = [(await killed.stdout.readline()).decode().strip() for _ in rows]
    assert published == [str(row.id) for row in rows]
    bus = RecordingBus()
    async with running(outbox.Relay(connections, bus)):
        await asyncio.sleep(0)
        assert bus.sent == []  # claimed by a living relay
        killed.kill()
        await killed.wait()
        await bus.has(*(row.id for row in rows))
    assert [str(sent) for sent, _ in bus.sent] == published


async def test_the_relay_outlives_a_restart_of_the_database(own_postgres: PostgreSQL, directory: Path) -> None:
    migrate(own_postgres.url, directory, schema=SCHEMA)
    connections = await pool.connect(settings_of(own_postgres.url), schema=SCHEMA)
    bus = RecordingBus()
    relay = outbox.Relay(connections, bus)
    async with running(relay):
        await add(connections, first := envelope())
        await bus.has(first.id)
        await asyncio.to_thread(own_postgres.kill)
        with pytest.raises(Outage), map_database_errors():
            await add(connections, envelope())
        with pytest.raises(Outage):
            await relay.publish_batch()
        await asyncio.to_thread(own_postgres.start)
        await add(connections, second := envelope())
        await bus.has(second.id)
    await connections.close()
