"""What a player is given at each point of a clip's way, and what it can fetch there."""

from __future__ import annotations

from typing import Any

import pytest

from clipstream.common.contracts import keys
from clipstream.common.contracts.ids import VideoId
from corpus.stories import Story
from integration.gateway.conftest import Friends, make_friends
from integration.gateway.world import World

PLAYLIST = b"#EXTM3U\n#EXT-X-VERSION:7\n"


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


@pytest.fixture(scope="module")
async def friends(shared_world: World) -> Friends:
    return await make_friends(shared_world)


async def _ingested(world: World, friends: Friends) -> tuple[VideoId, Story]:
    video_id = await world.uploaded(friends.uploader, friends.stream_id)
    told = await world.story(video_id, friends.stream_id)
    told.ingest()
    for name in ("master.m3u8", "small.m3u8"):
        await world.store.put(keys.provisional(video_id, name), PLAYLIST, content_type="x/y")
    await world.project(*told.told)
    return video_id, told


async def _stream(friends: Friends, video_id: VideoId) -> tuple[int, dict[str, Any]]:
    answer = await friends.viewer.get(f"/videos/{video_id}/stream")
    return answer.status, answer.json


async def test_something_plays_as_soon_as_there_is_something(world: World, friends: Friends) -> None:
    video_id, told = await _ingested(world, friends)
    status, shown = await _stream(friends, video_id)
    assert (status, shown["hls_url"]) == (202, None)
    await world.project(told.playable("rendition"))
    status, shown = await _stream(friends, video_id)
    assert (status, shown["error"]) == (202, "Video still processing")
    assert shown["hls_url"].endswith(f"/{video_id}/provisional/small.m3u8")
    await world.project(told.playable("copy"))
    status, shown = await _stream(friends, video_id)
    assert shown["hls_url"].endswith(f"/{video_id}/provisional/master.m3u8")
    played = await world.nobody.get(shown["hls_url"])
    assert (played.status, played.raw) == (200, PLAYLIST)
    assert played.headers["Content-Type"] == "application/vnd.apple.mpegurl"
    assert played.headers["Cache-Control"] == "private, no-cache", "more is added to it"
    assert (await friends.viewer.get(f"/videos/{video_id}")).json["playable_at"] is None


@pytest.mark.parametrize("who", ["outsider", "revoked"])
async def test_only_for_those_who_may_see_it(world: World, friends: Friends, who: str) -> None:
    video_id, told = await _ingested(world, friends)
    await world.project(told.playable())
    assert (await getattr(friends, who).get(f"/videos/{video_id}/stream")).status == 403
    _, shown = await _stream(friends, video_id)
    token = world.gateway.services.media.token(video_id, user=getattr(friends, who).user_id)
    mine = shown["hls_url"].split("/media/")[1].split("/")[0]
    assert (await world.nobody.get(shown["hls_url"].replace(mine, token))).status == 403


async def test_everything_that_was_made_is_named(world: World, friends: Friends) -> None:
    video_id, told = await _ingested(world, friends)
    names = {"dash_key": "manifest.mpd", "storyboard_key": "storyboard.vtt", "preview_key": "preview.mp4"}
    made = {key: keys.processed(video_id, name) for key, name in names.items()}
    await world.project(told.playable(), told.dedupe(), told.transcode(**made))
    status, shown = await _stream(friends, video_id)
    assert status == 200
    assert {key: shown[f"{key.removesuffix('_key')}_url"].rpartition("/")[2] for key in names} == names
    assert shown["hls_url"].endswith(f"/{video_id}/master.m3u8")


async def test_a_clip_of_an_earlier_version_has_less_to_name(world: World, friends: Friends) -> None:
    video_id = await world.ready(friends.uploader, friends.stream_id)
    _, shown = await _stream(friends, video_id)
    assert (shown["dash_url"], shown["storyboard_url"], shown["preview_url"]) == (None, None, None)


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("provisional/master.m3u8", "application/vnd.apple.mpegurl"),
        ("segments/0a1b/source-00000.m4s", "video/iso.segment"),
        ("segments/0a1b/480p-init.mp4", "video/mp4"),
        ("manifest.mpd", "application/dash+xml"),
        ("storyboard.vtt", "text/vtt; charset=utf-8"),
        ("storyboard.jpg", "image/jpeg"),
        ("preview.mp4", "video/mp4"),
    ],
)
async def test_every_kind_of_file_has_its_type(world: World, friends: Friends, name: str, content_type: str) -> None:
    video_id, told = await _ingested(world, friends)
    await world.store.put(keys.processed(video_id, name), b"some bytes", content_type="text/html")
    await world.project(told.playable())
    _, shown = await _stream(friends, video_id)
    answer = await world.nobody.get(shown["hls_url"].replace("provisional/master.m3u8", name))
    assert (answer.status, answer.raw, answer.headers["Content-Type"]) == (200, b"some bytes", content_type)


async def test_what_ended_badly_plays_no_more(world: World, friends: Friends) -> None:
    video_id, told = await _ingested(world, friends)
    await world.project(told.playable(), told.dedupe(), told.fail("transcode", told.admit()))
    status, shown = await _stream(friends, video_id)
    assert (status, shown["error"], shown.get("hls_url")) == (409, "Video cannot be played", None)


async def test_a_duplicate_plays_what_its_original_has_by_now(world: World, friends: Friends) -> None:
    original, told = await _ingested(world, friends)
    await world.project(told.playable())
    copy, copied = await _ingested(world, friends)
    await world.project(copied.playable(), copied.copy_of(original))
    status, shown = await _stream(friends, copy)
    assert (status, shown["hls_url"].split(f"/{original}/")[1]) == (202, "provisional/master.m3u8")
    assert (await world.nobody.get(shown["hls_url"])).raw == PLAYLIST


@pytest.mark.parametrize(
    ("damaged", "note"),
    [
        (0, None),
        (1, "1 of 1,800 pictures is damaged."),
        (12, "12 of 1,800 pictures are damaged."),
    ],
)
async def test_damage_is_told_in_words(world: World, friends: Friends, damaged: int, note: str | None) -> None:
    video_id, told = await _ingested(world, friends)
    await world.project(told.preview(copied=True), told.dedupe(), told.transcode(pictures=1800, damaged=damaged))
    seen = (await friends.viewer.get(f"/videos/{video_id}/processing")).json
    notes = {row["stage"]: row["note"] for row in seen["stages"]}
    assert (notes["transcode"], notes["preview"], notes["stt"]) == (note, "It is what it is.", None)


async def test_the_picture_of_a_share_is_there_from_the_preview_on(world: World, friends: Friends) -> None:
    video_id, told = await _ingested(world, friends)
    await world.store.put(keys.thumbnail(video_id), b"a poster", content_type="image/jpeg")
    await world.project(told.preview())
    share = (await friends.uploader.post(f"/videos/{video_id}/share", {})).json
    code = share["url"].rpartition("/")[2] if "url" in share else share["share_url"].rpartition("/")[2]
    answer = await world.nobody.get(f"/share/{code}/thumbnail")
    assert (answer.status, answer.raw) == (200, b"a poster")
