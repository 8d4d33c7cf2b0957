"""Media addresses are good as long as whoever they were made for may see the video, and for seconds more."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from clipstream.common.contracts.ids import VideoId
from clipstream.gateway import watching
from clipstream.gateway.repository import live
from integration.gateway.conftest import Friends, make_friends
from integration.gateway.world import Somebody, World


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


@pytest.fixture(scope="module")
async def friends(shared_world: World) -> Friends:
    return await make_friends(shared_world)


@pytest.fixture
async def video_id(world: World, friends: Friends) -> VideoId:
    return await world.ready(friends.uploader, friends.stream_id)


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept: every request asks the database."""
    monkeypatch.setattr(watching, "KEPT_S", 0.0)


async def _plays(
    world: World, video_id: VideoId, *, user: UUID | None = None, key: UUID | None = None, share: UUID | None = None
) -> int:
    token = world.gateway.services.media.token(video_id, user=user, key=key, share=share)
    return (await world.nobody.get(f"/media/{token}/{video_id}/segments/plan/run/480p.mp4")).status


async def _made_address(who: Somebody, video_id: VideoId) -> str:
    url: str = (await who.get(f"/videos/{video_id}/stream")).json["hls_url"]
    return url


@pytest.mark.usefixtures("forgetful")
async def test_who_is_removed_plays_no_more(world: World, friends: Friends, video_id: VideoId) -> None:
    member = await world.person("soon removed")
    await world.join(friends.stream_id, member, "creator")
    address = await _made_address(member, video_id)
    assert (await world.nobody.get(address)).status == 200
    await world.pool.execute("DELETE FROM members WHERE user_id = $1", member.user_id)
    refused = await world.nobody.get(address)
    assert (refused.status, refused.error) == (403, "Invalid or expired media address")


@pytest.mark.usefixtures("forgetful")
async def test_a_revoked_key_plays_no_more_though_its_user_does(
    world: World, friends: Friends, video_id: VideoId
) -> None:
    program = await world.key(friends.viewer, ["read"])
    theirs, own = await _made_address(program, video_id), await _made_address(friends.viewer, video_id)
    assert (await world.nobody.get(theirs)).status == 200
    await world.pool.execute("UPDATE api_keys SET revoked_at = now() WHERE user_id = $1", friends.viewer.user_id)
    assert (await world.nobody.get(theirs)).status == 403
    assert (await world.nobody.get(own)).status == 200


async def _share(world: World, friends: Friends, video_id: VideoId) -> UUID:
    share_id = uuid4()
    await world.pool.execute(
        "INSERT INTO shares (id, video_id, hash, created_by) VALUES ($1, $2, $3, $4)",
        share_id,
        video_id,
        share_id.bytes,
        friends.uploader.user_id,
    )
    return share_id


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("end", ["revoked_at = now()", "expires_at = now() - interval '1 second'"])
async def test_a_share_plays_until_it_is_revoked_or_expires(
    world: World, friends: Friends, video_id: VideoId, end: str
) -> None:
    share_id = await _share(world, friends, video_id)
    assert await _plays(world, video_id, share=share_id) == 200
    await world.pool.execute(f"UPDATE shares SET {end} WHERE id = $1", share_id)  # noqa: S608
    assert await _plays(world, video_id, share=share_id) == 403


@pytest.mark.usefixtures("forgetful")
async def test_a_share_opens_one_video_and_the_original_of_a_copy(
    world: World, friends: Friends, video_id: VideoId
) -> None:
    other = await world.ready(friends.uploader, friends.stream_id)
    copy = await world.uploaded(friends.uploader, friends.stream_id)
    story = await world.story(copy, friends.stream_id)
    story.copy_of(video_id)
    await world.project(*story.told)
    assert await _plays(world, other, share=await _share(world, friends, video_id)) == 403
    assert await _plays(world, video_id, share=await _share(world, friends, copy)) == 200
    assert await _plays(world, other, share=await _share(world, friends, copy)) == 403


@pytest.mark.usefixtures("forgetful")
async def test_holders_who_never_were(world: World, friends: Friends, video_id: VideoId) -> None:
    assert await _plays(world, video_id, user=uuid4()) == 403
    assert await _plays(world, video_id, user=friends.outsider.user_id) == 403
    assert await _plays(world, video_id, key=uuid4()) == 403
    assert await _plays(world, video_id, share=uuid4()) == 403
    assert await _plays(world, video_id, share=friends.viewer.user_id) == 403, "a user's id is no share"


async def test_segments_in_a_row_ask_once(
    world: World, video_id: VideoId, friends: Friends, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    ask = live.may_watch

    async def counted(*args: object) -> bool:
        nonlocal asked
        asked += 1
        return await ask(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(live, "may_watch", counted)
    monkeypatch.setattr(watching, "KEPT_S", 600.0)
    plays = [_plays(world, video_id, user=friends.viewer.user_id) for _ in range(20)]
    assert await asyncio.gather(*plays) == [200] * 20
    assert asked == 1


def test_an_answer_is_kept_for_seconds_only() -> None:
    assert watching.KEPT_S <= 3


async def test_what_is_remembered_is_bounded(
    world: World, friends: Friends, video_id: VideoId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "REMEMBERED", 5)
    for _ in range(8):
        await _plays(world, video_id, user=uuid4())
    assert len(world.gateway.services.watching._answers) == 5
