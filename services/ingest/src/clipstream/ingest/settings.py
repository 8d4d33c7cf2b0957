"""Settings of the ingest service."""

from __future__ import annotations

from datetime import timedelta

from clipstream.common.settings import LimitSettings, StageSettings
from clipstream.ingest.processor import Bounds


class Settings(StageSettings, LimitSettings):
    """`MAX_UPLOAD_SIZE`, `MAX_DURATION` and `MIN_DURATION` say what a clip may be."""

    min_duration: timedelta = timedelta(seconds=0.5)

    @property
    def bounds(self) -> Bounds:
        return Bounds(
            min_duration_s=self.min_duration.total_seconds(), max_duration_s=self.max_duration.total_seconds()
        )
