"""The preview stage as the runner calls it, in the real cage, into a store on disk: poster and copy, each without the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import m3u8
import pytest

from clipstream.common.contracts import keys
from clipstream.common.contracts.events import ClipIngested, ClipPlayable, ClipPreviewed, Event
from clipstream.common.contracts.ids import VideoId
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import NotFound, Outage, Permanent, Transient
from clipstream.common.store.disk.store import DiskStore
from clipstream.ingest.processor import Bounds, probe
from clipstream.transcode.copying.kept import copy_id, ensure_copy
from clipstream.transcode.previewing import build
from corpus import tiny
from corpus.gameplay import render_audio, render_clip
from fixtures import clips
from fixtures.context import CagedAttempt
from integration.transcode.copies import BIT_RATE
from validators.finding import faults, read_directory
from validators.hls import check_hls

Attempts = Callable[[], CagedAttempt]
STAGE = build(BIT_RATE)


class Killed(Exception):
    """What a test does to a run."""


async def ingested(store: DiskStore, path: Path) -> ClipIngested:
    event = clips.clip_ingested()
    stored = await store.put_file(event.key, path, content_type="video/mp4")
    with path.open("rb") as file:
        media = probe(file, bounds=Bounds()).media
    return event.model_copy(update={"etag": stored.etag, "media": media})


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_clip(
        tmp_path_factory.mktemp("clip") / "clip.mp4", seed=1, duration_s=6, width=160, height=90, gop=30, b_frames=2
    )


@pytest.fixture(scope="module")
def odd_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that shows only after a segment that it cannot be copied."""
    path = tmp_path_factory.mktemp("clip") / "odd.mp4"
    pause = [*range(0, 9000, 100), *range(9000, 18000, 600)]
    tiny.write(path, times_ms=pause, fps=10, duration_s=18, options={"preset": "ultrafast", "g": "10"})
    return path


async def names(store: DiskStore, video_id: VideoId) -> list[str]:
    prefix = keys.processed(video_id)
    return [info.key.removeprefix(prefix) async for info in store.list(prefix)]


async def posters(store: DiskStore, video_id: VideoId) -> int:
    return len([info async for info in store.list(f"thumbnails/{video_id}")])


async def assert_playable(store: DiskStore, answers: Sequence[Event], into: Path) -> None:
    """By libav's own HLS demuxer and by the judge of manifests and boxes, over what lies in the store and nothing else."""
    playable = next(answer for answer in answers if isinstance(answer, ClipPlayable))
    assert playable.hls_key == keys.provisional(playable.video_id, "master.m3u8")
    root = keys.processed(playable.video_id)
    async for info in store.list(root):
        file = into / info.key.removeprefix(root)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(await store.get(info.key))
    master = into / "provisional" / "master.m3u8"
    uris = m3u8.load(str(master)).playlists[0]
    assert uris.stream_info.codecs == "avc1.4d400b,mp4a.40.2"
    assert faults(check_hls(read_directory(into), "provisional/master.m3u8")[1]) == []
    with av.open(str(master), format="hls") as container:
        pictures = sum(1 for _ in container.decode(video=0))
    with av.open(str(master), format="hls") as container:
        heard = sum(frame.samples for frame in container.decode(audio=0))
    assert pictures == 180
    assert heard == pytest.approx(6 * 48_000, abs=2048)


async def test_a_clip_is_previewed_and_playable(
    clip: Path, disk_store: DiskStore, attempts: Attempts, tmp_path: Path
) -> None:
    event = await ingested(disk_store, clip)
    attempt = attempts()
    previewed, playable = await STAGE.handler(event, attempt)
    assert isinstance(previewed, ClipPreviewed)
    assert isinstance(playable, ClipPlayable)
    assert (previewed.copied, previewed.verdict) == (True, "The source is played as it is.")
    assert previewed.thumbnail_key == keys.thumbnail(event.video_id)
    assert playable.kind == "copy"
    assert await posters(disk_store, event.video_id) == 3
    await assert_playable(disk_store, [playable], tmp_path / "played")
    copy = copy_id(event.etag, BIT_RATE)
    segment = await disk_store.head(keys.segments(event.video_id, copy, "source-00000.m4s"))
    init = await disk_store.head(keys.segments(event.video_id, copy, "source-init.mp4"))
    assert (segment.content_type, init.content_type) == ("video/iso.segment", "video/mp4")


