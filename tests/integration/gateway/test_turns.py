"""Whose turn it is: a few clips of each user at once, the others in the order they came, whoever lets them in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from clipstream.common.contracts.control import StopOrder
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import PartPlanned
from clipstream.common.contracts.ids import VideoId
from clipstream.gateway.clip import Clip
from clipstream.gateway.repository import clips
from corpus.stories import Story
from fixtures.inbox import Inbox
from integration.gateway.conftest import Friends, make_friends
from integration.gateway.works import sent, states
from integration.gateway.world import Somebody, World, serving, settings

MOST = 2


@pytest.fixture
async def world(gateway_database: str, tmp_path: Path) -> AsyncIterator[World]:
    async with serving(settings(gateway_database, tmp_path, max_active_clips_per_user=MOST)) as made:
        yield made


@pytest.fixture
async def another(world: World, gateway_database: str, tmp_path: Path) -> AsyncIterator[World]:
    """A second gateway of the same place."""
    async with serving(settings(gateway_database, tmp_path, max_active_clips_per_user=MOST)) as made:
        yield made


async def _unique(world: World, friends: Friends, who: Somebody | None = None) -> Story:
    """A clip that dedupe has just found to be new; nobody was told yet."""
    video_id = (await world.announced(who or friends.uploader, friends.stream_id))["id"]
    told = await world.story(VideoId(UUID(video_id)), friends.stream_id)
    told.ingest()
    told.dedupe()
    return told


async def _many(world: World, friends: Friends, count: int) -> list[Story]:
    """Clips in the order they came, all told of."""
    stories = [await _unique(world, friends) for _ in range(count)]
    for number, told in enumerate(stories):
        upload = told.told[0]
        told.told[0] = upload.model_copy(update={"time": upload.time + timedelta(milliseconds=number)})
    for told in stories:
        await world.project(*told.told)
    return stories


async def _turns(world: World, stories: list[Story]) -> list[str | None]:
    rows = {row["id"]: row["turn"] for row in await world.rows("videos")}
    return [rows[told.video_id] for told in stories]


async def _admissions(world: World) -> list[VideoId]:
    return [each.data.video_id for _, each in await sent(world) if each.type == "clip.admitted.v1"]


async def _most_at_once(world: World) -> int:
    counts = await world.pool.fetch("SELECT count(*) AS n FROM videos WHERE turn = 'works' GROUP BY uploader_id")
    return max((row["n"] for row in counts), default=0)


async def test_a_new_clip_goes_on_at_once_where_there_is_room(world: World, friends: Friends) -> None:
    told = await _unique(world, friends)
    await world.project(*told.told)
    ((queue, admitted),) = [each for each in await sent(world) if each[1].type == "clip.admitted.v1"]
    assert told.unique is not None
    assert (queue, admitted.causationid, admitted.correlationid) == (None, told.unique.id, told.unique.correlationid)
    assert admitted.id == told.admit().id
    await world.project(*told.told)  # everything again, and its own event as the bus brings it
    assert len(await _admissions(world)) == 1


async def test_one_users_many_never_hold_up_anothers_one(world: World, friends: Friends) -> None:
    stories = await _many(world, friends, 20)
    assert await _turns(world, stories) == ["works"] * MOST + ["waits"] * 18
    other = await _unique(world, friends, friends.creator)
    await world.project(*other.told)
    assert await _turns(world, [other]) == ["works"]


async def test_the_next_one_is_who_came_first(world: World, friends: Friends) -> None:
    stories = await _many(world, friends, 5)
    await world.project(stories[1].transcode())
    assert await _turns(world, stories) == ["works", None, "works", "waits", "waits"]
    assert await _admissions(world) == [told.video_id for told in stories[:3]]


@pytest.mark.parametrize("how", ["failed", "cancelled", "deleted", "duplicate", "rejected", "stream deleted"])
async def test_whatever_ends_a_clip_lets_the_next_one_in(world: World, friends: Friends, how: str) -> None:
    elsewhere = await world.stream(friends.uploader)
    going = await world.announced(friends.uploader, elsewhere)
    told = await world.story(VideoId(UUID(going["id"])), elsewhere)
    told.dedupe()
    await world.project(*told.told)
    stories = await _many(world, friends, 3)
    assert await _turns(world, [told, *stories]) == ["works", "works", "waits", "waits"]
    if how == "failed":
        await world.project(told.fail("transcode", told.admit()))
    elif how == "cancelled":
        await friends.site_admin.post("/admin/processing/cancel", {"video_id": str(told.video_id)})
    elif how == "deleted":
        assert (await friends.uploader.ask("DELETE", f"/videos/{told.video_id}")).status == 204
    elif how == "stream deleted":
        assert (await friends.uploader.ask("DELETE", f"/streams/{elsewhere}")).status == 204
    elif how == "duplicate":
        await world.project(told.copy_of(stories[0].video_id))
    else:
        await world.project(told.reject())
    assert await _turns(world, stories) == ["works", "works", "waits"]


async def test_two_gateways_at_once_let_in_no_more_and_no_fewer(world: World, another: World, friends: Friends) -> None:
    """Every event comes to one of the two, several at a time, while clips end and others are deleted."""
    stories = [await _unique(world, friends) for _ in range(12)]
    gateways = (world.gateway.dispatcher, another.gateway.dispatcher)
    most = 0

    async def live(number: int, told: Story) -> None:
        nonlocal most
        for place, envelope in enumerate(told.told):
            await gateways[(number + place) % 2].handle(envelope)
        most = max(most, await _most_at_once(world))

    async with asyncio.timeout(60):
        await asyncio.gather(*(live(number, told) for number, told in enumerate(stories)))
        while "works" in (turns := await _turns(world, stories)):
            assert turns.count("works") == min(MOST, sum(turn is not None for turn in turns))
            working = [told for told, turn in zip(stories, turns, strict=True) if turn == "works"]
            told_twice = [(told.admit(), told.transcode())[1] for told in working]
            await asyncio.gather(
                *(gateway.handle(each) for each in told_twice for gateway in gateways),
                *(gateway.sweep() for gateway in gateways),
            )
            most = max(most, await _most_at_once(world))
    assert most == MOST
    assert sorted(await _admissions(world)) == sorted(told.video_id for told in stories)


async def test_a_gateway_that_has_chosen_is_waited_for(
    world: World, another: World, friends: Friends, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is one place left. One gateway has chosen for it when somebody who came earlier begins to wait at the other."""
    early = await _unique(world, friends)
    stories = await _many(world, friends, MOST - 1)
    chosen, go_on, really = asyncio.Event(), asyncio.Event(), clips.lock

    async def slowly(connection: asyncpg.Connection, video_id: UUID) -> Clip | None:
        if not chosen.is_set():
            chosen.set()
            await go_on.wait()
        return await really(connection, video_id)

    late = await _unique(world, friends)
    late.told[0] = late.told[0].model_copy(update={"time": late.told[0].time + timedelta(hours=1)})
    for envelope in late.told:
        await world.gateway.projector.handle(envelope)
    monkeypatch.setattr(clips, "lock", slowly)
    first = asyncio.create_task(world.gateway.dispatcher.sweep())
    try:
        await chosen.wait()
        second = asyncio.create_task(another.project(*early.told))
        await asyncio.wait([second], timeout=0.3)
    finally:
        go_on.set()
        await first
    await second
    assert await _turns(world, [*stories, late, early]) == ["works"] * MOST + ["waits"]


