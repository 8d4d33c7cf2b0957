"""What every bus must do with an order to stop, run against the in-memory twin and a real RabbitMQ."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from clipstream.common.bus.port import Bus
from clipstream.common.contracts import keys
from clipstream.common.contracts.control import StopOrder
from clipstream.common.contracts.events import ClipIngested, Event, UploadCompleted
from clipstream.common.errors import NotFound
from clipstream.common.settings import StoreSettings
from clipstream.common.stage.context import StageContext
from clipstream.common.stage.isolate import isolate
from clipstream.common.stage.job import StageJobs
from clipstream.common.stage.scratch import Scratch
from clipstream.common.stage.spec import StageSpec
from clipstream.common.stage.stops import Stops
from clipstream.common.store import open_store
from fixtures import clips
from fixtures.inbox import Inbox


async def test_an_order_is_heard_by_whoever_listens(each_bus: Bus) -> None:
    first, second = Inbox[StopOrder](), Inbox[StopOrder]()
    await each_bus.consume_stops(first)
    await each_bus.consume_stops(second)
    upload = clips.envelope()
    order = StopOrder(video_id=upload.data.video_id, stage="stt", chains=(upload.correlationid,))
    await each_bus.stop(order)
    assert await first.next() == order
    assert await second.next() == order


async def test_an_order_without_a_listener_is_nobodys_loss(each_bus: Bus) -> None:
    upload = clips.envelope()
    await each_bus.stop(StopOrder(video_id=upload.data.video_id, chains=(upload.correlationid,)))


async def test_a_running_job_hears_of_its_end_and_makes_room_for_the_next(each_bus: Bus, tmp_path: Path) -> None:
    """The one slot is free again, the ended message is settled, and nothing was made of it."""
    begun, stopped = Inbox[UploadCompleted](), asyncio.Event()

    async def work(event: UploadCompleted, _: StageContext) -> Sequence[Event]:
        await begun(event)
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return []

    store = await open_store(StoreSettings.model_validate({"storage_root": tmp_path / "storage"}))
    scratch = Scratch.open(tmp_path / "scratch", "ingest")
    stops = Stops()
    spec = StageSpec(name="ingest", consumes=UploadCompleted, emits=(ClipIngested,), handler=work)
    jobs = StageJobs(
        spec=spec,
        bus=each_bus,
        store=store,
        scratch=scratch,
        threads=ThreadPoolExecutor(1),
        caged=partial(isolate, spares=None),
        stops=stops,
    )
    await each_bus.consume_stops(stops.ordered)
    await each_bus.consume("ingest", [UploadCompleted], jobs.handle)
    ended, following = clips.envelope(), clips.envelope()
    await each_bus.publish(ended)
    await each_bus.publish(following)
    assert await begun.next() == ended.data

    await each_bus.stop(StopOrder(video_id=ended.data.video_id, chains=(ended.correlationid,)))

    assert await begun.next() == following.data
    assert stopped.is_set()
    with pytest.raises(NotFound):
        await store.head(keys.manifest(ended.data.video_id, "ingest"))
    await each_bus.drain(timedelta(0))
    await store.close()
    scratch.close()
