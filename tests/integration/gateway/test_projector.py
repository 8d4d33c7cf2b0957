"""The projector on a real database: inbox, rows and outbox move together; order and repetition change nothing."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipProgress, UploadCompleted
from clipstream.common.contracts.ids import RunId, VideoId
from clipstream.gateway import commands
from clipstream.gateway.repository import clips
from corpus.stories import Story
from integration.gateway.conftest import Friends
from integration.gateway.world import World, eventually

BOOKKEEPING = {
    "seen_at",
    "id",
    "video_id",
    "key",
    "created_at",
    "changed_at",
    "revision",
    "look_at",
    "queued_at",
    "lease_until",
    "trigger",
    "uniqueness",
    "admitted_at",
    "leftover_since",
    "purge_at",
}


async def _new_clip(world: World, friends: Friends) -> VideoId:
    made = await world.announced(friends.uploader, friends.stream_id)
    return VideoId(UUID(made["id"]))


async def _read_model(world: World, video_id: VideoId) -> dict[str, Any]:
    """Everything that events decide, without the clock's own columns and without the clip's id."""

    def plain(row: Any) -> dict[str, Any]:
        return {name: str(value).replace(str(video_id), "ID") for name, value in row.items() if name not in BOOKKEEPING}

    (video,) = await world.rows("videos", id=video_id)
    stages = sorted(await world.rows("stages", video_id=video_id), key=lambda row: str(row["stage"]))
    return {
        "video": plain(video),
        "stages": [plain(row) | {"triggered": row["trigger"] is not None} for row in stages],
        "matches": [plain(row) for row in await world.rows("matches", video_id=video_id)],
    }


def _tell(told: Story, ending: str, original: VideoId) -> None:
    if ending == "duplicate":
        told.copy_of(original)
    elif ending == "rejected":
        told.reject()
    else:
        told.preview(copied=True)
        told.playable("rendition")
        told.playable()
        told.finish(without=[s for s in ("transcode", "stt", "embed", "search_text") if s in ending])


async def _sent(world: World, kind: str) -> list[dict[str, Any]]:
    """Events of this type that are to be published."""
    bodies = [json.loads(row["body"]) for row in await world.rows("outbox")]
    return [body for body in bodies if body["type"] == kind]


ENDINGS = ["ready", "without stt", "without embed", "without search_text", "without transcode", "duplicate", "rejected"]


async def test_any_order_and_repetition_gives_the_same_rows(world: World, friends: Friends) -> None:
    """Each example is a clip of its own in the same database; ids aside, its rows must be those of the orderly one."""
    original = await _new_clip(world, friends)
    orderly: dict[str, dict[str, Any]] = {}
    for ending in ENDINGS:
        video_id = await _new_clip(world, friends)
        told = await world.story(video_id, friends.stream_id)
        _tell(told, ending, original)
        await world.project(*told.told)
        orderly[ending] = await _read_model(world, video_id)

    async def example(ending: str, order: list[int], again: list[int]) -> None:
        video_id = await _new_clip(world, friends)
        told = await world.story(video_id, friends.stream_id)
        _tell(told, ending, original)
        events = told.told
        shuffled = [events[i % len(events)] for i in order if i < len(events)] + [
            events[i % len(events)] for i in again
        ]
        await world.project(*shuffled)
        assert await _read_model(world, video_id) == orderly[ending]
        ready = [each for each in await _sent(world, "clip.ready.v1") if each["subject"] == str(video_id)]
        assert len(ready) == (1 if orderly[ending]["video"]["status"] == "ready" else 0)

    loop = asyncio.get_running_loop()

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(ENDINGS), st.permutations(range(12)), st.lists(st.integers(0, 11), max_size=4))
    def examples(ending: str, order: list[int], again: list[int]) -> None:
        asyncio.run_coroutine_threadsafe(example(ending, order, again), loop).result(60)

    await asyncio.to_thread(examples)


async def test_the_same_event_eight_times_at_once_has_one_effect(world: World, friends: Friends) -> None:
    video_id = await _new_clip(world, friends)
    told = (await world.story(video_id, friends.stream_id)).finish()
    await world.project(*told.told[:-1])
    await asyncio.gather(*(world.gateway.projector.handle(told.told[-1]) for _ in range(8)))
    (video,) = await world.rows("videos", id=video_id)
    assert video["status"] == "ready"
    assert len(await _sent(world, "clip.ready.v1")) == 1
    assert len(await world.rows("inbox")) == len(told.told)


async def test_all_events_at_once_make_it_ready_once(world: World, friends: Friends) -> None:
    video_id = await _new_clip(world, friends)
    told = (await world.story(video_id, friends.stream_id)).finish()
    await asyncio.gather(*(world.gateway.projector.handle(envelope) for envelope in told.told * 3))
    (video,) = await world.rows("videos", id=video_id)
    assert (video["status"], len(await _sent(world, "clip.ready.v1"))) == ("ready", 1)


async def test_a_failing_write_leaves_nothing_behind(
    world: World, friends: Friends, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inbox, rows and outbox are one transaction: what fails half way is as if it never came, and comes again."""
    video_id = await _new_clip(world, friends)
    told = (await world.story(video_id, friends.stream_id)).finish()
    await world.project(*told.told[:-1])
    before = await _read_model(world, video_id)

    async def broken(*_: object, **__: object) -> int:
        raise RuntimeError("the process died here")

    with monkeypatch.context() as patched:
        patched.setattr(clips, "save", broken)
        with pytest.raises(RuntimeError):
            await world.gateway.projector.handle(told.told[-1])
    assert await _read_model(world, video_id) == before
    assert await _sent(world, "clip.ready.v1") == []
    await world.gateway.projector.handle(told.told[-1])
    assert (await _read_model(world, video_id))["video"]["status"] == "ready"


