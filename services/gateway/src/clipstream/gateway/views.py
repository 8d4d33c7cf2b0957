"""What the API answers with about a video, and how it is read from its rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Pool, Record
from pydantic import BaseModel, Field

from clipstream.common.contracts.events import Stage
from clipstream.gateway.clip import ADMITTED, STAGES, StageStatus, Status
from clipstream.gateway.estimates import UNKNOWN, Estimates, clip_left_s, in_words, stage_left_s
from clipstream.gateway.repository import stages

WAITS = "It waits for its turn: only so many clips of one uploader are worked on at once."


class Person(BaseModel):
    """Somebody, as others may see them."""

    id: UUID
    name: str
    avatar: str | None


class Video(BaseModel):
    """A video in a list. `duration` is in seconds and unknown until the file was looked at."""

    id: UUID
    stream_id: UUID
    title: str
    duration: float | None
    processing_index: int = Field(
        description="1 duplicate detection, 2 transcoding, 3 speech to text, 4 AI analysis, 0 complete, -1 duplicate"
    )
    status: Status
    uploaded_at: datetime
    uploaded_by: Person
    thumbnail_url: str


class VideoDetails(Video):
    """Everything about one video. `error` says why it failed or was rejected."""

    description: str
    tags: list[str]
    total_likes: int
    filename: str
    content_type: str
    size: int
    recorded_at: datetime | None
    width: int | None
    height: int | None
    error: str | None
    failed_stage: Stage | None
    playable_at: datetime | None
    ready_at: datetime | None


class NotComplete(BaseModel):
    """What was asked for is not made yet."""

    error: str = "Processing not complete"
    processing_index: int


class StageProgress(BaseModel):
    """One stage of one video. `progress` is 0..1, `estimate` the seconds of work left, `note` what else there is to know."""

    stage: Stage
    state: StageStatus
    progress: float
    attempts: int
    error: str | None
    note: str | None
    started_at: datetime | None
    finished_at: datetime | None
    estimate: float | None


class Processing(BaseModel):
    """Where a video is, stage by stage."""

    id: UUID
    status: Status
    processing_index: int
    error: str | None
    failed_stage: Stage | None
    uploaded_at: datetime
    playable_at: datetime | None
    ready_at: datetime | None
    estimated_time: str | None
    stages: list[StageProgress]


def thumbnail_url(video_id: UUID) -> str:
    return f"/files/videos/{video_id}/thumbnail"


def uploader(row: Record) -> Person:
    return Person(id=row["uploader_id"], name=row["uploader_name"], avatar=row["uploader_avatar"])


def fact(row: Record, name: str) -> Mapping[str, Any]:
    """What a stage told, or nothing yet."""
    return json.loads(row[name]) if row[name] else {}


def _common(row: Record) -> dict[str, Any]:
    return {
        "id": row["id"],
        "stream_id": row["stream_id"],
        "title": row["title"],
        "duration": row["duration_s"],
        "processing_index": row["processing_index"],
        "status": row["status"],
        "uploaded_at": row["uploaded_at"] or row["created_at"],
        "uploaded_by": uploader(row),
        "thumbnail_url": thumbnail_url(row["id"]),
    }


def video(row: Record) -> Video:
    return Video(**_common(row))


def details(row: Record) -> VideoDetails:
    picture = fact(row, "media").get("video") or {}
    return VideoDetails(
        **_common(row),
        description=row["description"],
        tags=row["tags"],
        total_likes=row["total_likes"],
        filename=row["filename"],
        content_type=row["content_type"],
        size=row["size_bytes"],
        recorded_at=row["recorded_at"],
        width=picture.get("width"),
        height=picture.get("height"),
        error=row["error"],
        failed_stage=row["failed_stage"],
        playable_at=row["playable_at"],
        ready_at=row["ready_at"],
    )


async def processing(pool: Pool, estimates: Estimates, row: Record) -> Processing:
    """Where the video of this row is."""
    rows = await stages.of_video(pool, row["id"])
    paces = await estimates.paces()
    duration_s = row["duration_s"]
    by_stage: dict[Stage, _Row] = {r["stage"]: _Row(r) for r in rows}
    left = clip_left_s(by_stage, paces, duration_s) if row["status"] == "processing" else None
    return Processing(
        id=row["id"],
        status=row["status"],
        processing_index=row["processing_index"],
        error=row["error"],
        failed_stage=row["failed_stage"],
        uploaded_at=row["uploaded_at"] or row["created_at"],
        playable_at=row["playable_at"],
        ready_at=row["ready_at"],
        estimated_time=None if left is None else in_words(left),
        stages=[
            StageProgress(
                stage=stage,
                state=r.state,
                progress=round(r.progress, 3),
                attempts=r.record["attempts"],
                error=r.record["error"],
                note=_note(row, stage, r.state),
                started_at=r.record["started_at"],
                finished_at=r.record["finished_at"],
                estimate=round(stage_left_s(r, paces.get(stage, UNKNOWN), duration_s), 1)
                if row["status"] == "processing" and r.state in ("queued", "running")
                else None,
            )
            for stage in STAGES
            if (r := by_stage.get(stage)) is not None
        ],
    )


def _note(row: Record, stage: Stage, state: StageStatus) -> str | None:
    if row["turn"] == "waits" and stage in ADMITTED and state == "queued":
        return WAITS
    if stage == "preview":
        return fact(row, "preview").get("verdict")
    made = fact(row, "playback")
    if stage == "transcode" and made.get("damaged"):
        are = "is" if made["damaged"] == 1 else "are"
        return f"{made['damaged']:,} of {made['pictures']:,} pictures {are} damaged."
    return None


class _Row:
    """A stage's record with the two values that estimates ask for."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.state: StageStatus = record["state"]
        self.progress: float = record["progress"]
