"""One video as the pipeline's facts make it: what stages and operators told, and what follows from that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from clipstream.common.contracts.events import Stage
from clipstream.common.contracts.ids import StreamId, VideoId

Status = Literal["uploading", "processing", "ready", "duplicate", "failed", "rejected"]
StageStatus = Literal["queued", "running", "done", "failed", "skipped"]

STAGES: tuple[Stage, ...] = get_args(Stage)
UNIQUE_STARTS: tuple[Stage, ...] = ("transcode", "stt", "embed")
ESSENTIAL: tuple[Stage, ...] = ("ingest", "dedupe", "transcode")
AFTER: Mapping[Stage, tuple[Stage, ...]] = {
    "ingest": ("dedupe", "transcode", "stt", "embed", "search_text", "search_vectors"),
    "dedupe": ("transcode", "stt", "embed", "search_text", "search_vectors"),
    "stt": ("search_text",),
    "embed": ("search_vectors",),
}


@dataclass
class StageRow:
    """One stage of one clip. The times are facts; the state is derived, or comes from progress.

    `failed_at` and `error` speak of the newest try that an operator asked for (`retries` counts those); `waived_at` is
    since when the clip does not wait for this stage: it failed once, or was skipped. That is never taken back.
    """

    state: StageStatus = "queued"
    attempts: int = 0
    error: str | None = None
    trigger: Mapping[str, Any] | None = None
    done_at: datetime | None = None
    failed_at: datetime | None = None
    skipped_at: datetime | None = None
    waived_at: datetime | None = None
    retries: int = 0

    @property
    def settled_at(self) -> datetime | None:
        return first(self.done_at, self.waived_at)

    @property
    def given_up(self) -> bool:
        return self.done_at is None and (self.failed_at is not None or self.skipped_at is not None)


@dataclass
class Clip:
    """One video as the projector sees it: the facts that stages told, and what follows from them."""

    id: VideoId
    stream_id: StreamId
    stages: dict[Stage, StageRow] = field(default_factory=lambda: {stage: StageRow() for stage in STAGES})
    media: Mapping[str, Any] | None = None
    playback: Mapping[str, Any] | None = None
    transcript: Mapping[str, Any] | None = None
    embedding: Mapping[str, Any] | None = None
    duplicate: Mapping[str, Any] | None = None
    rejection: str | None = None
    cancelled: str | None = None
    dismissed_at: datetime | None = None
    content_hash: str | None = None
    uploaded_at: datetime | None = None

    status: Status = "uploading"
    processing_index: int = 1
    error: str | None = None
    failed_stage: Stage | None = None
    duration_s: float | None = None
    stored_bytes: int = 0
    playable_at: datetime | None = None
    ready_at: datetime | None = None


def first(*times: datetime | None) -> datetime | None:
    """The earliest that is known."""
    return min((time for time in times if time is not None), default=None)
