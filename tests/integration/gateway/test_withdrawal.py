"""What was made so that a clip plays early, and when it is gone: over a disk and over S3, in whatever order things are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import permutations
from typing import TypeAlias

import pytest

from clipstream.common.contracts import keys
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.ids import VideoId
from clipstream.common.errors import Outage
from corpus.stories import Story
from fixtures.inbox import Inbox
from integration.gateway.conftest import Friends, make_friends
from integration.gateway.works import sent
from integration.gateway.world import World

EARLY = (
    "provisional/master.m3u8",
    "segments/0copy/source-init.mp4",
    "segments/0copy/source-00000.m4s",
    "segments/0copy/copy.json",
)
KEPT = ("probe.json", "manifests/preview.json")
Ending: TypeAlias = Callable[[Story, VideoId], Envelope]


async def _wrote(world: World, video_id: VideoId, *names: str) -> None:
    for name in names:
        await world.store.put(keys.processed(video_id, name), b"some bytes", content_type="application/octet-stream")


async def _left(world: World, video_id: VideoId) -> set[str]:
    prefix = keys.processed(video_id)
    return {info.key.removeprefix(prefix) async for info in world.store.list(prefix)}


async def _clip(world: World, friends: Friends) -> tuple[VideoId, Story]:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    await _wrote(world, video_id, *EARLY, *KEPT)
    return video_id, await world.story(video_id, friends.stream_id)


async def _an_hour_later(world: World) -> None:
    await world.pool.execute(
        "UPDATE videos SET purge_at = purge_at - interval '1 h', leftover_since = leftover_since - interval '1 h'"
    )
    await world.gateway.sweeper.sweep()


def _duplicate(told: Story, original: VideoId) -> Envelope:
    return told.copy_of(original)


def _rejected(told: Story, original: VideoId) -> Envelope:
    return told.reject()


ENDINGS: dict[str, Ending] = {"duplicate": _duplicate, "rejected": _rejected}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("order", list(permutations(range(3))), ids=["012", "021", "102", "120", "201", "210"])
async def test_nobody_plays_what_nobody_shall(
    world: World, friends: Friends, ending: str, order: tuple[int, ...]
) -> None:
    original = await world.ready(friends.uploader, friends.stream_id)
    video_id, told = await _clip(world, friends)
    events = (told.preview(copied=True), told.playable(), ENDINGS[ending](told, original))
    await world.project(*(events[place] for place in order), told.ingested or told.ingest())
    await world.gateway.sweeper.sweep()
    assert await _left(world, video_id) == set(KEPT)
    (row,) = await world.rows("videos", id=video_id)
    assert (row["playable"], row["status"]) == (None, ending)
    assert "master.m3u8" in await _left(world, original)


async def test_on_every_store(anywhere: World) -> None:
    friends = await make_friends(anywhere)
    original = await anywhere.ready(friends.uploader, friends.stream_id)
    video_id, told = await _clip(anywhere, friends)
    await anywhere.project(told.playable(), told.copy_of(original))
    await anywhere.gateway.sweeper.sweep()
    assert await _left(anywhere, video_id) == set(KEPT)
    assert "master.m3u8" in await _left(anywhere, original)


async def test_what_a_late_preview_writes_goes_too(world: World, friends: Friends) -> None:
    original = await world.ready(friends.uploader, friends.stream_id)
    video_id, told = await _clip(world, friends)
    await world.project(told.copy_of(original))
    await world.gateway.sweeper.sweep()
    await _wrote(world, video_id, *EARLY)
    await world.project(told.playable())  # it says so
    await world.gateway.sweeper.sweep()
    assert await _left(world, video_id) == set(KEPT)
    await _wrote(world, video_id, *EARLY)  # it died before it could say so
    await world.gateway.sweeper.sweep()
    assert await _left(world, video_id) == {*KEPT, *EARLY}
    for _ in range(2):
        await _an_hour_later(world)
    assert await _left(world, video_id) == set(KEPT)
    (row,) = await world.rows("videos", id=video_id)
    assert row["purge_at"] is None


async def test_a_store_that_is_away_is_asked_again(
    world: World, friends: Friends, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = await world.ready(friends.uploader, friends.stream_id)
    video_id, told = await _clip(world, friends)
    await world.project(told.copy_of(original))

    async def away(_: object) -> None:
        raise Outage("The store does not answer.")

    with monkeypatch.context() as patched:
        patched.setattr(world.store, "delete_prefix", away)
        await world.gateway.sweeper.sweep()
    await world.gateway.sweeper.sweep()
    assert await _left(world, video_id) == set(KEPT)


async def test_a_dismissed_duplicate_can_be_transcoded(world: World, friends: Friends) -> None:
    original = await world.ready(friends.uploader, friends.stream_id)
    video_id, told = await _clip(world, friends)
    await world.project(told.ingest(), told.playable(), told.copy_of(original))
    await world.gateway.sweeper.sweep()
    await friends.site_admin.post(f"/admin/duplicates/{video_id}/dismiss")
    (row,) = await world.rows("videos", id=video_id)
    assert (row["leftover"], row["purge_at"], row["turn"]) == (None, None, "works")
    answer = await friends.viewer.get(f"/videos/{video_id}/stream")
    assert (answer.status, answer.json["hls_url"]) == (202, None), "nothing is promised that is gone"
    made = ("segments/0plan/480p-00000.m4s", "manifests/transcode.json", "master.m3u8")
    await _wrote(world, video_id, *made)
    for _ in range(3):
        await _an_hour_later(world)
    assert await _left(world, video_id) == {*KEPT, *made}
    (key,) = [row["key"] for row in await world.rows("videos", id=video_id)]
    assert (await world.store.head(key)).size_bytes > 0
    admitted = next(
        each for _, each in await sent(world) if each.type == "clip.admitted.v1" and each.data.video_id == video_id
    )
    told.admitted = admitted
    await world.project(told.transcode())
    assert (await friends.viewer.get(f"/videos/{video_id}/stream")).status == 200


@pytest.mark.parametrize("how", ["failed", "cancelled"])
async def test_a_clip_that_ends_badly_keeps_its_parts_for_an_hour(world: World, friends: Friends, how: str) -> None:
    video_id, told = await _clip(world, friends)
    plan = (
        "segments/0plan/plan.json",
        "segments/0plan/parts/1.json",
        "manifests/transcode.json",
        "manifests/transcode-1.json",
    )
    await _wrote(world, video_id, *plan)
    await world.project(told.playable(), told.dedupe())
    body = {"video_id": str(video_id)}
    if how == "failed":
        await world.project(told.fail("transcode", told.admit()))
    else:
        await friends.site_admin.post("/admin/processing/cancel", body)
    await world.gateway.sweeper.sweep()
    assert set(plan) <= await _left(world, video_id)
    await friends.site_admin.post("/admin/processing/retry", body)
    await _an_hour_later(world)
    assert set(plan) <= await _left(world, video_id), "it is worked on again"
    await friends.site_admin.post("/admin/processing/cancel", body)
    await _an_hour_later(world)
    assert await _left(world, video_id) == set(KEPT), "a retry finds no plan whose segments are gone"


async def test_once_everything_is_made_only_the_playlists_of_before_go_and_not_at_once(
    world: World, friends: Friends
) -> None:
    video_id, told = await _clip(world, friends)
    await world.project(told.playable(), told.dedupe(), told.transcode())
    await _wrote(world, video_id, "master.m3u8", "segments/0plan/480p-00000.m4s")
    await world.gateway.sweeper.sweep()
    assert "provisional/master.m3u8" in await _left(world, video_id), "somebody watches it"
    await _an_hour_later(world)
    assert await _left(world, video_id) == {*KEPT, *EARLY[1:], "master.m3u8", "segments/0plan/480p-00000.m4s"}


async def test_a_copy_that_is_no_rendition_goes_with_the_playlists_of_before(world: World, friends: Friends) -> None:
    video_id, told = await _clip(world, friends)
    made = ("segments/0plan/480p-00000.m4s", "segments/0plan/output.json", "master.m3u8")
    await _wrote(world, video_id, *made)
    await world.project(told.playable(), told.transcode(plans=("0plan",)))
    for _ in range(2):
        await _an_hour_later(world)
    assert await _left(world, video_id) == {*KEPT, *made}


async def test_a_transcoded_clip_that_turns_out_to_be_a_copy_keeps_its_renditions(
    world: World, friends: Friends
) -> None:
    original = await world.ready(friends.uploader, friends.stream_id)
    video_id, told = await _clip(world, friends)
    await world.project(told.playable(), told.dedupe(), told.transcode(), told.copy_of(original))
    await _an_hour_later(world)
    assert await _left(world, video_id) == {*KEPT, *EARLY[1:]}


async def test_nobody_works_on_a_clip_while_something_of_it_is_removed(
    world: World, friends: Friends, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what a retried clip has just written would be taken for what it left behind."""
    original = await world.ready(friends.uploader, friends.stream_id)
    video_id, told = await _clip(world, friends)
    await world.project(told.ingest(), told.copy_of(original))
    removing, go_on = Inbox[str](), asyncio.Event()
    really = world.store.delete_prefix

    async def slowly(prefix: str) -> int:
        await removing(prefix)
        await go_on.wait()
        return await really(prefix)

    monkeypatch.setattr(world.store, "delete_prefix", slowly)
    sweeping = asyncio.create_task(world.gateway.sweeper.sweep())
    await removing.next()
    dismissing = asyncio.create_task(friends.site_admin.post(f"/admin/duplicates/{video_id}/dismiss"))
    try:
        done, _ = await asyncio.wait([dismissing], timeout=0.3)
        assert not done
    finally:
        go_on.set()
        await sweeping
    assert (await dismissing).status == 200


async def test_deleting_takes_what_plays_early_as_well(world: World, friends: Friends) -> None:
    video_id, told = await _clip(world, friends)
    await world.project(told.playable())
    assert (await friends.uploader.ask("DELETE", f"/videos/{video_id}")).status == 204
    assert await _left(world, video_id) == set()
    await _wrote(world, video_id, *EARLY)
    await world.project(told.preview(copied=True))
    await world.gateway.sweeper.sweep()
    assert await _left(world, video_id) == set()
