"""What every bus must do, run against the in-memory twin and a real RabbitMQ."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from clipstream.common.bus.memory import InMemoryBus
from clipstream.common.bus.port import Bus, DeadLetter, Unroutable
from clipstream.common.bus.rabbit import Patience, connect
from clipstream.common.bus.retry import RetryPolicy
from clipstream.common.bus.topology import Topology
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipDeleted, ClipProgress, ClipReady, ClipUnique, UploadCompleted
from clipstream.common.contracts.ids import RunId
from clipstream.common.errors import Outage, Permanent, Transient
from fixtures import clips
from fixtures.broker import Broker
from fixtures.inbox import Inbox

STEPS = (timedelta(milliseconds=50), timedelta(milliseconds=300))
TOPOLOGY = Topology(
    queues={"ingest": (UploadCompleted,), "stt": (ClipUnique,), "embed": (ClipUnique,), "deleted": (ClipDeleted,)},
    retry_steps=STEPS,
)
POLICY = RetryPolicy(steps=STEPS, max_attempts=3, outage_patience=timedelta(milliseconds=200))


@pytest.fixture(params=["memory", "rabbitmq"])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    made: Bus
    if request.param == "memory":
        made = InMemoryBus(topology=TOPOLOGY, policy=POLICY)
    else:
        broker: Broker = request.getfixturevalue("broker")
        made = await connect(
            broker.settings,
            "test",
            topology=TOPOLOGY,
            policy=POLICY,
            patience=Patience(publish=timedelta(seconds=5), outage_pause=timedelta(0)),
        )
    yield made
    await made.drain(timedelta(0))
    await made.close()


async def test_an_event_reaches_each_queue_bound_to_it_and_no_other(bus: Bus) -> None:
    stt, embed, ingest = Inbox[Envelope](), Inbox[Envelope](), Inbox[Envelope]()
    await bus.consume("stt", [ClipUnique], stt)
    await bus.consume("embed", [ClipUnique], embed)
    await bus.consume("ingest", [UploadCompleted], ingest)
    sent = clips.envelope(clips.clip_unique())

    await bus.publish(sent)

    assert await stt.next() == sent
    assert await embed.next() == sent
    assert ingest.empty()


async def test_an_event_waits_for_a_consumer_that_comes_later(bus: Bus) -> None:
    sent, inbox = clips.envelope(), Inbox[Envelope]()
    await bus.publish(sent)
    await bus.consume("ingest", [UploadCompleted], inbox)
    assert await inbox.next() == sent


async def test_an_event_that_no_queue_takes_is_refused_to_its_publisher(bus: Bus) -> None:
    upload = clips.upload_completed()
    ready = clips.envelope().follow(ClipReady(video_id=upload.video_id, stream_id=upload.stream_id), stage="test")
    with pytest.raises(Unroutable, match=r"clip\.ready\.v1"):
        await bus.publish(ready)


async def test_a_queue_can_be_addressed_directly(bus: Bus) -> None:
    stt, embed = Inbox[Envelope](), Inbox[Envelope]()
    await bus.consume("stt", [ClipUnique], stt)
    await bus.consume("embed", [ClipUnique], embed)
    direct, to_all = clips.envelope(clips.clip_unique()), clips.envelope(clips.clip_unique())
    await bus.publish(direct, queue="stt")
    await bus.publish(to_all)
    assert [await stt.next(), await stt.next()] == [direct, to_all]
    assert await embed.next() == to_all


async def test_a_delayed_event_comes_out_in_its_queue_after_a_sooner_one(bus: Bus) -> None:
    inbox = Inbox[Envelope]()
    await bus.consume("stt", [ClipUnique], inbox)
    late, soon = clips.envelope(clips.clip_unique()), clips.envelope(clips.clip_unique())
    await bus.publish(late, queue="stt", delay=timedelta(milliseconds=200))
    await bus.publish(soon, queue="stt", delay=timedelta(milliseconds=1))
    assert [await inbox.next(), await inbox.next()] == [soon, late]


async def test_a_delay_without_a_queue_is_refused(bus: Bus) -> None:
    with pytest.raises(ValueError, match="queue"):
        await bus.publish(clips.envelope(), delay=timedelta(seconds=1))


async def test_failed_work_is_tried_again_with_its_attempts_counted_and_then_dies(bus: Bus) -> None:
    attempts, dead = Inbox[int](), Inbox[DeadLetter]()

    async def fail(envelope: Envelope) -> None:
        await attempts(envelope.attempt)
        raise Transient("The disk is full.")

    await bus.consume("ingest", [UploadCompleted], fail)
    await bus.consume_dead(dead)
    sent = clips.envelope()
    await bus.publish(sent)

    assert [await attempts.next() for _ in range(3)] == [1, 2, 3]
    letter = await dead.next()
    assert (letter.queue, letter.reason) == ("ingest", "attempts")
    assert "The disk is full." in letter.error
    assert letter.envelope is not None
    assert letter.envelope.id == sent.id


async def test_work_that_succeeds_at_the_second_attempt_is_done(bus: Bus) -> None:
    attempts, dead = Inbox[int](), Inbox[DeadLetter]()

    async def flaky(envelope: Envelope) -> None:
        await attempts(envelope.attempt)
        if envelope.attempt == 1:
            raise RuntimeError("a mistake that nobody foresaw")

    await bus.consume("ingest", [UploadCompleted], flaky)
    await bus.consume_dead(dead)
    await bus.publish(clips.envelope())
    assert [await attempts.next(), await attempts.next()] == [1, 2]
    await bus.drain(timedelta(seconds=5))
    assert attempts.empty()
    assert dead.empty()


async def test_a_retry_goes_to_the_queue_that_failed_alone(bus: Bus) -> None:
    stt, embed = Inbox[int](), Inbox[int]()

    async def flaky(envelope: Envelope) -> None:
        await stt(envelope.attempt)
        if envelope.attempt == 1:
            raise Transient("Try again.")

    async def fine(envelope: Envelope) -> None:
        await embed(envelope.attempt)

    await bus.consume("stt", [ClipUnique], flaky)
    await bus.consume("embed", [ClipUnique], fine)
    await bus.publish(clips.envelope(clips.clip_unique()))
    assert [await stt.next(), await stt.next(), await embed.next()] == [1, 2, 1]
    await bus.drain(timedelta(seconds=5))
    assert embed.empty()


async def test_permanent_failure_dies_at_once(bus: Bus) -> None:
    calls, dead = Inbox[int](), Inbox[DeadLetter]()

    async def refuse(envelope: Envelope) -> None:
        await calls(envelope.attempt)
        raise Permanent("There is no such thing.")

    await bus.consume("ingest", [UploadCompleted], refuse)
    await bus.consume_dead(dead)
    await bus.publish(clips.envelope())
    letter = await dead.next()
    assert letter.reason == "permanent"
    assert "There is no such thing." in letter.error
    assert calls.qsize() == 1


async def test_an_outage_burns_no_attempt_and_is_bounded_by_time(bus: Bus) -> None:
    seen, dead = Inbox[Envelope](), Inbox[DeadLetter]()

    async def away(envelope: Envelope) -> None:
        await seen(envelope)
        raise Outage("The object store does not answer.")

    await bus.consume("ingest", [UploadCompleted], away)
    await bus.consume_dead(dead)
    await bus.publish(clips.envelope())
    letter = await dead.next()
    assert letter.reason == "outage"
    tries = [seen.get_nowait() for _ in range(seen.qsize())]
    assert len(tries) > 1
    assert {envelope.attempt for envelope in tries} == {1}
    assert tries[0].outagesince is None
    assert len({envelope.outagesince for envelope in tries[1:]}) == 1


async def test_work_that_takes_too_long_is_stopped_and_counts_as_failed(bus: Bus) -> None:
    attempts = Inbox[int]()
    stopped = asyncio.Event()

    async def hang(envelope: Envelope) -> None:
        await attempts(envelope.attempt)
        if envelope.attempt == 1:
            try:
                await asyncio.Event().wait()
            finally:
                stopped.set()

    await bus.consume("ingest", [UploadCompleted], hang, ack_timeout=timedelta(milliseconds=100))
    await bus.publish(clips.envelope())
    assert [await attempts.next(), await attempts.next()] == [1, 2]
    assert stopped.is_set()


async def test_slots_bound_what_runs_at_once(bus: Bus) -> None:
    begun, go = Inbox[Envelope](), asyncio.Event()
    running = most = 0

    async def work(envelope: Envelope) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await begun(envelope)
        await go.wait()
        running -= 1

    await bus.consume("ingest", [UploadCompleted], work, slots=2)
    for _ in range(5):
        await bus.publish(clips.envelope())
    await begun.next()
    await begun.next()
    go.set()
    for _ in range(3):
        await begun.next()
    assert most == 2


async def test_drain_finishes_what_runs_and_gives_back_the_rest(bus: Bus) -> None:
    begun, go, done = Inbox[Envelope](), asyncio.Event(), Inbox[Envelope]()

    async def work(envelope: Envelope) -> None:
        await begun(envelope)
        await go.wait()
        await done(envelope)

    await bus.consume("ingest", [UploadCompleted], work, slots=2)
    for _ in range(4):
        await bus.publish(clips.envelope())
    await begun.next()
    await begun.next()
    draining = asyncio.create_task(bus.drain(timedelta(seconds=10)))
    await asyncio.sleep(0)
    assert not draining.done()
    go.set()
    await draining
    assert done.qsize() == 2
    assert begun.empty()


async def test_drain_stops_what_runs_too_long(bus: Bus) -> None:
    begun, stopped = Inbox[Envelope](), asyncio.Event()

    async def work(envelope: Envelope) -> None:
        await begun(envelope)
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    await bus.consume("ingest", [UploadCompleted], work)
    await bus.publish(clips.envelope())
    await begun.next()
    await bus.drain(timedelta(milliseconds=50))
    assert stopped.is_set()


async def test_progress_is_heard_by_whoever_listens(bus: Bus) -> None:
    first, second = Inbox[ClipProgress](), Inbox[ClipProgress]()
    await bus.consume_progress(first)
    await bus.consume_progress(second)
    upload = clips.upload_completed()
    event = ClipProgress(
        video_id=upload.video_id,
        stream_id=upload.stream_id,
        stage="stt",
        state="running",
        fraction=0.5,
        run_id=RunId("r1"),
    )
    await bus.progress(event)
    assert await first.next() == event
    assert await second.next() == event


async def test_progress_without_a_listener_is_nobodys_loss(bus: Bus) -> None:
    upload = clips.upload_completed()
    await bus.progress(
        ClipProgress(
            video_id=upload.video_id, stream_id=upload.stream_id, stage="stt", state="started", run_id=RunId("r1")
        )
    )


async def test_listeners_hear_events_beside_the_queue_that_takes_them(bus: Bus) -> None:
    heard, taken = Inbox[Envelope](), Inbox[Envelope]()
    await bus.listen([ClipDeleted], heard)
    await bus.consume("deleted", [ClipDeleted], taken)
    upload = clips.upload_completed()
    deleted = clips.envelope().follow(ClipDeleted(video_id=upload.video_id, stream_id=upload.stream_id), stage="test")
    await bus.publish(deleted)
    assert await heard.next() == deleted
    assert await taken.next() == deleted


async def test_a_dead_letter_is_held_until_its_handler_has_dealt_with_it(bus: Bus) -> None:
    calls, refusals = Inbox[str](), 0

    async def refuse(_: Envelope) -> None:
        raise Permanent("Never.")

    async def unwilling(letter: DeadLetter) -> None:
        nonlocal refusals
        await calls(letter.reason)
        refusals += 1
        if refusals < 2:
            raise Outage("The database is away.")

    await bus.consume("ingest", [UploadCompleted], refuse)
    await bus.consume_dead(unwilling)
    await bus.publish(clips.envelope())
    assert [await calls.next(), await calls.next()] == ["permanent", "permanent"]


async def test_consuming_what_is_not_bound_is_refused(bus: Bus) -> None:
    with pytest.raises(ValueError, match="topology"):
        await bus.consume("nowhere", [UploadCompleted], Inbox[Envelope]())
    with pytest.raises(ValueError, match=r"clip\.unique\.v1"):
        await bus.consume("stt", [UploadCompleted], Inbox[Envelope]())


async def test_consumers_are_ok_once_subscribed(bus: Bus) -> None:
    await bus.consume("ingest", [UploadCompleted], Inbox[Envelope]())
    assert await bus.consumers_ok()
