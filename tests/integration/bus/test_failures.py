"""Messages that go wrong, on a real broker."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import aio_pika
import pytest
from aio_pika.exceptions import ChannelPreconditionFailed

from clipstream.common.bus.port import DeadLetter, Unroutable
from clipstream.common.bus.rabbit import RabbitBus
from clipstream.common.bus.topology import DEAD_QUEUE, EVENTS_EXCHANGE, PROGRESS_EXCHANGE, STORAGE_QUEUE, retry_queue
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import UploadCompleted
from clipstream.common.errors import Outage, Permanent, Transient
from fixtures import clips
from fixtures.broker import Broker
from fixtures.inbox import Inbox, until
from integration.bus.conftest import STEPS, MakeBus


async def put(broker: Broker, queue: str, body: bytes, exchange: str = "") -> None:
    """Publish as a stranger would."""
    async with broker.channel() as channel:
        target = await channel.get_exchange(exchange, ensure=False) if exchange else channel.default_exchange
        await target.publish(aio_pika.Message(body, delivery_mode=2), queue)


async def test_good_flaky_failing_refused_and_unreadable_messages_each_end_as_they_should(
    bus: RabbitBus, broker: Broker
) -> None:
    good, flaky, failing, refused = (clips.envelope() for _ in range(4))
    calls: list[tuple[str, int]] = []
    names = {good.id: "good", flaky.id: "flaky", failing.id: "failing", refused.id: "refused"}
    dead = Inbox[DeadLetter]()

    async def handle(envelope: Envelope) -> None:
        name = names[envelope.id]
        calls.append((name, envelope.attempt))
        if name == "failing" or (name == "flaky" and envelope.attempt < 3):
            raise Transient("Again.")
        if name == "refused":
            raise Permanent("Never.")

    await bus.consume("ingest", [UploadCompleted], handle, slots=4)
    await bus.consume_dead(dead)
    for envelope in (good, flaky, failing, refused):
        await bus.publish(envelope)
    await put(broker, "ingest", b"not json")

    letters = {
        (letter.reason, letter.envelope.id if letter.envelope else None)
        for letter in [await dead.next() for _ in range(3)]
    }
    assert letters == {("attempts", failing.id), ("permanent", refused.id), ("malformed", None)}
    await until(lambda: _done(("flaky", 3) in calls))
    assert sorted(calls) == [
        ("failing", 1), ("failing", 2), ("failing", 3), ("flaky", 1), ("flaky", 2), ("flaky", 3), ("good", 1), ("refused", 1),
    ]  # fmt: skip
    await until(lambda: _empty(broker, "ingest", DEAD_QUEUE, *map(retry_queue, STEPS)))


async def test_a_message_that_kills_every_consumer_is_parked_by_the_broker(
    bus: RabbitBus, broker: Broker, tmp_path: Path
) -> None:
    dead, crashes = Inbox[DeadLetter](), tmp_path / "crashes"
    await bus.consume_dead(dead)
    poison = clips.envelope()
    await bus.publish(poison)
    program = Path(__file__).with_name("crashing_consumer.py")
    while dead.empty():
        process = await asyncio.create_subprocess_exec(sys.executable, program, broker.url, crashes)
        ended, arrived = asyncio.create_task(process.wait()), asyncio.create_task(dead.next())
        await asyncio.wait({ended, arrived}, return_when=asyncio.FIRST_COMPLETED)
        if arrived.done():
            process.kill()
            dead.put_nowait(arrived.result())
        arrived.cancel()
        await ended
    letter = await dead.next()
    assert letter.reason == "delivery_limit"
    assert letter.queue == "ingest"
    assert letter.envelope == poison
    assert crashes.read_text().count("crashed") == 4  # the limit is 3 redeliveries


async def test_an_event_whose_queue_is_gone_is_refused_to_its_publisher(bus: RabbitBus, broker: Broker) -> None:
    async with broker.channel() as channel:
        await channel.queue_delete("ingest")
    with pytest.raises(Unroutable):
        await bus.publish(clips.envelope())


async def test_a_queue_cannot_be_declared_with_other_arguments(bus: RabbitBus, broker: Broker) -> None:
    """Why a changed argument needs a new queue name."""
    async with broker.channel() as channel:
        with pytest.raises(ChannelPreconditionFailed):
            await channel.declare_queue("ingest", durable=True, arguments={"x-queue-type": "quorum"})


async def test_the_brokers_own_headers_do_not_travel_with_a_retry(bus: RabbitBus, broker: Broker) -> None:
    """A copied `x-death` makes RabbitMQ before 4.0 drop the message as a routing cycle."""
    attempts = Inbox[int]()

    async def fail(envelope: Envelope) -> None:
        await attempts(envelope.attempt)
        raise Transient("Again.")

    dead = Inbox[DeadLetter]()
    await bus.consume("ingest", [UploadCompleted], fail)
    await bus.consume_dead(dead)
    await bus.publish(clips.envelope())
    assert [await attempts.next() for _ in range(3)] == [1, 2, 3]
    assert not [name for name in (await dead.next()).headers if name.startswith("x-")]


async def test_storage_notifications_are_retried_and_die_like_events(bus: RabbitBus, broker: Broker) -> None:
    seen, dead = Inbox[tuple[bytes, str]](), Inbox[DeadLetter]()

    async def handle(body: bytes, headers: object) -> None:
        assert isinstance(headers, dict)
        await seen((body, headers.get("attempt", "1")))
        if body == b"flaky" and headers.get("attempt", "1") == "1":
            raise Transient("Again.")
        if body == b"away" and "outage-since" not in headers:
            raise Outage("The store does not answer.")
        if body == b"bad":
            raise Permanent("No notification at all.")

    await bus.consume_storage("clipstream.storage", handle)
    await bus.consume_dead(dead)
    await put(broker, "storage.minio", b"flaky", "clipstream.storage")
    assert [await seen.next(), await seen.next()] == [(b"flaky", "1"), (b"flaky", "2")]
    await put(broker, "storage.minio", b"away", "clipstream.storage")
    assert [await seen.next(), await seen.next()] == [(b"away", "1"), (b"away", "1")]
    await put(broker, "storage.minio", b"bad", "clipstream.storage")
    letter = await dead.next()
    assert (letter.queue, letter.reason, letter.body, letter.envelope) == (STORAGE_QUEUE, "permanent", b"bad", None)


async def test_progress_that_makes_no_sense_does_not_end_the_listening(bus: RabbitBus, broker: Broker) -> None:
    heard = Inbox[object]()
    await bus.consume_progress(heard)
    await put(broker, "clip.progress.v1", b"nonsense", PROGRESS_EXCHANGE)
    upload = clips.upload_completed()
    await put(
        broker,
        "clip.progress.v1",
        b'{"video_id": "%b", "stream_id": "%b", "stage": "stt", "state": "running", "run_id": "r", "later_field": 1}'
        % (str(upload.video_id).encode(), str(upload.stream_id).encode()),
        PROGRESS_EXCHANGE,
    )
    assert await heard.next()
    assert heard.empty()


async def test_services_that_start_at_once_agree_on_the_topology(make_bus: MakeBus, broker: Broker) -> None:
    buses = await asyncio.gather(*(make_bus() for _ in range(4)))
    inbox = Inbox[Envelope]()
    await buses[0].consume("ingest", [UploadCompleted], inbox)
    sent = [clips.envelope() for _ in buses]
    await asyncio.gather(*(bus.publish(envelope) for bus, envelope in zip(buses, sent, strict=True)))
    assert {(await inbox.next()).id for _ in sent} == {envelope.id for envelope in sent}
    async with broker.channel() as channel:
        assert await channel.get_exchange(EVENTS_EXCHANGE)


async def _done(value: bool) -> bool:
    return value


async def _empty(broker: Broker, *queues: str) -> bool:
    return not any([await broker.depth(queue) for queue in queues])
