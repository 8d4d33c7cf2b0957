"""What becomes of messages and consumers when the broker, a queue or a connection goes away."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from clipstream.common.bus.rabbit import Patience, RabbitBus, connect
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipAdmitted, UploadCompleted
from clipstream.common.errors import Outage
from clipstream.common.settings import BusSettings
from fixtures import clips
from fixtures.broker import Broker
from fixtures.inbox import Inbox, until
from integration.bus.conftest import MakeBus


async def test_a_restarted_broker_neither_loses_running_work_nor_has_it_done_twice(
    bus: RabbitBus, make_bus: MakeBus, broker: Broker
) -> None:
    begun, go, outputs = Inbox[Envelope](), asyncio.Event(), Inbox[Envelope]()

    async def work(envelope: Envelope) -> None:
        await begun(envelope)
        await go.wait()
        await bus.publish(envelope.follow(clips.clip_admitted(), stage="ingest"))

    observer = await make_bus()
    await bus.consume("ingest", [UploadCompleted], work)
    await observer.consume("stt", [ClipAdmitted], outputs)
    sent = clips.envelope()
    await bus.publish(sent)
    await begun.next()

    await broker.restart()
    await until(lambda: _redelivered(broker))
    go.set()

    assert (await outputs.next()).causationid == sent.id
    await _nothing_left(bus, make_bus)
    assert begun.empty()
    assert outputs.empty()


async def test_work_that_ends_while_the_broker_is_away_is_not_done_twice(
    bus: RabbitBus, make_bus: MakeBus, broker: Broker
) -> None:
    calls = Inbox[Envelope]()
    go = asyncio.Event()

    async def work(envelope: Envelope) -> None:
        await calls(envelope)
        await go.wait()

    await bus.consume("ingest", [UploadCompleted], work)
    await bus.publish(clips.envelope())
    await calls.next()
    await broker.control("stop_app")
    go.set()
    await broker.control("start_app")
    await until(lambda: _ok(bus))
    await until(lambda: _redelivered(broker))
    await _nothing_left(bus, make_bus)
    assert calls.empty()


async def test_publishing_outlives_a_restart(bus: RabbitBus, broker: Broker) -> None:
    inbox = Inbox[Envelope]()
    await bus.consume("ingest", [UploadCompleted], inbox)
    sent = [clips.envelope() for _ in range(60)]
    restarting = asyncio.create_task(broker.restart())
    for envelope in sent:
        await bus.publish(envelope)
        await asyncio.sleep(0.02)
    await restarting
    wanted, received = {envelope.id for envelope in sent}, set[object]()
    while received != wanted:
        received.add((await inbox.next()).id)


async def test_publishing_to_a_broker_that_stays_away_is_an_outage(broker: Broker) -> None:
    bus = await connect(broker.settings, "test", patience=Patience(publish=timedelta(seconds=1)))
    await bus.consume("ingest", [UploadCompleted], Inbox[Envelope]())
    await broker.control("stop_app")
    try:
        with pytest.raises(Outage, match="RabbitMQ"):
            await bus.publish(clips.envelope())
        with pytest.raises(Outage, match="RabbitMQ"):
            await bus.consumers_ok()
    finally:
        await broker.control("start_app")
        await bus.close()


async def test_a_broker_that_is_not_there_at_start_is_named() -> None:
    settings = BusSettings.model_validate({"amqp_url": "amqp://someone:secret@127.0.0.1:1/"})
    with pytest.raises(Outage, match=r"127\.0\.0\.1:1") as raised:
        await connect(settings, "test", patience=Patience(connect=timedelta(seconds=1)))
    assert "secret" not in str(raised.value)


async def test_a_deleted_queue_is_made_again_and_consumed(make_bus: MakeBus, broker: Broker) -> None:
    bus, inbox = await make_bus(heals=False), Inbox[Envelope]()
    await bus.consume("ingest", [UploadCompleted], inbox)
    assert await bus.consumers_ok()
    async with broker.channel() as channel:
        await channel.queue_delete("ingest")
    await until(bus.consumers_ok)
    await bus.publish(clips.envelope())
    assert await inbox.next()


async def test_a_consumer_that_only_the_broker_knows_to_be_gone_is_noticed_and_replaced(
    bus: RabbitBus, broker: Broker
) -> None:
    """The failure that client flags do not show: subscribed as far as we know, no consumer as far as the broker does."""
    inbox = Inbox[Envelope]()
    await bus.consume("ingest", [UploadCompleted], inbox)
    consumer = bus._consumers["ingest"]
    assert consumer._channel is not None
    underlay = await consumer._channel.get_underlay_channel()
    await underlay.basic_cancel(consumer._tag)
    assert consumer.subscribed
    assert not await bus.consumers_ok()
    await until(bus.consumers_ok)
    await bus.publish(clips.envelope())
    assert await inbox.next()


async def test_a_connection_closed_by_the_broker_is_made_again(make_bus: MakeBus, broker: Broker) -> None:
    bus, inbox = await make_bus(heals=False), Inbox[Envelope]()
    await bus.consume("ingest", [UploadCompleted], inbox)
    await broker.control("close_all_connections", "--vhost", broker.vhost, "test")
    await until(lambda: _ok(bus))
    await bus.publish(clips.envelope())
    assert await inbox.next()


async def test_a_redelivery_from_a_closed_channel_joins_the_work(
    bus: RabbitBus, make_bus: MakeBus, broker: Broker
) -> None:
    """What a consumer timeout does: the channel goes, the message comes back while its work still runs."""
    begun, go = Inbox[Envelope](), asyncio.Event()

    async def work(envelope: Envelope) -> None:
        await begun(envelope)
        await go.wait()

    await bus.consume("ingest", [UploadCompleted], work)
    await bus.publish(clips.envelope())
    await begun.next()
    await bus._consumers["ingest"].resubscribe()
    await until(lambda: _redelivered(broker))
    go.set()
    await _nothing_left(bus, make_bus)
    assert begun.empty()


async def test_drain_leaves_what_waits_to_another_process(bus: RabbitBus, make_bus: MakeBus, broker: Broker) -> None:
    begun, go = Inbox[Envelope](), asyncio.Event()

    async def work(envelope: Envelope) -> None:
        await begun(envelope)
        await go.wait()

    await bus.consume("ingest", [UploadCompleted], work, slots=2)
    sent = [clips.envelope() for _ in range(4)]
    for envelope in sent:
        await bus.publish(envelope)
    mine = {(await begun.next()).id, (await begun.next()).id}
    draining = asyncio.create_task(bus.drain(timedelta(seconds=20)))
    await until(lambda: _nobody(broker))

    other, inbox = await make_bus(), Inbox[Envelope]()
    await other.consume("ingest", [UploadCompleted], inbox)
    theirs = {(await inbox.next()).id, (await inbox.next()).id}
    assert theirs == {envelope.id for envelope in sent} - mine
    go.set()
    await draining
    await other.drain(timedelta(seconds=5))
    await _nothing_left(bus, make_bus)
    assert inbox.empty()


async def test_a_disk_alarm_delays_publishing_and_nothing_else(bus: RabbitBus, broker: Broker) -> None:
    """The broker stops reading from connections that publish; acknowledgements go their own way."""
    begun, go, inbox = Inbox[Envelope](), asyncio.Event(), Inbox[Envelope]()

    async def work(envelope: Envelope) -> None:
        await begun(envelope)
        await go.wait()

    await bus.consume("ingest", [UploadCompleted], work)
    await bus.consume("stt", [ClipAdmitted], inbox)
    running, next_one = clips.envelope(), clips.envelope()
    await bus.publish(running)
    await bus.publish(next_one)
    assert await begun.next() == running
    await broker.control("set_disk_free_limit", "900000GB")
    try:
        held = asyncio.create_task(bus.publish(clips.envelope(clips.clip_admitted())))
        go.set()
        assert await begun.next() == next_one  # the first was acknowledged, so its slot is free again
        assert not held.done()
    finally:
        await broker.control("set_disk_free_limit", "50MB")
    await held
    assert await inbox.next()


async def _ok(bus: RabbitBus) -> bool:
    try:
        return await bus.consumers_ok()
    except Outage:
        return False


async def _redelivered(broker: Broker) -> bool:
    """The message is with a consumer again: unsettled, not waiting."""
    return await broker.depth("ingest") == 0 and await broker.consumers("ingest") == 1


async def _nothing_left(bus: RabbitBus, make_bus: MakeBus) -> None:
    """Everything was acknowledged: once `bus` has gone, the next who comes finds only what is published after that."""
    await bus.drain(timedelta(seconds=20))
    await bus.close()
    successor, inbox, last = await make_bus(), Inbox[Envelope](), clips.envelope()
    await successor.publish(last)
    await successor.consume("ingest", [UploadCompleted], inbox)
    assert await inbox.next() == last


async def _nobody(broker: Broker) -> bool:
    return await broker.depth("ingest") == 2
