"""Which tile is whose, where it is in the sprite, and when it is shown."""

from __future__ import annotations

import io
import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from clipstream.transcode.pictures.sprite import compose
from clipstream.transcode.pictures.storyboard import tile_interval_s, tile_size, tile_slots, tile_spans, within
from unit.transcode.pictured import plan_of

DURATIONS = (0.04, 0.5, 0.99, 1.0, 1.05, 2.5, 30.016, 59.95, 99.97, 100.4, 101.0, 754.321, 1200.0, 3599.9)
CUE = re.compile(
    r"(\d+):(\d\d):(\d\d)\.(\d{3}) --> (\d+):(\d\d):(\d\d)\.(\d{3})\nstoryboard\.jpg#xywh=(\d+),(\d+),(\d+),(\d+)\n"
)


def tile(level: int, size: tuple[int, int] = (16, 10)) -> bytes:
    return bytes([level]) * (size[0] * size[1] * 3)


def cues(vtt: str) -> list[tuple[float, float, tuple[int, ...]]]:
    """(start, end, xywh) of each; a file with anything else in it is none."""
    assert vtt.startswith("WEBVTT\n\n")
    assert CUE.sub("", vtt.removeprefix("WEBVTT\n\n")).strip() == ""
    found = []
    for match in CUE.finditer(vtt):
        h1, m1, s1, t1, h2, m2, s2, t2, *place = (int(part) for part in match.groups())
        found.append((h1 * 3600 + m1 * 60 + s1 + t1 / 1000, h2 * 3600 + m2 * 60 + s2 + t2 / 1000, tuple(place)))
    return found


@pytest.mark.parametrize(
    ("duration_s", "interval_s"), [(0.1, 1), (5, 1), (100, 1), (101, 1.5), (150, 1.5), (1200, 12), (3600, 36)]
)
def test_tiles_are_a_second_apart_until_there_would_be_too_many(duration_s: float, interval_s: float) -> None:
    assert tile_interval_s(duration_s) == interval_s


@pytest.mark.parametrize("duration_s", DURATIONS)
def test_tiles_leave_no_hole_and_end_with_the_clip(duration_s: float) -> None:
    plan = plan_of(duration_s)
    spans = tile_spans(plan)
    assert 1 <= len(spans) <= 101
    assert spans[0][0] == 0
    assert spans[-1][1] == duration_s
    assert all(earlier[1] == later[0] for earlier, later in pairwise(spans))
    for (start, end), slot in zip(spans, tile_slots(plan), strict=True):
        assert start - 1e-6 <= slot / 30 < end, "a tile shows a picture of its own time"


@pytest.mark.parametrize("duration_s", DURATIONS)
@pytest.mark.parametrize("rate", [(30, 1), (60000, 1001), (4, 1), (1, 1)])
def test_every_tile_is_made_by_exactly_one_chunk(duration_s: float, rate: tuple[int, int]) -> None:
    random = np.random.default_rng(round(duration_s * 100))
    last = max(2, round(duration_s * rate[0] / rate[1]))
    starts = sorted({0, *(int(slot) for slot in random.integers(1, last, 7))})
    plan = plan_of(duration_s, rate=rate, starts=starts)
    slots = tile_slots(plan)
    shared = [slot for chunk in plan.chunks for slot in within(slots, chunk)]
    assert shared == slots


@pytest.mark.parametrize(
    ("shown", "size"),
    [
        ((1920, 1080), (160, 90)),
        ((1080, 1920), (90, 160)),
        ((1000, 1000), (160, 160)),
        ((3440, 1440), (160, 66)),
        ((4000, 16), (160, 2)),
        ((64, 48), (64, 48)),
        ((17, 17), (16, 16)),
    ],
)
def test_tiles_have_the_clips_shape(shown: tuple[int, int], size: tuple[int, int]) -> None:
    assert tile_size(*shown) == size


def test_each_cue_points_at_its_own_tile() -> None:
    plan = plan_of(23.5, starts=(0, 200, 500), tile=(16, 10))
    owners = Counter(chunk.number for chunk in plan.chunks for _ in within(tile_slots(plan), chunk))
    levels = iter(range(0, 240, 10))
    made = {number: b"".join(tile(next(levels)) for _ in range(count)) for number, count in owners.items()}
    jpeg, vtt = compose(made, plan)
    sprite = np.asarray(Image.open(io.BytesIO(jpeg)).convert("L"))
    assert sprite.shape == (30, 160)
    listed = cues(vtt)
    assert len(listed) == 24
    assert [start for start, _, _ in listed] == list(range(24))
    assert listed[-1][1] == 23.5
    for index, (_, _, (x, y, width, height)) in enumerate(listed):
        assert abs(float(sprite[y : y + height, x : x + width].mean()) - index * 10) < 3
    assert len({place for _, _, place in listed}) == 24


def test_a_clip_shorter_than_a_second_has_one_tile() -> None:
    jpeg, vtt = compose({1: tile(200)}, plan_of(0.345, tile=(16, 10)))
    assert Image.open(io.BytesIO(jpeg)).size == (16, 10)
    assert cues(vtt) == [(0.0, 0.345, (0, 0, 16, 10))]


def test_an_hour_is_written_as_one() -> None:
    *_, last = cues(compose({}, plan_of(3599.999, tile=(16, 10)))[1])
    assert last[1] == 3599.999
    *_, last = cues(compose({}, plan_of(7261.5, tile=(16, 10)))[1])
    assert last[1] == 7261.5


@pytest.mark.parametrize(
    ("first", "second", "levels"),
    [
        (tile(50) * 2, tile(90) * 2, [50, 50, 90, 90]),
        (tile(50), tile(90) * 2, [50, 50, 90, 90]),
        (tile(50) * 2, b"", [50, 50, 50, 50]),
        (b"", tile(90) * 2, [0, 0, 90, 90]),
        (b"", b"", [0, 0, 0, 0]),
        (tile(50) * 9, tile(90) + tile(120), [50, 50, 90, 120]),
        (tile(50) + tile(70)[:-1], tile(90) * 2, [50, 50, 90, 90]),
        (b"\x89PNG not a picture", tile(90) * 2, [0, 0, 90, 90]),
    ],
)
def test_what_a_chunk_did_not_make_is_the_picture_before(first: bytes, second: bytes, levels: list[int]) -> None:
    """Whatever a child answers with: too little, too much, something else."""
    plan = plan_of(4.0, starts=(0, 60), tile=(16, 10))
    jpeg, _ = compose({1: first, 2: second, 7: tile(255)}, plan)
    sprite = np.asarray(Image.open(io.BytesIO(jpeg)).convert("L"), np.int16)
    assert [round(float(sprite[:, x : x + 16].mean()) / 10) * 10 for x in range(0, 64, 16)] == levels
