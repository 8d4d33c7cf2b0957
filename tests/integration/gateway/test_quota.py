"""Bounds of what one user and one stream may store: held in a race, given back by whatever ends a clip."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from clipstream.common.contracts.envelope import Envelope
from clipstream.gateway.clip import STAGES
from integration.gateway.conftest import Friends, make_friends
from integration.gateway.world import FILE, Answer, Somebody, World, serving, settings

SIZE = len(FILE)


@pytest.fixture
async def world(request: pytest.FixtureRequest, gateway_database: str, tmp_path: Path) -> AsyncIterator[World]:
    """A gateway with the bounds that the test is given as its parameter."""
    async with serving(settings(gateway_database, tmp_path, **request.param)) as made:
        yield made


@pytest.fixture
async def friends(world: World) -> Friends:
    return await make_friends(world)


async def _add(who: Somebody, stream_id: str, size: int = SIZE) -> Answer:
    return await who.post(f"/streams/{stream_id}/videos", {"filename": "clip.mp4", "size": size})


ONE_USER = {"user_quota": 3 * SIZE}
ONE_STREAM = {"stream_quota": 3 * SIZE}
either = pytest.mark.parametrize("world", [ONE_USER, ONE_STREAM], indirect=True, ids=["user", "stream"])
of_users = pytest.mark.parametrize("world", [ONE_USER], indirect=True)


@either
async def test_what_does_not_fit_is_refused_in_words(world: World, friends: Friends) -> None:
    for _ in range(3):
        assert (await _add(friends.uploader, friends.stream_id)).status == 201
    refused = await _add(friends.uploader, friends.stream_id, 1)
    assert (refused.status, refused.error) == (507, "Storage quota exceeded")
    (detail,) = refused.json["details"]
    assert detail.endswith(f"clips take {3 * SIZE}B of {3 * SIZE}B; this one has 1B")
    assert len(await world.rows("videos")) == 3


@either
async def test_at_the_limit_a_race_admits_no_more_than_fit(world: World, friends: Friends) -> None:
    answers = await asyncio.gather(*(_add(friends.uploader, friends.stream_id) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [201] * 3 + [507] * 17


async def _all_of_it(world: World, friends: Friends) -> list[str]:
    return [(await world.announced(friends.uploader, friends.stream_id))["id"] for _ in range(3)]


@either
async def test_deleting_gives_it_back(world: World, friends: Friends) -> None:
    ids = await _all_of_it(world, friends)
    assert (await friends.uploader.ask("DELETE", f"/videos/{ids[0]}")).status == 204
    assert (await _add(friends.uploader, friends.stream_id, SIZE + 1)).status == 507
    assert (await _add(friends.uploader, friends.stream_id)).status == 201


@either
async def test_an_upload_that_never_came_gives_it_back(world: World, friends: Friends) -> None:
    await _all_of_it(world, friends)
    await world.pool.execute("UPDATE videos SET look_at = now(), seen_at = now() - interval '25 hours'")
    await world.gateway.sweeper.sweep()
    assert (await _add(friends.uploader, friends.stream_id, 3 * SIZE)).status == 201


@either
async def test_a_refused_file_that_is_there_counts(world: World, friends: Friends) -> None:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    await world.project((await world.story(video_id, friends.stream_id)).reject())
    assert (await _add(friends.uploader, friends.stream_id, 2 * SIZE + 1)).status == 507
    assert (await _add(friends.uploader, friends.stream_id, 2 * SIZE)).status == 201


@either
async def test_what_was_made_of_a_clip_counts_too(world: World, friends: Friends) -> None:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    told = await world.story(video_id, friends.stream_id)
    transcoded = told.transcode()
    body = json.loads(transcoded.to_bytes())
    body["data"]["stored_bytes"] = SIZE + 1
    await world.project(*told.told[:-1], Envelope.from_bytes(json.dumps(body).encode()))
    (row,) = await world.rows("videos")
    assert (row["size_bytes"], row["stored_bytes"]) == (SIZE, SIZE + 1)
    assert (await _add(friends.uploader, friends.stream_id)).status == 507
    assert (await _add(friends.uploader, friends.stream_id, SIZE - 1)).status == 201


async def _by_form(who: Somebody, stream_id: str, body: bytes) -> Answer:
    form = aiohttp.FormData()
    form.add_field("file", body, filename="clip.mp4", content_type="video/mp4")
    return await who.ask("POST", f"/streams/{stream_id}/videos", data=form)


@pytest.mark.parametrize("world", [{"user_quota": 10_000}], indirect=True)
async def test_a_form_counts_as_what_really_arrived(world: World, friends: Friends) -> None:
    assert (await _by_form(friends.uploader, friends.stream_id, b"x" * 9_000)).status == 201
    assert (await _by_form(friends.uploader, friends.stream_id, b"x" * 1_001)).status == 507
    assert len(await world.rows("videos")) == 1
    assert (await _add(friends.uploader, friends.stream_id, 1_001)).status == 507
    assert (await _add(friends.uploader, friends.stream_id, 1_000)).status == 201


@of_users
async def test_one_users_bound_is_nobody_elses(world: World, friends: Friends) -> None:
    await _all_of_it(world, friends)
    other = await world.stream(friends.uploader)
    assert (await _add(friends.uploader, other)).status == 507
    assert (await _add(friends.creator, friends.stream_id)).status == 201


@pytest.mark.parametrize("world", [{"max_open_uploads": 3}], indirect=True)
async def test_only_so_many_may_wait_for_their_files(world: World, friends: Friends) -> None:
    made = [await world.announced(friends.uploader, friends.stream_id) for _ in range(3)]
    refused = await _add(friends.uploader, friends.stream_id)
    assert (refused.status, refused.error) == (429, "Too many open uploads")
    assert int(refused.headers["Retry-After"]) > 0
    assert len(await world.rows("videos")) == 3
    assert len(await world.rows("stages")) == 3 * len(STAGES)
    assert (await _by_form(friends.uploader, friends.stream_id, FILE)).status == 429
    assert (await _add(friends.creator, friends.stream_id)).status == 201
    await world.send(made[0]["upload"])
    await friends.uploader.post(f"/videos/{made[0]['id']}/complete")
    assert (await _add(friends.uploader, friends.stream_id)).status == 201
