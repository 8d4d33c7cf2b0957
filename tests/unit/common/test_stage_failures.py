"""What the runner does around a handler that fails, hangs or is no longer wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

import pytest

from clipstream.common.contracts import keys
from clipstream.common.contracts.control import StopOrder
from clipstream.common.contracts.events import (
    ClipDeleted,
    ClipFailed,
    ClipIngested,
    Event,
    UploadCompleted,
)
from clipstream.common.contracts.ids import EventId
from clipstream.common.errors import Cancelled, Outage, Permanent, Transient
from clipstream.common.stage.context import StageContext
from fixtures import clips
from fixtures.stage import Service, fine, recorded


async def test_failed_attempts_are_told_and_the_last_one_ends_as_failed(service: Service) -> None:
    async def fail(_: UploadCompleted, __: StageContext) -> Sequence[Event]:
        raise Transient("The decoder ran out of memory.")

    await service.run(fail)
    upload = clips.envelope()
    await service.bus.publish(upload)
    failed = (await service.next()).data
    assert failed == ClipFailed(
        video_id=upload.data.video_id, stream_id=upload.data.stream_id, stage="ingest",
        error="The decoder ran out of memory.", attempts=3,
    )  # fmt: skip
    told = [(event.state, event.attempt) for event in service.progress]
    assert told == [("started", 1), ("retrying", 1), ("started", 2), ("retrying", 2), ("started", 3)]
    assert service.progress[1].note == "The decoder ran out of memory."
    with pytest.raises(Exception, match="manifest"):
        await recorded(service, upload)


async def test_a_permanent_error_ends_at_once_in_its_own_words(service: Service) -> None:
    async def refuse(_: UploadCompleted, __: StageContext) -> Sequence[Event]:
        raise Permanent("The model is not there: set STT_MODEL.")

    await service.run(refuse)
    await service.bus.publish(clips.envelope())
    failed = (await service.next()).data
    assert isinstance(failed, ClipFailed)
    assert (failed.error, failed.attempts) == ("The model is not there: set STT_MODEL.", 1)


async def test_an_unforeseen_error_is_named(service: Service) -> None:
    async def stumble(_: UploadCompleted, __: StageContext) -> Sequence[Event]:
        raise ZeroDivisionError("division by zero")

    await service.run(stumble)
    await service.bus.publish(clips.envelope())
    failed = (await service.next()).data
    assert isinstance(failed, ClipFailed)
    assert failed.error == "Something unforeseen went wrong: ZeroDivisionError: division by zero"
    assert failed.attempts == 3


async def test_an_outage_burns_no_attempt_and_ends_as_failed_after_its_patience(service: Service) -> None:
    attempts: list[int] = []

    async def away(_: UploadCompleted, context: StageContext) -> Sequence[Event]:
        attempts.append(context.attempt)
        raise Outage("The object store does not answer.")

    await service.run(away)
    await service.bus.publish(clips.envelope())
    failed = (await service.next()).data
    assert isinstance(failed, ClipFailed)
    assert failed.attempts == 1
    assert len(attempts) > 3
    assert set(attempts) == {1}


async def test_a_handler_that_answers_what_it_did_not_promise_fails(service: Service) -> None:
    async def wrong(_: UploadCompleted, __: StageContext) -> Sequence[Event]:
        return [clips.clip_admitted()]

    await service.run(wrong)
    await service.bus.publish(clips.envelope())
    failed = (await service.next()).data
    assert isinstance(failed, ClipFailed)
    assert "clip.admitted.v1" in failed.error


async def test_a_handler_that_takes_too_long_is_stopped(service: Service) -> None:
    stopped = asyncio.Event()

    async def hang(event: UploadCompleted, context: StageContext) -> Sequence[Event]:
        if context.attempt > 1:
            return await fine(event, context)
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return []

    await service.run(hang, limit=timedelta(milliseconds=50))
    await service.bus.publish(clips.envelope())
    assert isinstance((await service.next()).data, ClipIngested)
    assert stopped.is_set()
    assert any("took longer" in (event.note or "") for event in service.progress)


async def test_deleting_a_video_stops_the_work_on_it_and_drops_its_result(service: Service) -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def work(_: UploadCompleted, context: StageContext) -> Sequence[Event]:
        (context.scratch / "half").write_text("done")
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return []

    await service.run(work)
    upload = clips.envelope()
    await service.bus.publish(upload)
    async with asyncio.timeout(5):
        await begun.wait()
    deleted = ClipDeleted(video_id=upload.data.video_id, stream_id=upload.data.stream_id)
    await service.bus.publish(upload.follow(deleted, stage="gateway"))
    async with asyncio.timeout(5):
        await stopped.wait()
    assert (await service.next()).data == deleted
    assert await service.quiet()
    with pytest.raises(Exception, match="manifest"):
        await recorded(service, upload)
    assert not [path for path in service.scratch.home.iterdir() if path.is_dir()]


async def test_a_deleted_video_is_not_begun(service: Service) -> None:
    upload = clips.envelope()
    deleted = ClipDeleted(video_id=upload.data.video_id, stream_id=upload.data.stream_id)
    await service.bus.publish(upload.follow(deleted, stage="gateway"))
    await service.next()
    await service.run(fine)
    await service.bus.publish(upload)
    assert await service.quiet()


async def test_work_that_cancels_itself_without_a_deletion_is_not_lost(service: Service) -> None:
    async def confused(event: UploadCompleted, context: StageContext) -> Sequence[Event]:
        if context.attempt == 1:
            raise Cancelled
        return await fine(event, context)

    await service.run(confused)
    await service.bus.publish(clips.envelope())
    assert isinstance((await service.next()).data, ClipIngested)


async def test_work_in_a_thread_whose_result_is_no_longer_wanted_is_told_so(service: Service) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def slow(event: UploadCompleted, context: StageContext) -> Sequence[Event]:
        def transcribe() -> None:
            try:
                while True:
                    context.progress(0.5)
            except Cancelled:
                loop.call_soon_threadsafe(told.set)

        if context.attempt == 1:
            await context.thread(transcribe)
        return await fine(event, context)

    await service.run(slow, limit=timedelta(milliseconds=50))
    await service.bus.publish(clips.envelope())
    async with asyncio.timeout(10):
        await told.wait()
    assert isinstance((await service.next()).data, ClipIngested)


async def test_an_unreadable_manifest_fails_in_words(service: Service) -> None:
    await service.run(fine)
    upload = clips.envelope()
    key = keys.manifest(upload.data.video_id, "ingest")
    await service.store.put(key, b"half a manif", content_type="application/json")
    await service.bus.publish(upload)
    failed = (await service.next()).data
    assert isinstance(failed, ClipFailed)
    assert key in failed.error


async def test_work_that_an_operator_ended_stops_and_says_nothing(service: Service) -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def work(_: UploadCompleted, __: StageContext) -> Sequence[Event]:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return []

    await service.run(work)
    upload = clips.envelope()
    await service.bus.publish(upload)
    async with asyncio.timeout(5):
        await begun.wait()
    others = StopOrder(video_id=clips.envelope().data.video_id, chains=(upload.correlationid,))
    await service.bus.stop(others)
    await service.bus.stop(StopOrder(video_id=upload.data.video_id, stage="stt", chains=(upload.correlationid,)))
    assert not stopped.is_set()
    await service.bus.stop(StopOrder(video_id=upload.data.video_id, chains=(upload.correlationid,)))
    async with asyncio.timeout(5):
        await stopped.wait()
    assert await service.quiet()
    assert service.bus.waiting("ingest") == 0
    with pytest.raises(Exception, match="manifest"):
        await recorded(service, upload)


async def test_an_order_to_stop_does_not_hold_for_work_that_was_begun_anew(service: Service) -> None:
    upload = clips.envelope()
    await service.bus.stop(StopOrder(video_id=upload.data.video_id, stage="ingest", chains=(upload.correlationid,)))
    await service.run(fine)
    await service.bus.publish(upload)
    anew = EventId(uuid4())
    await service.bus.publish(upload.model_copy(update={"id": anew, "correlationid": anew}))
    assert (await service.next()).causationid == anew
    assert await service.quiet()