async def test_events_of_a_video_nobody_knows_change_nothing(world: World, friends: Friends) -> None:
    told = (await world.story(VideoId(uuid4()), friends.stream_id)).finish()
    await world.project(*told.told)
    assert await world.rows("videos") == await world.rows("outbox") == []


async def test_events_of_a_deleted_video_change_nothing_and_leave_nothing(world: World, friends: Friends) -> None:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    told = (await world.story(video_id, friends.stream_id)).finish()
    await world.project(*told.told[1:3])
    assert (await friends.uploader.ask("DELETE", f"/videos/{video_id}")).status == 204
    await world.put_outputs(video_id)  # a worker that did not know
    await world.project(*told.told[3:])
    assert await world.rows("videos") == []
    await world.gateway.sweeper.sweep()
    assert [info.key async for info in world.store.list("")] == []


async def test_a_duplicate_is_linked_to_its_original(world: World, friends: Friends) -> None:
    original, copy = await _new_clip(world, friends), await _new_clip(world, friends)
    told = await world.story(copy, friends.stream_id)
    told.copy_of(original)
    await world.project(*told.told)
    (match,) = await world.rows("matches", video_id=copy)
    assert (match["other_id"], match["kind"], match["similarity"]) == (original, "duplicate", 1.0)


async def test_a_finished_stage_is_watched_no_longer(world: World, friends: Friends) -> None:
    video_id = await _new_clip(world, friends)
    told = await world.story(video_id, friends.stream_id)
    told.dedupe()
    await world.project(*told.told)
    leases = {row["stage"]: row["lease_until"] for row in await world.rows("stages", video_id=video_id)}
    assert {stage for stage, lease in leases.items() if lease is not None} == {"preview", "transcode", "stt", "embed"}


async def test_the_whole_way_over_the_bus(world: World, friends: Friends) -> None:
    """Commands and projections through outbox, relay and bus, with a stage of the test's own in between."""
    heard: list[Envelope] = []

    async def ingest(envelope: Envelope) -> None:
        heard.append(envelope)
        story = Story(envelope.data.video_id, envelope.data.stream_id)
        story.upload = envelope
        await world.bus.publish(story.reject("This is no clip."))

    async with world.running():
        await world.bus.consume("ingest", [UploadCompleted], ingest)
        video_id = await world.uploaded(friends.uploader, friends.stream_id)

        async def rejected() -> bool:
            return bool((await friends.viewer.get(f"/videos/{video_id}")).json["status"] == "rejected")

        await eventually(rejected)
        assert (await friends.viewer.get(f"/videos/{video_id}")).json["error"] == "This is no clip."
        assert len(heard) == 1


async def test_progress_is_a_heartbeat_by_the_databases_clock(world: World, friends: Friends) -> None:
    video_id = await _new_clip(world, friends)
    told = await world.story(video_id, friends.stream_id)
    told.dedupe()
    await world.project(*told.told)

    async def hear(state: Any, fraction: float, attempt: int = 1, note: str | None = None) -> dict[str, Any]:
        event = ClipProgress(
            video_id=video_id,
            stream_id=told.stream_id,
            stage="transcode",
            state=state,
            fraction=fraction,
            attempt=attempt,
            run_id=RunId("r"),
            note=note,
        )
        await world.gateway.progress.hear(event)
        await world.gateway.progress.flush()
        return next(dict(r) for r in await world.rows("stages", video_id=video_id) if r["stage"] == "transcode")

    started = await hear("started", 0)
    assert (started["state"], started["attempts"]) == ("running", 1)
    assert abs((started["heartbeat_at"] - await world.pool.fetchval("SELECT now()")).total_seconds()) < 5
    assert (await hear("running", 0.5))["progress"] == 0.5
    assert (await hear("running", 0.25))["progress"] == 0.5, "progress never goes back within an attempt"
    retrying = await hear("retrying", 0, note="the disk was\x00 full")
    assert (retrying["state"], retrying["error"]) == ("queued", "the disk was full")
    assert (await hear("started", 0, attempt=2))["attempts"] == 2
    await world.project(told.transcode())
    late = await hear("running", 0.7, attempt=2)
    assert (late["state"], late["progress"], late["error"]) == ("done", 1.0, None)


async def test_announcing_by_hand_and_by_scan_is_one_event(world: World, friends: Friends) -> None:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    (row,) = await world.rows("videos", id=video_id)
    stored = await world.store.head(row["key"])
    async with world.pool.acquire() as connection, connection.transaction():
        again = await commands.announce(
            connection,
            world.gateway.projector,
            stored,
            video_id=video_id,
            stream_id=row["stream_id"],
            bucket=world.store.bucket,
            by="scan",
        )
    assert not again
    assert len(await world.rows("outbox")) == 1
