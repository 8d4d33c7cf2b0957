"""Chunks made one by one are one clip: no picture missing, doubled or moved where they meet."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from corpus.gameplay import render_clip
from corpus.world import World
from integration.transcode import played
from integration.transcode.whole import Whole, one_chunk, planned, whole

SIZE = 320, 180


def nearest(frame: av.VideoFrame, seed: int, slot: int, rate: int) -> int:
    """Which of the pictures around `slot` the frame shows."""
    shown = frame.reformat(*SIZE).to_ndarray(format="gray").astype(float)
    around = range(max(0, slot - 2), slot + 3)
    return min(around, key=lambda each: float(np.abs(World(seed, *SIZE).draw(each / rate).y - shown).mean()))


def cuts(made: Whole) -> list[int]:
    return [chunk.first_slot for chunk in made.plan.chunks[1:]]


@pytest.mark.parametrize(("gop", "b_frames"), [(30, 0), (50, 2), (17, 2)])
def test_every_picture_is_shown_once_at_its_time(tmp_path: Path, gop: int, b_frames: int) -> None:
    clip = render_clip(
        tmp_path / "clip.mp4", seed=1, duration_s=14, width=SIZE[0], height=SIZE[1], gop=gop, b_frames=b_frames, fps=30
    )
    made = whole(clip, tmp_path / "out", ladder=(180,), chunk_s=4)
    assert len(cuts(made)) == 3
    assert (made.pictures, made.damaged) == (420, 0)
    [track] = made.videos
    samples = played.packets(track, made.directory)
    assert len({pts for _, pts, _ in samples}) == len(samples) == 420
    assert {later[0] - earlier[0] for earlier, later in pairwise(samples)} == {512}
    frames = played.pictures(track, made.directory)
    for cut in cuts(made):
        slots = range(cut - 2, cut + 3)
        assert [nearest(frames[slot], 1, slot, 30) for slot in slots] == list(slots)


def test_chunks_begin_at_key_pictures_of_the_source(tmp_path: Path) -> None:
    clip = render_clip(tmp_path / "clip.mp4", seed=1, duration_s=14, width=160, height=90, gop=50, fps=30)
    made = whole(clip, tmp_path / "out", chunk_s=4)
    assert cuts(made)
    assert all(cut % 50 == 0 for cut in cuts(made))


def test_a_source_without_key_pictures_is_one_chunk(tmp_path: Path) -> None:
    clip = render_clip(tmp_path / "clip.mp4", seed=1, duration_s=14, width=160, height=90, gop=10_000, fps=30)
    assert cuts(whole(clip, tmp_path / "out", chunk_s=4)) == []


def test_all_chunks_have_the_same_initialisation(tmp_path: Path) -> None:
    clip = render_clip(tmp_path / "clip.mp4", seed=1, duration_s=14, width=320, height=180, gop=37, fps=30)
    written: list[tuple[str, bytes]] = []
    out = tmp_path / "out"
    made = whole(clip, out, chunk_s=4, emit=lambda file: written.append((file.name, (out / file).read_bytes())))
    assert len(cuts(made)) == 3
    inits = [body for name, body in written if name == "144p-init.mp4"]
    assert len(inits) == 4
    assert len(set(inits)) == 1
    segments = [name for name, _ in written if name.startswith("144p-") and name.endswith(".m4s")]
    assert segments == [f"144p-{number:05d}.m4s" for number in range(len(segments))]


def test_segments_of_all_renditions_meet(tmp_path: Path) -> None:
    clip = render_clip(tmp_path / "clip.mp4", seed=1, duration_s=14, width=480, height=270, gop=37, fps=30)
    made = whole(clip, tmp_path / "out", chunk_s=4)
    high, low = made.videos
    assert [(each.start, each.duration) for each in high.segments] == [
        (each.start, each.duration) for each in low.segments
    ]
    for track in (high, low):
        assert all(later.start == earlier.start + earlier.duration for earlier, later in pairwise(track.segments))
        assert played.first_keys(track, made.directory) == [True] * len(track.segments)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_a_chunk_reads_little_more_than_its_own_part(tmp_path: Path, name: str) -> None:
    clip = render_clip(tmp_path / name, seed=1, duration_s=24, width=640, height=360, gop=30, fps=30)
    plan = planned(clip, ladder=(144,), chunk_s=4)
    assert len(plan.chunks) == 6
    source = Counted(clip.read_bytes())
    one_chunk(source, plan, 3, tmp_path)
    assert source.bytes_read < clip.stat().st_size / 2


class Counted(io.BytesIO):
    bytes_read = 0

    def read(self, size: int | None = -1, /) -> bytes:
        body = super().read(size)
        self.bytes_read += len(body)
        return body
