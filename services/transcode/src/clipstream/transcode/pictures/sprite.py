"""Draws the storyboard: all tiles of a clip as one picture, and a WebVTT list of where each is.

Tiles come as raw RGB from children that decoded untrusted files: only their length is looked at here.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping

from PIL import Image

from clipstream.transcode.pictures.storyboard import gathered, tile_slots, tile_spans
from clipstream.transcode.planned import Plan

FILE = "storyboard.jpg"
"""What the WebVTT calls the picture, which lies beside it."""

COLUMNS = 10
_QUALITY = 75


def compose(made: Mapping[int, bytes], plan: Plan) -> tuple[bytes, str]:
    """The sprite as JPEG and its WebVTT. `made` is what each chunk's tiles file holds, by the chunk's number."""
    width, height = plan.tile
    spans = tile_spans(plan)
    columns = min(COLUMNS, len(spans))
    places = [(index % columns * width, index // columns * height) for index in range(len(spans))]
    sprite = Image.new("RGB", (columns * width, math.ceil(len(spans) / columns) * height))
    for place, picture in zip(places, gathered(made, tile_slots(plan), plan.tile, plan), strict=True):
        sprite.paste(Image.frombytes("RGB", plan.tile, picture), place)
    jpeg = io.BytesIO()
    sprite.save(jpeg, "JPEG", quality=_QUALITY, optimize=True)
    cues = [
        f"{_clock(start)} --> {_clock(end)}\n{FILE}#xywh={x},{y},{width},{height}\n"
        for (start, end), (x, y) in zip(spans, places, strict=True)
    ]
    return jpeg.getvalue(), "\n".join(["WEBVTT\n", *cues])


def _clock(time_s: float) -> str:
    """WebVTT's own: hours, minutes, seconds, milliseconds."""
    minutes, milliseconds = divmod(round(time_s * 1000), 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{milliseconds // 1000:02d}.{milliseconds % 1000:03d}"
