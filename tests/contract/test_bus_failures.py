"""What every bus must do, run against the in-memory twin and a real RabbitMQ: what becomes of failed work."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from clipstream.common.bus.port import Bus, DeadLetter
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipAdmitted, UploadCompleted
from clipstream.common.errors import Outage, Permanent, Transient
from fixtures import clips
from fixtures.inbox import Inbox


async def test_failed_work_is_tried_again_with_its_attempts_counted_and_then_dies(each_bus: Bus) -> None:
    attempts, dead = Inbox[int](), Inbox[DeadLetter]()

    async def fail(envelope: Envelope) -> None:
        await attempts(envelope.attempt)
        raise Transient("The disk is full.")

    await each_bus.consume("ingest", [UploadCompleted], fail)
    await each_bus.consume_dead(dead)
    sent = clips.envelope()
    await each_bus.publish(sent)

    assert [await attempts.next() for _ in range(3)] == [1, 2, 3]
    letter = await dead.next()
    assert (letter.queue, letter.reason) == ("ingest", "attempts")
    assert "The disk is full." in letter.error
    assert letter.envelope is not None
    assert letter.envelope.id == sent.id


async def test_work_that_succeeds_at_the_second_attempt_is_done(each_bus: Bus) -> None:
    attempts, dead = Inbox[int](), Inbox[DeadLetter]()

    async def flaky(envelope: Envelope) -> None:
        await attempts(envelope.attempt)
        if envelope.attempt == 1:
            raise RuntimeError("a mistake that nobody foresaw")

    await each_bus.consume("ingest", [UploadCompleted], flaky)
    await each_bus.consume_dead(dead)
    await each_bus.publish(clips.envelope())
    assert [await attempts.next(), await attempts.next()] == [1, 2]
    await each_bus.drain(timedelta(seconds=5))
    assert attempts.empty()
    assert dead.empty()


async def test_a_retry_goes_to_the_queue_that_failed_alone(each_bus: Bus) -> None:
    stt, embed = Inbox[int](), Inbox[int]()

    async def flaky(envelope: Envelope) -> None:
        await stt(envelope.attempt)
        if envelope.attempt == 1:
            raise Transient("Try again.")

    async def fine(envelope: Envelope) -> None:
        await embed(envelope.attempt)

    await each_bus.consume("stt", [ClipAdmitted], flaky)
    await each_bus.consume("embed", [ClipAdmitted], fine)
    await each_bus.publish(clips.envelope(clips.clip_admitted()))
    assert [await stt.next(), await stt.next(), await embed.next()] == [1, 2, 1]
    await each_bus.drain(timedelta(seconds=5))
    assert embed.empty()


async def test_permanent_failure_dies_at_once(each_bus: Bus) -> None:
    calls, dead = Inbox[int](), Inbox[DeadLetter]()

    async def refuse(envelope: Envelope) -> None:
        await calls(envelope.attempt)
        raise Permanent("There is no such thing.")

    await each_bus.consume("ingest", [UploadCompleted], refuse)
    await each_bus.consume_dead(dead)
    await each_bus.publish(clips.envelope())
    letter = await dead.next()
    assert letter.reason == "permanent"
    assert "There is no such thing." in letter.error
    assert calls.qsize() == 1


async def test_an_outage_burns_no_attempt_and_is_bounded_by_time(each_bus: Bus) -> None:
    seen, dead = Inbox[Envelope](), Inbox[DeadLetter]()

    async def away(envelope: Envelope) -> None:
        await seen(envelope)
        raise Outage("The object store does not answer.")

    await each_bus.consume("ingest", [UploadCompleted], away)
    await each_bus.consume_dead(dead)
    await each_bus.publish(clips.envelope())
    letter = await dead.next()
    assert letter.reason == "outage"
    tries = [seen.get_nowait() for _ in range(seen.qsize())]
    assert len(tries) > 1
    assert {envelope.attempt for envelope in tries} == {1}
    assert tries[0].outagesince is None
    assert len({envelope.outagesince for envelope in tries[1:]}) == 1


async def test_work_that_takes_too_long_is_stopped_and_counts_as_failed(each_bus: Bus) -> None:
    attempts = Inbox[int]()
    stopped = asyncio.Event()

    async def hang(envelope: Envelope) -> None:
        await attempts(envelope.attempt)
        if envelope.attempt == 1:
            try:
                await asyncio.Event().wait()
            finally:
                stopped.set()

    await each_bus.consume("ingest", [UploadCompleted], hang, ack_timeout=timedelta(milliseconds=100))
    await each_bus.publish(clips.envelope())
    assert [await attempts.next(), await attempts.next()] == [1, 2]
    assert stopped.is_set()


async def test_a_dead_letter_is_held_until_its_handler_has_dealt_with_it(each_bus: Bus) -> None:
    calls, refusals = Inbox[str](), 0

    async def refuse(_: Envelope) -> None:
        raise Permanent("Never.")

    async def unwilling(letter: DeadLetter) -> None:
        nonlocal refusals
        await calls(letter.reason)
        refusals += 1
        if refusals < 2:
            raise Outage("The database is away.")

    await each_bus.consume("ingest", [UploadCompleted], refuse)
    await each_bus.consume_dead(unwilling)
    await each_bus.publish(clips.envelope())
    assert [await calls.next(), await calls.next()] == ["permanent", "permanent"]
