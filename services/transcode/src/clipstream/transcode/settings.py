"""Settings of the transcode service."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from clipstream.common.settings import LimitSettings, StageSettings
from clipstream.transcode.plan import Recipe

MOST_RUNGS = 8
"""Each costs an encoder's memory and time for every clip; no player needs more."""


class Settings(StageSettings, LimitSettings):
    """`TRANSCODE_LADDER` lists the short sides of the renditions, `TRANSCODE_PRESET` is x264's, `TRANSCODE_ENCODER` the
    encoder to use where a trial of it succeeds; workers of one queue should come to the same one. A source of at most
    `TRANSCODE_COPY_BIT_RATE` bits a second can be played as it is."""

    transcode_preset: Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow"] = "veryfast"
    transcode_encoder: Literal["auto", "libx264", "h264_nvenc", "h264_qsv", "h264_amf"] = "auto"
    transcode_copy_bit_rate: Annotated[int, Field(ge=0, le=200_000_000)] = 24_000_000
    transcode_ladder: Annotated[tuple[Annotated[int, Field(ge=144, le=2160)], ...], NoDecode] = (480, 720, 1080)

    @field_validator("transcode_ladder", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return tuple(value.split(",")) if isinstance(value, str) else value

    @field_validator("transcode_ladder")
    @classmethod
    def _ladder(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not 0 < len(value) <= MOST_RUNGS or len(set(value)) != len(value) or any(rung % 2 for rung in value):
            raise ValueError(f"TRANSCODE_LADDER names 1 to {MOST_RUNGS} even heights, each once, such as 480,720,1080")
        return tuple(sorted(value))

    @property
    def recipe(self) -> Recipe:
        return Recipe(self.transcode_ladder, self.transcode_preset, self.max_duration.total_seconds() + 10)
