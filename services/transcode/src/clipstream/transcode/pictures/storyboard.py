"""The storyboard in numbers: small pictures at even distances over the whole clip.

Which slot shows which tile follows from the plan alone, so that chunks that know nothing of each other make each tile
once. sprite.py draws them; children that take pictures for it need not know how.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from clipstream.transcode.planned import ChunkPlan, Plan

MOST_TILES = 100
LONG_SIDE = 160
_SLIVER = 0.1
"""A last tile that would be shown for less than this share of the others' time is left to the one before."""


def tile_size(width: int, height: int) -> tuple[int, int]:
    """Of clips shown as `width` x `height`: even, at most `LONG_SIDE` a side."""
    return scaled(width, height, LONG_SIDE)


def scaled(width: int, height: int, long_side: int) -> tuple[int, int]:
    """The same shape in even numbers, nowhere larger than `long_side`."""
    scale = min(1.0, long_side / max(width, height))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def tile_interval_s(duration_s: float) -> float:
    """Whole and half seconds, never less than one."""
    return max(1.0, math.ceil(2 * duration_s / MOST_TILES) / 2)


def tile_spans(plan: Plan) -> list[tuple[float, float]]:
    """When each tile is shown, in seconds from 0 to the clip's end without holes."""
    every, end = plan.tiles_every_s, plan.duration_s
    count = max(1, math.ceil(end / every - _SLIVER))
    return [(index * every, (index + 1) * every if index + 1 < count else end) for index in range(count)]


def tile_slots(plan: Plan) -> list[int]:
    """The slot whose picture each tile is: the one in the middle of its time."""
    return [slot_at(plan, (start + end) / 2) for start, end in tile_spans(plan)]


def slot_at(plan: Plan, time_s: float) -> int:
    """The slot that is shown at a time, inside the clip."""
    last = max(0, math.ceil(plan.duration_s * plan.frame_rate) - 1)
    return min(last, int(time_s * plan.frame_rate + 1e-6))


def within(slots: Iterable[int], chunk: ChunkPlan) -> list[int]:
    """Those of `slots` that a chunk makes; the last chunk has no end."""
    end = math.inf if chunk.end_slot is None else chunk.end_slot
    return [slot for slot in slots if chunk.first_slot <= slot < end]


def gathered(made: Mapping[int, bytes], slots: Sequence[int], size: tuple[int, int], plan: Plan) -> list[bytes]:
    """One raw RGB picture for each of `slots`, from what the chunks wrote, by their numbers. What a chunk did not make is the
    picture before it, black where there is none yet; what is more than its own, or no whole picture, is left out."""
    picture_bytes = size[0] * size[1] * 3
    pictures: list[bytes] = []
    for chunk in plan.chunks:
        raw = made.get(chunk.number, b"")
        for index in range(len(within(slots, chunk))):
            picture = raw[index * picture_bytes : (index + 1) * picture_bytes]
            if len(picture) < picture_bytes:
                picture = pictures[-1] if pictures else bytes(picture_bytes)
            pictures.append(picture)
    missing = len(slots) - len(pictures)
    return pictures + missing * (pictures[-1:] or [bytes(picture_bytes)])
