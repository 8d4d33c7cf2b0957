"""What the runner does around a handler, on the in-memory bus and a store on disk."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from clipstream.common.bus.memory import InMemoryBus
from clipstream.common.bus.retry import RetryPolicy
from clipstream.common.bus.topology import Topology
from clipstream.common.contracts import keys
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import (
    EVENTS,
    ClipDeleted,
    ClipFailed,
    ClipIngested,
    ClipProgress,
    ClipRejected,
    Event,
    Stage,
    UploadCompleted,
)
from clipstream.common.contracts.ids import derived_event_id
from clipstream.common.errors import Cancelled, Conflict, Outage, Permanent, Rejected, Transient
from clipstream.common.obs.tracing import Trace
from clipstream.common.settings import StoreSettings
from clipstream.common.stage.context import StageContext
from clipstream.common.stage.deletions import Deletions
from clipstream.common.stage.isolate import isolate
from clipstream.common.stage.job import StageJobs
from clipstream.common.stage.scratch import Scratch
from clipstream.common.stage.spec import StageSpec
from clipstream.common.store import ObjectStore, open_store
from fixtures import clips

STEPS = (timedelta(milliseconds=5), timedelta(milliseconds=20))
EVERYTHING = tuple(event for event in EVENTS.values() if event is not ClipProgress)


@dataclass
class Service:
    """One ingest stage with what it needs, and everything that comes out of it."""

    bus: InMemoryBus
    store: ObjectStore
    scratch: Scratch
    policy: RetryPolicy
    deletions: Deletions = field(default_factory=Deletions)
    emitted: asyncio.Queue[Envelope] = field(default_factory=asyncio.Queue)
    progress: list[ClipProgress] = field(default_factory=list)

    async def run(
        self, handler: object, *, emits: tuple[type[Event], ...] = (ClipIngested,), limit: timedelta | None = None
    ) -> StageJobs[UploadCompleted]:
        """Consume with this handler."""
        name: Stage = "ingest"
        spec = StageSpec(name=name, consumes=UploadCompleted, emits=emits, handler=handler,  # type: ignore[arg-type]
                         ack_timeout=limit or timedelta(minutes=1))  # fmt: skip
        jobs = StageJobs(
            spec=spec, bus=self.bus, store=self.store, scratch=self.scratch, threads=ThreadPoolExecutor(1),
            caged=isolate, deletions=self.deletions, policy=self.policy,
        )  # fmt: skip
        await self.bus.consume("ingest", [UploadCompleted], jobs.handle)
        return jobs

    async def next(self) -> Envelope:
        async with asyncio.timeout(10):
            return await self.emitted.get()

    async def quiet(self) -> bool:
        """Nothing more comes out once everything that runs has ended."""
        await self.bus.drain(timedelta(seconds=5))
        return self.emitted.empty()


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    topology = Topology(
        queues={"ingest": (UploadCompleted,), "projector": tuple(e for e in EVERYTHING if e is not UploadCompleted)},
        retry_steps=STEPS,
    )
    policy = RetryPolicy(steps=STEPS, max_attempts=3, outage_patience=timedelta(milliseconds=100))
    bus = InMemoryBus(topology=topology, policy=policy)
    store = await open_store(StoreSettings.model_validate({"storage_root": tmp_path / "storage"}))
    scratch = Scratch.open(tmp_path / "scratch", "ingest")
    made = Service(bus, store, scratch, policy)

    async def keep_progress(event: ClipProgress) -> None:
        made.progress.append(event)

    await bus.consume("projector", topology.queues["projector"], made.emitted.put)
    await bus.consume_progress(keep_progress)
    await bus.listen([ClipDeleted], made.deletions.heard)
    yield made
    await bus.drain(timedelta(0))
    await store.close()
    scratch.close()


def ingested(event: UploadCompleted) -> ClipIngested:
    return ClipIngested(**event.model_dump(include={"video_id", "stream_id", "key", "etag"}), media=clips.MEDIA,
                        probe_key=keys.probe(event.video_id))  # fmt: skip


async def fine(event: UploadCompleted, _: StageContext) -> Sequence[Event]:
    return [ingested(event)]


async def recorded(service: Service, upload: Envelope) -> dict[str, object]:
    body: dict[str, object] = json.loads(await service.store.get(keys.manifest(upload.data.video_id, "ingest")))
    return body


async def test_an_answer_follows_from_its_event_and_stands_in_the_manifest(service: Service) -> None:
    await service.run(fine)
    upload = clips.envelope()
    await service.bus.publish(upload)
    answer = await service.next()
    assert answer.data == ingested(upload.data)  # type: ignore[arg-type]
    assert answer.id == derived_event_id(upload.id, "ingest", "clip.ingested.v1")
    assert (answer.correlationid, answer.causationid, answer.source) == (upload.id, upload.id, "/clipstream/ingest")
    manifest = await recorded(service, upload)
    assert manifest["attempt"] == 1
    assert manifest["events"] == [{"type": "clip.ingested.v1", "data": answer.data.model_dump(mode="json")}]


async def test_work_that_is_done_is_not_done_again_but_answered_again(service: Service) -> None:
    calls = 0

    async def count(event: UploadCompleted, context: StageContext) -> Sequence[Event]:
        nonlocal calls
        calls += 1
        return await fine(event, context)

    await service.run(count)
    upload = clips.envelope()
    await service.bus.publish(upload)
    first = await service.next()
    await service.bus.publish(upload)
    second = await service.next()
    assert calls == 1
    assert (second.id, second.data) == (first.id, first.data)


async def test_of_two_runs_at_once_the_first_to_commit_wins_and_both_say_its_words(service: Service) -> None:
    """The other run is another process: it has written its manifest while ours was at work."""

    async def slower(event: UploadCompleted, context: StageContext) -> Sequence[Event]:
        winner = ingested(event).model_copy(update={"etag": "the winner's"})
        body = {
            "run_id": "another",
            "attempt": 1,
            "events": [{"type": winner.type, "data": winner.model_dump(mode="json")}],
        }
        key = keys.manifest(event.video_id, "ingest")
        await context.store.put(key, json.dumps(body).encode(), content_type="application/json", if_absent=True)
        return await fine(event, context)

    await service.run(slower)
    await service.bus.publish(clips.envelope())
    answer = (await service.next()).data
    assert isinstance(answer, ClipIngested)
    assert answer.etag == "the winner's"


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


async def test_an_unusable_upload_is_an_answer_where_the_stage_may_reject(service: Service) -> None:
    async def reject(_: UploadCompleted, __: StageContext) -> Sequence[Event]:
        raise Rejected("The file is empty.")

    await service.run(reject, emits=(ClipIngested, ClipRejected))
    upload = clips.envelope()
    await service.bus.publish(upload)
    rejected = (await service.next()).data
    assert isinstance(rejected, ClipRejected)
    assert rejected.reason == "The file is empty."
    assert (await recorded(service, upload))["attempt"] == 1


async def test_a_handler_that_answers_what_it_did_not_promise_fails(service: Service) -> None:
    async def wrong(_: UploadCompleted, __: StageContext) -> Sequence[Event]:
        return [clips.clip_unique()]

    await service.run(wrong)
    await service.bus.publish(clips.envelope())
    failed = (await service.next()).data
    assert isinstance(failed, ClipFailed)
    assert "clip.unique.v1" in failed.error


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


async def test_scratch_is_private_to_an_attempt_and_gone_after_it(service: Service) -> None:
    used: list[Path] = []

    async def scribble(event: UploadCompleted, context: StageContext) -> Sequence[Event]:
        assert not list(context.scratch.iterdir())
        (context.scratch / "frames").mkdir()
        (context.scratch / "frames" / "1").write_bytes(b"x")
        used.append(context.scratch)
        if context.attempt == 1:
            raise Transient("Again.")
        return await fine(event, context)

    await service.run(scribble)
    await service.bus.publish(clips.envelope())
    await service.next()
    assert await service.quiet()
    assert len(set(used)) == 2
    assert not any(path.exists() for path in used)


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


async def test_answers_stay_in_the_trace_of_their_event(service: Service) -> None:
    await service.run(fine)
    parent = Trace.begin()
    await service.bus.publish(clips.envelope().model_copy(update={"traceparent": str(parent)}))
    trace = Trace.read((await service.next()).traceparent)
    assert trace is not None
    assert trace.trace_id == parent.trace_id
    assert trace.span_id != parent.span_id


async def test_an_unreadable_manifest_fails_in_words(service: Service) -> None:
    await service.run(fine)
    upload = clips.envelope()
    key = keys.manifest(upload.data.video_id, "ingest")
    await service.store.put(key, b"half a manif", content_type="application/json")
    await service.bus.publish(upload)
    failed = (await service.next()).data
    assert isinstance(failed, ClipFailed)
    assert key in failed.error


async def test_a_second_conditional_write_really_conflicts(service: Service) -> None:
    """What all of this stands on."""
    key = keys.manifest(clips.envelope().data.video_id, "ingest")
    await service.store.put(key, b"{}", content_type="application/json", if_absent=True)
    with pytest.raises(Conflict):
        await service.store.put(key, b"{}", content_type="application/json", if_absent=True)
