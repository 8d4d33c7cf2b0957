"""The stage as the runner calls it, encoding in the real cage, into a store on disk: the output appears whole, and once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import m3u8
import pytest

from clipstream.common.contracts import keys
from clipstream.common.contracts.events import ClipTranscoded, ClipUnique
from clipstream.common.contracts.ids import VideoId
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import NotFound, Outage
from clipstream.common.store.disk.store import DiskStore
from clipstream.transcode.plan import Recipe, plan_id
from clipstream.transcode.stage import build
from corpus.gameplay import render_audio, render_clip
from fixtures import clips
from fixtures.context import CagedAttempt

RECIPE = Recipe((144, 240), "superfast", 60.0)
Attempts = Callable[[], CagedAttempt]


class Killed(Exception):
    """What a test does to a run."""


async def upload(store: DiskStore, path: Path) -> ClipUnique:
    event = clips.clip_admitted()
    stored = await store.put_file(event.key, path, content_type="video/mp4")
    return event.model_copy(update={"etag": stored.etag})


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return render_clip(path, seed=1, duration_s=5, width=480, height=270, fps=15)


async def run(event: ClipUnique, attempt: CagedAttempt) -> ClipTranscoded:
    [answer] = await build(RECIPE).handler(event, attempt)
    assert isinstance(answer, ClipTranscoded)
    return answer


async def names(store: DiskStore, video_id: VideoId) -> list[str]:
    prefix = keys.processed(video_id)
    return [info.key.removeprefix(prefix) async for info in store.list(prefix)]


async def assert_playable(store: DiskStore, answer: ClipTranscoded) -> None:
    """Every playlist and everything that they name is there, from one run, and nothing else of the plan is."""
    master = m3u8.loads((await store.get(answer.hls_key)).decode())
    variants = [each.uri for each in master.playlists] + [each.uri for each in master.media]
    named: set[str] = set()
    for uri in variants:
        media = m3u8.loads((await store.get(keys.processed(answer.video_id, uri))).decode())
        named |= {media.segment_map[0].uri, *(segment.uri for segment in media.segments)}
    assert all(f"/{answer.run_id}/" in name for name in named)
    stored = {name for name in await names(store, answer.video_id) if name.startswith("segments/")}
    assert {name for name in stored if not name.endswith("output.json")} == named
    await store.head(answer.thumbnail_key)


async def test_a_clip_becomes_playable(clip: Path, disk_store: DiskStore, attempts: Attempts) -> None:
    attempt = attempts()
    answer = await run(await upload(disk_store, clip), attempt)
    await assert_playable(disk_store, answer)
    assert [(made.name, made.width, made.height) for made in answer.renditions] == [
        ("240p", 426, 240),
        ("144p", 256, 144),
    ]
    assert answer.duration_s == 5.0
    assert answer.hls_key == keys.processed(answer.video_id, "master.m3u8")
    made = {info.key: info.size_bytes async for info in disk_store.list("") if not info.key.endswith("output.json")}
    del made[keys.original(answer.video_id, ".mp4")]
    assert answer.stored_bytes == sum(made.values())
    assert attempt.told == sorted(attempt.told)
    assert attempt.told[-1] == 1
    master = m3u8.loads((await disk_store.get(answer.hls_key)).decode())
    assert [(p.stream_info.bandwidth, p.stream_info.average_bandwidth) for p in master.playlists] == [
        (made.bandwidth, made.average_bandwidth) for made in answer.renditions
    ]


async def test_a_recording_becomes_playable(tmp_path: Path, disk_store: DiskStore, attempts: Attempts) -> None:
    voice = render_audio(tmp_path / "voice.m4a", seed=1, duration_s=2)
    answer = await run(await upload(disk_store, voice), attempts())
    await assert_playable(disk_store, answer)
    assert answer.renditions == ()


async def test_a_second_run_answers_the_same_without_encoding(
    clip: Path, disk_store: DiskStore, attempts: Attempts
) -> None:
    event = await upload(disk_store, clip)
    first = await run(event, attempts())
    before = await names(disk_store, event.video_id)
    again = attempts()
    assert await run(event, again) == first
    assert again.isolated == 0
    assert await names(disk_store, event.video_id) == before


async def test_two_runs_at_once_leave_one_output(clip: Path, disk_store: DiskStore, attempts: Attempts) -> None:
    event = await upload(disk_store, clip)
    one, other = await asyncio.gather(run(event, attempts()), run(event, attempts()))
    assert one == other
    await assert_playable(disk_store, one)


@pytest.mark.parametrize("finished", [0, 1, 3, 5, 6, 8, 10])
async def test_a_run_killed_between_any_two_writes_is_followed_by_a_whole_one(
    clip: Path, disk_store: DiskStore, attempts: Attempts, monkeypatch: pytest.MonkeyPatch, finished: int
) -> None:
    """And the master playlist is never there before all that it names."""
    event = await upload(disk_store, clip)
    with monkeypatch.context() as dying:
        kill_after(finished, disk_store, dying)
        with pytest.raises((Killed, ExceptionGroup)):
            await run(event, attempts())
    with pytest.raises(NotFound):
        await disk_store.head(keys.processed(event.video_id, "master.m3u8"))
    answer = await run(event, attempts())
    await assert_playable(disk_store, answer)


def kill_after(writes: int, store: DiskStore, patch: pytest.MonkeyPatch) -> None:
    """Let `writes` writes succeed. 2 tracks of 1 init and 2 segments, sound alike, a thumbnail, a claim, 3 playlists, the
    master: 15."""
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


@pytest.mark.parametrize("name", ["240p.m3u8", "master.m3u8"])
async def test_a_run_killed_after_its_claim_is_finished_from_it(
    clip: Path, disk_store: DiskStore, attempts: Attempts, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    event = await upload(disk_store, clip)
    dead = attempts()
    with monkeypatch.context() as dying:
        put = disk_store.put

        async def fail(key: ObjectKey, body: bytes, **how: object) -> object:
            if key.endswith(name):
                raise Outage("The store is away.")
            return await put(key, body, **how)  # type: ignore[arg-type]

        dying.setattr(disk_store, "put", fail)
        with pytest.raises(Outage):
            await run(event, dead)
    heir = attempts()
    answer = await run(event, heir)
    assert heir.isolated == 0
    assert answer.run_id == dead.run_id
    await assert_playable(disk_store, answer)


async def test_another_recipe_does_not_touch_old_segments(
    clip: Path, disk_store: DiskStore, attempts: Attempts
) -> None:
    event = await upload(disk_store, clip)
    await run(event, attempts())
    old = {name for name in await names(disk_store, event.video_id) if name.startswith("segments/")}
    [answer] = await build(Recipe((144,), "superfast", 60.0)).handler(event, attempts())
    assert isinstance(answer, ClipTranscoded)
    assert [made.name for made in answer.renditions] == ["144p"]
    plan = plan_id((144,), "superfast", event.etag)
    assert old < set(await names(disk_store, event.video_id))
    assert f"segments/{plan}/" in (await disk_store.get(keys.processed(event.video_id, "144p.m3u8"))).decode()
