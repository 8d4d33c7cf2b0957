"""What the runner does around a handler that works, on the in-memory bus and a store on disk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from clipstream.common.contracts import keys
from clipstream.common.contracts.events import (
    ClipIngested,
    ClipRejected,
    Event,
    UploadCompleted,
)
from clipstream.common.contracts.ids import derived_event_id
from clipstream.common.errors import Conflict, Rejected, Transient
from clipstream.common.obs.tracing import Trace
from clipstream.common.stage.context import StageContext
from fixtures import clips
from fixtures.stage import Service, fine, ingested, recorded


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


async def test_answers_stay_in_the_trace_of_their_event(service: Service) -> None:
    await service.run(fine)
    parent = Trace.begin()
    await service.bus.publish(clips.envelope().model_copy(update={"traceparent": str(parent)}))
    trace = Trace.read((await service.next()).traceparent)
    assert trace is not None
    assert trace.trace_id == parent.trace_id
    assert trace.span_id != parent.span_id


async def test_a_second_conditional_write_really_conflicts(service: Service) -> None:
    """What all of this stands on."""
    key = keys.manifest(clips.envelope().data.video_id, "ingest")
    await service.store.put(key, b"{}", content_type="application/json", if_absent=True)
    with pytest.raises(Conflict):
        await service.store.put(key, b"{}", content_type="application/json", if_absent=True)
