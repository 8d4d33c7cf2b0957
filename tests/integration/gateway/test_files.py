"""The file as it was uploaded: ranges and conditions, and only for those who may still see it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from clipstream.common.contracts.ids import VideoId
from clipstream.common.contracts.keys import ObjectKey
from integration.gateway.conftest import Friends, make_friends
from integration.gateway.world import FILE, Answer, Somebody, World

LARGE = bytes(range(256)) * 8192  # 2 MiB: larger than what is answered in one piece


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


@pytest.fixture(scope="module")
async def friends(shared_world: World) -> Friends:
    return await make_friends(shared_world)


@pytest.fixture
async def video_id(world: World, friends: Friends) -> VideoId:
    video_id = await world.ready(friends.uploader, friends.stream_id)
    (row,) = await world.rows("videos", id=video_id)
    await world.store.delete(row["key"])
    await world.store.put(ObjectKey(row["key"]), LARGE, content_type="text/html")
    return video_id


async def _get(who: Somebody, video_id: VideoId, method: str = "GET", **headers: str) -> Answer:
    return await who.ask(method, f"/files/videos/{video_id}/stream", headers=headers)


async def test_it_is_saved_under_its_title_and_never_shown(world: World, friends: Friends, video_id: VideoId) -> None:
    await friends.uploader.ask("PUT", f"/videos/{video_id}", json={"title": "Größe: 9"})
    answer = await _get(friends.viewer, video_id)
    assert (answer.status, answer.raw) == (200, LARGE)
    assert answer.headers["Content-Type"] == "video/mp4"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["Accept-Ranges"] == "bytes"
    disposition = answer.headers["Content-Disposition"]
    assert disposition == "attachment; filename=\"Groe_ 9.mp4\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe_%209.mp4"


@pytest.mark.parametrize(
    ("media", "content_type"),
    [
        ({"container": "matroska,webm", "video": {"width": 1}}, "video/x-matroska"),
        ({"container": "matroska,webm", "video": None}, "audio/x-matroska"),
        ({"container": "flac", "video": None}, "audio/flac"),
        ({"container": "text/html", "video": {"width": 1}}, "application/octet-stream"),
        ({}, "application/octet-stream"),
        (None, "application/octet-stream"),
    ],
)
async def test_its_type_is_what_was_found_in_it(
    world: World, friends: Friends, video_id: VideoId, media: Any, content_type: str
) -> None:
    told = None if media is None else json.dumps(media)
    await world.pool.execute("UPDATE videos SET media = $2::text::jsonb WHERE id = $1", video_id, told)
    assert (await _get(friends.viewer, video_id, "HEAD")).headers["Content-Type"] == content_type


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=1000000-", 1_000_000, None),
        ("bytes=-5", len(LARGE) - 5, None),
        ("bytes=-99999999", 0, None),
        ("bytes=0-1500000", 0, 1_500_001),
        ("bytes=2097151-99999999", len(LARGE) - 1, None),
    ],
)
async def test_a_range(
    world: World, friends: Friends, video_id: VideoId, header: str, start: int, stop: int | None
) -> None:
    answer = await _get(friends.viewer, video_id, Range=header)
    assert (answer.status, answer.raw) == (206, LARGE[start:stop])
    assert answer.headers["Content-Range"] == f"bytes {start}-{(stop or len(LARGE)) - 1}/{len(LARGE)}"
    assert int(answer.headers["Content-Length"]) == len(answer.raw)


@pytest.mark.parametrize(
    "header", ["bytes=0-1,5-6", "bytes=" + ",".join(["0-1"] * 100), "bytes=9-1", "items=0-1", "bytes=x-", "bytes=-"]
)
async def test_what_is_not_one_range_gets_the_whole(
    world: World, friends: Friends, video_id: VideoId, header: str
) -> None:
    answer = await _get(friends.viewer, video_id, Range=header)
    assert (answer.status, len(answer.raw)) == (200, len(LARGE))
    assert "Content-Range" not in answer.headers


@pytest.mark.parametrize("header", ["bytes=2097152-", "bytes=99999999-100000000", "bytes=-0"])
async def test_a_range_outside_of_the_file(world: World, friends: Friends, video_id: VideoId, header: str) -> None:
    answer = await _get(friends.viewer, video_id, Range=header)
    assert (answer.status, answer.error) == (416, "Range not satisfiable")
    assert answer.headers["Content-Range"] == f"bytes */{len(LARGE)}"


async def test_conditions(world: World, friends: Friends, video_id: VideoId) -> None:
    head = await _get(friends.viewer, video_id, "HEAD")
    assert (head.status, head.raw, head.headers["Content-Length"]) == (200, b"", str(len(LARGE)))
    etag = head.headers["ETag"]
    for given in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        answer = await _get(friends.viewer, video_id, **{"If-None-Match": given})
        assert (answer.status, answer.raw, answer.headers["ETag"]) == (304, b"", etag)
    assert (await _get(friends.viewer, video_id, **{"If-None-Match": '"other"'})).status == 200
    part = {"Range": "bytes=0-9"}
    assert (await _get(friends.viewer, video_id, **part, **{"If-Range": etag})).status == 206
    for changed in ('"other"', f"W/{etag}", "Sat, 21 Nov 2026 00:00:00 GMT"):
        assert (await _get(friends.viewer, video_id, **part, **{"If-Range": changed})).status == 200
    assert (await _get(friends.viewer, video_id, "HEAD", **part)).status == 200


async def test_there_is_none_before_it_arrived_and_after_it_is_gone(world: World, friends: Friends) -> None:
    waiting = (await world.announced(friends.uploader, friends.stream_id))["id"]
    assert (await _get(friends.viewer, waiting)).error == "File not found"
    early = await world.uploaded(friends.uploader, friends.stream_id)
    assert (await _get(friends.viewer, early)).raw == FILE
    (row,) = await world.rows("videos", id=early)
    await world.store.delete(row["key"])
    answer = await _get(friends.viewer, early)
    assert (answer.status, answer.error) == (404, "File not found")


async def test_who_is_removed_gets_nothing_more_at_once(world: World, friends: Friends, video_id: VideoId) -> None:
    gone = await world.person("gone")
    await world.join(friends.stream_id, gone, "viewer")
    etag = (await _get(gone, video_id)).headers["ETag"]
    await world.pool.execute("DELETE FROM members WHERE user_id = $1", gone.user_id)
    for headers in ({}, {"Range": "bytes=0-1"}, {"If-None-Match": etag}):
        answer = await _get(gone, video_id, **headers)
        assert (answer.status, answer.error) == (403, "Access denied")
    assert (await gone.get(f"/files/videos/{video_id}/thumbnail")).status == 403


async def test_the_store_is_never_named_to_who_downloads(
    world: World, friends: Friends, video_id: VideoId, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address of the store's would know no name, no type of ours, and nothing of who was removed since."""

    async def address(key: ObjectKey, *, expires_in: timedelta) -> str:
        return f"https://store.example/{key}?for={expires_in.total_seconds():.0f}"

    monkeypatch.setattr(world.store, "presign_get", address)
    answer = await _get(friends.viewer, video_id)
    assert (answer.status, answer.raw) == (200, LARGE)
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["Content-Security-Policy"]