async def test_a_second_run_copies_nothing(clip: Path, disk_store: DiskStore, attempts: Attempts) -> None:
    event = await ingested(disk_store, clip)
    first = await STAGE.handler(event, attempts())
    before = await names(disk_store, event.video_id)
    again = attempts()
    assert await STAGE.handler(event, again) == first
    assert again.isolated == 1  # the poster
    assert await names(disk_store, event.video_id) == before


async def test_planning_finds_the_copy_or_makes_it(clip: Path, disk_store: DiskStore, attempts: Attempts) -> None:
    event = await ingested(disk_store, clip)
    made = await ensure_copy(attempts(), event, BIT_RATE)
    found = attempts()
    assert await ensure_copy(found, event, BIT_RATE) == made
    assert found.isolated == 0


async def test_two_runs_at_once_leave_one_set_of_objects(
    clip: Path, disk_store: DiskStore, attempts: Attempts, tmp_path: Path
) -> None:
    event = await ingested(disk_store, clip)
    answers, made = await asyncio.gather(STAGE.handler(event, attempts()), ensure_copy(attempts(), event, BIT_RATE))
    assert isinstance(answers[0], ClipPreviewed)
    await assert_playable(disk_store, answers, tmp_path / "played")
    files = [file for track in made.made.tracks for file in (track.init_file, *(each.file for each in track.segments))]
    prefix = f"segments/{made.copy_id}/"
    stored = [name for name in await names(disk_store, event.video_id) if name.startswith("segments/")]
    assert sorted(stored) == sorted([f"{prefix}{file}" for file in files] + [f"{prefix}copy.json"])


async def test_what_was_emitted_before_the_refusal_is_withdrawn(
    odd_clip: Path, disk_store: DiskStore, attempts: Attempts
) -> None:
    event = await ingested(disk_store, odd_clip)
    [previewed] = await STAGE.handler(event, attempts())
    assert isinstance(previewed, ClipPreviewed)
    assert not previewed.copied
    assert previewed.verdict.endswith("Its key pictures are more than 5 seconds apart.")
    copy = copy_id(event.etag, BIT_RATE)
    assert await names(disk_store, event.video_id) == [f"segments/{copy}/copy.json"]
    again = attempts()
    assert (await ensure_copy(again, event, BIT_RATE)).made.verdict == previewed.verdict
    assert again.isolated == 0


def kill_after(writes: int, store: DiskStore, patch: pytest.MonkeyPatch) -> None:
    """Let `writes` writes succeed: 2 tracks of an init and 2 segments each, a document, 4 playlists, 3 pictures: 14."""
    done = 0
    for name in ("put", "put_file"):
        original = getattr(store, name)

        async def write(
            key: ObjectKey, *args: object, original: Callable[..., object] = original, **how: object
        ) -> object:
            nonlocal done
            if done >= writes:
                raise Killed(key)
            done += 1
            return await original(key, *args, **how)  # type: ignore[misc]

        patch.setattr(store, name, write)


@pytest.mark.parametrize("finished", [0, 2, 4, 7, 8, 10, 13])
async def test_a_run_killed_between_any_two_writes_is_followed_by_a_whole_one(
    clip: Path,
    disk_store: DiskStore,
    attempts: Attempts,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    finished: int,
) -> None:
    """And the master playlist is never there before all that it names."""
    event = await ingested(disk_store, clip)
    with monkeypatch.context() as dying:
        kill_after(finished, disk_store, dying)
        with pytest.raises((Killed, ExceptionGroup)):
            await STAGE.handler(event, attempts())
    try:
        await disk_store.head(keys.provisional(event.video_id, "master.m3u8"))
    except NotFound:
        pass
    else:
        assert {"provisional/source.m3u8", "provisional/source-audio.m3u8"} < set(
            await names(disk_store, event.video_id)
        )
    answers = await STAGE.handler(event, attempts())
    assert [type(answer) for answer in answers] == [ClipPreviewed, ClipPlayable]
    await assert_playable(disk_store, answers, tmp_path / "played")
    assert await posters(disk_store, event.video_id) == 3


