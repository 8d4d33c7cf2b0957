"""Numbers of a plan: which renditions, at which size and rate, under which name."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest

from clipstream.transcode.plan import gop_frames, output_rate, plan_id, renditions

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
    ("guessed", "average", "expected"),
    [
        (Fraction(60), Fraction(60), Fraction(60)),
        (Fraction(30000, 1001), Fraction(30000, 1001), Fraction(30000, 1001)),
        (Fraction(2997, 100), None, Fraction(30000, 1001)),
        (Fraction(144), Fraction(144), Fraction(60)),
        (Fraction(30), Fraction(1860, 89), Fraction(30)),
        (Fraction(1000), Fraction(2983, 100), Fraction(30000, 1001)),
        (None, None, Fraction(30)),
        (Fraction(90000), Fraction(90000), Fraction(30)),
        (Fraction(5), Fraction(5), Fraction(5)),
        (Fraction(1, 10), Fraction(1, 10), Fraction(1)),
    ],
)
def test_rate_is_constant_common_and_at_most_sixty(
    guessed: Fraction | None, average: Fraction | None, expected: Fraction
) -> None:
    assert output_rate(guessed, average) == expected


@pytest.mark.parametrize(("rate", "frames"), [(Fraction(60), 120), (Fraction(30000, 1001), 60), (Fraction(1), 2)])
def test_a_gop_lasts_two_seconds(rate: Fraction, frames: int) -> None:
    assert gop_frames(rate) == frames


def test_plan_is_named_after_all_that_changes_the_output() -> None:
    one = plan_id((480, 720), "veryfast", '"abc"')
    assert one == plan_id((720, 480), "veryfast", "abc")
    assert (
        len(
            {
                one,
                plan_id((480,), "veryfast", "abc"),
                plan_id((480, 720), "fast", "abc"),
                plan_id((480, 720), "veryfast", "b"),
            }
        )
        == 4
    )
