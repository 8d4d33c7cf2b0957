"""The stage as the runner calls it: pictures taken out in the real cage, vectors written where search reads them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from clipstream.common.contracts.documents import Embeddings
from clipstream.common.contracts.events import ClipEmbedded
from clipstream.common.store.disk.store import DiskStore
from clipstream.embed.processor import Encoder
from clipstream.embed.stage import build
from corpus.gameplay import render_audio, render_clip
from fixtures import clips
from fixtures.context import CagedAttempt

MODEL = Path(__file__).parents[3] / "models" / "frame-descriptor-v1"


async def embedded(path: Path, attempt: CagedAttempt) -> tuple[ClipEmbedded, Embeddings]:
    event = clips.clip_admitted()
    await attempt.store.put_file(event.key, path, content_type="video/mp4")
    [answer] = await build(lambda: Encoder.load(MODEL)).handler(event, attempt)
    assert isinstance(answer, ClipEmbedded)
    return answer, Embeddings.model_validate_json(await attempt.store.get(answer.key))


async def test_vectors_are_written_with_their_times(
    tmp_path: Path, disk_store: DiskStore, attempts: Callable[[], CagedAttempt]
) -> None:
    clip = render_clip(tmp_path / "clip.mp4", seed=1, duration_s=3, width=320, height=180)
    answer, document = await embedded(clip, attempts())
    assert (answer.model, answer.version, answer.dimension) == ("frame-descriptor", "1", document.dimension)
    assert answer.count == len(document.frames) == 3
    assert [frame.t for frame in document.frames] == [0.5, 1.5, 2.5]
    for frame in document.frames:
        assert len(frame.vector) == document.dimension
        assert math.hypot(*frame.vector) == pytest.approx(1.0, abs=1e-3)


async def test_a_recording_without_pictures_has_no_vectors(
    tmp_path: Path, disk_store: DiskStore, attempts: Callable[[], CagedAttempt]
) -> None:
    answer, document = await embedded(render_audio(tmp_path / "voice.mp3", seed=1, duration_s=1), attempts())
    assert answer.count == 0
    assert document.frames == ()
