"""Numbers of a plan: which renditions, at which size and rate, under which name."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product

import pytest

from clipstream.common.contracts.media import VideoTrack
from clipstream.transcode.chunking import gop_frames
from clipstream.transcode.made import SourceCopy
from clipstream.transcode.plan import Recipe, output_rate, plan_id, renditions, shown_size

LADDER = (480, 720, 1080)


def shapes(width: int, height: int) -> list[tuple[str, int, int]]:
    return [(made.name, made.width, made.height) for made in renditions(width, height, LADDER)]


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (1920, 1080, [("1080p", 1920, 1080), ("720p", 1280, 720), ("480p", 854, 480)]),
        (3840, 2160, [("1080p", 1920, 1080), ("720p", 1280, 720), ("480p", 854, 480)]),
        (1280, 720, [("720p", 1280, 720), ("480p", 854, 480)]),
        (1366, 768, [("720p", 1280, 720), ("480p", 854, 480)]),
        (1440, 1080, [("1080p", 1440, 1080), ("720p", 960, 720), ("480p", 640, 480)]),
        (1080, 1920, [("1080p", 1080, 1920), ("720p", 720, 1280), ("480p", 480, 854)]),
        (2560, 1080, [("1080p", 1920, 810), ("720p", 1280, 540), ("480p", 854, 360)]),
        (1919, 1079, [("1080p", 1918, 1078), ("720p", 1280, 720), ("480p", 854, 480)]),
        (640, 360, [("360p", 640, 360)]),
        (641, 359, [("358p", 640, 358)]),
        (16, 16, [("16p", 16, 16)]),
        (1, 1, [("2p", 2, 2)]),
    ],
)
def test_ladder_fits_the_source(width: int, height: int, expected: list[tuple[str, int, int]]) -> None:
    assert shapes(width, height) == expected


def test_no_rendition_exceeds_its_source_or_has_odd_sizes() -> None:
    for width, height in product(range(100, 4000, 173), range(100, 2400, 211)):
        for name, wide, high in shapes(width, height):
            assert wide <= width, (width, height, name)
            assert high <= height, (width, height, name)
            assert wide % 2 == high % 2 == 0, (width, height, name)


def test_bits_follow_pixels() -> None:
    caps = [made.max_bit_rate for made in renditions(1920, 1080, LADDER)]
    assert caps[0] == 8_000_000
    assert caps == sorted(caps, reverse=True)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (60.0, Fraction(60)),
        (29.97003, Fraction(30000, 1001)),
        (59.94006, Fraction(60000, 1001)),
        (23.976024, Fraction(24000, 1001)),
        (24.0, Fraction(24)),
        (144.0, Fraction(60)),
        (240.0, Fraction(60)),
        (90000.0, Fraction(30)),
        (5.0, Fraction(5)),
        (0.1, Fraction(1)),
        (17.3, Fraction(173, 10)),
    ],
)
def test_rate_is_constant_common_and_at_most_sixty(source: float, expected: Fraction) -> None:
    assert output_rate(video(frame_rate=source)) == expected


def test_interlaced_pictures_are_two_moments_each() -> None:
    assert output_rate(video(frame_rate=29.97003, interlaced=True)) == Fraction(60000, 1001)
    assert output_rate(video(frame_rate=25.0, interlaced=True)) == 50
    assert output_rate(video(frame_rate=50.0, interlaced=True)) == 50


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, (1920, 1080)),
        ({"pixel_aspect": 0.75}, (1440, 1080)),
        ({"width": 1080, "height": 1920, "rotation": 90}, (1080, 1920)),
        ({"width": 1080, "height": 1440, "rotation": 90, "pixel_aspect": 4 / 3}, (1080, 1920)),
        ({"pixel_aspect": 100.0}, (1920, 1080)),
        ({"width": 720, "height": 576, "pixel_aspect": 64 / 45}, (1024, 576)),
    ],
)
def test_a_viewer_sees_square_pixels_upright(facts: dict[str, float], expected: tuple[int, int]) -> None:
    assert shown_size(video(**facts)) == expected


@pytest.mark.parametrize(("rate", "frames"), [(Fraction(60), 120), (Fraction(30000, 1001), 60), (Fraction(1), 2)])
def test_a_gop_lasts_two_seconds(rate: Fraction, frames: int) -> None:
    assert gop_frames(rate) == frames


def test_a_plan_is_named_after_all_that_changes_the_output() -> None:
    recipe, no = Recipe((480, 720), "veryfast", 60), SourceCopy(verdict="No.")
    names = [
        plan_id(recipe, '"abc"', no),
        plan_id(replace(recipe, ladder=(480,)), "abc", no),
        plan_id(replace(recipe, preset="fast"), "abc", no),
        plan_id(replace(recipe, encoder="h264_nvenc"), "abc", no),
        plan_id(recipe, "b", no),
        plan_id(recipe, "abc", SourceCopy(verdict="Yes.", ladder=True)),
    ]
    assert len(set(names)) == len(names)
    assert names[0] == plan_id(replace(recipe, ladder=(720, 480), max_duration_s=90), "abc", no)


def video(**facts: float) -> VideoTrack:
    known = {"index": 0, "codec": "h264", "pixel_format": "yuv420p", "width": 1920, "height": 1080, "frame_rate": 60.0}
    return VideoTrack.model_validate({**known, **facts})
