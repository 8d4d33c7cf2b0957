"""Colours: what was meant is what is seen, whatever matrix, range, depth and transfer it was written with, and the output
says how it is to be read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from corpus import chart, colours, odd
from integration.transcode.watched import Stream, Watched, watch

TIMES = odd.even(30, 8)

SDR_STEPS = 5
"""How many of 256 steps a colour may be off: two roundings to 8 bits, two lossy encoders."""

HDR_STEPS = 36
"""The same where light itself was mapped, and room was left above white for what is brighter."""

_UNKNOWN = 2

SDR: dict[str, odd.Look] = {
    "bt709": odd.Look(),
    "bt709_full": odd.Look(coding=colours.BT709_FULL),
    "bt601": odd.Look(coding=colours.BT601),
    "bt601_full": odd.Look(coding=colours.BT601_FULL),
    "bt470bg": odd.Look(coding=colours.BT470BG),
    "jpeg_format": odd.Look(coding=colours.BT601_FULL, pixel_format="yuvj420p"),
    "untagged_small": odd.Look(coding=colours.UNTAGGED),
    "ten_bits": odd.Look(pixel_format="yuv420p10le"),
    "ten_bits_full": odd.Look(pixel_format="yuv420p10le", coding=colours.BT709_FULL),
    "ten_bits_422": odd.Look(pixel_format="yuv422p10le"),
    "full_chroma": odd.Look(pixel_format="yuv444p", coding=colours.BT601),
    "odd_size": odd.Look(pixel_format="yuv444p", size=(359, 201)),
    "hevc": odd.Look(codec="libx265", coding=colours.BT601),
    "hevc_ten_bits_full": odd.Look(codec="libx265", pixel_format="yuv420p10le", coding=colours.BT709_FULL),
    "vp9": odd.Look(codec="libvpx-vp9", coding=colours.BT601),
    "vp9_full": odd.Look(codec="libvpx-vp9", coding=colours.BT709_FULL),
    "av1": odd.Look(codec="libsvtav1", coding=colours.BT601),
    "turned": odd.Look(rotation=90, coding=colours.BT601),
    "turned_full": odd.Look(rotation=180, coding=colours.BT709_FULL),
    "interlaced": odd.with_options(odd.Look(fields=True, coding=colours.BT601), **{"x264-params": "tff=1"}),
}


def seen_colours(stream: Stream) -> dict[str, tuple[float, float, float]]:
    """As a player shows them that believes the stream's own tags; there must be tags to believe."""
    frame = stream.frames()[4]
    tags = (frame.colorspace, frame.color_primaries, frame.color_trc)
    assert _UNKNOWN not in tags, f"{stream.name} leaves players to guess: {tags}"
    assert frame.color_range == 1, f"{stream.name} is not limited range: {frame.color_range}"
    return chart.colours(frame)


def assert_colours(found: dict[str, tuple[float, float, float]], give: float) -> None:
    for name, meant in chart.COLOURS.items():
        off = [round(there - here, 1) for there, here in zip(found[name], meant, strict=True)]
        assert max(map(abs, off)) <= give, f"{name} {meant} is off by {off}"


@pytest.mark.parametrize("kind", list(SDR))
def test_colours_are_what_was_meant(tmp_path: Path, kind: str) -> None:
    seen = watch(odd.write(tmp_path / "clip.mp4", TIMES, look=SDR[kind]))
    assert_colours(seen_colours(seen.video), SDR_STEPS)


def test_an_untagged_large_picture_is_read_as_bt709(tmp_path: Path) -> None:
    """What every player takes HD for. The smaller rendition says BT.709 too; else players would go by its size."""
    look = odd.Look(size=(1280, 720), coding=colours.UNTAGGED_HD)
    seen = watch(odd.write(tmp_path / "clip.mp4", TIMES, look=look))
    assert_colours(seen_colours(seen.video), SDR_STEPS)
    assert seen.video.frames()[0].colorspace == 1


def test_renditions_agree_about_colours(tmp_path: Path) -> None:
    """A viewer must not see the quality switch as a change of colour."""
    look = odd.Look(size=(480, 270), coding=colours.BT601, pixel_format="yuv420p10le")
    seen = watch(odd.write(tmp_path / "clip.mp4", TIMES, look=look), ladder=(144, 240))
    high, low = (seen_colours(stream) for stream in seen.videos)
    for name in chart.COLOURS:
        assert max(abs(a - b) for a, b in zip(high[name], low[name], strict=True)) <= 3
    assert len({tags(stream) for stream in seen.videos}) == 1


def tags(stream: Stream) -> tuple[int, int, int, int]:
    frame = stream.frames()[0]
    return int(frame.colorspace), int(frame.color_range), int(frame.color_primaries), int(frame.color_trc)


HDR = {
    "hdr10": odd.Look(codec="libx265", pixel_format="yuv420p10le", coding=colours.HDR10),
    "hlg": odd.Look(codec="libx265", pixel_format="yuv420p10le", coding=colours.HLG),
    "hdr10_av1": odd.Look(codec="libsvtav1", pixel_format="yuv420p10le", coding=colours.HDR10),
    "hlg_turned": odd.Look(codec="libx265", pixel_format="yuv420p10le", coding=colours.HLG, rotation=270),
    "hdr10_of_eight_bits": odd.Look(coding=colours.HDR10),
    "hdr10_odd": odd.Look(codec="libx265", pixel_format="yuv444p10le", coding=colours.HDR10, size=(359, 201)),
}


@pytest.mark.parametrize("kind", list(HDR))
def test_hdr_shows_ordinary_light_as_an_ordinary_picture_does(tmp_path: Path, kind: str) -> None:
    """A desktop recorded in HDR: its white stands at 203 cd/m² (BT.2408), its colours in BT.2020. In SDR it looks as it
    would have been recorded in SDR, and is tagged as that."""
    seen = watch(odd.write(tmp_path / "clip.mp4", TIMES, look=HDR[kind]))
    assert_colours(seen_colours(seen.video), HDR_STEPS)
    assert tags(seen.video) == (1, 1, 1, 1)
    assert not seen.copies
    assert_eight_bits(seen)


@pytest.mark.parametrize("kind", ["hdr10", "hlg"])
def test_what_is_brighter_than_white_stays_readable(tmp_path: Path, kind: str) -> None:
    """Three times the light: nothing gets darker or changes hue, neutral stays neutral, and the card is still a card."""
    seen = watch(odd.write(tmp_path / "clip.mp4", TIMES, look=replace(HDR[kind], glare=3.0)))
    found = seen_colours(seen.video)
    assert seen.video.numbers() == list(range(8))
    for name, meant in chart.COLOURS.items():
        assert all(there >= here - HDR_STEPS for there, here in zip(found[name], meant, strict=True)), name
    for name in ("red", "green", "blue"):
        assert found[name].index(max(found[name])) == chart.COLOURS[name].index(max(chart.COLOURS[name]))
    for name in ("grey", "white"):
        assert max(found[name]) - min(found[name]) <= HDR_STEPS
    assert found["white"][1] >= 235 - HDR_STEPS


def assert_eight_bits(seen: Watched) -> None:
    for stream in seen.videos:
        assert {frame.format.name for frame in stream.frames()} == {"yuv420p"}
