"""Which pictures of a clip are embedded."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from clipstream.common.errors import Permanent
from clipstream.embed.frames import Grid, sample_frames
from corpus.gameplay import render_audio, render_clip
from corpus.world import World

SIDE = 64
small_clip = partial(render_clip, width=320, height=180)


def sampled(clip: Path, scratch: Path) -> tuple[Grid, npt.NDArray[np.uint8]]:
    with clip.open("rb") as media:
        grid = sample_frames(media, width=SIDE, height=SIDE, scratch=scratch)
    pixels = np.frombuffer((scratch / grid.file).read_bytes(), np.uint8)
    return grid, pixels.reshape(len(grid.times_s), SIDE, SIDE, 3)


def alike(pixels: npt.NDArray[np.uint8], seed: int, time_s: float) -> float:
    world = World(seed, 320, 180).draw(time_s).y
    rows, columns = np.arange(SIDE) * 180 // SIDE + 1, np.arange(SIDE) * 320 // SIDE + 2
    luma = pixels.astype(np.float32) @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    return float(np.corrcoef(luma.ravel(), world[np.ix_(rows, columns)].ravel())[0, 1])


def test_one_picture_a_second(tmp_path: Path) -> None:
    grid, pixels = sampled(small_clip(tmp_path / "clip.mp4", seed=1, duration_s=4), tmp_path)
    assert grid.times_s == (0.5, 1.5, 2.5, 3.5)
    for time_s, picture in zip(grid.times_s, pixels, strict=True):
        assert alike(picture, 1, time_s) > 0.8


@pytest.mark.parametrize("duration_s", [0.2, 0.5, 0.6])
def test_a_short_clip_gives_one_picture(tmp_path: Path, duration_s: float) -> None:
    grid, _ = sampled(small_clip(tmp_path / "clip.mp4", seed=1, duration_s=duration_s), tmp_path)
    assert len(grid.times_s) == 1
    assert grid.times_s[0] <= 0.5


def test_the_grid_begins_where_the_pictures_begin(tmp_path: Path) -> None:
    clip = small_clip(tmp_path / "clip.mkv", seed=2, duration_s=2, first_s=300.0)
    grid, pixels = sampled(clip, tmp_path)
    assert grid.times_s == (0.5, 1.5)
    assert alike(pixels[1], 2, 1.5) > 0.8


def test_a_picture_stays_on_screen_until_the_next(tmp_path: Path) -> None:
    grid, pixels = sampled(small_clip(tmp_path / "clip.mp4", seed=3, duration_s=6, fps=1), tmp_path)
    assert grid.times_s == (0.5, 1.5, 2.5, 3.5, 4.5)
    assert alike(pixels[2], 3, 2.0) > 0.8


def test_a_rotated_clip_is_embedded_upright(tmp_path: Path) -> None:
    plain = small_clip(tmp_path / "plain.mp4", seed=4, duration_s=1)
    turned = small_clip(tmp_path / "turned.mp4", seed=4, duration_s=1, rotation=90)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    [before], [after] = sampled(plain, tmp_path / "a")[1], sampled(turned, tmp_path / "b")[1]
    assert np.abs(np.rot90(before, -1).astype(int) - after.astype(int)).mean() < 8


def test_a_recording_without_pictures_gives_none(tmp_path: Path) -> None:
    grid, _ = sampled(render_audio(tmp_path / "voice.m4a", seed=1, duration_s=1), tmp_path)
    assert grid.times_s == ()


def test_pictures_that_cannot_be_decoded_end_the_work(tmp_path: Path) -> None:
    clip = small_clip(tmp_path / "clip.mkv", seed=1, duration_s=1, audio=False, gop=300)
    body = bytearray(clip.read_bytes())
    start = len(body) // 20
    body[start:] = bytes(len(body) - start)
    clip.write_bytes(body)
    with pytest.raises(Permanent, match="picture"):
        sampled(clip, tmp_path)