async def failing(attempt: CagedAttempt, patch: pytest.MonkeyPatch, function: str, error: Exception) -> None:
    isolate = attempt.isolate

    async def fail(target: Callable[..., object], **how: object) -> object:
        if target.__name__ == function:
            raise error
        return await isolate(target, **how)  # type: ignore[arg-type]

    patch.setattr(attempt, "isolate", fail)


async def test_a_poster_that_cannot_be_drawn_does_not_hold_back_the_clip(
    clip: Path, disk_store: DiskStore, attempts: Attempts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    event, attempt = await ingested(disk_store, clip), attempts()
    await failing(attempt, monkeypatch, "draw_poster", Permanent("There is nothing to see."))
    answers = await STAGE.handler(event, attempt)
    assert [type(answer) for answer in answers] == [ClipPlayable]
    await assert_playable(disk_store, answers, tmp_path / "played")


async def test_a_copy_that_cannot_be_made_does_not_hold_back_the_poster(
    clip: Path, disk_store: DiskStore, attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, attempt = await ingested(disk_store, clip), attempts()
    await failing(attempt, monkeypatch, "copy_source", Permanent("The file is odd."))
    [previewed] = await STAGE.handler(event, attempt)
    assert isinstance(previewed, ClipPreviewed)
    assert previewed.verdict == "The source cannot be played as it is. The file is odd."


async def test_a_decoder_that_dies_three_times_is_no_reason_not_to_encode(
    clip: Path, disk_store: DiskStore, attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, attempt = await ingested(disk_store, clip), attempts()
    await failing(attempt, monkeypatch, "copy_source", Transient("the decoder died"))
    for attempt.attempt in (1, 2):
        with pytest.raises(Transient):
            await ensure_copy(attempt, event, BIT_RATE)
    attempt.attempt = 3
    refused = await ensure_copy(attempt, event, BIT_RATE)
    assert refused.made.verdict == "The source cannot be played as it is. the decoder died"
    assert await ensure_copy(attempts(), event, BIT_RATE) == refused


async def test_an_original_that_is_gone_is_no_verdict(clip: Path, disk_store: DiskStore, attempts: Attempts) -> None:
    event = await ingested(disk_store, clip)
    await disk_store.delete(event.key)
    with pytest.raises(NotFound):
        await ensure_copy(attempts(), event, BIT_RATE)
    assert await names(disk_store, event.video_id) == []


async def test_without_either_the_stage_fails_in_words(
    odd_clip: Path, disk_store: DiskStore, attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, attempt = await ingested(disk_store, odd_clip), attempts()
    await failing(attempt, monkeypatch, "draw_poster", Permanent("There is nothing to see."))
    with pytest.raises(Permanent, match="There is nothing to see"):
        await STAGE.handler(event, attempt)


async def test_an_outage_is_nobodys_verdict(
    clip: Path, disk_store: DiskStore, attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, attempt = await ingested(disk_store, clip), attempts()
    attempt.attempt = 5
    await failing(attempt, monkeypatch, "draw_poster", Outage("The store is away."))
    with pytest.raises(Outage):
        await STAGE.handler(event, attempt)


async def test_a_decoder_that_dies_twice_is_let_go(
    clip: Path, disk_store: DiskStore, attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, attempt = await ingested(disk_store, clip), attempts()
    await failing(attempt, monkeypatch, "draw_poster", Transient("the decoder died"))
    with pytest.raises(Transient):
        await STAGE.handler(event, attempt)
    attempt.attempt = 2
    assert [type(answer) for answer in await STAGE.handler(event, attempt)] == [ClipPlayable]


async def test_a_recording_is_playable_as_sound(tmp_path: Path, disk_store: DiskStore, attempts: Attempts) -> None:
    event = await ingested(disk_store, render_audio(tmp_path / "voice.m4a", seed=1, duration_s=3))
    _, playable = await STAGE.handler(event, attempts())
    assert isinstance(playable, ClipPlayable)
    master = m3u8.loads((await disk_store.get(playable.hls_key)).decode())
    assert [(each.uri, each.stream_info.codecs) for each in master.playlists] == [("source-audio.m3u8", "mp4a.40.2")]
    assert master.media == []
