"""Where every object lies. Keys are made here and nowhere else; what a user typed never becomes part of one."""

from __future__ import annotations

import re
from typing import NewType
from uuid import UUID

from clipstream.common.contracts.ids import VideoId

ObjectKey = NewType("ObjectKey", str)

RAW_PREFIX = "raw-uploads/"
DERIVED_PREFIX = "derived/"
_RAW = re.compile(r"^raw-uploads/(?P<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?P<ext>\.[a-z0-9]{1,8})?$")


def original(video_id: VideoId, extension: str = "") -> ObjectKey:
    """The uploaded file. `extension` is one of the accepted ones with its dot, or empty."""
    return ObjectKey(f"{RAW_PREFIX}{video_id}{extension}")


def video_of_original(key: str) -> VideoId | None:
    """The video whose original lies at `key`, or None where `key` is not one of ours."""
    match = _RAW.match(key)
    return VideoId(UUID(match["id"])) if match else None


def processed(video_id: VideoId, name: str = "") -> ObjectKey:
    """Something playable: `master.m3u8`, `720p.m3u8`, `segments/{plan}/...`."""
    return ObjectKey(f"processed-videos/{video_id}/{name}")


def manifest(video_id: VideoId, stage: str, part: str = "") -> ObjectKey:
    """The commit mark of a stage, or of one part of its work: written last, once; it names the run that won and the
    events it answered with."""
    return processed(video_id, f"manifests/{stage}{'-' + part if part else ''}.json")


def probe(video_id: VideoId) -> ObjectKey:
    """What ingest found in the original, keyframe index included."""
    return processed(video_id, "probe.json")


def thumbnail(video_id: VideoId, overlay: str = "") -> ObjectKey:
    """The poster picture; `overlay` is `processing` or `duplicate` for the marked copies."""
    return ObjectKey(f"thumbnails/{video_id}{'_' + overlay if overlay else ''}.jpg")


def transcript(video_id: VideoId) -> ObjectKey:
    """Timestamped segments and words as JSON."""
    return ObjectKey(f"transcripts/{video_id}.json")


def provisional(video_id: VideoId, name: str = "") -> ObjectKey:
    """What can be played before everything is made: playlists that name segments of the source copy or of the plan."""
    return processed(video_id, f"provisional/{name}")


def segments(video_id: VideoId, plan: str, name: str = "") -> ObjectKey:
    """What one plan makes of a source: segments, the documents of its parts, and `output.json`, which says that it is
    complete."""
    return processed(video_id, f"segments/{plan}/{name}")


def captions(video_id: VideoId) -> ObjectKey:
    """The transcript as WebVTT, beside the playlists."""
    return processed(video_id, "captions.vtt")


def embeddings(video_id: VideoId) -> ObjectKey:
    """Vectors with their times, model and version as JSON."""
    return ObjectKey(f"embeddings/{video_id}.json")


def derived(key: ObjectKey, etag: str, name: str) -> ObjectKey:
    """A small picture made of one version of the object `key`. It lies under its source's own key, so that deleting what
    lies below a prefix has a twin below `derived/`."""
    return ObjectKey(f"{DERIVED_PREFIX}{key}/{etag}/{name}")


def of_video(video_id: VideoId) -> tuple[ObjectKey, ...]:
    """Prefixes that hold everything stored about one video: what deleting it removes."""
    return (
        ObjectKey(f"{RAW_PREFIX}{video_id}"),
        processed(video_id),
        ObjectKey(f"thumbnails/{video_id}"),
        ObjectKey(f"transcripts/{video_id}"),
        ObjectKey(f"embeddings/{video_id}"),
        ObjectKey(f"{DERIVED_PREFIX}thumbnails/{video_id}"),
        ObjectKey(f"{DERIVED_PREFIX}{processed(video_id)}"),
    )
