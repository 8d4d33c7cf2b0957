"""What every bus must do, run against the in-memory twin and a real RabbitMQ: how events travel."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from clipstream.common.bus.port import Bus, Unroutable
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipAdmitted, ClipDeleted, ClipProgress, ClipReady, UploadCompleted
from clipstream.common.contracts.ids import RunId
from fixtures import clips
from fixtures.inbox import Inbox


async def test_an_event_reaches_each_queue_bound_to_it_and_no_other(each_bus: Bus) -> None:
    stt, embed, ingest = Inbox[Envelope](), Inbox[Envelope](), Inbox[Envelope]()
    await each_bus.consume("stt", [ClipAdmitted], stt)
    await each_bus.consume("embed", [ClipAdmitted], embed)
    await each_bus.consume("ingest", [UploadCompleted], ingest)
    sent = clips.envelope(clips.clip_admitted())

    await each_bus.publish(sent)

    assert await stt.next() == sent
    assert await embed.next() == sent
    assert ingest.empty()


async def test_an_event_waits_for_a_consumer_that_comes_later(each_bus: Bus) -> None:
    sent, inbox = clips.envelope(), Inbox[Envelope]()
    await each_bus.publish(sent)
    await each_bus.consume("ingest", [UploadCompleted], inbox)
    assert await inbox.next() == sent


async def test_an_event_that_no_queue_takes_is_refused_to_its_publisher(each_bus: Bus) -> None:
    upload = clips.upload_completed()
    ready = clips.envelope().follow(ClipReady(video_id=upload.video_id, stream_id=upload.stream_id), stage="test")
    with pytest.raises(Unroutable, match=r"clip\.ready\.v1"):
        await each_bus.publish(ready)


async def test_a_queue_can_be_addressed_directly(each_bus: Bus) -> None:
    stt, embed = Inbox[Envelope](), Inbox[Envelope]()
    await each_bus.consume("stt", [ClipAdmitted], stt)
    await each_bus.consume("embed", [ClipAdmitted], embed)
    direct, to_all = clips.envelope(clips.clip_admitted()), clips.envelope(clips.clip_admitted())
    await each_bus.publish(direct, queue="stt")
    await each_bus.publish(to_all)
    assert [await stt.next(), await stt.next()] == [direct, to_all]
    assert await embed.next() == to_all


async def test_a_delayed_event_comes_out_in_its_queue_after_a_sooner_one(each_bus: Bus) -> None:
    inbox = Inbox[Envelope]()
    await each_bus.consume("stt", [ClipAdmitted], inbox)
    late, soon = clips.envelope(clips.clip_admitted()), clips.envelope(clips.clip_admitted())
    await each_bus.publish(late, queue="stt", delay=timedelta(milliseconds=200))
    await each_bus.publish(soon, queue="stt", delay=timedelta(milliseconds=1))
    assert [await inbox.next(), await inbox.next()] == [soon, late]


async def test_a_delay_without_a_queue_is_refused(each_bus: Bus) -> None:
    with pytest.raises(ValueError, match="queue"):
        await each_bus.publish(clips.envelope(), delay=timedelta(seconds=1))


async def test_slots_bound_what_runs_at_once(each_bus: Bus) -> None:
    begun, go = Inbox[Envelope](), asyncio.Event()
    running = most = 0

    async def work(envelope: Envelope) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await begun(envelope)
        await go.wait()
        running -= 1

    await each_bus.consume("ingest", [UploadCompleted], work, slots=2)
    for _ in range(5):
        await each_bus.publish(clips.envelope())
    await begun.next()
    await begun.next()
    go.set()
    for _ in range(3):
        await begun.next()
    assert most == 2


async def test_drain_finishes_what_runs_and_gives_back_the_rest(each_bus: Bus) -> None:
    begun, go, done = Inbox[Envelope](), asyncio.Event(), Inbox[Envelope]()

    async def work(envelope: Envelope) -> None:
        await begun(envelope)
        await go.wait()
        await done(envelope)

    await each_bus.consume("ingest", [UploadCompleted], work, slots=2)
    for _ in range(4):
        await each_bus.publish(clips.envelope())
    await begun.next()
    await begun.next()
    draining = asyncio.create_task(each_bus.drain(timedelta(seconds=10)))
    await asyncio.sleep(0)
    assert not draining.done()
    go.set()
    await draining
    assert done.qsize() == 2
    assert begun.empty()


async def test_drain_stops_what_runs_too_long(each_bus: Bus) -> None:
    begun, stopped = Inbox[Envelope](), asyncio.Event()

    async def work(envelope: Envelope) -> None:
        await begun(envelope)
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    await each_bus.consume("ingest", [UploadCompleted], work)
    await each_bus.publish(clips.envelope())
    await begun.next()
    await each_bus.drain(timedelta(milliseconds=50))
    assert stopped.is_set()


async def test_progress_is_heard_by_whoever_listens(each_bus: Bus) -> None:
    first, second = Inbox[ClipProgress](), Inbox[ClipProgress]()
    await each_bus.consume_progress(first)
    await each_bus.consume_progress(second)
    upload = clips.upload_completed()
    event = ClipProgress(
        video_id=upload.video_id,
        stream_id=upload.stream_id,
        stage="stt",
        state="running",
        fraction=0.5,
        run_id=RunId("r1"),
    )
    await each_bus.progress(event)
    assert await first.next() == event
    assert await second.next() == event


async def test_progress_without_a_listener_is_nobodys_loss(each_bus: Bus) -> None:
    upload = clips.upload_completed()
    await each_bus.progress(
        ClipProgress(
            video_id=upload.video_id, stream_id=upload.stream_id, stage="stt", state="started", run_id=RunId("r1")
        )
    )


async def test_listeners_hear_events_beside_the_queue_that_takes_them(each_bus: Bus) -> None:
    heard, taken = Inbox[Envelope](), Inbox[Envelope]()
    await each_bus.listen([ClipDeleted], heard)
    await each_bus.consume("deleted", [ClipDeleted], taken)
    upload = clips.upload_completed()
    deleted = clips.envelope().follow(ClipDeleted(video_id=upload.video_id, stream_id=upload.stream_id), stage="test")
    await each_bus.publish(deleted)
    assert await heard.next() == deleted
    assert await taken.next() == deleted


async def test_consuming_what_is_not_bound_is_refused(each_bus: Bus) -> None:
    with pytest.raises(ValueError, match="topology"):
        await each_bus.consume("nowhere", [UploadCompleted], Inbox[Envelope]())
    with pytest.raises(ValueError, match=r"clip\.admitted\.v1"):
        await each_bus.consume("stt", [UploadCompleted], Inbox[Envelope]())


async def test_consumers_are_ok_once_subscribed(each_bus: Bus) -> None:
    await each_bus.consume("ingest", [UploadCompleted], Inbox[Envelope]())
    assert await each_bus.consumers_ok()


async def test_the_consumers_of_a_queue_are_counted(each_bus: Bus) -> None:
    assert await each_bus.consumers("ingest") == 0
    await each_bus.consume("ingest", [UploadCompleted], Inbox[Envelope]())
    assert await each_bus.consumers("ingest") == 1
    assert await each_bus.served("ingest")
    assert await each_bus.consumers("nowhere") == 0
