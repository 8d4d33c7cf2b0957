"""Orientation, colours and time in every picture beside the ladder: poster, storyboard and preview."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from integration.transcode.seen import best, drawn, opened, seen, small_clip, tapped


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_everything_is_upright(tmp_path: Path, rotation: int) -> None:
    source = small_clip(tmp_path / "clip.mp4", seed=6, duration_s=2, rotation=rotation, gop=15)
    turns, sideways = rotation // 90, rotation != 180
    poster = opened(tmp_path / drawn(source, tmp_path).plain_file)
    assert poster.size == ((180, 320) if sideways else (320, 180))
    times = [number / 30 for number in range(60)]
    assert best(poster, 6, times[::15], turns) > 0.9
    plan, sprite, preview = tapped(source, tmp_path)
    assert plan.tile == ((90, 160) if sideways else (160, 90))
    assert sprite.size == (2 * plan.tile[0], plan.tile[1])
    for index in range(2):
        tile = sprite.crop((index * plan.tile[0], 0, (index + 1) * plan.tile[0], plan.tile[1]))
        assert best(tile, 6, times[30 * index + 10 : 30 * index + 20], turns) > 0.9
        assert best(tile, 6, times[30 * index + 10 : 30 * index + 20 : 5], turns + 2) < 0.6
    assert (preview[0].width, preview[0].height) == ((180, 320) if sideways else (320, 180))
    assert best(seen(preview[12]), 6, times[28:33], turns) > 0.9


def test_the_last_tile_is_of_the_last_second(tmp_path: Path) -> None:
    source = small_clip(tmp_path / "clip.mp4", seed=7, duration_s=3.5, audio=False)
    plan, sprite, preview = tapped(source, tmp_path)
    assert plan.duration_s == pytest.approx(3.5)
    last = sprite.crop((3 * 160, 0, 4 * 160, 90))
    assert best(last, 7, [3.2, 3.233, 3.2667, 3.3]) > max(0.9, best(last, 7, [2.0, 2.25, 2.5, 2.75, 3.0]) + 0.05)
    assert len(preview) == 42
    assert best(seen(preview[-1]), 7, [3.4, 3.4333, 3.4667]) > 0.9


PRIMARIES = [(0.75, 0.1, 0.1), (0.1, 0.6, 0.1), (0.1, 0.15, 0.7), (0.7, 0.7, 0.7)]


def stripes(path: Path, *, matrix: int, full: bool, pixel_format: str = "yuv444p", turn: int = 0) -> Path:
    """Four stripes of known colours."""
    rgb = np.repeat(np.array(PRIMARIES), 40, axis=0)[None].repeat(90, axis=0)
    frame = av.VideoFrame.from_ndarray(np.round(rgb * 255).astype(np.uint8), format="rgb24")
    frame = frame.reformat(
        format=pixel_format,
        dst_colorspace={1: "ITU709", 6: "ITU601"}[matrix],
        dst_color_range="JPEG" if full else "MPEG",
    )
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=10, options={"preset": "ultrafast", "crf": "8"})
        stream.width, stream.height, stream.pix_fmt = 160, 90, pixel_format
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc = matrix, matrix, matrix
        context.color_range = 2 if full else 1
        if turn:
            stream.set_display_rotation(-turn)
        for number in range(10):
            frame.pts, frame.time_base = number, Fraction(1, 10)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p", "yuv422p10le"])
@pytest.mark.parametrize(("matrix", "full"), [(1, False), (6, False), (1, True)])
@pytest.mark.parametrize("turn", [0, 180])
def test_colours_are_right_in_every_picture(
    tmp_path: Path, pixel_format: str, matrix: int, full: bool, turn: int
) -> None:
    """The poster is JFIF, the sprite too, the preview BT.709: whatever matrix and range the clip has."""
    source = stripes(tmp_path / "clip.mp4", matrix=matrix, full=full, pixel_format=pixel_format, turn=turn)
    _, sprite, preview = tapped(source, tmp_path)
    poster = opened(tmp_path / drawn(source, tmp_path).plain_file)
    for picture in (poster, sprite, seen(preview[0])):
        found = [picture.getpixel((picture.width * (2 * index + 1) // 8, picture.height // 2)) for index in range(4)]
        wanted = PRIMARIES[::-1] if turn else PRIMARIES
        assert np.array(found) == pytest.approx(np.array(wanted) * 255, abs=9)


HDR_GREYS = {
    "pq": (16, (0.30, 0.508, 0.581, 0.752, 0.903), (72, 178, 210, 250, 255)),  # 10, 100, 203, 1000 and 4000 nits
    "hlg": (18, (0.15, 0.50, 0.75, 0.90, 1.00), (43, 143, 230, 254, 255)),  # of them 0.75 is diffuse white
}


@pytest.mark.parametrize("kind", list(HDR_GREYS))
def test_hdr_is_mapped_in_every_picture(tmp_path: Path, kind: str) -> None:
    """To what unit/transcode/test_tonemap.py derives from the light, and told apart up to the brightest."""
    transfer, signals, expected = HDR_GREYS[kind]
    path = tmp_path / "hdr.mp4"
    luma = np.repeat(np.round(64 + 876 * np.array(signals)).astype(np.uint16), 64)[None].repeat(180, axis=0)
    frame = av.VideoFrame.from_ndarray(np.concatenate([luma, np.full((90, 320), 512, np.uint16)]), format="yuv420p10le")
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx265", rate=10, options={"preset": "ultrafast", "x265-params": "log-level=none"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p10le"
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = 9, transfer, 9, 1
        for number in range(10):
            frame.pts, frame.time_base = number, Fraction(1, 10)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    _, sprite, preview = tapped(path, tmp_path)
    poster = opened(tmp_path / drawn(path, tmp_path).plain_file)
    for picture in (poster, sprite, seen(preview[0])):
        found = [picture.getpixel((picture.width * (2 * index + 1) // 10, picture.height // 2)) for index in range(5)]
        assert np.array(found) == pytest.approx(np.array(expected)[:, None].repeat(3, axis=1), abs=6)
