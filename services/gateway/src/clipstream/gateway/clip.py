"""One video as the pipeline's facts make it: what stages and operators told, and what follows from that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from clipstream.common.contracts.events import Stage
from clipstream.common.contracts.ids import StreamId, VideoId

Status = Literal["uploading", "processing", "ready", "duplicate", "failed", "rejected"]
StageStatus = Literal["queued", "running", "done", "failed", "skipped"]
Turn = Literal["waits", "works"]
"""A unique clip `waits` until its uploader has few enough others that `work`, and works until it is transcoded."""
Leftover = Literal["unwanted", "ended", "replaced"]
"""Why what was made for playing early has to go: nobody shall play it; nothing comes of it any more, unless an operator
tries again; there is something better."""
WATCHED_FOR = timedelta(hours=1)  # whoever began to play it then has come to its end, or to the next
KEPT_FOR: Mapping[Leftover, timedelta] = {
    "unwanted": timedelta(0),
    "ended": WATCHED_FOR,  # an operator's retry goes on with what is there
    "replaced": WATCHED_FOR,
}

STAGES: tuple[Stage, ...] = get_args(Stage)
ADMITTED: tuple[Stage, ...] = ("transcode", "stt", "embed")
"""What begins when a clip's turn has come."""
ESSENTIAL: tuple[Stage, ...] = ("ingest", "dedupe", "transcode")
AFTER: Mapping[Stage, tuple[Stage, ...]] = {
    "ingest": ("preview", "dedupe", "transcode", "stt", "embed", "captions", "search_text", "search_vectors"),
    "dedupe": ("transcode", "stt", "embed", "captions", "search_text", "search_vectors"),
    "stt": ("captions", "search_text"),
    "embed": ("search_vectors",),
}
LANES: Mapping[Stage, tuple[str, ...]] = {"transcode": ("transcode.short", "transcode.long")}
"""Queues beside its own in which the parts of a stage's work wait."""


@dataclass
class StageRow:
    """One stage of one clip. The times are facts; the state is derived, or comes from progress.

    `failed_at` and `error` speak of the newest try that an operator asked for (`retries` counts those); `waived_at` is
    since when the clip does not wait for this stage: it failed once, or was skipped. That is never taken back. One that is
    `held` is begun anew when the clip's turn comes: until then its trigger is sent to nobody.
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
    held: bool = False

    @property
    def pending(self) -> bool:
        return self.state in ("queued", "running")

    @property
    def settled_at(self) -> datetime | None:
        return first(self.done_at, self.waived_at)

    @property
    def given_up(self) -> bool:
        return self.done_at is None and (self.failed_at is not None or self.skipped_at is not None)


@dataclass
class Clip:
    """One video as the projector sees it: the facts that stages told, and what follows from them. `uniqueness` is the
    event that said that it is unique, as it stands on the wire."""

    id: VideoId
    stream_id: StreamId
    stages: dict[Stage, StageRow] = field(default_factory=lambda: {stage: StageRow() for stage in STAGES})
    media: Mapping[str, Any] | None = None
    preview: Mapping[str, Any] | None = None
    playable: Mapping[str, Any] | None = None
    uniqueness: Mapping[str, Any] | None = None
    playback: Mapping[str, Any] | None = None
    transcript: Mapping[str, Any] | None = None
    embedding: Mapping[str, Any] | None = None
    duplicate: Mapping[str, Any] | None = None
    rejection: str | None = None
    cancelled: str | None = None
    dismissed_at: datetime | None = None
    content_hash: str | None = None
    uploaded_at: datetime | None = None
    admitted_at: datetime | None = None

    status: Status = "uploading"
    processing_index: int = 1
    error: str | None = None
    failed_stage: Stage | None = None
    duration_s: float | None = None
    stored_bytes: int = 0
    playable_at: datetime | None = None
    ready_at: datetime | None = None
    turn: Turn | None = None
    leftover: Leftover | None = None

    @property
    def early_at(self) -> datetime | None:
        """When something could be played before all of it was made. Nothing is told so of what may yet be a copy of another
        clip: what plays of that is taken back. None where an earlier version did not note it."""
        told, unique_at = (self.playable or {}).get("at"), self.stages["dedupe"].done_at
        if told is None or self.uniqueness is None or unique_at is None:
            return None
        return max(datetime.fromisoformat(told), unique_at)


def first(*times: datetime | None) -> datetime | None:
    """The earliest that is known."""
    return min((time for time in times if time is not None), default=None)
