"""Stages whose work on one clip is many jobs: how far they are, when they are dead, and what comes of a part that fails."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any, Literal

import pytest

from clipstream.common.bus.port import DeadLetter
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipDeleted, ClipProgress, Event, LongPartPlanned, PartPlanned, Stage
from clipstream.common.contracts.ids import EventId, RunId, VideoId, derived_event_id
from corpus.stories import Story
from fixtures.inbox import Inbox
from integration.gateway.conftest import Friends
from integration.gateway.works import begun, sent, states
from integration.gateway.world import World


@pytest.fixture
async def listening(world: World) -> World:
    world.gateway.progress._listening_since = time.monotonic() - 3600
    return world


async def _hear(world: World, video_id: VideoId, told: Story, *signs: tuple[int, Any, float], parts: int = 4) -> None:
    """Signs of parts: which, in what state, how far."""
    for part, state, fraction in signs:
        await world.gateway.progress.hear(_sign(video_id, told, part, state, fraction, parts))
    await world.gateway.progress.flush()


def _sign(
    video_id: VideoId,
    told: Story,
    part: int,
    state: Literal["started", "running", "retrying"],
    fraction: float,
    parts: int,
    stage: Stage = "transcode",
) -> ClipProgress:
    return ClipProgress(
        video_id=video_id,
        stream_id=told.stream_id,
        stage=stage,
        state=state,
        fraction=fraction,
        run_id=RunId("r"),
        part=part,
        parts=parts,
        note="The disk is full." if state == "retrying" else None,
    )


async def _row(world: World, video_id: VideoId) -> dict[str, Any]:
    return next(dict(row) for row in await world.rows("stages", video_id=video_id) if row["stage"] == "transcode")


async def _lease(world: World, video_id: VideoId) -> timedelta:
    left: timedelta = (await _row(world, video_id))["lease_until"] - await world.pool.fetchval("SELECT now()")
    return left


async def _silence(world: World, video_id: VideoId) -> None:
    where = "WHERE video_id = $1 AND stage = 'transcode'"
    await world.pool.execute(f"UPDATE stages SET lease_until = now() - interval '1 s' {where}", video_id)  # noqa: S608


async def test_a_stage_is_as_far_as_its_parts_are_on_average(world: World, friends: Friends) -> None:
    video_id, told = await begun(world, friends)
    shown = []
    for signs in (
        [(0, "started", 0.0)],
        [(1, "running", 0.5), (2, "running", 0.25)],
        [(1, "running", 0.2)],  # begun anew by somebody else
        [(1, "running", 1.0), (0, "running", 1.0)],
        [(2, "retrying", 0.0)],
        [(2, "running", 1.0), (3, "running", 1.0), (3, "running", 1.0)],
    ):
        await _hear(world, video_id, told, *signs)
        shown.append((await _row(world, video_id))["progress"])
    assert shown == [0.0, 0.1875, 0.1875, 0.5625, 0.5625, 1.0]
    assert (await _row(world, video_id))["parts"] == [1.0] * 4


async def test_who_watches_hears_of_the_whole(world: World, friends: Friends) -> None:
    video_id, told = await begun(world, friends)
    with world.gateway.services.feed.watch_video(video_id) as subscription:
        await _hear(world, video_id, told, (1, "running", 0.5), (2, "running", 0.5))
        _, (tick,) = await subscription.wait(5)
        assert (tick.stage, tick.fraction) == ("transcode", 0.25)


async def test_that_the_parts_are_planned_is_no_progress(world: World, friends: Friends) -> None:
    """The job that plans is over; the stage has only begun."""
    video_id, told = await begun(world, friends)
    with world.gateway.services.feed.watch_video(video_id) as subscription:
        await _hear(world, video_id, told, (0, "started", 0.0), (0, "running", 1.0), parts=1)
        _, (tick,) = await subscription.wait(5)
        assert (tick.stage, tick.fraction) == ("transcode", 0.0)


async def test_between_its_parts_a_stage_waits_and_is_not_dead(listening: World, friends: Friends) -> None:
    world = listening
    video_id, told = await begun(world, friends)
    await _hear(world, video_id, told, (0, "started", 0.0))
    assert (await _row(world, video_id))["state"] == "running"
    assert await _lease(world, video_id) < timedelta(minutes=2)
    await _hear(world, video_id, told, (0, "running", 1.0), (1, "running", 0.1))
    assert (await _row(world, video_id))["state"] == "running", "another one is at it"
    await _hear(world, video_id, told, (1, "running", 1.0))
    assert ((await _row(world, video_id))["state"], (await _row(world, video_id))["attempts"]) == ("queued", 1)
    assert await _lease(world, video_id) > timedelta(minutes=9)
    await _silence(world, video_id)
    await world.gateway.sweeper.revive_stages()
    ((queue, again),) = await sent(world)
    assert (queue, again.type, again.attempt) == ("transcode", "clip.admitted.v1", 1)
    row = await _row(world, video_id)
    assert (row["state"], row["attempts"], row["progress"]) == ("queued", 1, 0.5)


async def test_a_part_that_fell_silent_costs_an_attempt(listening: World, friends: Friends) -> None:
    world = listening
    video_id, told = await begun(world, friends)
    await _hear(world, video_id, told, (0, "running", 0.5))
    await _silence(world, video_id)
    await world.gateway.sweeper.revive_stages()
    ((queue, again),) = await sent(world)
    assert (queue, again.attempt, (await _row(world, video_id))["attempts"]) == ("transcode", 2, 2)


async def test_the_plan_is_made_and_its_parts_wait(world: World, friends: Friends) -> None:
    video_id, told = await begun(world, friends)
    await _hear(world, video_id, told, (0, "started", 0.0), parts=1)
    assert (await _row(world, video_id))["state"] == "running"
    await _hear(world, video_id, told, (0, "running", 1.0), parts=1)
    row = await _row(world, video_id)
    assert (row["state"], row["progress"]) == ("queued", 0.0)
    assert await _lease(world, video_id) > timedelta(minutes=9)
    await _hear(world, video_id, told, (2, "running", 0.5))
    await _hear(world, video_id, told, (0, "started", 0.0), parts=1)  # planned again: what is done stays so
    assert (await _row(world, video_id))["progress"] == 0.125


async def test_a_part_that_is_tried_again_says_why_and_has_time(world: World, friends: Friends) -> None:
    video_id, told = await begun(world, friends)
    await _hear(world, video_id, told, (1, "retrying", 0.0))
    row = await _row(world, video_id)
    assert (row["state"], row["error"]) == ("queued", "The disk is full.")
    assert await _lease(world, video_id) > timedelta(minutes=40)


async def test_a_whole_stage_that_is_begun_anew_begins_at_nothing(world: World, friends: Friends) -> None:
    video_id, told = await begun(world, friends)
    await _hear(world, video_id, told, (1, "running", 1.0), parts=2)
    await world.project(told.fail("transcode", told.admit()))
    await friends.site_admin.post("/admin/processing/retry", {"video_id": str(video_id)})
    row = await _row(world, video_id)
    assert (row["progress"], row["parts"], row["state"]) == (0.0, None, "queued")


def _letter(queue: str, envelope: Envelope) -> DeadLetter:
    return DeadLetter(queue, "delivery_limit", "", envelope, envelope.to_bytes(), {})


@pytest.mark.parametrize(("queue", "kind"), [("transcode.short", PartPlanned), ("transcode.long", LongPartPlanned)])
async def test_a_part_that_kills_its_workers_fails_the_stage(
    world: World, friends: Friends, queue: str, kind: type[PartPlanned]
) -> None:
    video_id, told = await begun(world, friends)
    part = kind(video_id=video_id, stream_id=told.stream_id, plan="p", part=3, parts=9)
    envelope = told.admit().follow(part, stage="transcode", index=3)
    for _ in range(2):
        await world.gateway.dead_letters.handle(_letter(queue, envelope))
    ((_, failed),) = await sent(world)
    assert failed.correlationid == envelope.correlationid
    await world.project(failed)
    assert (await states(friends.viewer, video_id))["transcode"] == "failed"
    shown = (await friends.viewer.get(f"/videos/{video_id}")).json
    assert shown["error"] == "The transcode worker crashed every time it worked on this clip."
    (kept,) = await world.rows("dead_letters")
    assert kept["queue"] == queue


async def test_a_failing_part_of_a_retry_counts_and_one_of_before_does_not(world: World, friends: Friends) -> None:
    video_id, told = await begun(world, friends)
    event = PartPlanned(video_id=video_id, stream_id=told.stream_id, plan="p", part=1, parts=2)
    await world.project(told.fail("transcode", told.admit()))
    await friends.site_admin.post("/admin/processing/retry", {"video_id": str(video_id)})
    again = next(envelope for queue, envelope in await sent(world) if queue == "transcode")
    await world.gateway.dead_letters.handle(_letter("transcode.short", told.admit().follow(event, stage="transcode")))
    await _publish_failures(world)
    assert (await states(friends.viewer, video_id))["transcode"] == "queued"
    await world.gateway.dead_letters.handle(_letter("transcode.short", again.follow(event, stage="transcode")))
    await _publish_failures(world)
    assert (await states(friends.viewer, video_id))["transcode"] == "failed"


async def _publish_failures(world: World) -> None:
    await world.project(*(envelope for _, envelope in await sent(world) if envelope.type == "clip.failed.v1"))


async def test_a_queue_that_only_begins_like_a_stage_fails_none(world: World, friends: Friends) -> None:
    video_id, told = await begun(world, friends)
    gone: Event = ClipDeleted(video_id=video_id, stream_id=told.stream_id)
    event_id = derived_event_id(EventId(video_id), "gateway", gone.type)
    letter = _letter("dedupe.deletions", Envelope.first(gone, event_id=event_id, source="gateway"))
    await world.gateway.dead_letters.handle(letter)
    assert await sent(world) == []


@pytest.mark.parametrize("queue", ["transcode", "stt", "embed"])
async def test_work_that_waited_through_an_upgrade_goes_on(world: World, friends: Friends, queue: str) -> None:
    """Its queue holds the event by which that work was begun before; the worker of this version knows another one."""
    _, told = await begun(world, friends)
    assert told.unique is not None
    await world.gateway.dead_letters.handle(_letter(queue, told.unique))
    ((where, anew),) = await sent(world)
    assert (where, anew.type, anew.id) == (queue, "clip.admitted.v1", told.unique.id)
    assert Envelope.from_bytes(anew.to_bytes()).data.model_dump() == told.unique.data.model_dump()


async def test_workers_are_counted_over_all_queues_of_their_stage(world: World, friends: Friends) -> None:
    await begun(world, friends)
    for _ in range(2):
        await world.bus.consume("transcode.short", [PartPlanned], Inbox[Envelope]())
    await world.bus.consume("transcode.long", [LongPartPlanned], Inbox[Envelope]())
    answer = (await friends.site_admin.get("/processing/queue")).json
    workers = {row["stage"]: row["workers"] for row in answer["stages"]}
    assert (workers["transcode"], workers["stt"]) == (2, 0)
