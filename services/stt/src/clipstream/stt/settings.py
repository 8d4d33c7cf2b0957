"""Settings of the stt service."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from clipstream.common.settings import StageSettings


class Settings(StageSettings):
    """`STT_MODEL` is a directory in CTranslate2's Whisper layout, or a hub name where the machine may reach one."""

    stt_model: str | None = None
    stt_threads: int = Field(default=0, ge=0, description="0 lets the engine choose; more than 4 is seldom faster")
    stt_beam_size: int = Field(default=5, ge=1)
    stt_language: str | None = Field(default=None, description="ISO 639-1; unset = detected")
    stt_time_limit: timedelta = timedelta(minutes=60)
