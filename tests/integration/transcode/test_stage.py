"""The stages as the runner calls them, encoding in the real cage, into a store on disk: the output appears whole, and once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import m3u8
import pytest

from clipstream.common.contracts import keys
from clipstream.common.contracts.events import ClipPlayable, ClipTranscoded, Event
from clipstream.common.errors import Permanent
from clipstream.common.store.disk.store import DiskStore
from corpus.gameplay import render_audio, render_clip
from corpus.surgery import flip_bits
from integration.transcode.flow import COPY_BIT_RATE, RECIPE, Attempts, uploaded


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return render_clip(path, seed=1, duration_s=5, width=480, height=270, fps=15, gop=30)


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "long.mp4"
    return render_clip(path, seed=2, duration_s=12, width=320, height=180, fps=15, gop=15)


IN_CHUNKS = replace(RECIPE, ladder=(90, 180), chunk_s=3.0)


async def test_a_clip_becomes_playable(clip: Path, disk_store: DiskStore, attempts: Attempts) -> None:
    flow = await uploaded(clip, disk_store, attempts)
    answer, _ = await flow.whole()
    assert await flow.faults() == []
    assert [(made.name, made.width, made.height) for made in answer.renditions] == [
        ("240p", 426, 240),
        ("144p", 256, 144),
    ]
    assert (answer.duration_s, answer.pictures, answer.damaged) == (5.0, 75, 0)
    assert answer.hls_key == keys.processed(answer.video_id, "master.m3u8")
    names = await flow.names()
    for key in (answer.hls_key, answer.dash_key, answer.storyboard_key, answer.preview_key):
        assert key is not None
        assert key.removeprefix(keys.processed(answer.video_id)) in names
    assert not any(name.endswith(".rgb") for name in names)
    stored = [info async for info in disk_store.list(keys.processed(answer.video_id))]
    media = sum(info.size_bytes for info in stored if info.key.endswith((".m4s", ".jpg", "preview.mp4", "board.vtt")))
    assert answer.stored_bytes == media


async def test_bandwidths_of_the_event_are_those_of_the_playlist(
    clip: Path, disk_store: DiskStore, attempts: Attempts
) -> None:
    answer, _ = await (await uploaded(clip, disk_store, attempts)).whole()
    master = m3u8.loads((await disk_store.get(answer.hls_key)).decode())
    listed = {(p.stream_info.bandwidth, p.stream_info.average_bandwidth) for p in master.playlists}
    assert listed == {(made.bandwidth, made.average_bandwidth) for made in answer.renditions}


async def test_a_recording_becomes_playable(tmp_path: Path, disk_store: DiskStore, attempts: Attempts) -> None:
    flow = await uploaded(render_audio(tmp_path / "voice.flac", seed=1, duration_s=2), disk_store, attempts)
    answer, _ = await flow.whole()
    assert await flow.faults() == []
    assert answer.renditions == ()
    assert (answer.storyboard_key, answer.preview_key) == (None, None)


async def test_a_silent_clip_becomes_playable(tmp_path: Path, disk_store: DiskStore, attempts: Attempts) -> None:
    clip = render_clip(tmp_path / "clip.mp4", seed=1, duration_s=2, width=320, height=180, fps=15, audio=False)
    flow = await uploaded(clip, disk_store, attempts)
    await flow.whole()
    assert await flow.faults() == []


async def test_a_source_that_can_be_copied_is_the_top_rendition(
    clip: Path, disk_store: DiskStore, attempts: Attempts
) -> None:
    flow = await uploaded(clip, disk_store, attempts, copy_bit_rate=COPY_BIT_RATE)
    _, playable = await flow.preview()
    assert isinstance(playable, ClipPlayable)
    assert await flow.faults("provisional/master.m3u8", None) == []
    answer, _ = await flow.whole()
    assert await flow.faults() == []
    assert [made.name for made in answer.renditions] == ["270p", "240p", "144p"]
    top = (await disk_store.get(keys.processed(flow.video_id, "270p.m3u8"))).decode()
    assert "source-00000.m4s" in top
    assert not any(name.startswith("segments/") and "270p-" in name for name in await flow.names())


async def test_planning_copies_where_nobody_has_yet(clip: Path, disk_store: DiskStore, attempts: Attempts) -> None:
    flow = await uploaded(clip, disk_store, attempts, copy_bit_rate=COPY_BIT_RATE)
    answer, _ = await flow.whole()
    assert await flow.faults() == []
    assert answer.renditions[0].name == "270p"


async def test_a_clip_in_chunks_becomes_playable(long_clip: Path, disk_store: DiskStore, attempts: Attempts) -> None:
    flow = await uploaded(long_clip, disk_store, attempts, recipe=IN_CHUNKS)
    answer, playable = await flow.whole()
    assert await flow.faults() == []
    assert answer.pictures == 180
    assert [event.kind for event in playable] == ["rendition"]


async def test_the_beginning_can_be_played_while_the_rest_is_made(
    long_clip: Path, disk_store: DiskStore, attempts: Attempts
) -> None:
    flow = await uploaded(long_clip, disk_store, attempts, recipe=IN_CHUNKS)
    planned = await flow.plan()
    assert await flow.make(planned[1]) == []  # pictures alone would play without their sound
    [playable] = await flow.make(planned[0])
    assert isinstance(playable, ClipPlayable)
    wrong = await flow.faults("provisional/master.m3u8", None)
    assert [finding for finding in wrong if "I-frame" not in finding.what] == []
    shown = keys.provisional(flow.video_id, "90p.m3u8")
    beginning = m3u8.loads((await disk_store.get(shown)).decode())
    assert (beginning.playlist_type, beginning.is_endlist) == ("event", False)
    assert await flow.make(planned[2]) == []
    assert len(m3u8.loads((await disk_store.get(shown)).decode()).segments) > len(beginning.segments)


async def test_a_second_delivery_of_any_part_makes_nothing_again(
    long_clip: Path, disk_store: DiskStore, attempts: Attempts
) -> None:
    flow = await uploaded(long_clip, disk_store, attempts, recipe=IN_CHUNKS)
    planned = await flow.plan()
    answers = [await flow.make(part) for part in planned]
    before = await flow.names()
    for part, answer in zip(planned, answers, strict=True):
        again = attempts()
        repeated = await flow.make(part, again)
        assert again.isolated == 0
        assert transcoded(repeated) == transcoded(answer)
    assert await flow.names() == before


async def test_parts_that_end_together_are_put_together_once(
    long_clip: Path, disk_store: DiskStore, attempts: Attempts
) -> None:
    flow = await uploaded(long_clip, disk_store, attempts, recipe=IN_CHUNKS)
    answers = await asyncio.gather(*(flow.make(part) for part in await flow.plan()))
    assert len([event for answer in answers for event in transcoded(answer)]) == 1
    assert await flow.faults() == []


async def test_two_runs_of_every_part_at_once_make_one_output(
    long_clip: Path, disk_store: DiskStore, attempts: Attempts
) -> None:
    flow = await uploaded(long_clip, disk_store, attempts, recipe=IN_CHUNKS)
    planned = await flow.plan()
    assert await flow.plan() == planned
    answers = await asyncio.gather(*(flow.make(part) for part in (*planned, *planned)))
    found = [event for answer in answers for event in transcoded(answer)]
    assert 1 <= len(found) <= 2  # a twin of the finisher says the same, under the same event id
    assert all(event == found[0] for event in found)
    assert await flow.faults() == []


async def test_another_recipe_does_not_touch_old_segments(
    clip: Path, disk_store: DiskStore, attempts: Attempts
) -> None:
    flow = await uploaded(clip, disk_store, attempts)
    await flow.whole()
    old = {name for name in await flow.names() if name.startswith("segments/")}
    flow.recipe = replace(RECIPE, ladder=(144,))
    answer, _ = await flow.whole()
    assert [made.name for made in answer.renditions] == ["144p"]
    assert old < await flow.names()
    assert await flow.faults() == []


async def test_too_damaged_a_clip_is_never_published(tmp_path: Path, disk_store: DiskStore, attempts: Attempts) -> None:
    clip = render_clip(tmp_path / "clip.mp4", seed=1, duration_s=4, width=320, height=180, fps=15, gop=15)
    flow = await uploaded(clip, disk_store, attempts)
    body = flip_bits(clip, 20).read_bytes()
    await disk_store.put(flow.event.key, body, content_type="video/mp4")
    with pytest.raises(Permanent, match=r"damaged|could be decoded"):
        await flow.whole()
    assert "master.m3u8" not in await flow.names()
    assert (await disk_store.head(flow.event.key)).size_bytes == len(body)


def transcoded(answer: object) -> list[Event]:
    return [event for event in answer if isinstance(event, ClipTranscoded)]  # type: ignore[attr-defined]
