"""The stages of this service: what is playable at once, what is to be made, its parts in two lanes, and captions."""

from __future__ import annotations

from typing import Any

from clipstream.common.stage.spec import StageSpec
from clipstream.transcode import captioning, parts, planning, previewing
from clipstream.transcode.plan import Recipe

PREVIEWS = 2
"""Previews at once in one worker: they mostly read and write, and somebody waits for each."""


def specs(recipe: Recipe, *, copy_bit_rate: int, slots: int = 1) -> list[StageSpec[Any]]:
    """Everything that one worker consumes. It makes `slots` parts of short clips at once, and as many of long ones, which
    stand back. Sources of up to `copy_bit_rate` bits a second may be played as they are."""
    return [
        previewing.build(copy_bit_rate, slots=PREVIEWS),
        planning.build(recipe, copy_bit_rate=copy_bit_rate),
        parts.build(long=False, slots=slots),
        parts.build(long=True, slots=slots),
        captioning.build(),
    ]
