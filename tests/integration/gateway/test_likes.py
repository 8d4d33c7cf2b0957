"""Likes: toggled by each member for themselves, however many click at once."""

from __future__ import annotations

import asyncio

import pytest

from clipstream.common.contracts.ids import VideoId
from integration.gateway.conftest import Friends, make_friends
from integration.gateway.world import World


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


@pytest.fixture(scope="module")
async def friends(shared_world: World) -> Friends:
    return await make_friends(shared_world)


@pytest.fixture
async def video_id(world: World, friends: Friends) -> VideoId:
    return await world.uploaded(friends.uploader, friends.stream_id)


async def test_a_like_is_given_and_taken_back(friends: Friends, video_id: VideoId) -> None:
    assert (await friends.viewer.post(f"/videos/{video_id}/like")).json == {"liked": True, "total_likes": 1}
    assert (await friends.creator.get(f"/videos/{video_id}/likes")).json == {"liked": False, "total_likes": 1}
    assert (await friends.creator.post(f"/videos/{video_id}/like")).json == {"liked": True, "total_likes": 2}
    assert (await friends.viewer.post(f"/videos/{video_id}/like")).json == {"liked": False, "total_likes": 1}
    assert (await friends.viewer.get(f"/videos/{video_id}/likes")).json == {"liked": False, "total_likes": 1}
    assert (await friends.creator.get(f"/videos/{video_id}/likes")).json == {"liked": True, "total_likes": 1}


async def test_clicks_of_one_person_at_once_take_turns(friends: Friends, video_id: VideoId) -> None:
    answers = await asyncio.gather(*(friends.viewer.post(f"/videos/{video_id}/like") for _ in range(15)))
    assert {answer.status for answer in answers} == {200}
    assert sorted(answer.json["liked"] for answer in answers) == [False] * 7 + [True] * 8
    assert (await friends.viewer.get(f"/videos/{video_id}/likes")).json == {"liked": True, "total_likes": 1}


async def test_everybody_at_once_is_counted(world: World, friends: Friends, video_id: VideoId) -> None:
    people = [await world.person(f"fan {number}") for number in range(12)]
    for person in people:
        await world.join(friends.stream_id, person, "viewer")
    answers = await asyncio.gather(*(person.post(f"/videos/{video_id}/like") for person in people))
    assert all(answer.json["liked"] for answer in answers)
    assert (await people[0].get(f"/videos/{video_id}/likes")).json == {"liked": True, "total_likes": 12}


async def test_likes_go_with_the_video(world: World, friends: Friends, video_id: VideoId) -> None:
    await friends.viewer.post(f"/videos/{video_id}/like")
    assert (await friends.uploader.ask("DELETE", f"/videos/{video_id}")).status == 204
    assert (await friends.viewer.post(f"/videos/{video_id}/like")).error == "Video not found"
    assert await world.rows("likes", video_id=video_id) == []
