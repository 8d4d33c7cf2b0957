"""Shapes: whatever a file says of turning and stretching, viewers get upright pictures of square pixels."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from corpus import odd
from corpus.beeps import Sound
from integration.transcode.timely import assert_in_time, assert_playable, assert_together
from integration.transcode.watched import Watched, watch

TIMES = odd.even(30, 75)


def sizes(seen: Watched) -> list[tuple[int, int]]:
    """Of every encoded track, all its pictures alike and of square pixels, as the stream itself says."""
    found = []
    for stream in seen.videos:
        [size] = {(frame.width, frame.height) for frame in stream.frames()}
        assert stream.pixel_aspect == 1
        found.append(size)
    return found


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_turned_clip_is_shown_upright(tmp_path: Path, rotation: int, suffix: str) -> None:
    beeps_s = (0.5, 2.0)
    clip = odd.write(
        tmp_path / f"phone{suffix}", TIMES, look=odd.Look(rotation=rotation), sounds=[Sound(2.5, beeps_s=beeps_s)]
    )
    seen = watch(clip)
    assert sizes(seen) == [(256, 144) if rotation == 180 else (144, 256)]
    assert seen.video.numbers() == list(range(75)), "every card upright, every card once"
    assert_together(seen, TIMES, beeps_s)
    assert_playable(seen)
    assert not seen.copies, "players of HLS do not turn pictures: a turned source cannot be copied"


def test_a_turned_stutter_keeps_its_times(tmp_path: Path) -> None:
    """The turning filter must not touch the times."""
    times = odd.mixed((60, 0.5), (4, 2.0), (30, 0.5))
    clip = odd.write(tmp_path / "phone.mp4", times, look=odd.Look(rotation=270), rate=60)
    assert_in_time(watch(clip), times)


def test_a_turned_clip_of_ten_bits(tmp_path: Path) -> None:
    """As phones record: HEVC of ten bits, portrait by its matrix alone."""
    look = odd.Look(rotation=90, codec="libx265", pixel_format="yuv420p10le")
    seen = watch(odd.write(tmp_path / "phone.mp4", TIMES, look=look))
    assert sizes(seen) == [(144, 256)]
    assert seen.video.numbers() == list(range(75))


@pytest.mark.parametrize(
    ("stored", "aspect", "shown"),
    [
        ((240, 180), Fraction(4, 3), (256, 144)),
        ((360, 180), Fraction(8, 9), (256, 144)),
        ((320, 180), Fraction(3, 4), (192, 144)),
    ],
    ids=["wide_pixels", "narrow_pixels", "to_four_by_three"],
)
def test_pixels_become_square(
    tmp_path: Path, stored: tuple[int, int], aspect: Fraction, shown: tuple[int, int]
) -> None:
    look = odd.Look(size=stored, aspect=aspect)
    seen = watch(odd.write(tmp_path / "dvd.mp4", TIMES, look=look))
    assert sizes(seen) == [shown]
    assert seen.video.numbers() == list(range(75))


def test_stretched_and_turned_at_once(tmp_path: Path) -> None:
    """Pixels are stretched as they are stored, before the picture is turned."""
    look = odd.Look(size=(240, 180), aspect=Fraction(4, 3), rotation=90)
    seen = watch(odd.write(tmp_path / "phone.mp4", TIMES, look=look))
    assert sizes(seen) == [(144, 256)]
    assert seen.video.numbers() == list(range(75))


ODD = {
    "h264_444": odd.Look(size=(359, 201), pixel_format="yuv444p"),
    "ffv1_420": odd.Look(size=(359, 201), codec="ffv1"),
    "ffv1_422": odd.Look(size=(359, 201), codec="ffv1", pixel_format="yuv422p"),
    "vp9_420": odd.Look(size=(359, 201), codec="libvpx-vp9"),
}


@pytest.mark.parametrize("kind", ["h264_444", "ffv1_420", "ffv1_422", "vp9_420"])
@pytest.mark.parametrize(("ladder", "shown"), [((144,), (256, 144)), ((480,), (358, 200))], ids=["below", "own_size"])
def test_odd_sizes_become_even_and_no_larger(
    tmp_path: Path, kind: str, ladder: tuple[int, ...], shown: tuple[int, int]
) -> None:
    seen = watch(odd.write(tmp_path / "odd.mkv", TIMES, look=ODD[kind]), ladder=ladder)
    [(width, height)] = sizes(seen)
    assert abs(width - shown[0]) <= 2
    assert abs(height - shown[1]) <= 2
    assert width % 2 == height % 2 == 0
    assert seen.video.numbers() == list(range(75))


@pytest.mark.parametrize(
    ("size", "shown"),
    [((180, 320), (144, 256)), ((480, 200), (256, 106)), ((180, 180), (144, 144)), ((480, 160), (256, 86))],
    ids=["portrait", "ultrawide", "square", "strip"],
)
def test_every_shape_fits_its_rung(tmp_path: Path, size: tuple[int, int], shown: tuple[int, int]) -> None:
    seen = watch(odd.write(tmp_path / "clip.mp4", TIMES, look=odd.Look(size=size)))
    [(width, height)] = sizes(seen)
    assert abs(width - shown[0]) <= 2
    assert abs(height - shown[1]) <= 2
    assert seen.video.numbers() == list(range(75))
