"""Copies, cuts, points of view and look-alikes: both ways round, and never across streams."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from clipstream.common.contracts.ids import VideoId
from integration.gateway.conftest import Friends, make_friends
from integration.gateway.world import Somebody, World


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


@pytest.fixture(scope="module")
async def friends(shared_world: World) -> Friends:
    return await make_friends(shared_world)


@pytest.fixture
async def long(world: World, friends: Friends) -> VideoId:
    return await world.ready(friends.uploader, friends.stream_id)


async def match(world: World, video_id: UUID, other_id: UUID, kind: str, **facts: float) -> None:
    known = {"similarity": 0.9} | facts
    names, values = ", ".join(known), ", ".join(f"${n}" for n in range(4, 4 + len(known)))
    await world.pool.execute(
        f"INSERT INTO matches (video_id, other_id, kind, {names}) VALUES ($1, $2, $3, {values})",  # noqa: S608
        video_id,
        other_id,
        kind,
        *known.values(),
    )


async def _answer(who: Somebody, video_id: UUID, what: str) -> Any:
    answer = await who.get(f"/videos/{video_id}/{what}")
    assert answer.status == 200, answer.raw
    return answer.json


async def test_a_cut_is_seen_from_both_sides(world: World, friends: Friends, long: VideoId) -> None:
    cut = await world.ready(friends.creator, friends.stream_id)
    await match(world, cut, long, "trim", start_time=12.5, duration=4.0, similarity=0.97)
    (seen,) = (await _answer(friends.viewer, long, "trimmed"))["trimmed_clips"]
    thumbnail = f"/files/videos/{cut}/thumbnail"
    assert seen == {
        "id": str(cut),
        "title": "clip",
        "start_time": 12.5,
        "duration": 4.0,
        "similarity": 0.97,
        "thumbnail_url": thumbnail,
    }
    other = await _answer(friends.viewer, cut, "trimmed")
    assert other["trimmed_clips"] == []
    (source,) = other["cut_from"]
    assert (source["id"], source["start_time"], source["duration"]) == (str(long), 12.5, 4.0)


async def test_cuts_of_cuts_name_the_longest_first(world: World, friends: Friends, long: VideoId) -> None:
    middle, short = [await world.ready(friends.uploader, friends.stream_id) for _ in range(2)]
    for video_id, seconds in ((long, 60.0), (middle, 20.0), (short, 5.0)):
        await world.pool.execute("UPDATE videos SET duration_s = $2 WHERE id = $1", video_id, seconds)
    await match(world, middle, long, "trim", start_time=10, duration=20)
    await match(world, short, middle, "trim", start_time=1, duration=5)
    await match(world, short, long, "trim", start_time=11, duration=5)
    sources = (await _answer(friends.viewer, short, "trimmed"))["cut_from"]
    assert [source["id"] for source in sources] == [str(long), str(middle)]
    assert [source["start_time"] for source in sources] == [11, 1]


@pytest.mark.parametrize(("what", "kind", "name"), [("trimmed", "trim", "trimmed_clips"), ("pov", "pov", "povs")])
async def test_many_have_pages(world: World, friends: Friends, long: VideoId, what: str, kind: str, name: str) -> None:
    made = [await world.ready(friends.uploader, friends.stream_id) for _ in range(5)]
    for place, video_id in enumerate(made):
        facts = {"start_time": 50.0 - place, "duration": 1.0} if kind == "trim" else {"offset_s": float(place)}
        await match(world, video_id, long, kind, **facts)
    seen: list[str] = []
    page: dict[str, Any] = {"next_cursor": ""}
    while (cursor := page["next_cursor"]) is not None:
        page = await _answer(friends.viewer, long, f"{what}?limit=2{cursor and '&cursor=' + cursor}")
        assert len(page[name]) <= 2
        seen += [item["id"] for item in page[name]]
    assert seen == [str(video_id) for video_id in made[::-1]]


@pytest.mark.parametrize("offset", [2.25, -3.5, 0.0])
async def test_an_offset_has_the_other_sign_from_the_other_side(
    world: World, friends: Friends, long: VideoId, offset: float
) -> None:
    other = await world.ready(friends.creator, friends.stream_id)
    await match(world, long, other, "pov", offset_s=offset, confidence=0.8)
    (here,) = (await _answer(friends.viewer, long, "pov"))["povs"]
    assert (here["id"], here["offset"], here["confidence"]) == (str(other), offset, 0.8)
    assert here["uploaded_by"]["name"] == "creator"
    raw = (await friends.viewer.get(f"/videos/{other}/pov")).raw
    assert b'"offset":-0.0' not in raw
    (there,) = (await _answer(friends.viewer, other, "pov"))["povs"]
    assert (there["id"], there["offset"]) == (str(long), -offset)


async def test_of_two_rows_about_one_pair_the_surer_one_counts(world: World, friends: Friends, long: VideoId) -> None:
    other = await world.ready(friends.creator, friends.stream_id)
    await match(world, long, other, "pov", offset_s=5.0, confidence=0.4)
    await match(world, other, long, "pov", offset_s=-2.0, confidence=0.9)
    for video_id, offset in ((long, 2.0), (other, -2.0)):
        (seen,) = (await _answer(friends.viewer, video_id, "pov"))["povs"]
        assert (seen["offset"], seen["confidence"]) == (offset, 0.9)


async def test_only_verified_rows_and_the_kind_that_was_asked_for(
    world: World, friends: Friends, long: VideoId
) -> None:
    other = await world.ready(friends.creator, friends.stream_id)
    for kind in ("trim", "pov", "duplicate"):
        await match(world, other, long, kind)
        await match(world, long, long, kind, start_time=0, duration=1, offset_s=0)
    assert (await _answer(friends.viewer, long, "trimmed"))["trimmed_clips"] == []
    assert (await _answer(friends.viewer, long, "pov"))["povs"] == []


async def test_what_lies_in_another_stream_is_never_shown(world: World, friends: Friends, long: VideoId) -> None:
    theirs = await world.stream(friends.outsider)
    hidden = await world.ready(friends.outsider, theirs)
    for kind in ("trim", "pov", "similar"):
        for pair in ((hidden, long), (long, hidden)):
            await match(world, *pair, kind, start_time=1, duration=1, offset_s=1)
    trimmed = await _answer(friends.viewer, long, "trimmed")
    assert trimmed == {"trimmed_clips": [], "cut_from": [], "next_cursor": None}
    assert (await _answer(friends.viewer, long, "pov"))["povs"] == []
    assert (await _answer(friends.viewer, long, "timeline"))["trimmed_clips"] == []
    similar = await friends.viewer.get(f"/videos/{long}/similar")
    assert (similar.status, similar.error) == (503, "Search unavailable")  # nothing of our own to show, so it is asked


async def test_a_deleted_video_is_gone_from_every_relation(world: World, friends: Friends, long: VideoId) -> None:
    other = await world.ready(friends.uploader, friends.stream_id)
    await match(world, other, long, "trim", start_time=1, duration=1)
    await match(world, other, long, "pov", offset_s=1)
    await friends.uploader.ask("DELETE", f"/videos/{other}")
    assert (await _answer(friends.viewer, long, "trimmed"))["trimmed_clips"] == []
    assert (await _answer(friends.viewer, long, "pov"))["povs"] == []


async def test_known_look_alikes_are_shown_when_search_is_away(world: World, friends: Friends, long: VideoId) -> None:
    near, far = [await world.ready(friends.uploader, friends.stream_id) for _ in range(2)]
    await match(world, long, far, "similar", similarity=0.6)
    await match(world, near, long, "similar", similarity=0.8)
    await match(world, long, near, "similar", similarity=0.7)
    similar = (await _answer(friends.viewer, long, "similar"))["similar_videos"]
    assert [(video["id"], video["similarity"]) for video in similar] == [(str(near), 0.8), (str(far), 0.6)]
