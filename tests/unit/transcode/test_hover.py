"""The hover preview: which pictures it is made of, and the file."""

from __future__ import annotations

import io
from itertools import pairwise

import av
import numpy as np
import pytest

from clipstream.transcode.pictures.hover import (
    RATE,
    compose_preview,
    encode_preview,
    preview_size,
    preview_slots,
    preview_starts,
)
from clipstream.transcode.pictures.storyboard import within
from unit.transcode.pictured import plan_of


@pytest.mark.parametrize("duration_s", [0.04, 0.5, 3.0, 5.0, 5.1, 8.0, 30.0, 1200.0])
def test_three_to_five_seconds_of_any_clip(duration_s: float) -> None:
    plan = plan_of(duration_s)
    slots = preview_slots(plan)
    assert len(slots) / RATE == pytest.approx(min(duration_s, 5.0) if duration_s <= 5 else 4.0, abs=1 / RATE)
    assert slots == sorted(slots)
    assert 0 <= slots[0] <= slots[-1] < max(1, duration_s * 30)


def test_stretches_are_spread_over_the_clip() -> None:
    starts = preview_starts(40.0)
    assert starts == (4.5, 14.5, 24.5, 34.5)
    for first, second in pairwise(preview_starts(5.01)):
        assert second >= first + 1.0, "no picture is shown twice"
    assert preview_starts(5.0) == (0.0,)


def test_every_picture_is_made_by_exactly_one_chunk() -> None:
    plan = plan_of(40.0, starts=(0, 149, 151, 452, 800))
    slots = preview_slots(plan)
    assert [slot for chunk in plan.chunks for slot in within(slots, chunk)] == slots


def test_slow_clips_show_a_slot_more_than_once() -> None:
    plan = plan_of(3.0, rate=(4, 1))
    assert preview_slots(plan) == [slot for slot in range(12) for _ in range(3)]


@pytest.mark.parametrize(
    ("shown", "size"),
    [((1920, 1080), (320, 180)), ((1080, 1920), (180, 320)), ((100, 60), (100, 60)), ((4000, 16), (320, 2))],
)
def test_previews_have_the_clips_shape(shown: tuple[int, int], size: tuple[int, int]) -> None:
    assert preview_size(*shown) == size


def boxes(file: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(file):
        found.append(file[at + 4 : at + 8])
        at += int.from_bytes(file[at : at + 4], "big")
    return found


@pytest.mark.parametrize("size", [(320, 180), (180, 320), (50, 34), (2, 2)])
def test_the_file_plays_from_its_first_bytes(size: tuple[int, int]) -> None:
    plan = plan_of(30.0, preview=size)
    levels = [20 + 4 * index for index in range(48)]
    file = encode_preview(b"".join(bytes([level]) * (size[0] * size[1] * 3) for level in levels), plan)
    kinds = boxes(file)
    assert kinds[0] == b"ftyp"
    assert kinds.index(b"moov") < kinds.index(b"mdat")
    with av.open(io.BytesIO(file), "r") as container:
        assert [stream.type for stream in container.streams] == ["video"]
        frames = list(container.decode(video=0))
        assert container.duration == pytest.approx(4_000_000, abs=1000)
    assert (frames[0].width, frames[0].height) == size
    assert (frames[0].color_primaries, frames[0].color_trc, frames[0].colorspace, frames[0].color_range) == (1, 1, 1, 1)
    shown = [float(frame.to_ndarray(format="rgb24").mean()) for frame in frames]
    assert shown == pytest.approx(levels, abs=4)


def test_the_longest_preview_has_room_for_its_index() -> None:
    plan = plan_of(5.0, preview=(64, 36))
    random = np.random.default_rng(1)
    file = compose_preview({1: random.integers(0, 256, 60 * 64 * 36 * 3, np.uint8).tobytes()}, plan)
    assert boxes(file).index(b"moov") < boxes(file).index(b"mdat")
    with av.open(io.BytesIO(file), "r") as container:
        assert len(list(container.decode(video=0))) == 60


def test_a_chunk_that_lost_its_pictures_holds_the_one_before() -> None:
    plan = plan_of(4.0, starts=(0, 60), preview=(16, 16))
    file = compose_preview({1: bytes([200]) * (24 * 16 * 16 * 3)}, plan)
    with av.open(io.BytesIO(file), "r") as container:
        last = list(container.decode(video=0))[-1]
    assert float(last.to_ndarray(format="rgb24").mean()) == pytest.approx(200, abs=4)
