"""What becomes of a delivery when things happen around it that a test cannot ask a real broker for at will."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest

from clipstream.common.bus.job import envelopes
from clipstream.common.bus.parcel import DEAD_ERROR, DEAD_REASON, Parcel
from clipstream.common.bus.port import EnvelopeHandler
from clipstream.common.bus.retry import RetryPolicy
from clipstream.common.bus.worker import Worker
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import UploadCompleted
from clipstream.common.errors import Outage, Permanent, Transient
from fixtures import clips


class FakeDelivery:
    """A delivery whose broker can be made to forget it."""

    def __init__(self, body: bytes, *, lost: bool = False) -> None:
        self.body = body
        self.headers: Mapping[str, str] = {}
        self.message_id = "m1"
        self.routing_key = "ingest"
        self.death: str | None = None
        self.lost = lost
        self.settled: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def ack(self) -> bool:
        return self._settle("ack")

    async def requeue(self) -> bool:
        return self._settle("requeue")

    def _settle(self, how: str) -> bool:
        self.settled.set_result("lost" if self.lost else how)
        return not self.lost


class FakeOutlet:
    """Keeps what is handed over; refuses as often as it is told to."""

    def __init__(self, refusals: int = 0) -> None:
        self.refusals = refusals
        self.later_sent: list[tuple[Parcel, timedelta]] = []
        self.buried: list[Parcel] = []

    async def later(self, queue: str, parcel: Parcel, delay: timedelta) -> None:
        self._refuse()
        self.later_sent.append((parcel, delay))

    async def bury(self, queue: str, parcel: Parcel) -> None:
        self._refuse()
        self.buried.append(parcel)

    def _refuse(self) -> None:
        if self.refusals:
            self.refusals -= 1
            raise Outage("RabbitMQ does not answer.")


class Gate:
    """A handler that waits until it is let through, and counts its calls."""

    def __init__(self) -> None:
        self.calls = 0
        self.begun = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, _: Envelope) -> None:
        self.calls += 1
        self.begun.set()
        await self.go.wait()


MakeWorker = Callable[..., Worker]


def worker(handler: EnvelopeHandler, outlet: FakeOutlet | None = None, *, slots: int = 1) -> Worker:
    return Worker(
        "ingest", envelopes([UploadCompleted], handler), outlet or FakeOutlet(), RetryPolicy(), slots=slots,
        outage_pause=timedelta(0),
    )  # fmt: skip


async def settled(delivery: FakeDelivery) -> str:
    async with asyncio.timeout(5):
        return await delivery.settled


async def test_a_redelivery_of_running_work_joins_it() -> None:
    gate, body = Gate(), clips.envelope().to_bytes()
    first, second = FakeDelivery(body, lost=True), FakeDelivery(body)
    work = worker(gate)
    work.accept(first)
    await gate.begun.wait()
    work.accept(second)
    await asyncio.sleep(0)
    gate.go.set()
    assert [await settled(first), await settled(second)] == ["lost", "ack"]
    assert gate.calls == 1


async def test_a_redelivery_of_finished_work_whose_acknowledgement_was_lost_is_acknowledged() -> None:
    gate, body = Gate(), clips.envelope().to_bytes()
    gate.go.set()
    work = worker(gate)
    first, second = FakeDelivery(body, lost=True), FakeDelivery(body)
    work.accept(first)
    assert await settled(first) == "lost"
    work.accept(second)
    assert await settled(second) == "ack"
    assert gate.calls == 1


async def test_the_next_attempt_is_not_taken_for_a_redelivery() -> None:
    seen: list[int] = []

    async def fail(envelope: Envelope) -> None:
        seen.append(envelope.attempt)
        raise Transient("Again.")

    outlet = FakeOutlet()
    work = worker(fail, outlet)
    first = FakeDelivery(clips.envelope().to_bytes(), lost=True)
    work.accept(first)
    await settled(first)
    second = FakeDelivery(outlet.later_sent[0][0].body)
    work.accept(second)
    assert await settled(second) == "ack"
    assert seen == [1, 2]


async def test_nothing_is_acknowledged_before_it_is_handed_over() -> None:
    """The broker is away while a retry is to be published: the message is held, and handed over in the end."""
    outlet = FakeOutlet(refusals=3)

    async def fail(_: Envelope) -> None:
        raise Transient("Again.")

    delivery = FakeDelivery(clips.envelope().to_bytes())
    worker(fail, outlet).accept(delivery)
    assert await settled(delivery) == "ack"
    assert outlet.refusals == 0
    assert [delay for _, delay in outlet.later_sent] == [timedelta(seconds=5)]


async def test_an_obituary_says_why_and_keeps_the_body() -> None:
    async def refuse(_: Envelope) -> None:
        raise Permanent("There is no such thing.")

    outlet, body = FakeOutlet(), clips.envelope().to_bytes()
    delivery = FakeDelivery(body)
    worker(refuse, outlet).accept(delivery)
    assert await settled(delivery) == "ack"
    (letter,) = outlet.buried
    assert letter.body == body
    assert letter.headers[DEAD_REASON] == "permanent"
    assert letter.headers[DEAD_ERROR] == "Permanent: There is no such thing."


@pytest.mark.parametrize("body", [b"", b"not json", b"{}", b'{"type": "clip.sighted.v1"}', b"\xff\xfe"])
async def test_what_cannot_be_read_dies_without_bothering_the_handler(body: bytes) -> None:
    gate, outlet = Gate(), FakeOutlet()
    delivery = FakeDelivery(body)
    worker(gate, outlet).accept(delivery)
    assert await settled(delivery) == "ack"
    assert gate.calls == 0
    assert outlet.buried[0].body == body
    assert outlet.buried[0].headers[DEAD_REASON] == "malformed"


async def test_an_event_of_a_type_that_the_consumer_does_not_know_dies() -> None:
    gate, outlet = Gate(), FakeOutlet()
    delivery = FakeDelivery(clips.envelope(clips.clip_admitted()).to_bytes())
    worker(gate, outlet).accept(delivery)
    await settled(delivery)
    assert "clip.admitted.v1" in outlet.buried[0].headers[DEAD_ERROR]


async def test_drain_gives_back_what_waits_for_a_slot_and_finishes_what_runs() -> None:
    gate = Gate()
    work = worker(gate)
    running, waiting = (FakeDelivery(clips.envelope().to_bytes()) for _ in range(2))
    work.accept(running)
    work.accept(waiting)
    await gate.begun.wait()
    draining = asyncio.create_task(work.drain(timedelta(seconds=5)))
    assert await settled(waiting) == "requeue"
    late = FakeDelivery(clips.envelope().to_bytes())
    work.accept(late)
    assert await settled(late) == "requeue"
    gate.go.set()
    await draining
    assert await settled(running) == "ack"
    assert gate.calls == 1


async def test_what_arrives_while_the_subscription_is_being_ended_is_given_back() -> None:
    gate = Gate()
    work = worker(gate)
    work.close()
    late = FakeDelivery(clips.envelope().to_bytes())
    work.accept(late)
    assert await settled(late) == "requeue"
    assert gate.calls == 0


async def test_what_drain_cancels_is_left_for_the_broker_to_deliver_again() -> None:
    gate = Gate()
    work = worker(gate)
    delivery = FakeDelivery(clips.envelope().to_bytes())
    work.accept(delivery)
    await gate.begun.wait()
    await work.drain(timedelta(milliseconds=10))
    assert not delivery.settled.done()


async def test_during_an_outage_the_queue_is_not_pushed_through_the_retries_at_full_speed() -> None:
    calls = asyncio.Queue[float]()
    loop = asyncio.get_running_loop()

    async def away(_: Envelope) -> None:
        calls.put_nowait(loop.time())
        raise Outage("The store does not answer.")

    paused = Worker("ingest", envelopes([UploadCompleted], away), FakeOutlet(), RetryPolicy(),
                    outage_pause=timedelta(milliseconds=40))  # fmt: skip
    deliveries = [FakeDelivery(clips.envelope().to_bytes()) for _ in range(3)]
    for delivery in deliveries:
        paused.accept(delivery)
    for delivery in deliveries:
        await settled(delivery)
    first, second, third = (calls.get_nowait() for _ in range(3))
    assert second - first >= 0.04
    assert third - second >= 0.08
