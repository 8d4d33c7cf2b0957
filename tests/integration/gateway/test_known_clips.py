"""A clip that its stream has already is refused before a byte of it is sent, where its hash is told."""

from __future__ import annotations

import hashlib
from uuid import UUID

import pytest

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import NotFound
from integration.gateway.conftest import Friends
from integration.gateway.world import FILE, Answer, World

HASH = hashlib.sha256(FILE).hexdigest()


async def _told_of_known(world: World, friends: Friends, sha256: str = HASH) -> Answer:
    body = {"filename": "again.mp4", "size": len(FILE), "sha256": sha256}
    return await friends.creator.post(f"/streams/{friends.stream_id}/videos", body)


@pytest.mark.parametrize("declared", [None, HASH])
async def test_a_clip_that_this_stream_has_is_refused_before_a_byte_is_sent(
    world: World, friends: Friends, declared: str | None
) -> None:
    more = {} if declared is None else {"sha256": declared}
    video_id = await world.uploaded(friends.uploader, friends.stream_id, title="The first", **more)
    refused = await _told_of_known(world, friends)
    assert (refused.status, refused.error) == (409, "Clip already in this stream")
    assert refused.json["video"] == {"id": str(video_id), "title": "The first"}
    assert len(await world.rows("videos")) == 1
    await world.announced(friends.creator, friends.stream_id, filename="a copy on purpose.mp4")


async def test_what_a_stage_found_counts_as_well(world: World, friends: Friends) -> None:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    await world.pool.execute("UPDATE videos SET content_hash = NULL")  # as on a store that does not know it
    assert (await _told_of_known(world, friends, "00" * 32)).status == 201
    told = await world.story(video_id, friends.stream_id)
    unique = told.dedupe()
    content = unique.data.model_copy(update={"content_hash": f"sha256:{HASH}"})
    await world.project(*told.told[:-1], unique.model_copy(update={"data": content}))
    assert (await _told_of_known(world, friends)).status == 409


async def test_only_bytes_that_arrived_count_whatever_was_said_of_them(world: World, friends: Friends) -> None:
    made = await world.announced(friends.uploader, friends.stream_id, sha256=HASH)
    assert (await _told_of_known(world, friends)).status == 201, "its file has not come yet"
    await world.pool.execute("UPDATE videos SET sha256 = $1", "ab" * 32)
    await world.send(made["upload"])
    await friends.uploader.post(f"/videos/{made['id']}/complete")
    assert (await _told_of_known(world, friends, "ab" * 32)).status == 201, "a lie of its uploader"
    await world.pool.execute("UPDATE videos SET status = 'failed' WHERE id = $1", UUID(made["id"]))
    assert (await _told_of_known(world, friends)).status == 201, "one that failed may be sent again"


async def test_what_other_streams_have_makes_no_difference(world: World, friends: Friends) -> None:
    other = await world.stream(friends.outsider)
    await world.uploaded(friends.outsider, other)
    assert (await _told_of_known(world, friends)).status == 201


async def test_another_file_than_the_announced_checksum_is_not_stored(world: World, friends: Friends) -> None:
    made = await world.announced(friends.uploader, friends.stream_id, sha256=HASH)
    answer = await world.send(made["upload"], FILE[::-1])
    assert (answer.status, answer.error) == (400, "Invalid video file")
    with pytest.raises(NotFound):
        await world.store.head(ObjectKey(made["upload"]["key"]))
