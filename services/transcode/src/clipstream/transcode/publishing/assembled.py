"""The finished output of a clip: one document from which everything that players look for is written, any number of times."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from clipstream.common.contracts import keys
from clipstream.common.contracts.events import ClipTranscoded, PartPlanned, Rendition
from clipstream.common.contracts.ids import RunId, VideoId
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import NotFound
from clipstream.common.store.objects import ObjectStore
from clipstream.transcode.manifests.files import DASH, HLS
from clipstream.transcode.manifests.placed import Placed

STORYBOARD, PREVIEW = "storyboard.vtt", "preview.mp4"
_LIMIT = 64 << 20


class Assembled(BaseModel):
    """Every track with the place of its files, and the facts of the clip's event. `finisher` is the part that put it
    together: the only one that answers for it."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    plan_id: str
    run_id: RunId
    finisher: int
    duration_s: float
    videos: tuple[Placed, ...]
    audios: tuple[Placed, ...]
    renditions: tuple[Rendition, ...]
    stored_bytes: int
    pictures: int = 0
    damaged: int = 0


def transcoded(event: PartPlanned, output: Assembled) -> ClipTranscoded:
    """What the stage answers."""
    video_id = event.video_id
    pictures = bool(output.videos)
    return ClipTranscoded(
        video_id=video_id,
        stream_id=event.stream_id,
        run_id=output.run_id,
        hls_key=keys.processed(video_id, HLS),
        dash_key=keys.processed(video_id, DASH),
        thumbnail_key=keys.thumbnail(video_id),
        storyboard_key=keys.processed(video_id, STORYBOARD) if pictures else None,
        preview_key=keys.processed(video_id, PREVIEW) if pictures else None,
        renditions=output.renditions,
        duration_s=output.duration_s,
        stored_bytes=output.stored_bytes,
        pictures=output.pictures,
        damaged=output.damaged,
        plans=tuple(sorted({output.plan_id, *(Path(placed.prefix).name for placed in output.videos)})),
    )


async def find(store: ObjectStore, video_id: VideoId) -> Assembled | None:
    """The output that players are shown now."""
    return await read(store, current_key(video_id))


async def read(store: ObjectStore, key: ObjectKey) -> Assembled | None:
    try:
        return Assembled.model_validate_json(await store.get(key, limit=_LIMIT))
    except NotFound:
        return None


def current_key(video_id: VideoId) -> ObjectKey:
    return keys.processed(video_id, "output.json")


def part_key(video_id: VideoId, plan_id: str, name: str) -> ObjectKey:
    """Where a part of a plan is described, and its raw pictures lie."""
    return keys.segments(video_id, plan_id, f"parts/{name}")


def claim_key(video_id: VideoId, plan_id: str) -> ObjectKey:
    """Whoever writes this first has put the plan's parts together."""
    return keys.segments(video_id, plan_id, "output.json")