async def test_the_sweeper_lets_in_what_a_dying_process_left(world: World, friends: Friends) -> None:
    told = await _unique(world, friends)
    for envelope in told.told:
        await world.gateway.projector.handle(envelope)  # and there it died
    assert await _turns(world, [told]) == ["waits"]
    assert await world.gateway.dispatcher.sweep() == 1
    assert await _turns(world, [told]) == ["works"]
    assert await world.gateway.dispatcher.sweep() == 0


async def test_an_event_that_comes_again_makes_up_for_what_was_left_undone(world: World, friends: Friends) -> None:
    told = await _unique(world, friends)
    for envelope in told.told:
        await world.gateway.projector.handle(envelope)
    await world.project(told.told[-1])
    assert await _turns(world, [told]) == ["works"]


async def test_a_waiting_clip_says_so_and_is_not_swept(world: World, friends: Friends) -> None:
    stories = await _many(world, friends, MOST + 1)
    waiting = stories[-1].video_id
    await world.pool.execute("DELETE FROM outbox")
    await world.pool.execute(
        "UPDATE stages SET lease_until = now() WHERE lease_until IS NOT NULL AND video_id = $1", waiting
    )
    await world.gateway.sweeper.revive_stages()
    assert {queue for queue, _ in await sent(world)} == {"preview"}
    seen = (await friends.viewer.get(f"/videos/{waiting}/processing")).json
    transcode = next(row for row in seen["stages"] if row["stage"] == "transcode")
    assert (transcode["state"], transcode["attempts"]) == ("queued", 0)
    assert transcode["note"] == "It waits for its turn: only so many clips of one uploader are worked on at once."
    assert seen["estimated_time"]
    shown = (await friends.site_admin.get("/processing/queue?stage=transcode")).json
    assert (shown["queue_length"] > MOST, len(shown["jobs"])) == (True, MOST + 1)


