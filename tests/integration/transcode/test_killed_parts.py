"""Parts that are killed between any two writes, and made again: one output, whole, from whatever was left."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clipstream.common.contracts import keys
from clipstream.common.contracts.events import ClipTranscoded, PartPlanned
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import EncoderFailed, Outage, Transient
from clipstream.common.store.disk.store import DiskStore
from clipstream.transcode import planning
from clipstream.transcode.plan import in_software
from corpus.gameplay import render_clip
from integration.transcode.flow import RECIPE, Attempts, Flow, uploaded

IN_CHUNKS = replace(RECIPE, ladder=(90, 180), chunk_s=3.0)


class Killed(Exception):
    """What a test does to a run."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return render_clip(path, seed=3, duration_s=9, width=320, height=180, fps=15, gop=15)


@pytest.fixture
async def flow(clip: Path, disk_store: DiskStore, attempts: Attempts) -> Flow:
    return await uploaded(clip, disk_store, attempts, recipe=IN_CHUNKS)


def kill_after(writes: int, store: DiskStore, patch: pytest.MonkeyPatch) -> None:
    """Let `writes` writes succeed."""
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


@pytest.mark.parametrize("writes", [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16])
async def test_a_last_part_killed_between_any_two_writes_is_made_good(
    flow: Flow, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """A chunk of two renditions (two inits, two or four segments), two raw files, its document; sprite, cues, preview, the
    claim; the pointer, five playlists and two of key pictures, manifest and master."""
    *others, last = await flow.plan()
    for part in others:
        assert transcoded(await flow.make(part)) == 0
    with monkeypatch.context() as dying:
        kill_after(writes, flow.store, dying)
        with pytest.raises((Killed, ExceptionGroup)):
            await flow.make(last)
    assert "master.m3u8" not in await flow.names()
    assert transcoded(await flow.make(last)) == 1
    assert await flow.faults() == []
    for part in others:
        assert transcoded(await flow.make(part)) == 0


@pytest.mark.parametrize("name", ["180p.m3u8", "manifest.mpd", "master.m3u8"])
async def test_only_the_finisher_answers_after_its_claim(
    flow: Flow, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    *others, last = await flow.plan()
    for part in others:
        await flow.make(part)
    with monkeypatch.context() as dying:
        put = flow.store.put

        async def fail(key: ObjectKey, body: bytes, **how: object) -> object:
            if key == keys.processed(flow.video_id, name):
                raise Outage("The store is away.")
            return await put(key, body, **how)  # type: ignore[arg-type]

        dying.setattr(flow.store, "put", fail)
        with pytest.raises(Outage):
            await flow.make(last)
    for part in others:
        assert transcoded(await flow.make(part)) == 0
    again = flow.attempts()
    assert transcoded(await flow.make(last, again)) == 1
    assert again.isolated == 0
    assert await flow.faults() == []


async def test_two_that_end_together_make_one_output(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slower one finds nobody's claim, and then no raw pictures: the faster one has put the clip together meanwhile."""
    *others, last = await flow.plan()
    for part in others:
        await flow.make(part)
    finished: list[int] = []
    with monkeypatch.context() as overtaking:
        get = flow.store.get

        async def overtaken(key: ObjectKey, **how: int) -> bytes:
            if key.endswith(".rgb") and not finished:
                finished.append(0)
                finished[0] = transcoded(await flow.make(others[-1]))
            return await get(key, **how)

        overtaking.setattr(flow.store, "get", overtaken)
        assert transcoded(await flow.make(last)) == 0
    assert finished == [1]
    assert await flow.faults() == []


async def test_a_part_hands_over_no_more_pictures_than_were_planned(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of all parts are held at once by whoever puts the clip together."""
    _, first, *_ = await flow.plan()
    attempt = flow.attempts()
    isolate = attempt.isolate

    async def swollen(*args: Any, **how: Any) -> Any:
        made = await isolate(*args, **how)
        os.truncate(attempt.scratch / made.tiles_file, 60 << 20)
        return made

    monkeypatch.setattr(attempt, "isolate", swollen)
    with pytest.raises(Transient, match="more small pictures"):
        await flow.make(first, attempt)
    assert not any(name.endswith(".rgb") for name in await flow.names())


async def test_a_part_made_again_keeps_the_segments_that_are_there(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = await flow.plan()
    with monkeypatch.context() as dying:
        kill_after(
            5, flow.store, dying
        )  # two inits, two segments, and not the last raw file: nothing is under way then
        with pytest.raises((Killed, ExceptionGroup)):
            await flow.make(planned[2])
    before = {info.key: info.etag async for info in flow.store.list("") if info.key.endswith(".m4s")}
    assert before
    for part in planned:
        await flow.make(part)
    after = {info.key: info.etag async for info in flow.store.list("")}
    assert before.items() <= after.items()
    assert await flow.faults() == []


async def test_a_clip_whose_hardware_fails_is_made_in_software(flow: Flow) -> None:
    """No encoder of this name opens here, as on a machine whose card is gone."""
    flow.recipe = replace(IN_CHUNKS, encoder="h264_nvenc")
    planned = await flow.plan()
    answers = [answer for part in planned for answer in await flow.make(part)]
    again = [answer for answer in answers if isinstance(answer, PartPlanned)]
    assert {(part.part, part.parts) for part in again} == {(number, len(planned)) for number in range(len(planned))}
    [plan_id] = {part.plan for part in again}
    hard = await planning.find(flow.store, flow.video_id, planned[0].plan)
    assert plan_id == in_software(hard).plan_id != hard.plan_id
    finished = sum([transcoded(await flow.make(part)) for part in again[: len(planned)]])
    assert finished == 1
    assert await flow.faults() == []


async def test_an_encoder_of_ours_that_fails_is_no_reason_to_plan_anew(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = await flow.plan()
    attempt = flow.attempts()

    async def fail(*args: object, **how: object) -> object:
        raise Outage("The store is away.")

    monkeypatch.setattr(attempt, "isolate", fail)
    with pytest.raises((Outage, EncoderFailed)):
        await flow.make(planned[1], attempt)


def transcoded(answer: object) -> int:
    return sum(isinstance(event, ClipTranscoded) for event in answer)  # type: ignore[attr-defined]
