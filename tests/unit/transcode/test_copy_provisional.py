"""Playlists that grow while chunks are made: never a hole, never an old word last, an end once all is there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import m3u8
import pytest

from clipstream.common.contracts import keys
from clipstream.common.contracts.ids import VideoId
from clipstream.common.store.disk.store import DiskStore
from clipstream.transcode.made import PartMade, Segment, SourceCopy, Track
from clipstream.transcode.planned import ChunkPlan, Plan, Rendition, init_file, segment_file
from clipstream.transcode.publishing.provisional import write_growing
from fixtures.clips import MEDIA

VIDEO = VideoId(uuid4())
PLAN = Plan(
    plan_id="abc",
    source_key=keys.original(VIDEO),
    media=MEDIA,
    origin_s=0.0,
    duration_s=30.0,
    max_duration_s=60.0,
    rate=(60, 1),
    preset="ultrafast",
    renditions=(
        Rendition(name="720p", width=1280, height=720, max_bit_rate=1),
        Rendition(name="480p", width=854, height=480, max_bit_rate=1),
    ),
    source=SourceCopy(verdict="no"),
    chunks=tuple(
        ChunkPlan(
            number=n + 1,
            from_s=10.0 * n,
            first_slot=600 * n,
            end_slot=600 * (n + 1) if n < 2 else None,
            gops=tuple(600 * n + g for g in (0, 150, 300, 450)),
            segments=(0, 2),
            first_segment=2 * n,
        )
        for n in range(3)
    ),
)


def track(name: str, first: int, count: int, each_s: float, kind: str = "video") -> Track:
    segments = tuple(
        Segment(
            file=segment_file(name, first + n),
            start=round((first + n) * each_s * 1000),
            duration=round(each_s * 1000),
            size_bytes=100_000,
        )
        for n in range(count)
    )
    return Track(
        name=name,
        kind="audio" if kind == "audio" else "video",
        codec="mp4a.40.2" if kind == "audio" else "avc1.640020",
        timescale=1000,
        init_file=init_file(name),
        segments=segments,
        width=0 if kind == "audio" else 854,
        height=0 if kind == "audio" else 480,
        frame_rate=0.0 if kind == "audio" else 60.0,
        channels=2 if kind == "audio" else 0,
    )


def chunk(number: int) -> PartMade:
    return PartMade(tracks=tuple(track(name, 2 * (number - 1), 2, 5.0) for name in ("720p", "480p")))


SOUND = PartMade(
    tracks=(
        track("audio-2", 0, 8, 4.0, "audio").model_copy(update={"default": False}),
        track("audio-1", 0, 8, 4.0, "audio"),
    )
)
DONE = {0: SOUND, 1: chunk(1), 2: chunk(2), 3: chunk(3)}


async def grown(store: DiskStore, *numbers: int) -> dict[str, m3u8.M3U8]:
    async def parts() -> Mapping[int, PartMade]:
        return {number: DONE[number] for number in numbers}

    await write_growing(store, VIDEO, PLAN, parts)
    return await written(store)


async def written(store: DiskStore) -> dict[str, m3u8.M3U8]:
    prefix = keys.provisional(VIDEO)
    return {
        info.key.removeprefix(prefix): m3u8.loads((await store.get(info.key)).decode())
        async for info in store.list(prefix)
    }


@pytest.mark.parametrize("numbers", [(), (0,), (1,), (1, 2, 3), (0, 2, 3)], ids=str)
async def test_nothing_is_playable_before_the_first_chunk_and_the_sound(
    disk_store: DiskStore, numbers: tuple[int, ...]
) -> None:
    assert await grown(disk_store, *numbers) == {}


async def test_the_beginning_is_playable_as_an_event(disk_store: DiskStore) -> None:
    playlists = await grown(disk_store, 0, 1, 3)
    assert set(playlists) == {"master.m3u8", "480p.m3u8", "audio-1.m3u8"}
    picture = playlists["480p.m3u8"]
    assert [segment.uri for segment in picture.segments] == [f"../segments/abc/480p-0000{n}.m4s" for n in range(2)]
    assert picture.segment_map[0].uri == "../segments/abc/480p-init.mp4"
    assert (picture.playlist_type, picture.is_endlist, picture.target_duration) == ("event", False, 5)
    assert [segment.duration for segment in playlists["audio-1.m3u8"].segments] == [4.0] * 3
    assert not playlists["audio-1.m3u8"].is_endlist
    [variant] = playlists["master.m3u8"].playlists
    assert variant.stream_info.codecs == "avc1.640020,mp4a.40.2"
    assert variant.stream_info.resolution == (854, 480)
    assert playlists["master.m3u8"].iframe_playlists == []


async def test_it_ends_with_the_last_chunk(disk_store: DiskStore) -> None:
    before = await grown(disk_store, 0, 1)
    after = await grown(disk_store, 0, 1, 2, 3)
    for name in ("480p.m3u8", "audio-1.m3u8"):
        assert after[name].is_endlist
        assert after[name].target_duration == before[name].target_duration
    assert len(after["480p.m3u8"].segments) == 6
    assert len(after["audio-1.m3u8"].segments) == 8


async def test_who_has_written_looks_again(disk_store: DiskStore) -> None:
    seen = [{0, 1}, {0, 1, 2}, {0, 1, 2, 3}]

    async def parts() -> Mapping[int, PartMade]:
        return {number: DONE[number] for number in (seen.pop(0) if len(seen) > 1 else seen[0])}

    assert await write_growing(disk_store, VIDEO, PLAN, parts) == keys.provisional(VIDEO, "master.m3u8")
    assert (await written(disk_store))["480p.m3u8"].is_endlist


async def test_a_slow_writer_does_not_have_the_last_word(
    disk_store: DiskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that saw less is held up in the middle of its writing until the other has finished."""
    done = {0: SOUND, 1: DONE[1]}
    other_finished, put = asyncio.Event(), disk_store.put

    async def held_up(key: str, body: bytes, **how: object) -> object:
        if key.endswith("480p.m3u8") and b"480p-00002" not in body:
            await other_finished.wait()
        return await put(key, body, **how)  # type: ignore[arg-type]

    async def parts() -> Mapping[int, PartMade]:
        return dict(done)

    monkeypatch.setattr(disk_store, "put", held_up)
    slow = asyncio.create_task(write_growing(disk_store, VIDEO, PLAN, parts))
    while not done.get(2):
        await asyncio.sleep(0)
        done[2] = DONE[2]
    await write_growing(disk_store, VIDEO, PLAN, parts)
    other_finished.set()
    await slow
    assert len((await written(disk_store))["480p.m3u8"].segments) == 4


async def test_a_plan_without_sound_waits_for_none(disk_store: DiskStore) -> None:
    async def parts() -> Mapping[int, PartMade]:
        return {1: DONE[1]}

    await write_growing(disk_store, VIDEO, PLAN.model_copy(update={"sound": False}), parts)
    playlists = await written(disk_store)
    assert set(playlists) == {"master.m3u8", "480p.m3u8"}
    assert playlists["master.m3u8"].playlists[0].stream_info.codecs == "avc1.640020"


def test_files_are_named_as_everywhere() -> None:
    assert segment_file("480p", 3) == Path("480p-00003.m4s")