async def test_retries_wait_for_their_turn_too(world: World, friends: Friends) -> None:
    stories = await _many(world, friends, MOST + 1)
    failed = stories[0]
    await world.project(failed.fail("transcode", failed.admit()))
    assert await _turns(world, stories) == [None, "works", "works"]
    await world.pool.execute("DELETE FROM outbox")
    answer = await friends.site_admin.post("/admin/processing/retry", {"video_id": str(failed.video_id)})
    assert answer.json["retried"] == 1
    assert await sent(world) == []
    assert await _turns(world, stories) == ["waits", "works", "works"]
    row = await _stage(world, failed.video_id)
    assert (row["held"], row["lease_until"], row["queued_at"]) == (True, None, None)
    await world.project(stories[1].transcode())
    ((_, again),) = [each for each in await sent(world) if each[0] == "transcode"]
    assert again.id == UUID(json.loads(row["trigger"])["id"])
    row = await _stage(world, failed.video_id)
    assert (row["held"], row["lease_until"] is None, row["state"]) == (False, False, "queued")
    failed.admitted = again
    await world.project(failed.transcode())
    assert (await states(friends.viewer, failed.video_id))["transcode"] == "done"


async def test_a_cancelled_clip_that_comes_back_waits_as_a_whole(world: World, friends: Friends) -> None:
    stories = await _many(world, friends, MOST + 1)
    body = {"video_id": str(stories[0].video_id)}
    await friends.site_admin.post("/admin/processing/cancel", body)
    await world.pool.execute("DELETE FROM outbox")
    assert (await friends.site_admin.post("/admin/processing/retry", body)).json["retried"] == 4
    assert {queue for queue, _ in await sent(world)} == {"preview"}
    await world.project(stories[1].transcode())
    assert {queue for queue, _ in await sent(world) if queue} == {"preview", "transcode", "stt", "embed"}


async def test_a_dismissed_duplicate_waits_for_its_turn(world: World, friends: Friends) -> None:
    stories = await _many(world, friends, MOST)
    video_id = VideoId(UUID((await world.announced(friends.uploader, friends.stream_id))["id"]))
    copy = await world.story(video_id, friends.stream_id)
    copy.copy_of(stories[0].video_id)
    await world.project(*copy.told)
    await friends.site_admin.post(f"/admin/duplicates/{video_id}/dismiss")
    assert await _turns(world, [copy]) == ["waits"]
    await world.project(stories[0].transcode())
    assert await _turns(world, [copy]) == ["works"]


async def test_what_an_essential_stage_fails_of_stops_all_its_parts(world: World, friends: Friends) -> None:
    told = await _unique(world, friends)
    await world.project(*told.told)
    orders = Inbox[StopOrder]()
    await world.bus.consume_stops(orders)
    about: dict[str, Any] = {"video_id": told.video_id, "stream_id": told.stream_id}
    part: Envelope = told.admit().follow(PartPlanned(**about, plan="p", part=1, parts=3), stage="transcode")
    await world.project(told.fail("stt", told.told[-1]), told.fail("transcode", part, error="The file ends too early."))
    order = await orders.next()
    assert order == StopOrder(video_id=told.video_id, stage="transcode", chains=(part.correlationid,))
    assert orders.empty()
    await friends.site_admin.post("/admin/processing/retry", {"video_id": str(told.video_id), "stage": "transcode"})
    again = next(each for queue, each in await sent(world) if queue == "transcode")
    assert again.correlationid not in order.chains


async def _stage(world: World, video_id: VideoId, stage: str = "transcode") -> dict[str, Any]:
    return next(dict(row) for row in await world.rows("stages", video_id=video_id) if row["stage"] == stage)


async def test_a_hundred_at_once_beside_one(world: World, friends: Friends) -> None:
    """As the bus brings them, sixteen at a time."""
    people = await make_friends(world)
    stories = [await _unique(world, people) for _ in range(100)]
    other = await _unique(world, people, people.creator)
    limit = asyncio.Semaphore(16)

    async def tell(envelope: Envelope) -> None:
        async with limit:
            await world.gateway.dispatcher.handle(envelope)

    await asyncio.gather(*(tell(each) for told in [*stories[:60], other, *stories[60:]] for each in told.told))
    turns = await _turns(world, stories)
    assert (turns.count("works"), turns.count("waits"), await _turns(world, [other])) == (MOST, 100 - MOST, ["works"])
