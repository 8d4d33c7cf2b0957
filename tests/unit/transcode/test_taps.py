"""Small copies of passing pictures: the right ones, once, whatever lies between them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from clipstream.transcode.pictures.storyboard import tile_slots, within
from clipstream.transcode.pictures.taps import Taps
from clipstream.transcode.planned import ChunkPlan, Plan
from corpus.patches import patch
from unit.transcode.pictured import plan_of


def look(taps: Taps, slot: int, level: float, slots: int = 1) -> None:
    frame = patch((level, level, level), "yuv420p", tags=(1, 1, 1))
    frame.pts, frame.time_base = slot, Fraction(1, 30)
    taps.look(slot, frame, slots)


def levels(file: Path | None, scratch: Path, size: tuple[int, int]) -> list[float]:
    """The brightness of each picture in a file, 0..1."""
    assert file is not None
    raw = np.fromfile(scratch / file, np.uint8)
    assert raw.size % (size[0] * size[1] * 3) == 0
    pictures = raw.reshape(-1, size[1], size[0], 3)
    assert all(int(picture.max()) - int(picture.min()) <= 2 for picture in pictures)
    return [float(picture.mean()) / 255 for picture in pictures]


def run(plan: Plan, chunk: ChunkPlan, scratch: Path) -> Taps:
    taps = Taps(plan, chunk, scratch)
    end = chunk.end_slot if chunk.end_slot is not None else round(plan.duration_s * plan.frame_rate)
    for slot in range(chunk.first_slot, end):
        look(taps, slot, slot / 200)
    return taps


def test_each_chunk_takes_its_own_pictures(tmp_path: Path) -> None:
    plan = plan_of(6.0, starts=(0, 70, 130), tile=(18, 10), preview=(34, 18))
    tiles: list[float] = []
    for chunk in plan.chunks:
        file, _ = run(plan, chunk, tmp_path).finish()
        mine = levels(file, tmp_path, (18, 10))
        assert len(mine) == len(within(tile_slots(plan), chunk))
        tiles += mine
    assert tiles == pytest.approx([(0.5 + index) * 30 / 200 for index in range(6)], abs=0.01)


def test_preview_pictures_are_in_the_order_they_are_shown(tmp_path: Path) -> None:
    plan = plan_of(6.0, tile=(18, 10), preview=(34, 18))
    _, file = run(plan, plan.chunks[0], tmp_path).finish()
    shown = levels(file, tmp_path, (34, 18))
    assert len(shown) == 48
    assert shown == sorted(shown)


def test_a_picture_that_fills_many_slots_is_every_tile_in_them(tmp_path: Path) -> None:
    plan = plan_of(6.0, tile=(18, 10))
    taps = Taps(plan, plan.chunks[0], tmp_path)
    look(taps, 0, 0.2, slots=50)
    look(taps, 50, 0.4, slots=100)
    look(taps, 150, 0.8, slots=30)
    assert levels(taps.finish()[0], tmp_path, (18, 10)) == pytest.approx([0.2, 0.2, 0.4, 0.4, 0.4, 0.8], abs=0.01)


def test_slots_that_were_lost_are_the_next_picture(tmp_path: Path) -> None:
    """So that the place in the file still tells which tile it is."""
    plan = plan_of(6.0, tile=(18, 10))
    taps = Taps(plan, plan.chunks[0], tmp_path)
    look(taps, 0, 0.2, slots=10)
    look(taps, 100, 0.6, slots=80)
    assert levels(taps.finish()[0], tmp_path, (18, 10)) == pytest.approx([0.6] * 6, abs=0.01)


def test_a_chunk_without_a_tile_has_no_file(tmp_path: Path) -> None:
    plan = plan_of(6.0, starts=(0, 38, 45), tile=(18, 10))
    taps = run(plan, plan.chunks[1], tmp_path)
    assert taps.finish() == (None, None)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_taken_where_the_plan_wants_nothing(tmp_path: Path) -> None:
    plan = plan_of(6.0).model_copy(update={"tile": (0, 0), "preview": (0, 0)})
    assert run(plan, plan.chunks[0], tmp_path).finish() == (None, None)
