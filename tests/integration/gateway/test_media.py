"""Media by signed path: what is served, to whom, and what is not."""

from __future__ import annotations

import logging
from uuid import UUID, uuid4

import pytest
import structlog

from clipstream.common.contracts import keys
from clipstream.common.contracts.ids import VideoId
from integration.gateway.conftest import Friends, make_friends
from integration.gateway.world import Answer, World

SEGMENT = bytes(range(256)) * 8192  # 2 MiB: larger than what is answered in one piece


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


@pytest.fixture(scope="module")
async def friends(shared_world: World) -> Friends:
    return await make_friends(shared_world)


@pytest.fixture
async def video_id(world: World, friends: Friends) -> VideoId:
    return await world.ready(friends.uploader, friends.stream_id)


def _token(world: World, video_id: UUID) -> str:
    """As the viewer has it."""
    return world.gateway.services.media.token(video_id, user=world.people["viewer"].user_id)


def _address(world: World, video_id: UUID, name: str, token: str | None = None) -> str:
    return f"/media/{token or _token(world, video_id)}/{video_id}/{name}"


async def _get(world: World, video_id: UUID, name: str, **headers: str) -> Answer:
    return await world.nobody.get(_address(world, video_id, name), headers=headers)


@pytest.mark.parametrize(
    ("name", "content_type", "cached"),
    [
        ("master.m3u8", "application/vnd.apple.mpegurl", "private, no-cache"),
        ("segments/plan/run/480p.mp4", "video/mp4", "private, max-age=31536000, immutable"),
        ("captions.vtt", "text/vtt; charset=utf-8", "private, no-cache"),
    ],
)
async def test_files_have_their_types_and_ages(
    world: World, video_id: VideoId, name: str, content_type: str, cached: str
) -> None:
    answer = await _get(world, video_id, name)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == content_type
    assert answer.headers["Cache-Control"] == cached
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    again = await _get(world, video_id, name, **{"If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.raw) == (304, b"")


@pytest.mark.parametrize(
    ("header", "status", "start", "stop"),
    [
        ("bytes=0-9", 206, 0, 10),
        ("bytes=1000000-", 206, 1_000_000, None),
        ("bytes=-5", 206, len(SEGMENT) - 5, None),
        ("bytes=0-1500000", 206, 0, 1_500_001),
        ("bytes=0-1,5-6", 200, 0, None),
    ],
)
async def test_ranges(world: World, video_id: VideoId, header: str, status: int, start: int, stop: int | None) -> None:
    answer = await _get(world, video_id, "segments/plan/run/480p.mp4", Range=header)
    assert (answer.status, answer.raw) == (status, SEGMENT[start:stop])
    if status == 206:
        last = (stop or len(SEGMENT)) - 1
        assert answer.headers["Content-Range"] == f"bytes {start}-{last}/{len(SEGMENT)}"


async def test_a_range_outside_of_the_file(world: World, video_id: VideoId) -> None:
    answer = await _get(world, video_id, "segments/plan/run/480p.mp4", Range="bytes=99999999-")
    assert (answer.status, answer.error) == (416, "Range not satisfiable")
    assert answer.headers["Content-Range"] == f"bytes */{len(SEGMENT)}"


async def test_a_range_of_another_version_is_answered_with_the_whole(world: World, video_id: VideoId) -> None:
    answer = await _get(
        world, video_id, "segments/plan/run/480p.mp4", **{"Range": "bytes=0-1", "If-Range": '"another"'}
    )
    assert (answer.status, len(answer.raw)) == (200, len(SEGMENT))


async def test_head_tells_the_size(world: World, video_id: VideoId) -> None:
    answer = await world.nobody.ask("HEAD", _address(world, video_id, "segments/plan/run/480p.mp4"))
    assert (answer.status, answer.raw, answer.headers["Content-Length"]) == (200, b"", str(len(SEGMENT)))


OUTSIDE = [
    "../master.m3u8",
    "%2e%2e/master.m3u8",
    "segments/../../{other}/master.m3u8",
    "segments/%2e%2e/%2e%2e/{other}/master.m3u8",
    "..%2f{other}%2fmaster.m3u8",
    "..%5c{other}%5cmaster.m3u8",
    "/etc/passwd.mp4",
    "%2fetc%2fpasswd.mp4",
    "%00.m3u8",
    "master.m3u8%00.jpg",
    "master.m3u8%0a",
    "segments//plan/run/480p.mp4",
    "./master.m3u8",
    ".hidden.m3u8",
    "manifests/transcode.json",
    "probe.json",
    "master",
    "master.m3u8/",
    "%ff%fe.m3u8",
    "a" * 2000 + ".m3u8",
    "missing.m3u8",
]


@pytest.mark.parametrize("name", OUTSIDE)
async def test_nothing_but_the_videos_own_media(world: World, friends: Friends, video_id: VideoId, name: str) -> None:
    other = await world.ready(friends.uploader, friends.stream_id)
    token = _token(world, video_id)
    answer = await world.nobody.get(f"/media/{token}/{video_id}/{name.format(other=other)}")
    assert (answer.status, answer.error) in ((404, "Not found"), (403, "Invalid or expired media address"))


@pytest.mark.parametrize(
    "name",
    [
        "segments/a1/plan.json",
        "segments/a1/output.json",
        "segments/a1/copy.json",
        "segments/a1/parts/00001.json",
        "segments/a1/parts/00001-tiles.rgb",
        "output.json",
        "probe.json",
        "manifests/transcode-a1-1.json",
    ],
)
async def test_what_workers_note_is_no_media(world: World, video_id: VideoId, name: str) -> None:
    """It is there, and names keys of the store."""
    await world.store.put(keys.processed(video_id, name), b"{}", content_type="application/json")
    for path in (name, name.upper(), f"{name}?x=.m3u8", f"{name};.m3u8", f"{name}%00.mp4"):
        answer = await world.nobody.get(f"/media/{_token(world, video_id)}/{video_id}/{path}")
        assert (answer.status, answer.error) == (404, "Not found")


@pytest.mark.parametrize("token", ["x", "0.AAAA", "..", "%00", "7fffffff.AAAAAAAAAAAAAAAAAAAAAAAA"])
async def test_no_token_no_media(world: World, video_id: VideoId, token: str) -> None:
    answer = await world.nobody.get(_address(world, video_id, "master.m3u8", token))
    assert answer.status in (403, 404)
    assert b"EXTM3U" not in answer.raw


async def test_a_token_of_another_video_opens_nothing(world: World, friends: Friends, video_id: VideoId) -> None:
    other = await world.ready(friends.uploader, friends.stream_id)
    token = _token(world, other)
    answer = await world.nobody.get(_address(world, video_id, "master.m3u8", token))
    assert (answer.status, answer.error) == (403, "Invalid or expired media address")


@pytest.mark.parametrize("video", ["x", "00000000", "..", "%2e%2e"])
async def test_an_id_that_is_none(world: World, video: str) -> None:
    token = _token(world, uuid4())
    assert (await world.nobody.get(f"/media/{token}/{video}/master.m3u8")).status == 404


async def test_signatures_never_reach_the_log(
    world: World, video_id: VideoId, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    token = _token(world, video_id)
    with structlog.testing.capture_logs() as logged, caplog.at_level(logging.DEBUG):
        await _get(world, video_id, "master.m3u8")
        await _get(world, video_id, "missing.m3u8")
    seen = f"{logged}{caplog.text}{capsys.readouterr()}"
    assert "/media/{token}/{video_id}/{name}" in seen
    assert token not in seen
