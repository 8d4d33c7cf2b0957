"""Every event, as its readers see it. Frozen; a change only ever adds a field with a default, anything else is a new
major version. Keys and facts travel, never media: a body stays under 32 KiB."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from clipstream.common.contracts.ids import RunId, StreamId, VideoId
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.contracts.media import MediaInfo

Stage = Literal["ingest", "preview", "dedupe", "transcode", "stt", "embed", "captions", "search_text", "search_vectors"]


class Event(BaseModel):
    """A fact about one video."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    type: ClassVar[str]

    video_id: VideoId
    stream_id: StreamId


class UploadCompleted(Event):
    """The original lies in the store, complete. `announced_by` is informative: all announcers lead to the same event id."""

    type: ClassVar[str] = "upload.completed.v1"
    key: ObjectKey
    size_bytes: int
    etag: str
    announced_by: Literal["client", "bucket", "webhook", "scan"] = "client"


class ClipIngested(Event):
    """The upload is media we can use. The keyframe index lies in the probe object."""

    type: ClassVar[str] = "clip.ingested.v1"
    key: ObjectKey
    etag: str
    media: MediaInfo
    probe_key: ObjectKey
    content_hash: str | None = Field(
        default=None, description="`sha256:<hex>` where the store knew it without a download"
    )


class ClipRejected(Event):
    """The upload cannot be used; `reason` is a sentence for its uploader."""

    type: ClassVar[str] = "clip.rejected.v1"
    reason: str


class ClipUnique(Event):
    """No exact duplicate in its stream: processing goes on. A hash that nobody computed is empty, as when operators say so."""

    type: ClassVar[str] = "clip.unique.v1"
    key: ObjectKey
    etag: str
    media: MediaInfo
    probe_key: ObjectKey
    content_hash: str
    packet_hash: str


class ClipAdmitted(Event):
    """A unique clip's turn has come: the costly stages begin. The fields are those of `clip.unique.v1`."""

    type: ClassVar[str] = "clip.admitted.v1"
    key: ObjectKey
    etag: str
    media: MediaInfo
    probe_key: ObjectKey
    content_hash: str
    packet_hash: str


class ClipDuplicate(Event):
    """The same clip is in the stream already; processing ends here."""

    type: ClassVar[str] = "clip.duplicate.v1"
    original_id: VideoId
    kind: Literal["identical", "remuxed"]
    similarity: float = 1.0


class ClipPreviewed(Event):
    """The poster and its marked copies are in the store. `copied` says whether the source itself can be played, `verdict`
    in words why or why not."""

    type: ClassVar[str] = "clip.previewed.v1"
    thumbnail_key: ObjectKey
    copied: bool
    verdict: str


class ClipPlayable(Event):
    """Something of the clip can be played before everything is made: the source, repackaged, or the lowest rendition as
    far as it is. What lies at `hls_key` goes when the clip turns out to be a duplicate, and when the ladder is there."""

    type: ClassVar[str] = "clip.playable.v1"
    hls_key: ObjectKey
    kind: Literal["copy", "rendition"]


class PartPlanned(Event):
    """One part of a clip is to be made, by the plan in the store. Parts of one clip can be made by many at once."""

    type: ClassVar[str] = "part.planned.v1"
    plan: str
    part: int = Field(ge=0)
    parts: int = Field(ge=1)


class LongPartPlanned(PartPlanned):
    """A part of a long clip. It waits in a lane of its own, so that short clips never stand behind it."""

    type: ClassVar[str] = "part.planned_long.v1"


class Rendition(BaseModel):
    """One quality of the playable output. Sizes in pixels, bandwidths in bits a second."""

    model_config = ConfigDict(frozen=True)
    name: str
    width: int
    height: int
    bandwidth: int
    average_bandwidth: int


class ClipTranscoded(Event):
    """The ladder, its playlists and the thumbnail are in the store. An audio-only clip has no renditions."""

    type: ClassVar[str] = "clip.transcoded.v1"
    run_id: RunId
    hls_key: ObjectKey
    thumbnail_key: ObjectKey
    renditions: tuple[Rendition, ...]
    duration_s: float
    stored_bytes: int = Field(default=0, description="what the renditions, playlists and pictures take in the store")
    dash_key: ObjectKey | None = None
    storyboard_key: ObjectKey | None = Field(default=None, description="WebVTT whose cues name regions of sprites")
    preview_key: ObjectKey | None = Field(default=None, description="a short silent MP4 to show under the pointer")
    pictures: int = Field(default=0, description="decoded or lost, over the whole clip")
    damaged: int = Field(default=0, description="of `pictures`, those lost or concealed")
    plans: tuple[str, ...] = Field(
        default=(), description="directories below `segments/` that the playlists name; empty where nobody said"
    )


class ClipTranscribed(Event):
    """Speech to text ended. `segments` may be 0: nothing was said."""

    type: ClassVar[str] = "clip.transcribed.v1"
    key: ObjectKey
    captions_key: ObjectKey
    segments: int
    language: str | None = None
    model: str
    model_kind: Literal["demo", "general"] = "general"


class ClipCaptioned(Event):
    """The playlists of the clip name its captions, if there are both."""

    type: ClassVar[str] = "clip.captioned.v1"
    joined: bool


class ClipEmbedded(Event):
    """Picture vectors are in the store. `count` may be 0: there was no picture."""

    type: ClassVar[str] = "clip.embedded.v1"
    key: ObjectKey
    count: int
    dimension: int
    model: str
    version: str


class ClipIndexed(Event):
    """One part of a clip can be found: its speech or its pictures."""

    type: ClassVar[str] = "clip.indexed.v1"
    part: Literal["text", "vectors"]
    count: int


class ClipReady(Event):
    """Everything that could be made of the clip is made."""

    type: ClassVar[str] = "clip.ready.v1"


class ClipFailed(Event):
    """A stage gave up after its last attempt; `error` says why in words."""

    type: ClassVar[str] = "clip.failed.v1"
    stage: Stage
    error: str
    attempts: int


class ClipDeleted(Event):
    """The video is gone; whoever holds something of it lets go."""

    type: ClassVar[str] = "clip.deleted.v1"


class ClipProgress(Event):
    """Transient: a stage started, gets on (`fraction` 0..1), or merely lives. Never stored, never retried."""

    type: ClassVar[str] = "clip.progress.v1"
    stage: Stage
    state: Literal["started", "running", "retrying"]
    fraction: float = Field(default=0.0, ge=0.0, le=1.0)
    attempt: int = 1
    run_id: RunId
    note: str | None = None
    part: int = Field(default=0, ge=0, description="of a stage that works in parts: the one that this is about")
    parts: int = Field(default=1, ge=1)


EVENTS: dict[str, type[Event]] = {
    event.type: event
    for event in (
        UploadCompleted,
        ClipIngested,
        ClipRejected,
        ClipPreviewed,
        ClipPlayable,
        ClipUnique,
        ClipAdmitted,
        ClipDuplicate,
        PartPlanned,
        LongPartPlanned,
        ClipTranscoded,
        ClipTranscribed,
        ClipCaptioned,
        ClipEmbedded,
        ClipIndexed,
        ClipReady,
        ClipFailed,
        ClipDeleted,
        ClipProgress,
    )
}
